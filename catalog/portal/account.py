"""A member's own account: the password, the second factor, and the API keys of programs.

What a page does is what ``/api/me`` and ``/api/keys`` do; here it is forms, which work without
scripts. What is shown once (a key, a secret, recovery codes) stands in the answer to the form and
nowhere else.
"""

# Annotations are read as they stand: an action is known inside its function only.

from collections.abc import Callable
from typing import Annotated, Any, Final

import segno
from fastapi import APIRouter, Depends, Form, Path
from fastapi.responses import RedirectResponse, Response

from catalog.access.keys import unknown, usual_scopes
from catalog.access.login import Typed
from catalog.portal.languages import PREFIX
from catalog.portal.links import link
from catalog.portal.visit import Visit, visiting
from catalog.rest.login import MOST_BYTES, NewKey
from catalog.web.callers import BROWSER, SESSION, begin_session, source_of
from catalog.web.guard import Doors
from catalog.web.origin import form_token, our_form
from catalog.web.problems import STATUS
from protos.faults import InputError, LimitError, VeilError
from protos.language import Text

router = APIRouter(include_in_schema=False, max_body_size=MOST_BYTES)
_HERE: Final = PREFIX + "/account"
Reading = Annotated[Visit, Depends(visiting("me.read"))]
Writing = Annotated[Visit, Depends(visiting("me.write"))]
Making = Annotated[Visit, Depends(visiting("key.write"))]
Ours = Annotated[None, Depends(our_form)]
Line = Annotated[str, Form(max_length=1000)]
Days = Annotated[int, Form(ge=1, le=366)]
PerDay = Annotated[int, Form(ge=1, le=1_000_000_000)]
DONE: Final = {
    "password": Text("the password has been changed; other sessions have ended",
                     "密码已修改，其他会话均已结束"),
    "password-keys": Text("the password has been changed; other sessions and all API keys have "
                          "ended", "密码已修改，其他会话与全部 API 密钥均已失效"),
    "key": Text("the key has ended", "密钥已吊销"),
    "keys": Text("all API keys have ended", "全部 API 密钥均已吊销"),
    "removed": Text("the second factor has been removed", "双因素验证已移除"),
}  # fmt: skip


@router.get(_HERE)
def show(visit: Reading, doors: Doors, done: str = "") -> Response:
    """Shows the account."""
    return _page(visit, doors, done=DONE.get(done))


@router.post(_HERE + "/password")
def change_password(
    visit: Writing, _: Ours, doors: Doors, password: Line, new: Line, again: Line,
    code: Line = "", end_keys: Line = "",
) -> Response:  # fmt: skip
    """Exchanges the password; other sessions end, and keys if that is wanted."""

    def change() -> Response:
        if new != again:
            raise InputError(
                Text("the new password was typed in two ways", "两次输入的新密码不一致"),
                remedy=Text("type the same twice", "请重新输入"), code="password.twice",
            )  # fmt: skip
        doors.logins.change_password(_typed(visit, password, code), new)
        if end_keys:
            doors.keys.revoke_all(visit.caller.account)
        return _on(visit, doors, "password-keys" if end_keys else "password")

    return _tried(visit, doors, "password", change)


@router.post(_HERE + "/second-factor")
def begin_second_factor(
    visit: Writing, _: Ours, doors: Doors, password: Line, code: Line = ""
) -> Response:
    """Shows the secret of a new second factor, and asks for a code of it."""

    def begin() -> Response:
        doors.logins.enter(_typed(visit, password, code))
        secret = doors.factors.begin(visit.caller.account)
        return _page(visit, doors, secret=secret.text, picture=_picture(secret.url))

    return _tried(visit, doors, "factor", begin)


@router.post(_HERE + "/second-factor/confirm")
def confirm_second_factor(visit: Writing, _: Ours, doors: Doors, code: Line) -> Response:
    """Makes it count, and shows its recovery codes."""

    def confirm() -> Response:
        codes = doors.factors.confirm(visit.caller.account, code)
        answer = _page(visit, doors, codes=codes)
        _renew(visit, doors, answer)
        return answer

    return _tried(visit, doors, "factor", confirm)


