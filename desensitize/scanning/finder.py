"""Finds every hit in text: which type, where, and whether it is valid.

The gates (RE2) say which cells may hold what; only there does the exact pattern run. Then values
are checked all at once, and where two types claim the same characters the earlier one in the
tuple of recognisers wins.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from desensitize.recognisers import recognisers
from desensitize.recognisers.base import Mask, Recogniser

_DIGITS: Final = "".join(
    chr(code)
    for code in range(0x80, 0x20000)  # beyond are ideographs
    if unicodedata.category(chr(code)) == "Nd" and not 0xFF10 <= code <= 0xFF19
)
"""Digits that are neither ASCII nor full-width: Arabic, Indic, mathematical."""
_BLANKS: Final = "\u00a0\u2000-\u200a\u202f\u205f"
_UNSEEN: Final = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
"""Nobody sees them; a number that is copied from a page or chat often has some inside."""
WIDE_GATE: Final = (
    "[０-９Ａ-Ｚａ-ｚ＠]|[0-9A-Za-z][）－．／＿：　][0-9A-Za-z]|（0|＋8"
    f"|[{_DIGITS}]|[0-9][{_BLANKS}][0-9]|[0-9A-Za-z@.][{_UNSEEN}]+[0-9A-Za-z@.]"
)
"""What may hold a hit only after `narrow`, or without what is unseen."""

_NARROW: Final = (
    {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
    | {ord(digit): str(unicodedata.digit(digit)) for digit in _DIGITS}
    | dict.fromkeys([0x3000, 0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F], " ")
)
_HAS_WIDE: Final = re.compile(f"[！-～　{_BLANKS}{_DIGITS}]")
_HAS_UNSEEN: Final = re.compile(f"[{_UNSEEN}]")
_NO_FRACTION: Final = re.compile(r"\.0{1,6}")
_PIECE: Final = 1 << 16
_OVERLAP: Final = 256


@dataclass(frozen=True)
class Hit:
    """One find.

    Attributes:
        cell: Number of the text.
        recogniser: Its type.
        start: First character, 0-based.
        end: One past the last.
        value: The text between, full-width forms made ASCII.
    """

    cell: int
    recogniser: Recogniser
    start: int
    end: int
    value: str


@dataclass(frozen=True)
class _Piece:
    """A stretch of a text: the whole of it, unless it is very long.

    Attributes:
        cell: Number of the text.
        offset: Where it begins in the text.
        text: Its characters, but those that nobody sees; others made ASCII.
        first: Whether the text begins with it.
        last: Whether the text ends with it.
        places: Of each character, if some were left out.
    """

    cell: int
    offset: int
    text: str
    first: bool
    last: bool
    places: tuple[int, ...] = ()

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a find stands in the whole text."""
        if self.places:
            start, end = self.places[start], self.places[end - 1] + 1
        return self.offset + start, self.offset + end

    def cuts(self, start: int, end: int) -> bool:
        """Whether a find touches an edge that is not the text's own: its neighbour has it."""
        return (start == 0 and not self.first) or (end == len(self.text) and not self.last)


def narrow(text: str) -> str:
    """Makes full-width letters and signs, all digits and blanks ASCII; each keeps its place."""
    if text.isascii() or not _HAS_WIDE.search(text):
        return text
    return text.translate(_NARROW)


def find(texts: Sequence[str], wanted: Sequence[Recogniser] | None = None) -> list[Hit]:
    """Finds what is in the texts.

    Args:
        texts: Cells, sentences, documents.
        wanted: What to look for, in order of precedence; all recognisers by default.

    Returns:
        The hits in order of cell and place; no two of them overlap.
    """
    wanted = recognisers() if wanted is None else wanted
    pieces = [piece for cell, text in enumerate(texts) for piece in _pieces(cell, text)]
    haystack = pa.array([piece.text for piece in pieces], pa.string())
    found: dict[int, list[tuple[int, Hit]]] = defaultdict(list)
    for rank, recogniser in enumerate(wanted):
        for hit in _valid(recogniser, list(_candidates(recogniser, pieces, haystack))):
            found[hit.cell].append((rank, hit))
    return [hit for cell in sorted(found) for hit in _without_overlaps(found[cell])]


def _pieces(cell: int, text: str) -> Iterator[_Piece]:
    if len(text) <= _PIECE:
        yield _piece(cell, 0, text, first=True, last=True)
        return
    for offset in range(0, len(text), _PIECE - _OVERLAP):
        end = offset + _PIECE
        yield _piece(cell, offset, text[offset:end], first=offset == 0, last=end >= len(text))
        if end >= len(text):
            return


def _piece(cell: int, offset: int, text: str, *, first: bool, last: bool) -> _Piece:
    text = narrow(text)
    if text.isascii() or not _HAS_UNSEEN.search(text):
        return _Piece(cell, offset, text, first, last)
    seen = [place for place, character in enumerate(text) if not _HAS_UNSEEN.match(character)]
    return _Piece(cell, offset, "".join(text[p] for p in seen), first, last, tuple(seen))


def _candidates(
    recogniser: Recogniser, pieces: Sequence[_Piece], haystack: pa.StringArray
) -> Iterator[Hit]:
    if not recogniser.text_gate:
        return
    for number in matching(haystack, recogniser.text_gate).nonzero()[0].tolist():
        piece = pieces[number]
        for match in recogniser.exact.finditer(piece.text):
            start, end = match.span("value")
            if not piece.cuts(start, end) and not _within_decimals(piece.text, start, end):
                yield Hit(piece.cell, recogniser, *piece.span(start, end), match["value"])


def _within_decimals(text: str, start: int, end: int) -> bool:
    """Whether a find is part of a longer dotted number: 0.13800138000, version 1.2.3.4.5.

    A cell such as 13800138000.0 is a number that went through a float, as exports write it.
    """
    if start == 0 and _NO_FRACTION.fullmatch(text, end):
        return False
    before, after = text[max(start - 2, 0) : start + 1], text[end - 1 : end + 2]
    return any(
        len(part) == 3 and part[1] == "." and part[0].isdigit() and part[2].isdigit()
        for part in (before, after)
    )


def _valid(recogniser: Recogniser, hits: list[Hit]) -> Iterator[Hit]:
    if hits:
        values = pa.array([hit.value for hit in hits], pa.string())
        for hit, right in zip(hits, recogniser.valid(values), strict=True):
            if right:
                yield hit


def _without_overlaps(ranked: list[tuple[int, Hit]]) -> list[Hit]:
    """Keeps what wins: an earlier recogniser, then the earlier place. Few hits share a cell."""
    kept: list[Hit] = []
    ranked.sort(key=lambda pair: (pair[0], pair[1].start, -pair[1].end))
    for _, hit in ranked:
        if all(hit.end <= other.start or hit.start >= other.end for other in kept):
            kept.append(hit)
    return sorted(kept, key=lambda hit: hit.start)


def matching(texts: pa.StringArray, pattern: str) -> Mask:
    """Returns which texts match an RE2 pattern somewhere."""
    mask = pc.match_substring_regex(texts, pattern)
    return np.asarray(mask.to_numpy(zero_copy_only=False), dtype=np.bool_)


def whole(texts: pa.StringArray, recogniser: Recogniser) -> Mask:
    """Returns which texts, none of them NULL, are wholly of this type's form; not yet checked."""
    return matching(texts, f"^(?:{recogniser.pattern})$")
