"""What went wrong, as ``application/problem+json`` (RFC 9457) in both languages."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from catalog.web.headers import HEADERS
from protos.faults import LimitError, VeilError
from protos.form_words import misfit

MEDIA_TYPE: Final = "application/problem+json"
_CONTENT: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ERRORS: Final = {
    "4XX": {"description": "Client Error", "content": _CONTENT},
    "5XX": {"description": "Server Error", "content": _CONTENT},
}
STATUS: Final[dict[str, int]] = {
    "missing": 404, "conflict": 409, "login": 401, "limit": 429, "input": 400, "sql": 400,
    "policy": 403, "budget": 403, "trust": 403, "unavailable": 503,
}  # fmt: skip
_LOG: Final = logging.getLogger("veil.web")


class Problem(BaseModel):
    """An error.

    Attributes:
        type: ``urn:veil:problem:`` and the code.
        title: What was wrong, in English.
        status: As in the answer's first line.
        detail: What to do about it, in English.
        code: Stable, dotted.
        title_zh: As ``title``, in Chinese.
        detail_zh: As ``detail``, in Chinese.
        errors: Of a malformed request: where, and what was expected, in both languages.
    """

    type: str
    title: str
    status: int
    detail: str = ""
    code: str
    title_zh: str = ""
    detail_zh: str = ""
    errors: list[dict[str, str]] = []


Page = Callable[[Request, Problem], Response | None]
"""Shows a problem to people; None for a client that did not ask for a page."""


def install(app: FastAPI, page: Page | None = None) -> None:
    """Makes an app answer errors as problems; what nobody expected is logged, and said to be so.

    Args:
        app: The app.
        page: How people see them.
    """
    app.state.problem_page = page
    app.add_exception_handler(VeilError, _veil)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def describe(app: FastAPI) -> None:
    """Makes an app's description say that errors are problems, those of malformed requests, too."""
    written = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        schema = written()
        its_words = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schema["components"]["schemas"]["Problem"] = its_words
        for operations in schema["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)  # one of 4XX
                # CKAN's actions have errors of theirs.
                operation["responses"] = _ERRORS | operation["responses"]
        for unused in ("HTTPValidationError", "ValidationError"):
            schema["components"]["schemas"].pop(unused, None)
        return schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's way to extend it


def problem_of(error: VeilError) -> Problem:
    """Returns what may be said of an error: never its private detail."""
    return Problem(
        type=f"urn:veil:problem:{error.code}", title=_whole(error.said.en),
        status=STATUS.get(error.kind, 500), detail=_whole(error.advice.en), code=error.code,
        title_zh=_whole(error.said.zh), detail_zh=_whole(error.advice.zh),
    )  # fmt: skip


def problem_of_status(status: int, detail: str = "") -> Problem:
    """Returns what HTTP itself refuses; `detail` is said of what has no words here."""
    title, zh = {
        404: ("there is nothing at this address", "此地址不存在"),
        405: ("this address does not take that method", "此地址不支持该请求方法"),
        413: ("the request is too large", "请求内容过大"),
    }.get(status, (detail, "请求未能完成"))
    code = f"http.{status}"
    return Problem(
        type=f"urn:veil:problem:{code}", title=title, status=status, code=code, title_zh=zh
    )


def _whole(text: str) -> str:
    """A text that can be sent: what was typed may hold half of a character (a lone surrogate)."""
    return text.encode("utf-8", "replace").decode("utf-8")


def answer(request: Request, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Returns a problem as an answer: a page for people, JSON for programs."""
    if problem.status == 401:
        headers = {"WWW-Authenticate": "Bearer"} | (headers or {})
    page: Page | None = request.app.state.problem_page
    if page is not None and (shown := page(request, problem)) is not None:
        shown.headers.update(headers or {})
        return shown
    body = problem.model_dump(exclude_defaults=True)
    return JSONResponse(body, problem.status, headers, media_type=MEDIA_TYPE)


def _veil(request: Request, error: Exception) -> Response:
    if not isinstance(error, VeilError):
        raise error
    problem = problem_of(error)
    if problem.status >= 500:
        _LOG.error("%s: %r", error.code, error.detail)
    if isinstance(error, LimitError) and error.retry_after_s:
        return answer(request, problem, {"Retry-After": str(error.retry_after_s)})
    return answer(request, problem)


def _malformed(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return answer(request, Problem(
        type="urn:veil:problem:request.malformed", title="the request is malformed", status=422,
        code="request.malformed", title_zh="请求格式有误",
        errors=[_misfit(each) for each in found],
    ))  # fmt: skip


def _misfit(each: dict[str, Any]) -> dict[str, str]:
    said = misfit(each["msg"])
    return {"at": ".".join(map(str, each["loc"])), "said": said.en, "said_zh": said.zh}


def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    problem = problem_of_status(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods(request))
    return answer(request, problem, headers)


def _methods(request: Request) -> list[str]:
    """All methods of an address (RFC 9110, section 10.2.1): each route knows its own alone."""
    found = {
        method
        for router in getattr(request.app.state, "routers", ())
        for route in router.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in getattr(route, "methods", None) or ()
    }
    return sorted(found)


def _unexpected(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s", request.method, request.url.path, exc_info=error)
    shown = answer(request, Problem(
        type="urn:veil:problem:error", title="a mistake in the server", status=500,
        detail="report it, with the time", code="error", title_zh="服务器内部错误",
        detail_zh="请连同时间报告给运维人员",
    ))  # fmt: skip
    # It is answered outside of all middleware.
    shown.headers.update(HEADERS)
    return shown
