"""How the demo speaks: what happens, why that is safe, and figures beside the truth."""

from __future__ import annotations

from exchange.analyst.notebook_view import figure, plain
from exchange.demo.proof import Compared, Group
from exchange.demo.questions import Question
from protos import terminal
from protos.faults import JobError
from protos.language import Text


def show_sql(question: Question) -> None:
    """Prints a statement."""
    for line in question.sql.splitlines():
        terminal.say(f"  {line}", style="bold")


def tell(en: str, zh: str) -> None:
    """Says what happens."""
    terminal.say(Text(en, zh))


def safe(en: str, zh: str) -> None:
    """Says why it is safe."""
    terminal.say(Text(f"Why this is safe: {en}", f"为何安全：{zh}"), style=terminal.SOFT)


def wrong(what: str) -> JobError:
    """Ends the demo, when it is raised."""
    return JobError(
        Text(f"the demo is not as it must be: {what}", f"演示结果不符合预期：{what}"),
        code="demo.failed",
    )


def show(compared: list[Compared], question: Question) -> None:
    """Prints figures beside the true ones; ! marks where the truth is outside the interval."""
    rows: dict[Group, list[str]] = {}
    for c in compared:
        mark = " " if c.inside else "!"
        cells = [figure(c.value, *c.interval), f"{plain(_rounded(c.truth))} {mark}"]
        rows.setdefault(c.group, [str(part) for part in c.group]).extend(cells)
    in_truth = str(Text("in truth", "真值"))
    names = dict.fromkeys(c.figure for c in compared)
    columns = [*question.keys, *(label for name in names for label in (name, in_truth))]
    terminal.table(columns, rows.values(), right=range(len(question.keys), len(columns)))


def _rounded(value: object) -> object:
    return round(value, 1) if isinstance(value, float) else value
