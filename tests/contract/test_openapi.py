"""The description of the API is true: schemathesis makes calls of it, and reads the answers by it.

In the suite one call of each operation, sound ones and unsound ones of each caller in turn;
``make clients`` makes all of them, many times.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass

import hypothesis
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase
from schemathesis import Case, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from catalog.access.permissions import ACTIONS
from catalog.access.roles import Role
from tests.access_world import access_world
from tests.catalog_world import CLOSED, HEALTH, record

EXAMPLES = int(os.environ.get("VEIL_SCHEMATHESIS", "0"))
"""Calls of each operation by each caller, sound and unsound; 0 for one call in all."""
PEOPLE: dict[str, tuple[Role, ...]] = {"root": ("administrator",), "wang": ("steward", "analyst")}
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_headers_conformance, response_schema_conformance,
]  # fmt: skip


@dataclass(frozen=True)
class World:
    """An app, and the headers with which somebody calls it."""

    app: FastAPI
    callers: list[dict[str, str]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with access_world(tmp_path_factory.mktemp("catalog") / "c") as made:
        made.services.registry.register([
            record("open/1", "住房公积金缴存"), record("closed/1", "名单", opening=CLOSED),
        ])  # fmt: skip
        callers = [{}]
        for name, roles in PEOPLE.items():
            made.person(name, *roles, department=HEALTH.code if name == "wang" else "")
            person = made.gate.accounts.get(name).principal()
            scopes = [action for action in ACTIONS if person.reach(action) is not None]
            _, key = made.key(name, *scopes)
            callers.append({"Authorization": f"Bearer {key}"})
        assert isinstance(made.client.app, FastAPI)
        yield World(made.client.app, callers)


def test_every_operation_answers_as_it_says(world: World) -> None:
    ways = list(itertools.product(world.callers, GenerationMode))
    wrong: list[str] = []
    schema = openapi.from_asgi("/api/openapi.json", world.app)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 60
    for number, operation in enumerate(operations):
        for headers, mode in ways if EXAMPLES else [ways[number % len(ways)]]:
            wrong += _called(operation, headers, mode)
    assert wrong == [], "\n\n".join(wrong[:8])


def _called(operation: APIOperation, headers: dict[str, str], mode: GenerationMode) -> list[str]:
    """Calls an operation as its description allows, or as it does not; gives what was untrue."""
    wrong: list[str] = []

    @hypothesis.settings(
        max_examples=EXAMPLES or 1, deadline=None, derandomize=True, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def call(case: Case) -> None:
        try:
            case.call_and_validate(headers=headers, checks=CHECKS)
        except FailureGroup as group:
            failures = "; ".join(map(str, group.exceptions))
            wrong.append(f"{case.method} {case.path} {failures}"[:1500])

    # There is no unsound call of what has no parameters.
    with contextlib.suppress(hypothesis.errors.Unsatisfiable):
        call()
    return wrong
