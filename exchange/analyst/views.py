"""What people see in a terminal: an answer, an explanation."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Final

from exchange.analyst.answer import Answer
from exchange.analyst.notebook_view import MORE, figure, plain, rough
from protos import terminal
from protos.language import Text

if TYPE_CHECKING:
    from exchange.planner.explain import Explanation

MOST_ROWS: Final = 100


def show_answer(
    answer: Answer, *, most_rows: int = MOST_ROWS, stream: IO[str] | None = None
) -> None:
    """Prints the table with each figure's interval, then what the reader must know.

    Args:
        answer: The answer.
        most_rows: Further rows are counted, not printed.
        stream: Where to; standard output by default.
    """
    import pyarrow as pa

    table, ends = answer.processed.table, answer.processed.intervals
    shown = table.slice(0, most_rows)
    columns: list[list[str]] = []
    right: list[int] = []
    for number, name in enumerate(table.column_names):
        column = shown.column(number)
        values = column.to_pylist()
        if ends is not None and f"{name}_low" in ends.column_names:
            lows = ends.column(f"{name}_low").to_pylist()[: len(values)]
            highs = ends.column(f"{name}_high").to_pylist()[: len(values)]
            columns.append([figure(*cell) for cell in zip(values, lows, highs, strict=True)])
            right.append(number)
        else:
            write = rough if name in answer.processed.unbarred else plain
            columns.append([write(value) for value in values])
            if (
                pa.types.is_integer(column.type)
                or pa.types.is_floating(column.type)
                or pa.types.is_decimal(column.type)
            ):
                right.append(number)
    rows = list(zip(*columns, strict=True))
    terminal.table(table.column_names, rows, right=right, stream=stream)
    if table.num_rows > most_rows:
        terminal.say(MORE.format(rows=f"{table.num_rows - most_rows:,}"), stream=stream)
    for note in answer.notes:
        terminal.say(f"· {note}", style=terminal.SOFT, hang=2, stream=stream)


def show_explanation(explanation: Explanation, *, stream: IO[str] | None = None) -> None:
    """Prints what a plan would do, section by section, then whether the policies allow it."""
    for section in explanation.sections:
        terminal.heading(section.heading, stream=stream)
        for line in section.lines:
            terminal.say(line, indent=2, stream=stream)
    terminal.say(stream=stream)
    if explanation.verdict.allowed:
        terminal.done(_ALLOWED, stream=stream)
    else:
        terminal.say(f"✗ {_REFUSED}", style=terminal.BAD, stream=stream)


_ALLOWED: Final = Text(
    "Every published policy allows this; nothing was asked yet.",
    "各部门公布的策略均允许；尚未提问。",
)
_REFUSED: Final = Text(
    "The published policies refuse this; nothing was asked.", "公布的策略不允许；未曾提问。"
)
