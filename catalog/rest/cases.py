"""The workflows over REST: for each a list, one case, its parts, and one POST for each step.

The routes are made from the tables, so an address, its body and who may call it cannot differ
from what a workflow says. What a caller may not see looks like what is not there, also in counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel

from catalog.access.principal import Principal
from catalog.rest import uses
from catalog.rest.case_bodies import body_of
from catalog.rest.case_parts import certificate, circulations, decisions, events
from catalog.web.guard import Everything, May
from catalog.web.services import Services
from catalog.workflows import taking, views
from catalog.workflows.all import WORKFLOWS
from catalog.workflows.case import Case
from catalog.workflows.cases import Wanted
from catalog.workflows.finding import MOST, Filter, find
from catalog.workflows.model import Step, Workflow

Identifier = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
Word = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]
Part = Callable[[Services, Workflow, Case], Any]
Look = Callable[[Services, Workflow, str, Principal], Case]

PARTS: Final[dict[str, dict[str, Part]]] = {
    "requests": {"decisions": decisions, "circulations": circulations},
}
"""What a case of a kind has besides its events; each for those who may see all of it."""
OPEN_PARTS: Final[dict[str, dict[str, Part]]] = {"assets": {"certificate": certificate}}
"""… and for all who may see the case."""


def reading(workflow: Workflow) -> APIRouter:
    """Returns the routes by which cases of a workflow are seen."""
    router = APIRouter(prefix=f"/api/{workflow.kind}", tags=[workflow.kind])
    reader = Annotated[Principal, Depends(May(workflow.read))]

    def find_cases(
        services: Everything,
        caller: Principal,
        *,
        state: str = "",
        department: Word = "",
        source: Word = "",
        identifier: Word = "",
        overdue: bool = False,
        mine: bool = False,
        waiting: bool = False,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 20,
        cursor: Annotated[str, Query(pattern="^([0-9a-f]{16})?$")] = "",
    ) -> dict[str, Any]:
        """Lists cases, the newest first; with source and identifier those about a dataset."""
        dataset = (source, identifier) if source and identifier else None
        wanted = Filter(state, department, dataset, overdue, mine, waiting, limit, cursor)
        found = find(services.registry, services.cases.clocks, workflow, caller, wanted)
        return {
            "total": found.total,
            "cases": [views.brief(services.cases, workflow, c, caller) for c in found.cases],
            "cursor": found.cursor,
        }

    def show(services: Everything, caller: Principal, case: Identifier) -> dict[str, Any]:
        """Returns a case: what is asked, where it is, and what the caller may do."""
        found = services.cases.case(workflow, case, caller)
        return views.whole(services.cases, workflow, found, caller)

    def show_events(services: Everything, caller: Principal, case: Identifier) -> dict[str, Any]:
        """Returns what was done, signed by the catalog, with each event's proof in the log."""
        return events(services, workflow, _inside(services, workflow, case, caller))

    def part_of(part: Part, look: Look) -> Callable[..., Any]:
        def show_part(services: Everything, caller: Principal, case: Identifier) -> Any:  # noqa: ANN401 - JSON
            return part(services, workflow, look(services, workflow, case, caller))

        return _annotated(show_part, part.__name__, part.__doc__, caller=reader)

    add = router.add_api_route
    states = Literal[("", *(each.name for each in workflow.states))]  # type: ignore[valid-type]
    found = _annotated(find_cases, "find", find_cases.__doc__, caller=reader, state=states)
    add("", found, methods=["GET"])
    add("/{case}", _annotated(show, "show", show.__doc__, caller=reader), methods=["GET"])
    seen = _annotated(show_events, "events", show_events.__doc__, caller=reader)
    add("/{case}/events", seen, methods=["GET"])
    for name, part in PARTS.get(workflow.kind, {}).items():
        add(f"/{{case}}/{name}", part_of(part, _inside), methods=["GET"])
    for name, part in OPEN_PARTS.get(workflow.kind, {}).items():
        add(f"/{{case}}/{name}", part_of(part, _seen), methods=["GET"])
    return router


def acting(workflow: Workflow) -> APIRouter:
    """Returns the routes by which steps of a workflow are taken."""
    router = APIRouter(prefix=f"/api/{workflow.kind}", tags=[workflow.kind])
    for step in workflow.steps:
        if step.before:
            router.add_api_route(f"/{{case}}/{step.name}", _act(workflow, step), methods=["POST"])
        else:
            router.add_api_route("", _open(workflow, step), methods=["POST"], status_code=201)
    return router


def _open(workflow: Workflow, step: Step) -> Callable[..., Any]:
    def take(services: Everything, caller: Principal, body: BaseModel) -> dict[str, Any]:
        made = services.cases.open(workflow, caller, _wanted(body))
        return views.whole(services.cases, workflow, made, caller)

    return _annotated(
        take, step.name, f"{step.title.en}.",
        caller=Annotated[Principal, Depends(May(step.action))], body=body_of(workflow.kind, step),
    )  # fmt: skip


def _act(workflow: Workflow, step: Step) -> Callable[..., Any]:
    def take(
        services: Everything, caller: Principal, case: Identifier, body: BaseModel
    ) -> dict[str, Any]:
        made = services.cases.act(workflow, case, step, caller, _wanted(body))
        return views.after(services.cases, workflow, made, caller)

    return _annotated(
        take, step.name, f"{step.title.en}.",
        caller=Annotated[Principal, Depends(May(step.action))], body=body_of(workflow.kind, step),
    )  # fmt: skip


def _annotated(
    handler: Callable[..., Any], name: str, about: str | None, **types: object
) -> Callable[..., Any]:
    """Gives a handler the types that its workflow's table says, for FastAPI to read."""
    handler.__name__ = name.replace("-", "_")
    handler.__doc__ = about
    known = {"services": Everything, "case": Identifier}
    names = handler.__annotations__.keys()
    handler.__annotations__ |= {k: v for k, v in (known | types).items() if k in names}
    return handler


def _wanted(body: BaseModel) -> Wanted:
    said = body.model_dump(mode="json", exclude_none=True)
    return Wanted(
        document=str(said.pop("decision", "")), revision=int(said.pop("revision", 0)), said=said
    )


def _seen(services: Services, workflow: Workflow, case: str, caller: Principal) -> Case:
    return services.cases.case(workflow, case, caller)


def _inside(services: Services, workflow: Workflow, case: str, caller: Principal) -> Case:
    found = services.cases.case(workflow, case, caller)
    if not taking.insider(workflow, found, caller):
        raise taking.absent(workflow)
    return found


READING: Final = tuple(reading(workflow) for workflow in WORKFLOWS)
PUBLIC: Final = tuple(
    router for router, workflow in zip(READING, WORKFLOWS, strict=True) if workflow.open_states
)
"""What visitors may see some of."""
MEMBERS: Final = (
    uses.router,  # before the cases, whose ids it would be taken for
    *(router for router in READING if router not in PUBLIC),
    *(acting(workflow) for workflow in WORKFLOWS),
)
