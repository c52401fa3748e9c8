"""Breaking text into lines for a screen: between words, and between Chinese characters.

No line begins with closing punctuation nor ends with opening punctuation, as Chinese typesetting
asks (GB/T 15834-2011, 5.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len

_NOT_FIRST: Final = frozenset("，。；：、？！）》〉」』】”’…,.;:?!)]}%")
_NOT_LAST: Final = frozenset("（《〈「『【“‘([{")


def wrapped(text: str, width: int, *, indent: int = 0) -> str:
    """Breaks one paragraph; further lines are indented by ``indent`` cells.

    Args:
        text: Its own line breaks stay.
        width: Cells; a word that is longer is broken.
        indent: Of every line but the first of each paragraph.
    """
    return "\n".join(
        line
        for paragraph in text.split("\n")
        for line in _lines(paragraph, max(width, 2 * indent + 8), " " * indent)
    )


def _lines(paragraph: str, width: int, margin: str) -> Iterator[str]:
    line = ""
    for piece in _pieces(paragraph):
        if cell_len(line + piece.rstrip()) <= width:
            line += piece
            continue
        if line.strip():
            yield line.rstrip()
            line = margin
        rest = line + piece
        while cell_len(rest.rstrip()) > width:
            cut = max(1, next(i for i in range(len(rest), 0, -1) if cell_len(rest[:i]) <= width))
            yield rest[:cut]
            rest = margin + rest[cut:]
        line = rest
    yield line.rstrip()


def _pieces(text: str) -> Iterator[str]:
    """Parts that must not be broken: a word with the space behind it, or one wide character."""
    start = 0
    for at in range(1, len(text)):
        before, after = text[at - 1], text[at]
        word_ends = before == " " and after != " "
        wide = cell_len(before) == 2 or cell_len(after) == 2
        fits = after not in _NOT_FIRST and before not in _NOT_LAST and after != " "
        if (word_ends or (wide and fits)) and text[start:at].strip():
            yield text[start:at]
            start = at
    yield text[start:]
