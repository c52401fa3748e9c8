"""What follows the question mark of an address: never more of it than a route could read."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from catalog.web.problems import Problem, answer

MOST_BYTES: Final = 24 << 10
"""The longest statement of `catalog.sql_gate` fits where most of it needs no quoting; one that
does not is sent as a body. The server's own limit for all headers is above it."""
MOST_PARAMETERS: Final = 500
"""All values of all facets of a search are fewer."""


class QueryLimit:
    """Refuses addresses with too long a query, or too many parameters, before any route reads them.

    Each parameter costs a route little, but a page that repeats what was asked for in each of its
    links makes a long answer of a short question.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        problem = _wrong(scope["query_string"]) if scope["type"] == "http" else None
        if problem is None:
            await self._app(scope, receive, send)
            return
        # A page would repeat the query, in the link to the other language.
        short = {**scope, "query_string": b""}
        await answer(Request(short), problem)(short, receive, send)


def _wrong(query: bytes) -> Problem | None:
    if len(query) > MOST_BYTES:
        return Problem(
            type="urn:veil:problem:request.query_too_long", code="request.query_too_long",
            status=414, title=f"the query of the address is longer than {MOST_BYTES >> 10} KiB",
            title_zh=f"地址中的查询部分超过 {MOST_BYTES >> 10} KiB",
            detail="ask for less, or send it as the body of a POST where the address takes one",
            detail_zh="请减少查询内容，或在支持 POST 的地址以请求正文发送",
        )  # fmt: skip
    if query.count(b"&") >= MOST_PARAMETERS:
        return Problem(
            type="urn:veil:problem:request.parameters", code="request.parameters",
            status=400, title=f"the address has more than {MOST_PARAMETERS} parameters",
            title_zh=f"地址中的参数超过 {MOST_PARAMETERS} 个",
            detail="leave parameters out", detail_zh="请减少参数",
        )  # fmt: skip
    return None
