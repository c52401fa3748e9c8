"""Workflows as data: every table is whole; clocks count working days; fields are read strictly."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.access.permissions import PERMISSIONS
from catalog.workflows.all import WORKFLOWS
from catalog.workflows.case import Kept
from catalog.workflows.clocks import FILE, Clocks, read_clocks
from catalog.workflows.demands import DEMANDS
from catalog.workflows.events import GENESIS, TYPE, Event, read_event
from catalog.workflows.fields import Field, Form, read_fields
from catalog.workflows.model import Workflow
from catalog.workflows.rules import EFFECTS, RULES
from catalog.workflows.verifying import BrokenCaseError, verify_events
from protos.faults import InputError, TrustError
from protos.language import Text
from protos.signing import IdentityKey

ZONE = dt.timezone(dt.timedelta(hours=8))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda w: w.kind)
def test_a_table_is_whole(workflow: Workflow) -> None:
    states = {state.name for state in workflow.states}
    assert len(states) == len(workflow.states)
    names = [step.name for step in workflow.steps]
    assert len(set(names)) == len(names)
    assert not workflow.first.before
    reached = {workflow.first.after}
    for step in workflow.steps[1:]:
        assert step.before, "only the first step opens a case"
        assert set(step.before) <= states
        assert step.after in states | {""}
        assert (step.office is None) == (step.verdict is None)
        assert not (step.office and step.fields), "the reasons stand in the decision"
        assert set(step.apart) <= set(names)
        reached.add(step.after)
    assert states <= reached | {"spent"}  # a rule leads there
    for state in workflow.states:
        if state.turn:  # somebody must act, so somebody can
            assert any(s.by in {state.turn, "anybody"} for s in workflow.possible(state.name))
        assert bool(state.turn) or not state.days
    asked = {f.name for step in workflow.steps for f in step.fields}
    assert set(workflow.open_fields) <= asked
    assert "title" in asked or workflow.kind == "orders"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda w: w.kind)
def test_who_may_take_a_step_may_reach_such_a_case(workflow: Workflow) -> None:
    for step in workflow.steps:
        reaches = set(PERMISSIONS[step.action].values())
        wanted = {"owner": "own", "counterpart": "own", "department": "department"}.get(step.by)
        assert wanted is None or wanted in reaches, step.name
        assert step.by != "exchange" or "all" in reaches, step.name


def test_rules_and_effects_are_of_steps_that_there_are() -> None:
    known = {(w.kind, step.name) for w in WORKFLOWS for step in w.steps}
    assert RULES.keys() <= known
    assert EFFECTS.keys() <= known
    for workflow in WORKFLOWS:  # what asks is looked at
        assert all((workflow.kind, s.name) in RULES for s in workflow.steps if s.asks)


# ---- clocks -----------------------------------------------------------------------------------


def at(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp())


def test_working_days_leave_out_weekends_and_days_off() -> None:
    thursday = at("2026-11-26T10:00")
    assert Clocks().deadline(DEMANDS, "submitted", thursday) == at("2026-12-04T00:00")
    off = Clocks(days_off=frozenset({dt.date(2026, 11, 27)}))
    assert off.deadline(DEMANDS, "submitted", thursday) == at("2026-12-05T00:00")
    worked = Clocks(work_days=frozenset({dt.date(2026, 11, 28)}))  # a Saturday
    assert worked.deadline(DEMANDS, "submitted", thursday) == at("2026-12-03T00:00")
    plain = Clocks(working_days=False)
    assert plain.deadline(DEMANDS, "submitted", thursday) == at("2026-12-02T00:00")
    assert Clocks().deadline(DEMANDS, "answered", thursday) is None
    stopped = Clocks(days={("demands", "submitted"): 0})
    assert stopped.deadline(DEMANDS, "submitted", thursday) is None


@given(
    since=st.integers(at("2026-01-01T00:00"), at("2026-12-31T00:00")),
    later=st.integers(0, 40 * 86_400),
    days=st.integers(1, 30),
    working=st.booleans(),
    off=st.frozensets(st.dates(dt.date(2026, 1, 1), dt.date(2027, 2, 1)), max_size=20),
)
def test_overdue_are_exactly_those_that_were_entered_before_a_moment(
    *, since: int, later: int, days: int, working: bool, off: frozenset[dt.date]
) -> None:
    clocks = Clocks(working, 8, off, frozenset(), {("demands", "submitted"): days})
    deadline = clocks.deadline(DEMANDS, "submitted", since)
    moment = clocks.entered_before(DEMANDS, "submitted", since + later)
    assert deadline is not None
    assert moment is not None
    assert (since < moment) == (since + later >= deadline)


def test_clocks_are_read_from_the_catalog_s_directory(tmp_path: Path) -> None:
    assert read_clocks(tmp_path, WORKFLOWS) == Clocks()
    file = tmp_path / FILE
    file.write_text(
        "working_days = false\nutc_offset_hours = 0\ndays_off = [2026-10-01]\n"
        "[days.demands]\nsubmitted = 3\n"
    )
    read = read_clocks(tmp_path, WORKFLOWS)
    assert (read.working_days, read.days) == (False, {("demands", "submitted"): 3})
    for wrong in (
        "[days.demands]\nsubmited = 3", "[days.none]\nx = 1", "day = 1",
        "[days.demands]\nsubmitted = -1", 'days_off = ["x"]',
    ):  # fmt: skip
        file.write_text(wrong)
        with pytest.raises(InputError):
            read_clocks(tmp_path, WORKFLOWS)


# ---- fields -----------------------------------------------------------------------------------


def read(form: Form, value: Any) -> Any:  # noqa: ANN401 - any JSON
    return read_fields((Field("x", form, Text("x", "x")),), {"x": value})["x"]


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("line", "a\r\nSet-Cookie: x"), ("line", "a\tb"), ("line", " "), ("line", "x" * 201),
        ("line", "a\u202egnp.exe"), ("line", 7), ("line", "\ud800"),
        ("text", "a\x1b[2Jb"), ("text", "a\x00b"), ("text", "x" * 5001), ("text", "\u2066x"),
        ("day", "tomorrow"), ("day", "2026-13-01"), ("number", 0), ("number", True),
        ("number", 10**9), ("number", "7"), ("code", "a b"), ("code", "../x"), ("code", "é"),
        ("names", "a"), ("names", ["a", "a"]), ("names", ["a\nb"]), ("names", ["x"] * 501),
        ("datasets", [{"source": "a"}]), ("datasets", [{"source": "a", "identifier": "b"}] * 2),
        ("statements", [{"sql": "x"}]), ("statements", [{"sql": " ", "grant_request": "x"}]),
        ("tokens", ["a b\n"]), ("tokens", ["é"]), ("tokens", {"a": 1}),
    ],
)  # fmt: skip
def test_a_malformed_field_is_refused(form: Form, value: object) -> None:
    with pytest.raises(InputError) as raised:
        read(form, value)
    assert raised.value.code == "case.field"


def test_what_other_programs_take_for_their_own_is_only_text() -> None:
    text = '=HYPERLINK("x")<script>alert(1)</script>\'; DROP TABLE cases;--'
    assert read("line", text) == text
    assert read("text", f"{text}\r\n第二行\t") == f"{text}\n第二行"
    with pytest.raises(InputError):
        read_fields((), {"x": "1"})


# ---- events -----------------------------------------------------------------------------------

KEY = IdentityKey.generate()
EVENT = Event(
    "demands/0123456789abcdef", 1, "submit", "", "submitted", 1, "li", "", "d", "", "", "t", 1,
    {"title": "t"}, "", GENESIS,
)  # fmt: skip


def test_an_event_is_read_as_it_was_signed_and_names_itself() -> None:
    assert read_event(EVENT.signed(KEY), KEY.public) == EVENT
    assert EVENT.digest == read_event(EVENT.signed(KEY), KEY.public).digest
    assert EVENT.committed(b"\0" * 32) != EVENT.committed(b"\1" * 32)
    with pytest.raises(TrustError):
        read_event(EVENT.signed(IdentityKey.generate()), KEY.public)


@pytest.mark.parametrize(
    "change",
    [{"number": "1"}, {"number": True}, {"fields": []}, {"more": 1}, {"by": None}, {"asked": 1.5}],
)
def test_a_signed_event_of_another_form_is_none(change: dict[str, Any]) -> None:
    token = KEY.sign(TYPE, asdict(EVENT) | change)
    with pytest.raises(TrustError):
        read_event(token, KEY.public)


@pytest.mark.parametrize(
    "event",
    [
        replace(EVENT, number=2), replace(EVENT, case="requests/0123456789abcdef"),
        replace(EVENT, previous="1" * 64), replace(EVENT, before="submitted"),
        replace(EVENT, step="accept"), replace(EVENT, step="none"), replace(EVENT, asked=2),
        replace(EVENT, asked=0), replace(EVENT, decision="1" * 64),
    ],
)  # fmt: skip
def test_what_begins_no_case_is_found(event: Event) -> None:
    kept = Kept(event, event.signed(KEY), "00" * 32, "", None)
    with pytest.raises(BrokenCaseError) as raised:
        verify_events(DEMANDS, [kept], KEY.public)
    assert raised.value.number == 1
