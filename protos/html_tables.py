"""What is shown in a terminal, as HTML for a notebook: the same tables and sentences.

A terminal's table is drawn in characters, which a browser sets in a font where a Chinese character
is not two cells wide. Here a table is a table. Every text is escaped; colours are the page's own
but for good, bad and warnings; there is no script.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

_COLOURS: Final = {
    "green": "color:#1a7f4b",
    "bold red": "color:#c0392b;font-weight:600",
    "yellow": "color:#a86100",
    "cyan": "color:#0b7285",
    "dim": "opacity:.65",
}
_CELL: Final = "padding:.25em .8em .25em 0;vertical-align:top;white-space:normal"


class HtmlPage:
    """Collects tables and sentences."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def say(self, text: str, style: str = "", indent: int = 0) -> None:
        """Takes in one paragraph."""
        colour = _COLOURS.get(style, "")
        self._parts.append(
            f'<p style="margin:.3em 0;padding-left:{indent}em;{colour}">{escape(text)}</p>'
        )

    def heading(self, text: str) -> None:
        """Takes in a heading."""
        self._parts.append(f'<p style="margin:.8em 0 .2em"><b>{escape(text)}</b></p>')

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        title: str,
        right: set[int],
        styles: Sequence[str],
    ) -> None:
        """Takes in a table; see `terminal.table`."""

        def line(tag: str, cells: Sequence[str], style: str = "") -> str:
            aligned = (
                f'<{tag} style="{_CELL};text-align:{"right" if place in right else "left"}">'
                f"{escape(cell)}</{tag}>"
                for place, cell in enumerate(cells)
            )
            return f'<tr style="{_COLOURS.get(style, "")}">{"".join(aligned)}</tr>'

        if title:
            self.heading(title)
        body = [
            line("td", row, styles[number] if number < len(styles) else "")
            for number, row in enumerate(rows)
        ]
        self._parts.append(
            f'<table style="border-collapse:collapse;margin:.5em 0">{line("th", columns)}'
            f"{''.join(body)}</table>"
        )

    def html(self) -> str:
        """Returns all of it."""
        return f'<div style="max-width:70em">{"".join(self._parts)}</div>'
