"""How a request says who sends it: an API key, or the cookie of a session."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fastapi import Request, Response

from catalog.access.accounts import Account
from catalog.access.gate import Gate
from catalog.access.login import BROWSER_S
from catalog.access.principal import Principal
from catalog.access.tokens import KEY_PREFIX
from catalog.web.sources import source_name
from protos.faults import LoginError
from protos.language import Text

SESSION: Final = "__Host-veil"
BROWSER: Final = "__Host-veil-browser"
_HEADERS: Final = ("authorization", "x-ckan-api-key")  # CKAN's clients send the key bare


class ByKey:
    """Authenticates by an API key.

    It stands in ``Authorization: Bearer KEY``, ``Authorization: KEY`` or ``X-CKAN-API-Key: KEY``.

    Args:
        gate: Knows the keys.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __call__(self, request: Request) -> Principal | None:
        """Returns the key's account, narrowed; None if there is no key.

        Raises:
            LoginError: What is given is no key that holds.
            LimitError: Its quota is used up.
        """
        given = next((text for name in _HEADERS if (text := request.headers.get(name))), "")
        if not given:
            return None
        scheme, _, rest = given.partition(" ")
        key = rest.strip() if scheme.lower() == "bearer" else given
        ours = key.startswith(KEY_PREFIX)
        found = self._gate.keys.find(key) if ours else None
        if found is None:
            raise LoginError(
                (self._gate.keys.ended(key) if ours else None)
                or Text("this is no API key of this catalog", "这不是本目录的 API 密钥"),
                remedy=Text("make another one: veil login, or the page of your account",
                            "请用 veil login 或在“我的账号”页面重新生成"),
                code="access.key",
            )  # fmt: skip
        held, account = found
        self._gate.quotas.take(held)
        self._gate.used.key(held.number)
        return replace(account.principal(), scopes=held.scopes, key=held.number)


class BySession:
    """Authenticates by the cookie of a session.

    Args:
        gate: Knows the sessions.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __call__(self, request: Request) -> Principal | None:
        """Returns who has logged in; None if nobody has, or the session is over."""
        token = request.cookies.get(SESSION, "")
        account = self._gate.sessions.find(token) if token else None
        return None if account is None else account.principal()


def begin_session(request: Request, response: Response, gate: Gate, account: Account) -> None:
    """Begins a session in a browser, instead of the one that it had, and remembers the browser."""
    before = request.cookies.get(SESSION, "")
    _set(response, SESSION, gate.sessions.begin(account, instead_of=before))
    if not gate.logins.known_browser(account.name, request.cookies.get(BROWSER, "")):
        _set(response, BROWSER, gate.logins.browser_cookie(account), BROWSER_S)


def end_session(request: Request, response: Response, gate: Gate) -> None:
    """Ends the session of a browser, if there is one."""
    if token := request.cookies.get(SESSION, ""):
        gate.sessions.end(token)
    response.delete_cookie(SESSION, path="/", secure=True, httponly=True, samesite="lax")


def source_of(request: Request) -> str:
    """Returns where a request comes from; see `sources.source_name`."""
    return source_name(request.client.host if request.client else "")


def _set(response: Response, name: str, value: str, max_age: int | None = None) -> None:
    response.set_cookie(
        name, value, max_age=max_age, path="/", secure=True, httponly=True, samesite="lax"
    )
