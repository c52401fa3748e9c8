"""Bodies of requests: never more of one than its route takes."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.datastructures import Headers
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.web.problems import answer, problem_of_status
from protos.faults import InputError
from protos.language import Text

_TOO_LARGE: Final = 413


class BodyLimit:
    """Refuses bodies that are too long as all else is refused; starlette says it in plain text.

    A route or a router that has a ``max_body_size`` of its own has another limit.

    Args:
        app: What answers.
        most: Bytes of any other body.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = RequestBodyLimitMiddleware(app, max_body_size=most)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        refused = False

        async def sending(message: Message) -> None:
            nonlocal refused
            if _is_starlettes(message):
                refused = True
                problem = problem_of_status(_TOO_LARGE)
                await answer(Request(scope), problem)(scope, receive, send)
            elif not refused:  # else it is the body of what is said already
                await send(message)

        await self._app(scope, receive, sending)


def _is_starlettes(message: Message) -> bool:
    return (
        message["type"] == "http.response.start"
        and message["status"] == _TOO_LARGE
        and Headers(raw=message["headers"]).get("content-type", "").startswith("text/plain")
    )


class BodyWithin:
    """A dependency: the request's body, which is refused as soon as it is longer.

    Args:
        most: Bytes.
    """

    def __init__(self, most: int) -> None:
        self._most = most

    async def __call__(self, request: Request) -> bytes:
        """Reads it.

        Raises:
            InputError: It is too long.
        """
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self._most:
                raise InputError(
                    Text(
                        f"the body is longer than {self._most} bytes",
                        f"请求正文超过 {self._most} 字节",
                    ),
                    remedy=Text(
                        "check it on your own machine: veil verify FILE",
                        "请在本机核验：veil verify 文件",
                    ),
                    code="request.too_long",
                )
        return bytes(body)
