"""What people see in a terminal: an answer, an explanation, the verification of a receipt."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Final

from exchange.answer import Answer
from exchange.notebook_view import MORE, figure, plain, rough
from exchange.receipt import Report
from protos import terminal
from protos.language import Text, joined

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


def show_checks(report: Report, broken: Text, *, stream: IO[str] | None = None) -> None:
    """Prints every check with its outcome; then, if some failed, which.

    Args:
        report: Of a receipt or a certificate.
        broken: What to say before the names of those that failed.
        stream: Where to; standard output by default.
    """
    marks = {True: "✓", False: "✗", None: "–"}
    terminal.table(
        ("", str(_QUESTION), str(_FOUND)),
        [
            ("!" if check.remark else marks[check.ok], check.name, check.what)
            for check in report.checks
        ],
        stream=stream,
    )
    if not report.ok:
        failed = joined((check.name for check in report.failures), Text(" · ", "、"))
        said = Text(f"✗ {broken.en}: {failed.en}", f"✗ {broken.zh}：{failed.zh}")
        terminal.say(said, style=terminal.BAD, hang=2, stream=stream)


def show_report(report: Report, *, stream: IO[str] | None = None) -> None:
    """Prints every check of a receipt with its outcome, then the verdict in one line."""
    show_checks(report, _BROKEN, stream=stream)
    if report.complete:
        terminal.done(_HOLDS, stream=stream)
    elif report.ok and any(check.ok is None for check in report.checks):
        terminal.done(_HOLDS_PARTLY, stream=stream)
    elif report.ok:
        terminal.done(_HOLDS_OTHERWISE, stream=stream)
    if any(check.remark for check in report.checks):
        terminal.say(_REMARKED, stream=stream)
    terminal.say(_SCOPE, style=terminal.SOFT, stream=stream)


_ALLOWED: Final = Text(
    "Every published policy allows this; nothing was asked yet.",
    "各部门公布的策略均允许；尚未提问。",
)
_REFUSED: Final = Text(
    "The published policies refuse this; nothing was asked.", "公布的策略不允许；未曾提问。"
)
_QUESTION: Final = Text("Check", "检查项")
_FOUND: Final = Text("Found", "结果")
_BROKEN: Final = Text("The receipt does not hold", "回执不成立")
_HOLDS: Final = Text("Everything holds.", "全部成立。")
_HOLDS_PARTLY: Final = Text(
    "Nothing is wrong with what was checked; the lines marked – were not checked.",
    "已检查部分均成立；标记为 – 的项目未检查。",
)
_HOLDS_OTHERWISE: Final = Text("Nothing is wrong.", "未发现问题。")
_REMARKED: Final = Text(
    "! marks what holds without everybody's signature, and says what nobody confirms.",
    "标记为 ! 的项目虽成立,但签署不全,并注明未经确认的内容。",
)
_SCOPE: Final = Text(
    "A receipt proves who took part, which plan and policies, and which bytes left. It does not "
    "prove that inputs were honest, nor that the exchange added correctly.",
    "回执证明参与者、计划、策略和出域字节；不证明各方输入真实，也不证明交换中心求和无误。",
)
