"""What to run for a step: shown on pages where a key is needed, and in the commands' own help."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Final

from catalog.workflows.fields import Field
from catalog.workflows.model import Step, Workflow

_WORDS: Final = {
    "demands": "demand", "requests": "request", "assets": "asset", "authorisations": "authorise",
    "products": "product", "licences": "product licence", "orders": "product order",
}  # fmt: skip
OTHERWISE: Final = {("products", "list"): "offer"}
"""Commands of steps whose own name means something else in every group: ``list`` lists."""
_SINGULAR: Final = {
    "columns": "column", "datasets": "dataset", "statements": "statement", "grants": "grant",
}  # fmt: skip
_SHOWN: Final = {
    "line": "…", "text": "…", "day": "2027-12-31", "number": "1", "code": "CODE", "names": "…",
    "datasets": "SOURCE:CODE", "statements": "REQUEST.jws", "tokens": "FILE.jws",
}  # fmt: skip


def signs(step: Step) -> bool:
    """Says whether something in a step is signed by whoever takes it."""
    return step.office is not None or any(field.form == "statements" for field in step.fields)


def command(
    workflow: Workflow, step: Step, case: str = "", typed: Mapping[str, str] | None = None
) -> str:
    """Returns the command that takes a step.

    Args:
        workflow: Of the step.
        step: The step.
        case: Which case; "" to open one.
        typed: Fields that are known already; from an address, so quoted for a shell.
    """
    name = OTHERWISE.get((workflow.kind, step.name), step.name)
    words = ["veil", _WORDS.get(workflow.kind, workflow.kind), name, case]
    for field in step.fields:
        if field.required or signs(step):
            words += [f"--{_SINGULAR.get(field.name, field.name)}", _value(field, typed or {})]
    if step.office is not None:
        words += ["--sign-with", "KEY.pem"]
        if step.verdict != "approve":
            words += ["--reasons", '"…"']
    return " ".join(filter(None, words))


def _value(field: Field, typed: Mapping[str, str]) -> str:
    known = typed.get(field.name, "").strip()
    if not known or not known.isprintable():
        return '"…"' if _SHOWN[field.form] == "…" else _SHOWN[field.form]
    if field.form == "datasets":
        known = known.replace("/", ":", 1)
    return shlex.quote(known)
