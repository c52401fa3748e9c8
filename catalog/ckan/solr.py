"""The query language of CKAN's ``q`` and ``fq``: as much of Solr's as its clients write.

``organization:a``, ``tags:"b c"``, ``groups:(a OR b)``, ``-res_format:PDF``, words, and
``metadata_modified:[2025-01-01T00:00:00Z TO *]``; with AND (also unwritten), OR, NOT, ``+``, ``-``
and brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from protos.faults import InputError
from protos.language import Text

LONGEST: Final = 16_000  # characters
_MOST: Final = 2_000  # parts
MOST_TERMS: Final = 100
"""Values and ranges of one search, its filters among them: each is looked up in every dataset."""
_DEEPEST: Final = 20
_TOKEN: Final = re.compile(
    r'\s*(?:(?P<range>\[[^\]]*\]|\{[^}]*\})|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<sign>[()!+-])'
    r"|(?P<field>[A-Za-z_][\w.]*|\*):|(?P<word>(?:[^\s()\"\[\]{}:\\]|\\.)(?:[^\s()\"\[\]{}\\]|\\.)*))"
)


class QueryError(InputError):
    """A query that cannot be read."""

    def __init__(self, said: Text) -> None:
        super().__init__(
            said,
            remedy=Text(
                "write field:value, words, AND, OR, NOT and brackets",
                "请使用“字段:值”、检索词、AND、OR、NOT 和括号",
            ),
            code="search.query",
        )


@dataclass(frozen=True)
class Everything:
    """``*:*``."""


@dataclass(frozen=True)
class Term:
    """A value in a field; without a field, words."""

    field: str
    text: str


@dataclass(frozen=True)
class Range:
    """Values between two; ``*`` is no border."""

    field: str
    low: str
    high: str
    with_low: bool
    with_high: bool


@dataclass(frozen=True)
class Not:
    """What another does not find."""

    part: Node


@dataclass(frozen=True)
class All:
    """What all parts find."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Some:
    """What one of the parts finds."""

    parts: tuple[Node, ...]


Node = Everything | Term | Range | Not | All | Some


def parse(text: str) -> Node:
    """Reads a query; an empty one finds everything.

    Raises:
        QueryError: It is too long, or cannot be read.
    """
    if len(text) > LONGEST:
        raise QueryError(Text(f"the query has more than {LONGEST:,} characters",
                              f"查询超过 {LONGEST:,} 个字符"))  # fmt: skip
    return _Reader(list(_tokens(text))).whole()


def words_of(node: Node) -> tuple[str, ...] | None:
    """Returns the words of a query that has nothing else; None if it has."""
    if isinstance(node, Everything):
        return ()
    if isinstance(node, Term):
        return tuple(node.text.split()) if not node.field else None
    if not isinstance(node, All):
        return None
    found: list[str] = []
    for part in node.parts:
        words = words_of(part)
        if words is None:
            return None
        found += words
    return tuple(found)


def terms(node: Node) -> int:
    """Returns how many values and ranges a query has."""
    if isinstance(node, All | Some):
        return sum(map(terms, node.parts))
    return terms(node.part) if isinstance(node, Not) else int(not isinstance(node, Everything))


Token = tuple[str, str]


def _tokens(text: str) -> Iterator[Token]:
    at, count = 0, 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        count += 1
        if match is None or count > _MOST:
            raise QueryError(
                Text(
                    f"the query is not clear at {text[at : at + 20]!r}",
                    f"查询在“{text[at : at + 20]}”处无法理解",
                )
            )
        kind = match.lastgroup or ""
        value = match[kind]
        if kind == "word" and value in {"AND", "OR", "NOT", "&&", "||"}:
            kind, value = "operator", {"&&": "AND", "||": "OR"}.get(value, value)
        yield kind, value
        at = match.end()


class _Reader:
    """Recursive descent; AND binds closer than OR."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def whole(self) -> Node:
        if not self._tokens:
            return Everything()
        found = self._some("", 0)
        if self._at < len(self._tokens):
            raise QueryError(Text("a bracket is not opened", "括号没有对应的左括号"))
        return found

    def _peek(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self) -> Token:
        token = self._peek()
        self._at += 1
        return token

    def _some(self, field: str, depth: int) -> Node:
        if depth > _DEEPEST:
            raise QueryError(Text("the query is nested too deeply", "查询嵌套过深"))
        parts = [self._all(field, depth)]
        while self._peek() == ("operator", "OR"):
            self._take()
            parts.append(self._all(field, depth))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _all(self, field: str, depth: int) -> Node:
        parts: list[Node] = []
        while True:
            token = self._peek()
            if token == ("operator", "AND") and parts:
                self._take()
                token = self._peek()
            elif token[0] == "end" or token in {("sign", ")"), ("operator", "OR")}:
                break
            parts.append(self._one(field, depth))
        if not parts:
            raise QueryError(Text("the query ends too early", "查询不完整"))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self, field: str, depth: int) -> Node:
        kind, value = self._take()
        if depth > _DEEPEST:
            raise QueryError(Text("the query is nested too deeply", "查询嵌套过深"))
        if (kind, value) in {("sign", "-"), ("sign", "!"), ("operator", "NOT")}:
            return Not(self._one(field, depth + 1))
        if (kind, value) == ("sign", "+"):
            return self._one(field, depth + 1)
        if (kind, value) == ("sign", "("):
            found = self._some(field, depth + 1)
            if self._take() != ("sign", ")"):
                raise QueryError(Text("a bracket is not closed", "括号没有闭合"))
            return found
        if kind == "field":
            return self._one("" if value == "*" else value, depth + 1)
        if kind == "range":
            return _range(field, value)
        if kind in {"word", "quoted"}:
            text = re.sub(r"\\(.)", r"\1", value[1:-1] if kind == "quoted" else value)
            return Everything() if kind == "word" and text == "*" else Term(field, text)
        raise QueryError(Text("the query ends too early", "查询不完整"))


def _range(field: str, text: str) -> Range:
    words = text[1:-1].split()  # no expression: what matches in many ways takes strangers' time
    places = [at for at, word in enumerate(words) if word.upper() == "TO"]
    if not field or len(places) != 1 or not 0 < places[0] < len(words) - 1:
        raise QueryError(Text("write a range as field:[a TO b]", "范围请写作 字段:[a TO b]"))
    low, high = (
        " ".join(some).removeprefix('"').removesuffix('"')
        for some in (words[: places[0]], words[places[0] + 1 :])
    )
    return Range(field, low, high, text[0] == "[", text[-1] == "]")
