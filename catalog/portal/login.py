"""Pages to log in and out: with a password, or at an OpenID provider. They work without scripts."""

from __future__ import annotations

import logging
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from catalog.access.login import Typed
from catalog.access.openid import LASTS_S, Returned
from catalog.access.principal import NOBODY, Principal
from catalog.portal.languages import PREFIX, TAGS, of_path, preferred
from catalog.portal.links import link
from catalog.portal.rendering import page
from catalog.rest.login import MOST_BYTES
from catalog.web.callers import BROWSER, begin_session, end_session, source_of
from catalog.web.guard import Doors, May
from catalog.web.origin import OurForm, form_token
from catalog.web.problems import STATUS
from protos.faults import LimitError, VeilError
from protos.language import Language

router = APIRouter(include_in_schema=False, max_body_size=MOST_BYTES)
_LOG: Final = logging.getLogger("veil.web")
_AWAY: Final = "__Host-veil-openid"
Looking = Annotated[Principal, Depends(May("login.read"))]
Entering = Annotated[Principal, Depends(May("login.enter"))]
Leaving = Annotated[Principal, Depends(May("login.end"))]
Name = Annotated[str, Path(max_length=32)]
Line = Annotated[str, Form(max_length=1000)]
Onward = Annotated[str, Query(alias="next", max_length=500)]
Word = Annotated[str, Query(max_length=4000)]


@router.get("/login")
def start(_: Doors, __: Looking, request: Request, onward: Onward = "/") -> Response:
    """Leads to the form in the language of where somebody wants to go, or of the browser."""
    language = _language(request, onward)
    query = {} if onward == "/" else {"next": local(onward)}
    return RedirectResponse(link(language, "login", **query), 302, {"Vary": "Accept-Language"})


@router.get(PREFIX + "/login")
def show(doors: Doors, caller: Looking, request: Request, onward: Onward = "") -> Response:
    """Shows the form; to somebody who has logged in, the way out."""
    return _page(doors, caller, request, onward or f"/{of_path(request)}/workbench")


@router.post("/login")
def enter(
    doors: Doors,
    _: Entering,
    request: Request,
    name: Line,
    password: Line,
    code: Line = "",
    onward: Annotated[str, Form(alias="next", max_length=500)] = "/",
) -> Response:
    """Begins a session, and goes on to where somebody wanted to go."""
    browser = request.cookies.get(BROWSER, "")
    try:
        account = doors.logins.enter(Typed(name, password, code, source_of(request), browser))
    except VeilError as error:
        return _page(doors, NOBODY, request, onward, error)
    answer = RedirectResponse(local(onward), 303)
    begin_session(request, answer, doors, account)
    return answer


@router.post("/logout")
def leave(doors: Doors, _: Leaving, __: OurForm, request: Request) -> Response:
    """Ends the session."""
    answer = RedirectResponse("/", 303)
    end_session(request, answer, doors)
    return answer


@router.get("/login/openid/{provider}")
def go(doors: Doors, _: Looking, provider: Name, onward: Onward = "/") -> Response:
    """Sends the browser to a provider."""
    away = doors.openid.begin(provider, local(onward))
    answer = RedirectResponse(away.url, 303)
    answer.set_cookie(
        _AWAY, away.cookie, max_age=LASTS_S, path="/", secure=True, httponly=True, samesite="lax"
    )
    return answer


@router.get("/login/openid/{provider}/callback")
def come_back(
    doors: Doors,
    caller: Entering,
    request: Request,
    provider: Name,
    state: Word = "",
    code: Word = "",
    iss: Word | None = None,
) -> Response:
    """Takes the browser back from a provider, and begins a session."""
    kept = request.cookies.get(_AWAY, "")
    answer: Response
    try:
        account, onward = doors.openid.end(
            provider, Returned(kept, state, code, iss, source_of(request))
        )
    except VeilError as error:
        _LOG.warning("login at %s: %s: %r", provider, error.code, error.detail)
        answer = _page(doors, caller, request, "/", error)
    else:
        answer = RedirectResponse(onward, 303)
        begin_session(request, answer, doors, account)
    answer.delete_cookie(_AWAY, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def local(onward: str) -> str:
    """Returns a path of this site; whatever might lead elsewhere is its first page."""
    safe = onward.startswith("/") and not onward.startswith(("//", "/\\"))
    return onward if safe and onward.isascii() and onward.isprintable() else "/"


def _language(request: Request, onward: str) -> Language:
    """Of the page's own address, else of where somebody wants to go, else of the browser."""
    for path in (request.url.path, onward):
        for language in TAGS:
            if path.startswith(f"/{language}/") or path == f"/{language}":
                return language
    return preferred(request)


def _page(
    doors: Doors, caller: Principal, request: Request, onward: str, problem: VeilError | None = None
) -> Response:
    answer = page(
        request,
        _language(request, onward),
        "login",
        caller=caller,
        status=200 if problem is None else STATUS.get(problem.kind, 500),
        csrf=form_token(request),
        problem=problem,
        onward=local(onward),
        providers=[each.client for each in doors.openid.providers.values()],
    )
    answer.headers["Cache-Control"] = "no-store"
    if isinstance(problem, LimitError) and problem.retry_after_s:
        answer.headers["Retry-After"] = str(problem.retry_after_s)
    return answer
