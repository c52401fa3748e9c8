"""Any steps by anybody, in any order: what is refused changes nothing, what is kept holds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from catalog.workflows import taking, views
from catalog.workflows.all import WORKFLOWS
from catalog.workflows.case import case_of
from catalog.workflows.demands import DEMANDS
from catalog.workflows.finding import Filter, find
from catalog.workflows.tables import CaseRow
from catalog.workflows.verifying import verify_all
from tests.catalog_world import HEALTH, POLICE
from tests.workflow_world import PEOPLE as PEOPLE_OF
from tests.workflow_world import World, workflows

PEOPLE = ("citizen", "other", "steward", "chief", "police", "admin", "")
# Who may do what, said again without the table.
ALLOWED: dict[str, dict[str, set[str]]] = {
    "submitted": {"owner": {"withdraw"}, "department": {"accept", "return", "answer", "refuse",
                                                        "forward"}},
    "accepted": {"owner": {"withdraw"}, "department": {"return", "answer", "refuse", "forward"}},
    "returned": {"owner": {"withdraw", "resubmit"}, "department": set()},
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder, workflows(Path(folder) / "c") as made:
        yield made


def said(world: World, case: str, step: str, department: str) -> dict[str, Any]:
    match step:
        case "resubmit":
            return {"title": "x", "text": "x"}
        case "forward":
            to = POLICE.code if department == HEALTH.code else HEALTH.code
            return {"department": to, "reasons": "x"}
        case "return":
            return {"reasons": "x"}
        case "answer":
            return {"text": "x", "datasets": [{"source": "local", "identifier": "YL/1"}]}
        case "refuse":
            by = "steward" if department == HEALTH.code else "police"
            more = {"by": by, "department": department, "reasons": "x"}
            return {"decision": world.decision(case, "steward", "refuse", **more)}
    return {}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(PEOPLE), st.sampled_from([step.name for step in DEMANDS.steps[1:]])
        ),
        max_size=10,
    )
)
def test_a_walk(world: World, steps: list[tuple[str, str]]) -> None:
    case = world.demand()
    state, department, revision = "submitted", HEALTH.code, 1
    for who, step in steps:
        answer = world.try_(who, case, step, **said(world, case, step, department))
        ours = {"steward": HEALTH.code, "chief": HEALTH.code, "police": POLICE.code}
        role = "owner" if who == "citizen" else "department"
        mine = who == "citizen" or ours.get(who) == department
        allowed = mine and step in ALLOWED.get(state, {}).get(role, set())
        assert (answer.status_code == 200) == allowed, (who, step, state, answer.text)
        if allowed:
            revision += 1
            department = said(world, case, step, department).get("department", department)
        shown = world.get("auditor", case)
        assert shown["revision"] == revision
        assert shown["department"] == department
        state = shown["state"]
    assert verify_all(world.registry, world.office, WORKFLOWS) >= revision


def expected(world: World, who: str) -> set[str]:
    """What waits for somebody, case by case, by what `views` says of each."""
    cases, caller, found = world.services.cases, PEOPLE_OF[who], set()
    for workflow in WORKFLOWS:
        with world.registry.database.read() as connection:
            rows = connection.execute(
                select(CaseRow.__table__).where(CaseRow.kind == workflow.kind)
            ).all()
        for case in map(case_of, rows):
            turn = workflow.state(case.state).turn
            if not taking.insider(workflow, case, caller):
                continue
            mine = {"owner": case.owner, "counterpart": case.counterpart}.get(turn or "")
            doings = [s for s in views.possible(cases, workflow, case, caller) if s.by == turn]
            ours = turn == "exchange" or (
                turn == "department" and case.department == caller.department
            )
            if (caller.account and mine == caller.account) or (ours and doings):
                found.add(case.name)
    return found


def test_what_waits_is_the_same_by_query_and_case_by_case(tmp_path: Path) -> None:
    with workflows(tmp_path / "c") as world:
        world.demand()
        world.request()
        world.asset("YL/1")
        world.noticed("YL/2")
        world.licensed()
        world.open("broker2", "licences", title="另一家", text="两名数据工程师")
        product = world.product().partition("/")[2]
        world.open("li", "orders", product=product, purpose="研究")
        some = 0
        for days in (0, 8, 30):
            world.clock.days(days)
            for who, caller in PEOPLE_OF.items():
                found = {
                    case.name
                    for workflow in WORKFLOWS
                    for case in find(
                        world.registry, world.services.cases.clocks, workflow, caller,
                        Filter(waiting=True),
                    ).cases
                }  # fmt: skip
                assert found == expected(world, who), (who, days)
                some += len(found)
        assert some > 20
