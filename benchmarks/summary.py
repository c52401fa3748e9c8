"""The one table at the end of ``make bench``: a line for each figure that has a target.

Each benchmark is a process of its own; its lines reach the last table through a file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

FILE: Final = "VEIL_BENCH_SUMMARY"
TITLES: Final = ("what", "measured", "target", "")


def record(what: str, measured: float, unit: str, *, most: float = 0.0, least: float = 0.0) -> None:
    """Notes one figure beside its target; without ``make bench`` nobody reads it.

    Args:
        what: Work and circumstances, one line.
        measured: The figure.
        unit: Of figure and target, such as ``ms`` or ``x phe``.
        most: Target: at most this; 0 for none.
        least: Target: at least this; 0 for none.
    """
    file = os.environ.get(FILE)
    if not file:
        return
    target, met = "none", True
    if most:
        target, met = f"at most {most:,g} {unit}", measured <= most
    elif least:
        target, met = f"at least {least:,g} {unit}", measured >= least
    verdict = "" if target == "none" else "ok" if met else "MISSED"
    line = (what, f"{_short(measured)} {unit}", target, verdict)
    with Path(file).open("a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")


def table(file: Path) -> str:
    """The table of everything that was noted in a file."""
    lines: list[Sequence[str]] = [TITLES]
    lines += [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    widths = [max(len(line[at]) for line in lines) for at in range(len(TITLES))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines]  # fmt: skip
    rows.insert(1, "-" * sum(widths))
    return "\n".join(row.rstrip() for row in rows)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2f}"
