"""Bodies of requests that are read by hand: never more of one than its route takes."""

from __future__ import annotations

from fastapi import Request

from protos.faults import InputError
from protos.language import Text


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
