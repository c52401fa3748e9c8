"""Cells that no spreadsheet takes for a formula, and back.

A cell that begins with ``= + - @``, their full-width twins, a tab or a line break may be run by the
program that opens the file (OWASP, CSV injection). It gets an apostrophe in front. So does what
looks like such a cell with apostrophes already, so that reading takes away exactly what writing
put there.
"""

from __future__ import annotations

import re
from typing import Final

RISKY: Final = re.compile("'*[=+\\-@＝＋－＠\t\r\n]")
_ESCAPED: Final = re.compile("'+[=+\\-@＝＋－＠\t\r\n]")


def harmless(text: str) -> str:
    """Returns what may stand in a cell."""
    return f"'{text}" if RISKY.match(text) else text


def plain(cell: str) -> str:
    """Returns what a cell says: without the apostrophe of `harmless`, and without blanks around."""
    text = cell.strip().replace("\r\n", "\n")
    return text[1:] if _ESCAPED.match(text) else text
