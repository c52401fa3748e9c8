"""Pages, feeds and descriptions are sent compressed to whoever takes that (RFC 9110, 8.4.1).

Only what is the same for every visitor: where an answer is for one caller, its length would tell
something of what stands beside the words that a stranger makes the caller's browser send (BREACH).
Rows are left alone: they are answered a thousand a second, or streamed and resumed by byte ranges.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.web.headers import PERSONAL

_PATHS: Final = ("/zh/", "/en/", "/catalog", "/dataset/", "/feed.", "/static/", "/sitemap",
                 "/api/openapi.json", "/api/catalog/")  # fmt: skip
_SMALLEST: Final = 1024
_LEVEL: Final = 4  # half a megabyte takes some milliseconds, in which nobody else is answered


class Compressed:
    """Compresses what visitors are sent.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressing = GZipMiddleware(_Weak(app), _SMALLEST, _LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        alike = (
            scope["type"] == "http"
            and scope["path"].startswith(_PATHS)
            and not any(name in PERSONAL for name, _ in scope["headers"])
        )
        await (self._compressing if alike else self._app)(scope, receive, send)


class _Weak:
    """Tags of answers that may be sent compressed are weak: their bytes are not always the same."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        packed = "gzip" in Headers(scope=scope).get("accept-encoding", "")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                tag = headers.get("etag", "")
                if packed and tag and not tag.startswith("W/"):
                    headers["ETag"] = f"W/{tag}"
            await send(message)

        await self._app(scope, receive, sending)
