"""An answer in a notebook: one HTML table with error bars as inline SVG.

No scripts and no outside resources; every text is escaped; colours are the page's own
(``currentColor``), so that it reads in light and dark themes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from math import floor, isfinite, log10
from typing import TYPE_CHECKING, Final

from protos.language import Text

if TYPE_CHECKING:
    import pyarrow as pa

    from exchange.analyst.answer import Answer

Figure = int | float | Decimal

MOST_ROWS: Final = 60
MORE: Final = Text("… {rows} more rows", "… 另有 {rows} 行")
_BAR_WIDTH: Final = 96  # pixels
_NUMBER: Final = "text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap"


@dataclass(frozen=True)
class Bar:
    """One figure with its interval, and the whole column's range to draw it in."""

    value: float
    low: float
    high: float
    least: float
    most: float

    def svg(self) -> str:
        """Draws a line from low to high with a dot at the value."""
        left, dot, right = (self._x(v) for v in (self.low, self.value, self.high))
        return (
            f'<svg width="{_BAR_WIDTH}" height="12" role="img" '
            f'aria-label="from {self.low:g} to {self.high:g}" style="vertical-align:middle">'
            f'<g stroke="currentColor" stroke-opacity=".55" stroke-width="1.5">'
            f'<path d="M{left:.1f} 6H{right:.1f}M{left:.1f} 2.5V9.5M{right:.1f} 2.5V9.5"/></g>'
            f'<circle cx="{dot:.1f}" cy="6" r="2.6" fill="currentColor"/></svg>'
        )

    def _x(self, value: float) -> float:
        share = (value - self.least) / (self.most - self.least) if self.most > self.least else 0.5
        return 3 + (_BAR_WIDTH - 6) * min(1.0, max(0.0, share))


def figure(value: Figure | None, low: Figure | None, high: Figure | None) -> str:
    """Writes a figure for people: ``1,234 ± 25``, with as many digits as the interval supports.

    Args:
        value: Integer, Decimal, float or None.
        low: Lower end or None.
        high: Upper end or None.

    Returns:
        Plain text. An interval that is clearly not symmetric is written as ``value [low, high]``.
    """
    if value is None:
        return "–"
    if low is None or high is None:
        return plain(value)
    middle, least, most = float(value), float(low), float(high)
    half = (most - least) / 2
    digits = 0 if isinstance(value, int) else _digits(half)
    if half > 0 and abs((least + most) / 2 - middle) > 0.1 * half:
        return f"{middle:,.{digits}f} [{least:,.{digits}f}, {most:,.{digits}f}]"
    return f"{middle:,.{digits}f} ± {half:,.{digits}f}"


def plain(value: object) -> str:
    """Writes any cell: grouped integers, floats to six significant digits, text as it is."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}" if isfinite(value) else str(value)
    return str(value)


def rough(value: object) -> str:
    """Writes what was computed from noisy figures: four digits at most, marked as approximate."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return plain(value)
    number = float(value)
    if not isfinite(number):
        return plain(value)
    digits = 0 if number == 0 else min(6, max(0, 3 - floor(log10(abs(number)))))
    return f"≈ {number:,.{digits}f}"


def answer_html(answer: Answer) -> str:
    """Renders an answer."""
    table, ends = answer.processed.table, answer.processed.intervals
    shown = table.slice(0, MOST_ROWS)
    rough_ones = set(answer.processed.unbarred)
    columns = [
        _column(shown, ends, i, name, rough if name in rough_ones else plain)
        for i, name in enumerate(table.column_names)
    ]
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in table.column_names)
    body = "".join(
        "<tr>" + "".join(column[row] for column in columns) + "</tr>"
        for row in range(shown.num_rows)
    )
    more = table.num_rows - shown.num_rows
    rest = f"<p>{escape(str(MORE.format(rows=f'{more:,}')))}</p>" if more > 0 else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in answer.notes)
    return (
        f"<div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"
        f"<ul style='opacity:.8;font-size:90%'>{notes}</ul></div>"
    )


def _column(
    shown: pa.Table,
    ends: pa.Table | None,
    number: int,
    name: str,
    write: Callable[[object], str],
) -> list[str]:
    import pyarrow as pa

    column = shown.column(number)
    values = column.to_pylist()
    if ends is None or f"{name}_low" not in ends.column_names:
        numeric = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        style = f" style='{_NUMBER}'" if numeric or pa.types.is_decimal(column.type) else ""
        return [f"<td{style}>{escape(write(value))}</td>" for value in values]
    lows = ends.column(f"{name}_low").to_pylist()[: len(values)]
    highs = ends.column(f"{name}_high").to_pylist()[: len(values)]
    drawn = [float(v) for v in (*values, *lows, *highs) if v is not None]
    cells = []
    for value, low, high in zip(values, lows, highs, strict=True):
        bar = ""
        if value is not None and low is not None and high is not None:
            ends_of_scale = (min(drawn), max(drawn))
            bar = " " + Bar(float(value), float(low), float(high), *ends_of_scale).svg()
        cells.append(f"<td style='{_NUMBER}'>{escape(figure(value, low, high))}{bar}</td>")
    return cells


def _digits(half: float) -> int:
    """Decimals that show two significant digits of the half-width, at most 6."""
    return min(6, max(0, 1 - floor(log10(half)))) if half > 0 else 2
