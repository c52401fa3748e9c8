"""Answers that are sent piece by piece: whoever reads slowly keeps what is not sent in memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any, Final

from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from catalog.datastore.dumps import Piece

LONG: Final = 1 << 20
"""Bytes from which on an answer takes one of the places of downloads."""
_PART: Final = 1 << 18
_JSON: Final = "application/json"


class Stream(StreamingResponse):
    """A stream that gives back its place and its engine, however it ends.

    Args:
        pieces: What is sent.
        ends: Called at the end.
        more: As for a response of Starlette's.
    """

    def __init__(self, pieces: Iterator[Piece], ends: Callable[[], None], **more: Any) -> None:  # noqa: ANN401
        super().__init__(pieces, **more)
        self._pieces = pieces
        self._ends = ends

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if isinstance(self._pieces, Generator):
                with suppress(ValueError):  # a piece is being made: it ends with its deadline
                    self._pieces.close()
            self._ends()


def json_answer(text: str, place: Callable[[], Callable[[], None]]) -> Response:
    """Returns JSON that is written already.

    Args:
        text: All of it.
        place: Takes a place if it is long, and returns what gives it back.

    Raises:
        LimitError: It is long, and no place is left.
    """
    body = text.encode()
    if len(body) < LONG:
        return Response(body, media_type=_JSON)
    ends, whole = place(), memoryview(body)
    pieces = (whole[at : at + _PART] for at in range(0, len(body), _PART))
    return Stream(pieces, ends, media_type=_JSON, headers={"Content-Length": str(len(body))})
