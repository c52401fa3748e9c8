"""``veil desensitize``: what a data steward does before anything is published."""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import Final

import typer

from desensitize.cli import attest, keys, measure, release, report, scan, synthesis, utility
from protos.language import Text

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help=str(
        Text(
            "Find, grade and mask what is personal in a table.", "识别、分级并脱敏表中的个人信息。"
        )
    ),
)


@app.callback()
def _root(context: typer.Context) -> None:
    # Whoever stops a service sends this: without it a draft with somebody's rows would stay.
    before = signal.signal(signal.SIGTERM, _end)
    context.call_on_close(partial(signal.signal, signal.SIGTERM, before))


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)


# In the order of a steward's work, which is the order of ``--help``.
_STEPS: Final = (
    scan.app, release.app, measure.app, utility.app, attest.app, report.app, synthesis.app,
)  # fmt: skip
for step in _STEPS:
    app.add_typer(step)
app.add_typer(keys.app, name="keys")
