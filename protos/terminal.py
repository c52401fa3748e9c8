"""Output for people: tables, progress and errors that say what to do.

Rich is imported inside the functions, so that ``veil --help`` does not pay for it. Colours
appear on a terminal only (and never with ``NO_COLOR``); a pipe gets plain text. Texts from
elsewhere are stripped of control characters first: a peer's name must not move the cursor.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO, TYPE_CHECKING, Final, Literal, TypeVar

from protos.faults import SqlError, VeilError
from protos.html_tables import HtmlPage
from protos.language import Text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Task
    from rich.status import Status
    from rich.text import Text as StyledText

Shown = TypeVar("Shown")

GOOD: Final = "green"
BAD: Final = "bold red"
SOFT: Final = "dim"
ACCENT: Final = "cyan"
WARN: Final = "yellow"

_PLAIN_WIDTH: Final = 2000  # of a pipe, which has no width of its own: nothing is folded

_KINDS: Final[dict[str, Text]] = {
    "error": Text("Error", "错误"),
    "input": Text("Not accepted", "未受理"),
    "missing": Text("Not found", "未找到"),
    "conflict": Text("Conflict", "冲突"),
    "sql": Text("SQL not accepted", "SQL 不被接受"),
    "policy": Text("Refused by policy", "策略拒绝"),
    "limit": Text("Too much for now", "请求过多"),
    "budget": Text("Privacy budget", "隐私预算不足"),
    "trust": Text("Not trusted", "不可信"),
    "login": Text("Login", "登录"),
    "protocol": Text("Protocol broken", "协议异常"),
    "job": Text("No answer", "任务未得出结果"),
    "unavailable": Text("Not available", "不可用"),
}
_SHOWN: Final = 72  # characters of the SQL line under an error
_MARKS: Final = {"✓": GOOD, "✗": BAD, "–": SOFT}
_PAGE: ContextVar[HtmlPage | None] = ContextVar("page", default=None)
_REMEDY: Final = Text("What to do", "建议")


def printable(text: object) -> str:
    """Replaces control, direction and private characters by ``?``; keeps line feeds and tabs.

    Escape sequences and right-to-left marks from a peer could otherwise rewrite the screen.
    """
    return "".join(
        "?"
        if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} and c not in "\n\t"
        else c
        for c in str(text)
    )


def console(stream: IO[str] | None = None) -> Console:
    """Returns a Rich console that treats all text as text: no markup, no emoji codes."""
    from rich.console import Console

    stream = stream or sys.stdout
    return Console(
        file=stream,
        markup=False,
        emoji=False,
        highlight=False,
        width=None if stream.isatty() else _PLAIN_WIDTH,
    )


def say(
    text: object = "",
    *,
    style: str = "",
    indent: int = 0,
    hang: int = 0,
    stream: IO[str] | None = None,
) -> None:
    """Prints one paragraph; on a terminal it is broken between words.

    Args:
        text: What to say.
        style: Of Rich.
        indent: Cells on the left.
        hang: More cells on the left of every line but the first.
        stream: Where to; standard output by default.
    """
    if (page := _PAGE.get()) is not None:
        page.say(printable(text), style, indent)
        return
    out = console(stream)
    out.print(
        _fitted(out, " " * indent + printable(text), indent + hang),
        style=style or None,
        soft_wrap=True,
    )


def _fitted(out: Console, text: str, indent: int = 0) -> str:
    """Breaks a paragraph for a terminal; a pipe gets it in one line."""
    if not out.is_terminal:
        return text
    from protos.wrapping import wrapped

    return wrapped(text, out.width, indent=indent)


def heading(text: object, *, stream: IO[str] | None = None) -> None:
    """Prints a heading with a blank line before it."""
    if (page := _PAGE.get()) is not None:
        page.heading(printable(text))
        return
    console(stream).print(f"\n{printable(text)}", style=f"bold {ACCENT}", soft_wrap=True)


def done(text: object, *, stream: IO[str] | None = None) -> None:
    """Prints a line with a green tick."""
    if (page := _PAGE.get()) is not None:
        page.say(f"✓ {printable(text)}", GOOD)
        return
    out = console(stream)
    line = _fitted(out, f"✓ {printable(text)}", 2)
    out.print(_led(line, 1, GOOD, "default"), soft_wrap=True)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str = "",
    right: Iterable[int] = (),
    styles: Sequence[str] = (),
    stream: IO[str] | None = None,
) -> None:
    """Prints a table.

    Args:
        columns: Headings.
        rows: Cells; ``None`` prints as an empty cell.
        title: Above the table, may be empty.
        right: Numbers of the columns (from 0) that are flush right, such as figures.
        styles: One for each row, such as `BAD`; none by default.
        stream: Where to; standard output by default.
    """
    flush_right = set(right)
    if (page := _PAGE.get()) is not None:
        cells = (["" if cell is None else printable(cell) for cell in row] for row in rows)
        page.table([*map(printable, columns)], cells, printable(title), flush_right, styles)
        return
    from rich import box
    from rich.table import Table

    grid = Table(
        title=printable(title) or None,
        title_justify="left",
        title_style="bold",
        header_style=f"bold {ACCENT}",
        border_style=SOFT,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for number, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if number in flush_right else "left"
        grid.add_column(printable(column), justify=justify, overflow="fold")
    for number, row in enumerate(rows):
        style = styles[number] if number < len(styles) else None
        grid.add_row(*map(_cell, row), style=style)
    console(stream).print(grid)


def as_html(show: Callable[[Shown], None], what: Shown) -> str:
    """Returns what a function shows in a terminal as HTML, for a notebook.

    Args:
        show: Prints by the functions of this module.
        what: Its argument.
    """
    page = HtmlPage()
    before = _PAGE.set(page)
    try:
        show(what)
    finally:
        _PAGE.reset(before)
    return page.html()


def _cell(value: object) -> StyledText:
    from rich.text import Text as Styled

    text = "" if value is None else printable(value)
    return Styled(text, _MARKS.get(text, ""))


class Progress:
    """What is going on now, in one line that changes (on a terminal) or line by line (a pipe)."""

    def __init__(self, out: Console, status: Status | None) -> None:
        self._out = out
        self._status = status

    @property
    def lively(self) -> bool:
        """Whether it is one changing line, so that many updates cost the reader nothing."""
        return self._status is not None

    def update(self, text: object) -> None:
        """Says what is going on now."""
        if self._status is not None:
            self._status.update(printable(text))
        else:
            self._out.print(f"… {printable(text)}", soft_wrap=True)


@contextmanager
def progress(text: object, *, stream: IO[str] | None = None) -> Iterator[Progress]:
    """Shows a spinner while the block runs; on standard error, so that results can be piped."""
    out = console(stream or sys.stderr)
    if out.is_terminal:
        with out.status(printable(text), spinner="dots", spinner_style=ACCENT) as status:
            yield Progress(out, status)
    else:
        shown = Progress(out, None)
        shown.update(text)
        yield shown


@contextmanager
def row_progress(
    text: object, *, stream: IO[str] | None = None
) -> Iterator[Callable[[int, int | None], None]]:
    """Shows how many rows are done, rows per second and time left; on standard error.

    Yields:
        What to call with the rows that are done and, if known, all there are.
    """
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text as Styled

    class Speed(ProgressColumn):
        """Rows per second."""

        def render(self, task: Task) -> StyledText:
            speed = Text(f"{task.speed or 0:,.0f} rows/s", f"{task.speed or 0:,.0f} 行/秒")
            return Styled(str(speed), SOFT)

    out = console(stream or sys.stderr)
    if not out.is_terminal:
        out.print(f"… {printable(text)}", soft_wrap=True)
        yield lambda _done, _total: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}"),
        Speed(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task(printable(text), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def print_error(error: VeilError, *, stream: IO[str] | None = None) -> None:
    """Prints an error: what kind, what was wrong, where in the SQL, and what to do."""
    from rich.text import Text as Styled

    out = console(stream or sys.stderr)
    kind = str(_KINDS.get(error.kind, _KINDS["error"]))
    colon = str(Text(": ", "："))
    said = " ".join(printable(error.said).split())  # names in it may hold line breaks
    line = _fitted(out, f"{kind}{colon}{said}", 2)
    out.print(_led(line, len(kind) + 1, BAD, "bold"), soft_wrap=True)
    if isinstance(error, SqlError) and error.underlined():
        out.print()
        for marked in _underlined(error):
            out.print(Styled("  ") + marked, soft_wrap=True)
        out.print()
    if error.advice.en:
        line = _fitted(out, f"{_REMEDY}{colon}{printable(error.advice)}", 2)
        out.print(_led(line, len(str(_REMEDY)) + 1, GOOD, "default"), soft_wrap=True)


def _led(line: str, width: int, head: str, body: str) -> StyledText:
    """A line whose first ``width`` characters are in another style."""
    from rich.text import Text as Styled

    return Styled.assemble((line[:width], head), (line[width:], body))


def _underlined(error: SqlError) -> list[StyledText]:
    """The offending line and a line of carets, in terminal cells: Chinese takes two."""
    from rich.cells import cell_len
    from rich.text import Text as Styled

    line, carets = error.underlined().split("\n")
    start = len(carets) - len(carets.lstrip(" "))
    end = start + carets.count("^")
    before, wrong, after = (
        printable(part).replace("\t", "    ")
        for part in (line[:start], line[start:end], line[end:])
    )
    if len(line) > _SHOWN:  # a long line: the place and what is around it
        around = max(8, (_SHOWN - min(len(wrong), _SHOWN)) // 2)
        before = f"…{before[-around:]}" if len(before) > around else before
        after = f"{after[:around]}…" if len(after) > around else after
        wrong = f"{wrong[:_SHOWN]}…" if len(wrong) > _SHOWN else wrong
    marks = " " * cell_len(before) + "^" * max(1, cell_len(wrong))
    return [
        Styled(before) + Styled(wrong, BAD) + Styled(after),
        Styled(marks, BAD),
    ]
