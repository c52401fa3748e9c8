"""``/api/action/X`` and ``/api/3/action/X``, by GET and by POST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from catalog.access.principal import Principal
from catalog.ckan.actions import ACTIONS
from catalog.ckan.arguments import Arguments, given
from catalog.ckan.call import Action, Call
from catalog.ckan.envelope import ActionRoute, BadRequestError, Failure, success
from catalog.web.guard import Everything, May

PREFIXES: Final = ("/api/3/action", "/api/action")
router = APIRouter(route_class=ActionRoute, tags=["CKAN"])
Given = Annotated[dict[str, Any], Depends(given)]


def _endpoint(action: Action) -> Callable[..., Response]:
    may = Depends(May(action.permission))

    def answer(
        request: Request, services: Everything, asked: Given, caller: Principal = may
    ) -> Response:
        arguments = action.arguments.model_validate(asked)
        result = action.run(Call(request, services, caller), arguments)
        return result if isinstance(result, Response) else success(request, result)

    return answer


def _described(arguments: type[Arguments]) -> dict[str, Any]:
    """Returns the parameters of an action for OpenAPI; FastAPI cannot read them from a function."""
    schema = arguments.model_json_schema(by_alias=True)
    required = set(schema.get("required", ()))
    return {
        "parameters": [
            {"name": name, "in": "query", "required": name in required, "schema": body}
            for name, body in schema.get("properties", {}).items()
        ]
    }


for _prefix in PREFIXES:
    for _name, _action in ACTIONS.items():
        for _method in ("GET", "POST"):
            router.add_api_route(
                f"{_prefix}/{_name}",
                _endpoint(_action),
                methods=[_method],
                name=f"{_name}_{_method.lower()}",
                summary=_name,
                description=_action.help,
                response_class=JSONResponse,
                responses={"4XX": {"model": Failure | str}, "5XX": {"model": Failure}},
                include_in_schema=_prefix == PREFIXES[0] and _method == "GET",
                openapi_extra=_described(_action.arguments),
            )


@router.api_route("/api/3/action/{name}", methods=["GET", "POST"], include_in_schema=False)
@router.api_route("/api/action/{name}", methods=["GET", "POST"], include_in_schema=False)
def unknown_action(
    name: str, caller: Annotated[Principal, Depends(May("dataset.read"))]
) -> Response:
    """Says, as CKAN does, that there is no such action."""
    del caller
    raise BadRequestError(f"Action name not known: {name[:100]}")
