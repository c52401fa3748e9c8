"""No request is read further than any route needs: whoever sends more is told so.

FastAPI reads a body whole, into memory, before it asks who calls.
"""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES: Final = 8 << 20  # a request for use with twenty statements has below six
TOO_LARGE: Final = 413


class BoundedBodies:
    """Ends the reading of a body that is too large.

    Args:
        app: What answers.
        most: Largest body, bytes.
    """

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"")
        read = self._most + 1 if _larger(announced, self._most) else 0

        async def bounded() -> Message:
            nonlocal read
            if read > self._most:
                raise HTTPException(TOO_LARGE)
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise HTTPException(TOO_LARGE)
            return message

        await self._app(scope, bounded, send)


def _larger(announced: bytes, most: int) -> bool:
    # Long ones first: Python reads no integer of more than 4,300 digits.
    return announced.isdigit() and (len(announced) > 18 or int(announced) > most)
