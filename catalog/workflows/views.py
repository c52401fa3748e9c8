"""A case as JSON, for this caller: an outsider of an open case sees what is open of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from catalog.access.principal import Principal
from catalog.workflows.case import Case, Kept
from catalog.workflows.cases import Cases
from catalog.workflows.events import Event
from catalog.workflows.model import Step, Workflow
from catalog.workflows.statements import computed
from catalog.workflows.taking import check_caller, check_clock, check_eyes, insider, visible
from protos.faults import MissingError, VeilError
from protos.language import Text


def brief(cases: Cases, workflow: Workflow, case: Case, caller: Principal) -> dict[str, Any]:
    """Returns one line of a list."""
    state = workflow.state(case.state)
    deadline = cases.clocks.deadline(workflow, case.state, case.since)
    body: dict[str, Any] = {
        "id": case.id, "kind": case.kind, "state": case.state, "state_title": _both(state.title),
        "revision": case.revision, "title": case.title, "department": case.department,
        "opened_at": case.opened_at, "since": case.since, "changed_at": case.changed_at,
        "deadline": deadline, "overdue": deadline is not None and cases.registry.now() >= deadline,
        "turn": state.turn,
    }  # fmt: skip
    if insider(workflow, case, caller):
        body |= {"owner": case.owner, "counterpart": case.counterpart}
        if workflow.open_under is not None:  # its owner sees it when nobody else does any more
            body["on_market"] = cases.on_the_market(workflow, case)
    return body


def whole(cases: Cases, workflow: Workflow, case: Case, caller: Principal) -> dict[str, Any]:
    """Returns all of a case that this caller may see, and what the caller may do with it."""
    inside = insider(workflow, case, caller)
    said = facts(workflow, case, [kept.said for kept in cases.history(case)], inside=inside)
    if not inside and "datasets" in said:
        said["datasets"] = [each for each in said["datasets"] if _open(cases, each)]
    statements = said.get("statements", ())
    return {
        **brief(cases, workflow, case, caller),
        "said": said,
        **({"computed": [computed(e["grant_request"]) for e in statements]} if statements else {}),
        "steps": [
            _step(step)
            for step in possible(cases, workflow, case, caller)
        ],
    }  # fmt: skip


def after(cases: Cases, workflow: Workflow, case: Case, caller: Principal) -> dict[str, Any]:
    """Returns a case after a step; to whoever has handed it on, only that it was done."""
    if visible(workflow, case, caller):
        return whole(cases, workflow, case, caller)
    return {"id": case.id, "kind": case.kind, "revision": case.revision}


def facts(
    workflow: Workflow, case: Case, events: Sequence[Event], *, inside: bool
) -> dict[str, Any]:
    """Returns what a case asks, and what is said of it in the open since.

    Args:
        workflow: The case's.
        case: The case.
        events: All of it.
        inside: Whether for somebody who may see all.
    """
    asked = events[case.asked - 1]
    said = dict(asked.fields)
    for event in events[case.asked :]:
        if not workflow.step(event.step).asks:
            said |= {k: v for k, v in event.fields.items() if k in workflow.open_fields}
    return said if inside else {k: v for k, v in said.items() if k in workflow.open_fields}


def event_dict(kept: Kept, proof: str) -> dict[str, Any]:
    """Returns an event with all that proves it.

    Args:
        kept: The event.
        proof: ``tlog-proof`` of its place in the log; "" while it is not there.
    """
    return {
        "number": kept.said.number, "step": kept.said.step, "before": kept.said.before,
        "after": kept.said.after, "at": kept.said.at, "by": kept.said.by,
        "fields": kept.said.fields, "token": kept.token, "salt": kept.salt,
        "document": kept.document, "entry": kept.entry, "proof": proof,
    }  # fmt: skip


def possible(cases: Cases, workflow: Workflow, case: Case, caller: Principal) -> Iterator[Step]:
    """Yields the steps that would be accepted of a caller now.

    What a step is refused for because of what is said with it, only saying it shows; everything
    else is asked here: the table, the clock, four eyes, and the rules of steps with nothing to say.
    """
    now, events = cases.registry.now(), [kept.said for kept in cases.history(case)]
    for step in workflow.possible(case.state):
        try:
            check_caller(step, case, caller)
            check_eyes(workflow, step, events, caller)
            check_clock(workflow, step, case, cases.clocks, now)
            if not step.fields:
                cases.check_rule(workflow, step, case, caller, now)
        except VeilError:
            continue
        yield step


def may(step: Step, case: Case, caller: Principal) -> bool:
    """Says whether the table gives a step to a caller."""
    try:
        check_caller(step, case, caller)
    except VeilError:
        return False
    return True


def _step(step: Step) -> dict[str, Any]:
    return {
        "step": step.name, "title": _both(step.title), "signed_by": step.office,
        "fields": [field.name for field in step.fields],
        "required": [field.name for field in step.fields if field.required],
    }  # fmt: skip


def _open(cases: Cases, dataset: dict[str, str]) -> bool:
    try:
        entry = cases.registry.entry(dataset["source"], dataset["identifier"])
    except MissingError:
        return False
    return entry.state == "registered" and entry.record.opening.attribute != "none"


def _both(text: Text) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh}
