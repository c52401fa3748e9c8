"""What went wrong, as a page for people; programs get the same as a problem (RFC 9457)."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from fastapi.responses import Response

from catalog.portal.languages import of_path
from catalog.portal.rendering import page
from catalog.web.problems import Problem
from protos.language import Text

TITLES: Final[dict[int, Text]] = {
    401: Text("Please log in", "请先登录"),
    403: Text("This is not open to you", "您无权访问"),
    404: Text("There is nothing here", "页面不存在"),
    405: Text("This cannot be done here", "不支持该操作"),
    409: Text("Somebody was faster", "内容已被他人更改"),
    413: Text("That is too large", "内容过大"),
    414: Text("The address is too long", "网址过长"),
    422: Text("The request is malformed", "请求格式有误"),
    429: Text("Too much for now", "请求过于频繁"),
    500: Text("A mistake of ours", "服务器内部错误"),
    503: Text("Not available just now", "服务暂不可用"),
}
_OTHER: Final = Text("That did not work", "请求未能完成")


def error_page(request: Request, problem: Problem) -> Response | None:
    """Returns a problem as a page; None if the client did not ask for HTML."""
    if not wants_html(request.headers.get("accept", "")):
        return None
    return page(
        request,
        of_path(request),
        "error",
        status=problem.status,
        code=problem.code,
        number=problem.status,
        heading=TITLES.get(problem.status, _OTHER),
        message=Text(problem.title, problem.title_zh or problem.title),
        advice=Text(problem.detail, problem.detail_zh or problem.detail),
    )


def wants_html(accept: str) -> bool:
    """Whether a client prefers HTML: names it, and before JSON; ``*/*`` alone is a program's."""
    kinds = [part.split(";")[0].strip().lower() for part in accept[:1000].split(",")]
    if "text/html" not in kinds:
        return False
    html = kinds.index("text/html")
    return not any("json" in kind for kind in kinds[:html])
