"""CKAN's answers: ``{help, success, result}``, and errors with the words that its clients know.

``ckanapi`` tells errors apart by ``__type`` alone; a validation error lists, for each parameter,
what is wrong with it. Veil's own code, remedy and Chinese text stand beside them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.responses import JSONResponse

from catalog.ckan.solr import QueryError
from catalog.datastore.ask import AskError
from catalog.rest.streams import json_answer
from catalog.web.problems import STATUS
from protos.faults import SqlError, VeilError

_LOG: Final = logging.getLogger("veil.web")
Errors = dict[str, list[str]]


class Failure(BaseModel):
    """An error as CKAN says it.

    Attributes:
        help: Where the action is explained.
        success: False.
        error: ``__type``, message, and lists of what is wrong with parameters.
    """

    help: str
    success: bool
    error: dict[str, Any]


class BadRequestError(Exception):
    """A request that is no call of an action: CKAN answers with a text."""


def about(request: Request) -> str:
    """Returns where an action is explained."""
    begin, _, name = request.url.path.rpartition("/")
    return f"{request.app.state.services.site.address(request)}{begin}/help_show?name={name}"


def success(request: Request, result: object) -> Response:
    """Returns the answer of an action."""
    return JSONResponse({"help": about(request), "success": True, "result": result})


def wrapped(
    request: Request,
    result: dict[str, Any],
    records: str,
    place: Callable[[], Callable[[], None]],
) -> Response:
    """Returns the answer of an action with records that are JSON already.

    Args:
        request: What was called.
        result: All members but the records.
        records: A JSON value.
        place: As for `json_answer`.
    """
    head = json.dumps({"help": about(request), "success": True, "result": result})
    body = f'{head[:-2]}{", " if result else ""}"records": {records}}}}}'
    return json_answer(body, place)


def failure(request: Request, error: VeilError) -> Response:
    """Returns an error as CKAN says it."""
    status = STATUS.get(error.kind, 500)
    said: dict[str, Any] = {
        "message": error.said.en, "message_zh": error.said.zh, "code": error.code,
        "remedy": error.advice.en, "remedy_zh": error.advice.zh,
    }  # fmt: skip
    if error.kind == "missing":
        kind, said["message"] = "Not Found Error", f"Not found: {error.said.en}"
    elif status in {401, 403} and error.kind != "trust":
        # CKAN knows one word for who may not and who has not logged in.
        status, kind = 403, "Authorization Error"
        said["message"] = f"Access denied: {error.said.en}"
    elif isinstance(error, QueryError):
        kind, said["message"] = "Search Query Error", f"Search Query is invalid: {error.said.en}"
    elif isinstance(error, SqlError) or (error.code.startswith("sql.") and status == 400):
        return validation(request, {"sql": [error.said.en]} | said)
    elif isinstance(error, AskError):
        return validation(request, {error.about: [error.reason.en]} | said)
    elif error.kind == "input":
        return validation(request, {"message": [error.said.en]})
    else:
        kind = {429: "Too Many Requests"}.get(status, "Unavailable Error")
    if status >= 500:
        _LOG.error("%s: %r", error.code, error.detail)
    return _answer(request, status, {"__type": kind} | said)


def validation(request: Request, errors: dict[str, Any]) -> Response:
    """Returns what is wrong with parameters."""
    return _answer(request, 409, {"__type": "Validation Error"} | errors)


def errors_of(error: ValidationError) -> Errors:
    """Returns what a model says, parameter by parameter."""
    found: Errors = {}
    for each in error.errors(include_url=False, include_input=False):
        found.setdefault(str(each["loc"][0]) if each["loc"] else "__junk", []).append(each["msg"])
    return found


def _answer(request: Request, status: int, error: dict[str, Any]) -> Response:
    body = {"help": about(request), "success": False, "error": error}
    return JSONResponse(body, status)


class ActionRoute(APIRoute):
    """A route whose errors are CKAN's, wherever they are raised."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns what answers requests."""
        answer = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await answer(request)
            except BadRequestError as error:
                return JSONResponse(f"Bad request - {error}", 400)
            except ValidationError as error:
                return validation(request, errors_of(error))
            except VeilError as error:
                return failure(request, error)

        return handler