@router.post(_HERE + "/second-factor/remove")
def remove_second_factor(
    visit: Writing, _: Ours, doors: Doors, password: Line, code: Line
) -> Response:
    """Takes the second factor away, for whoever still has it."""

    def remove() -> Response:
        doors.logins.enter(_typed(visit, password, code))
        doors.factors.remove(visit.caller.account)
        return _on(visit, doors, "removed")

    return _tried(visit, doors, "factor", remove)


@router.post(_HERE + "/sessions/end")
def end_sessions(visit: Writing, _: Ours, doors: Doors) -> Response:
    """Logs out everywhere, here too."""
    doors.accounts.end_sessions(visit.caller.account)
    return RedirectResponse(link(visit.language, "login"), 303)


@router.post(_HERE + "/keys")
def make_key(
    visit: Making, _: Ours, doors: Doors, label: Line, lasts_days: Days = 90,
    per_day: PerDay = 10_000, scope: Annotated[list[str], Form(max_length=200)] = [],  # noqa: B006 - read only
) -> Response:  # fmt: skip
    """Makes a key and shows it, this once."""

    def make() -> Response:
        wish = NewKey.model_construct(
            label=label, scopes=scope, lasts_days=lasts_days, per_day=per_day
        ).wish(visit.caller)
        made, key = doors.keys.add(visit.caller, wish)
        return _page(visit, doors, made=made, key=key)

    return _tried(visit, doors, "keys", make)


@router.post(_HERE + "/keys/end")
def end_keys(visit: Making, _: Ours, doors: Doors) -> Response:
    """Ends every key of the account."""
    doors.keys.revoke_all(visit.caller.account)
    return _to(visit, "keys")


@router.post(_HERE + "/keys/{number}/end")
def end_key(
    visit: Making, _: Ours, doors: Doors, number: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> Response:
    """Ends one key of the account."""
    if doors.keys.get(number).account != visit.caller.account:
        raise unknown(number)  # another's key looks like none
    doors.keys.revoke(number)
    return _to(visit, "key")


def _page(
    visit: Visit,
    doors: Doors,
    *,
    failed: str = "",
    problem: VeilError | None = None,
    **more: Any,  # noqa: ANN401 - whatever is shown once
) -> Response:
    account, now = doors.accounts.get(visit.caller.account), visit.services.registry.now()
    facts: dict[str, Any] = {"done": None, "secret": "", "picture": "", "codes": [], "made": None,
                             "key": ""}  # fmt: skip
    answer = visit.page(
        "account",
        status=200 if problem is None else STATUS.get(problem.kind, 500),
        account=account,
        factor=doors.factors.has(account.name),
        keys=[
            (each, each.revoked_at is None and each.expires_at > now)
            for each in reversed(doors.keys.all(account.name))
        ],
        scopes=usual_scopes(visit.caller),
        with_password=bool(doors.accounts.kept_password(account.name)[1]),
        csrf=form_token(visit.request),
        failed=failed,
        problem=problem,
        **(facts | more),
    )
    if isinstance(problem, LimitError) and problem.retry_after_s:
        answer.headers["Retry-After"] = str(problem.retry_after_s)
    return answer


def _tried(visit: Visit, doors: Doors, form: str, act: Callable[[], Response]) -> Response:
    """Does it, or shows the page again with what was wrong above the form."""
    try:
        return act()
    except VeilError as error:
        return _page(visit, doors, failed=form, problem=error)


def _typed(visit: Visit, password: str, code: str) -> Typed:
    cookie = visit.request.cookies.get(BROWSER, "")
    return Typed(visit.caller.account, password, code, source_of(visit.request), cookie)


def _to(visit: Visit, done: str) -> RedirectResponse:
    return RedirectResponse(link(visit.language, "account", done=done), 303)


def _on(visit: Visit, doors: Doors, done: str) -> Response:
    answer = _to(visit, done)
    _renew(visit, doors, answer)
    return answer


def _renew(visit: Visit, doors: Doors, answer: Response) -> None:
    """Every session of the account is over; this browser gets a new one."""
    if SESSION in visit.request.cookies:
        begin_session(visit.request, answer, doors, doors.accounts.get(visit.caller.account))


def _picture(url: str) -> str:
    return segno.make(url, error="m").svg_data_uri(scale=4, encode_minimal=True)
