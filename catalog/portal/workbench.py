"""The workbench of members: their cases and what waits for them, one case, and its steps as forms.

Pages and forms are made from the workflows' tables, as the REST interface is: what a step asks, who
may take it and how it is checked stand there. A step that an officer signs with a key of his own,
or that carries a request signed by the analyst, has no form: the key stays with its owner, so the
page shows the command to run there.
"""

# Annotations are read as they stand: what a page of a workflow is called for is known here only.

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from catalog.portal.figures import department_titles
from catalog.portal.languages import PREFIX
from catalog.portal.links import link
from catalog.portal.visit import Visit, visiting
from catalog.show.step_commands import command, signs
from catalog.web.origin import form_token, our_form
from catalog.web.problems import STATUS
from catalog.workflows import taking, views
from catalog.workflows.all import WORKFLOWS
from catalog.workflows.case import Case
from catalog.workflows.cases import Wanted
from catalog.workflows.fields import MOST, Field
from catalog.workflows.finding import Filter, find
from catalog.workflows.model import Step, Workflow
from catalog.workflows.statements import computed
from protos.faults import LoginError, VeilError
from protos.language import Text

router = APIRouter(include_in_schema=False)
_FORM_BYTES: Final = 512 << 10
_LISTS: Final = frozenset({"names", "datasets", "tokens"})
"""Forms of fields that are typed one a line."""
Identifier = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]


@dataclass(frozen=True)
class Line:
    """One case in a list.

    Attributes:
        workflow: Its kind.
        case: What `views.brief` says of it.
    """

    workflow: Workflow
    case: Mapping[str, Any]


@dataclass(frozen=True)
class Some:
    """The newest cases of a kind.

    Attributes:
        workflow: Their kind.
        total: How many there are.
        lines: The newest.
    """

    workflow: Workflow
    total: int
    lines: list[Line]


@dataclass(frozen=True)
class Doing:
    """A step that a caller may take now.

    Attributes:
        step: Of the table.
        command: What to run where the key is; "" if a form does.
    """

    step: Step
    command: str


async def _form(request: Request) -> FormData:
    return await request.form(max_files=0, max_fields=50, max_part_size=_FORM_BYTES)


Typed = Annotated[FormData, Depends(_form)]
Ours = Annotated[None, Depends(our_form)]
"""Of each form, behind the visit: whoever may not at all is told so first."""


@router.get(PREFIX + "/workbench")
def workbench(visit: Annotated[Visit, Depends(visiting("me.read"))]) -> Response:
    """Shows what waits for the caller, and what the caller has begun."""
    readable = [each for each in WORKFLOWS if visit.caller.reach(each.read) not in {None, "open"}]
    return visit.page(
        "workbench",
        waiting=_some(visit, readable, Filter(waiting=True)),
        mine=_some(visit, readable, Filter(mine=True)),
        kinds=readable,
        openable=[each for each in WORKFLOWS if visit.caller.reach(each.first.action) is not None],
        department=_department(visit, visit.caller.department),
        csrf=form_token(visit.request),
    )


def _some(visit: Visit, kinds: Iterable[Workflow], wanted: Filter) -> list[Some]:
    cases, found = visit.services.cases, []
    for each in kinds:
        page = find(cases.registry, cases.clocks, each, visit.caller, wanted)
        lines = [Line(each, views.brief(cases, each, c, visit.caller)) for c in page.cases]
        found.append(Some(each, page.total, lines))
    return found


def _doings(workflow: Workflow, case: Case, visit: Visit) -> Iterator[Doing]:
    for step in views.possible(visit.services.cases, workflow, case, visit.caller):
        yield Doing(step, command(workflow, step, case.id) if signs(step) else "")


def _pages(workflow: Workflow) -> None:
    """Adds the pages of one kind of case."""
    base = f"{PREFIX}/workbench/{workflow.kind}"
    first = workflow.first

    def listed(
        visit: Annotated[Visit, Depends(visiting(workflow.read))],
        state: Annotated[str, Query(max_length=32)] = "",
        only: Literal["", "waiting", "mine"] = "",
        cursor: Annotated[str, Query(pattern="^([0-9a-f]{16})?$")] = "",
    ) -> Response:
        cases = visit.services.cases
        wanted = Filter(state=state, waiting=only == "waiting", mine=only == "mine", cursor=cursor)
        found = find(cases.registry, cases.clocks, workflow, visit.caller, wanted)
        lines = [
            Line(workflow, views.brief(cases, workflow, each, visit.caller)) for each in found.cases
        ]
        return visit.page(
            "cases", workflow=workflow, lines=lines, found=found, state=state, only=only
        )

    def show(
        case: Identifier, visit: Annotated[Visit, Depends(visiting(workflow.read))]
    ) -> Response:
        return _case_page(visit, workflow, case)

    def blank(visit: Annotated[Visit, Depends(visiting(first.action))]) -> Response:
        typed = {name: text[:200] for name, text in visit.request.query_params.items()}
        return _new_page(visit, workflow, typed)

    def begin(
        visit: Annotated[Visit, Depends(visiting(first.action))], _: Ours, typed: Typed
    ) -> Response:
        def take() -> Case:
            return visit.services.cases.open(workflow, visit.caller, Wanted(_said(first, typed)))

        return _taken(visit, workflow, take, lambda e: _new_page(visit, workflow, typed, e))

    router.get(base)(listed)
    router.get(f"{base}/new")(blank)
    router.get(f"{base}/{{case}}")(show)
    if not signs(first):
        router.post(base, max_body_size=_FORM_BYTES)(begin)
    for step in workflow.steps:
        if step.before and not signs(step):
            path = f"{base}/{{case}}/{step.name}"
            router.post(path, max_body_size=_FORM_BYTES)(_stepping(workflow, step))


