"""No other site makes a browser change something here (cross-site request forgery).

A browser says where a request comes from (``Sec-Fetch-Site``, and ``Origin`` with every POST). A
program says nothing, and has no cookie. So what changes something is refused when it comes from
elsewhere, and when it carries a session but does not say where it comes from.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Form, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from catalog.web.callers import SESSION
from catalog.web.guard import gate_of
from catalog.web.problems import answer, problem_of
from protos.faults import PolicyError
from protos.language import Text

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PORTS: Final = {"https": 443, "http": 80}


class SameOrigin:
    """Refuses what another site sends, before any route sees it.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        changes = scope["type"] == "http" and scope["method"] not in _SAFE
        if changes and not _from_here(Headers(scope=scope), scope["scheme"]):
            await answer(Request(scope), problem_of(_refusal()))(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _from_here(headers: Headers, scheme: str) -> bool:
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    if origin is not None:
        return _is_ours(origin, headers.get("host", ""), scheme)
    return site is not None or f"{SESSION}=" not in headers.get("cookie", "")


def _is_ours(origin: str, host: str, scheme: str) -> bool:
    """Whether an origin is this server; behind a proxy that ends TLS its scheme is not ours."""
    try:
        theirs, ours = urlsplit(origin), urlsplit(f"//{host}")
        default = _PORTS.get(theirs.scheme)
        same = (theirs.hostname, theirs.port or default) == (ours.hostname, ours.port or default)
    except ValueError:
        return False
    return same and theirs.scheme in {"https", scheme}


def form_token(request: Request) -> str:
    """Returns what every form of a session's pages carries in the hidden field ``csrf``."""
    token = request.cookies.get(SESSION, "")
    return gate_of(request).vault.mac("form", token) if token else ""


def our_form(request: Request, csrf: Annotated[str, Form(max_length=100)] = "") -> None:
    """Checks that a form of somebody who has logged in comes from a page made for this session.

    Raises:
        PolicyError: The form was not made for this session.
    """
    right = form_token(request)
    if not right or not secrets.compare_digest(csrf.encode("utf-8", "replace"), right.encode()):
        raise _refusal()


OurForm = Annotated[None, Depends(our_form)]
"""A parameter of every route that takes such a form, after the one that asks who calls."""


def _refusal() -> PolicyError:
    return PolicyError(
        Text("this does not come from a page of this site", "请求并非来自本站页面"),
        remedy=Text("open the page again and repeat it there; programs use an API key",
                    "请重新打开页面后再试；程序请使用 API 密钥"),
        code="access.origin",
    )  # fmt: skip
