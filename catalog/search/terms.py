"""Text as an index sees it: Latin words whole, everything else in pieces of two characters.

Chinese is written without blanks, and half of all searches are words of two characters, which
word lists split wrongly and indexes of three characters do not find at all. Pieces of two find
every one: a text has 就业 in it if and only if it has the piece 就业. Longer words are several
pieces in a row; one character is the beginning of a piece. See decision 0033.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from catalog.registry import vocabulary as v
from catalog.registry.record import Record
from desensitize.divisions import divisions

FENCE = "˙"
"""Stands between two fields, so that no word is found across them; no letter: never asked for."""

_LATIN = re.compile("[a-z0-9]+")
# Runs of ASCII letters and digits, or of letters of any other script.
_RUN = re.compile(r"[a-z0-9]+|[^\W_a-z0-9]+")


def runs(text: str) -> tuple[str, ...]:
    """Returns what is searched for in a text: words of one script, width and case made alike."""
    return tuple(_RUN.findall(unicodedata.normalize("NFKC", text).casefold()))


def spaced(texts: Iterable[str]) -> str:
    """Returns fields as one text of runs, each between blanks, with fences between fields."""
    return f" {f' {FENCE} '.join([_spaced(text) for text in texts if text])} "


def pieces(texts: Iterable[str]) -> str:
    """Returns the same with each run that is not Latin cut into its pieces.

    就业登记 becomes 就业 业登 登记 记; the last one finds searches for one character.
    """
    return f" {FENCE} ".join([_cut(text) for text in texts if text])


# The same names, descriptions and titles come again in thousands of records.
@lru_cache(maxsize=65_536)
def _spaced(text: str) -> str:
    return " ".join(runs(text))


@lru_cache(maxsize=65_536)
def _cut(text: str) -> str:
    return " ".join(piece for run in runs(text) for piece in _pieces(run))


def _pieces(run: str) -> Iterable[str]:
    return (run,) if _LATIN.fullmatch(run) else (run[i : i + 2] for i in range(len(run)))


def asked(word: str) -> tuple[tuple[str, ...], bool]:
    """Returns the pieces that stand for a word of a search, in a row, and if the last one is open.

    An open piece stands for all that begin with it. A word that is no letter and no digit gives
    nothing.
    """
    parts = runs(word)
    found: list[str] = []
    for number, run in enumerate(parts):
        last = number == len(parts) - 1
        if _LATIN.fullmatch(run):
            found.append(run)
        elif last and len(run) > 1:
            found += [run[i : i + 2] for i in range(len(run) - 1)]
        else:
            found += [run[i : i + 2] for i in range(len(run))]
    closed = bool(parts) and not _LATIN.fullmatch(parts[-1]) and len(parts[-1]) > 1
    return tuple(found), bool(found) and not closed


def fields(record: Record) -> Iterator[str]:
    """Yields the texts of a record that are searched, in both languages where there are two."""
    yield from own_fields(record)
    for item in record.items:
        yield from (item.name, item.name_en, item.description, item.subject)


def own_fields(record: Record) -> Iterator[str]:
    """Yields those of a record itself; its data items follow."""
    yield record.name
    yield record.name_en
    yield record.provider.name
    yield record.provider.name_en
    for vocabulary, codes in (
        (v.THEMES, record.themes),
        (v.KINDS, (record.kind,)),
        (v.FORMATS, (record.format,)),
    ):
        for code in codes:
            title = vocabulary.title(code)
            yield title.zh
            yield title.en
    yield from record.scenarios
    yield from record.path
    yield divisions()[record.place].name if record.place in divisions() else record.place
    yield record.system
    yield record.format_type
    yield record.identifier
    yield record.abstract