def _stepping(workflow: Workflow, step: Step) -> Callable[..., Response]:
    def act(
        case: Identifier,
        visit: Annotated[Visit, Depends(visiting(step.action))],
        _: Ours,
        typed: Typed,
    ) -> Response:
        def take() -> Case:
            revision = _number(str(typed.get("revision", "")))
            wanted = Wanted(_said(step, typed), revision=revision or 0)
            return visit.services.cases.act(workflow, case, step, visit.caller, wanted)

        return _taken(
            visit, workflow, take, lambda e: _case_page(visit, workflow, case, (step, typed, e))
        )

    return act


def _taken(
    visit: Visit,
    workflow: Workflow,
    take: Callable[[], Case],
    again: Callable[[VeilError], Response],
) -> Response:
    """Takes a step and leads to the case; or shows the form again, with what was typed."""
    try:
        made = take()
    except LoginError:
        raise
    except VeilError as error:
        return again(error)
    if not taking.visible(workflow, made, visit.caller):  # it was handed on
        return RedirectResponse(link(visit.language, "workbench"), 303)
    return RedirectResponse(link(visit.language, "workbench", workflow.kind, made.id), 303)


def _case_page(
    visit: Visit,
    workflow: Workflow,
    identifier: str,
    failed: tuple[Step, FormData, VeilError] | None = None,
) -> Response:
    cases = visit.services.cases
    case = cases.case(workflow, identifier, visit.caller)
    inside = taking.insider(workflow, case, visit.caller)
    whole = views.whole(cases, workflow, case, visit.caller)
    step, typed, problem = failed or (None, {}, None)
    return visit.page(
        "case",
        status=200 if problem is None else STATUS.get(problem.kind, 500),
        workflow=workflow,
        case=whole,
        said=_asked(workflow, whole["said"]),
        doings=list(_doings(workflow, case, visit)),
        department=_department(visit, case.department),
        events=[
            (kept, [] if step.asks else _told((*step.fields, *step.adds), kept.said.fields))
            for kept in (cases.history(case) if inside else [])
            for step in [workflow.step(kept.said.step)]
        ],
        failed=step,
        typed=typed,
        before={name: _typed(value) for name, value in whole["said"].items()},
        problem=problem,
        lists=_LISTS,
        csrf=form_token(visit.request),
    )


def _department(visit: Visit, code: str) -> Text:
    """Returns a department's name, by which people know it."""
    return department_titles(visit.services.registry.database, [code]).get(code, Text(code, code))


def _new_page(
    visit: Visit,
    workflow: Workflow,
    typed: Mapping[str, Any],
    problem: VeilError | None = None,
) -> Response:
    return visit.page(
        "new_case",
        status=200 if problem is None else STATUS.get(problem.kind, 500),
        workflow=workflow,
        step=workflow.first,
        command=command(workflow, workflow.first, typed=typed) if signs(workflow.first) else "",
        typed=typed,
        problem=problem,
        lists=_LISTS,
        csrf=form_token(visit.request),
    )


def _asked(workflow: Workflow, said: Mapping[str, Any]) -> list[tuple[Field, Any]]:
    """What a case says, in the order and with the titles of the table."""
    fields: dict[str, Field] = {}
    for step in workflow.steps:
        for field in step.fields:
            fields.setdefault(field.name, field)
    return _told(fields.values(), said)


def _told(fields: Iterable[Field], said: Mapping[str, Any]) -> list[tuple[Field, Any]]:
    """What was said, in the words of a step: another step's field of that name is another thing."""
    return [(field, _shown(field, said[field.name])) for field in fields if field.name in said]


def _shown(field: Field, value: Any) -> Any:  # noqa: ANN401 - JSON types
    if field.form != "statements":
        return value
    return [each | {"computed": computed(each["grant_request"])} for each in value]


def _typed(value: Any) -> str:  # noqa: ANN401 - JSON types
    """Writes what a case says as it would be typed, for who changes it and asks again."""
    if not isinstance(value, list):
        return str(value)
    return "\n".join(
        f"{each.get('source', '')}/{each.get('identifier', '')}" if isinstance(each, dict)
        else str(each) for each in value
    )  # fmt: skip


def _said(step: Step, typed: FormData) -> dict[str, Any]:
    """Turns what was typed into what the step takes; `fields.read_fields` checks it."""
    return {field.name: _value(field, str(typed.get(field.name, ""))) for field in step.fields}


def _value(field: Field, text: str) -> Any:  # noqa: ANN401 - JSON types
    text = text.strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if field.form == "datasets":
        # The identifier may have slashes, the source has none.
        return [dict(zip(("source", "identifier"), line.split("/", 1), strict=False))
                for line in lines[: MOST["datasets"] + 1]]  # fmt: skip
    if field.form in _LISTS:
        return lines
    if field.form == "number":
        number = _number(text)
        return text if number is None else number
    return text


def _number(text: str) -> int | None:
    """Reads a number; None if it is none, or longer than any that is asked for."""
    return int(text) if text.isdecimal() and len(text) < 10 else None


for each in WORKFLOWS:
    _pages(each)
