"""Where in the text a parsed node stands, so that an error can underline it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlglot import Token, exp

Span = tuple[int, int]

_OPEN: Final = frozenset("(")
_CLOSE: Final = frozenset(")")
_AFTER: Final[dict[type[exp.Expr], frozenset[str]]] = {
    exp.Is: frozenset({"IS", "NOT", "NULL", "TRUE", "FALSE"}),
    exp.Case: frozenset({"END"}),
    exp.Window: frozenset({"OVER", "("}),
}
_BEFORE: Final[dict[type[exp.Expr], frozenset[str]]] = {
    exp.Case: frozenset({"CASE", "WHEN"}),
    exp.Not: frozenset({"NOT"}),
    exp.Neg: frozenset({"-"}),
    exp.Paren: frozenset({"("}),
    exp.Select: frozenset({"SELECT", "DISTINCT"}),
    exp.Cast: frozenset({"DATE", "TIMESTAMP"}),
    exp.Interval: frozenset({"INTERVAL"}),
}
# Functions that sqlglot parses by special syntax keep no place of their own name.
_UNPLACED: Final = (
    exp.Cast, exp.Extract, exp.Substring, exp.GroupConcat, exp.Trim, exp.Rollup, exp.Cube,
    exp.GroupingSets,
)  # fmt: skip


class Places:
    """Maps nodes of one statement to offsets in its text.

    Args:
        sql: The statement.
        tokens: Its tokens, in order, with ``start`` and inclusive ``end``.
    """

    def __init__(self, sql: str, tokens: Sequence[Token]) -> None:
        self._sql = sql
        self._tokens = tokens
        self._starts = {token.start: i for i, token in enumerate(tokens)}
        self._ends = {token.end: i for i, token in enumerate(tokens)}

    def span(self, node: exp.Expr) -> Span:
        """Returns (start, end) of ``node``: 0-based, ``end`` exclusive, brackets balanced.

        A node that keeps no place at all (a bare NULL) has the place of its parent.
        """
        found: exp.Expr | None = node
        while found is not None:
            placed = [n.meta for n in found.walk() if "start" in n.meta]
            if placed:
                first = self._starts.get(min(int(m["start"]) for m in placed))
                last = self._ends.get(max(int(m["end"]) for m in placed))
                if first is not None and last is not None:
                    return self._between(*self._grown(found, first, last))
            if isinstance(found, exp.Func) and (named := self._named(found)):
                return named
            found = found.parent
        return (0, len(self._sql))

    def keyword(self, node: exp.Expr, word: str) -> Span:
        """Returns the place of the first ``word`` inside or after ``node``'s own place."""
        start, _ = self.span(node)
        for candidates in (range(self._starts.get(start, 0), len(self._tokens)),
                           range(len(self._tokens))):  # fmt: skip
            for i in candidates:
                if self._tokens[i].text.upper() == word:
                    return self._between(i, i)
        return self.span(node)

    def text(self, node: exp.Expr) -> str:
        """Returns ``node`` as it was written."""
        start, end = self.span(node)
        return self._sql[start:end]

    def _named(self, node: exp.Func) -> Span | None:
        """The only token that spells the name of a function which takes no argument."""
        names = node.sql_names()
        places = [i for i in range(len(self._tokens)) if self._word(i) in names]
        return self._between(*self._grown(node, places[0], places[0])) if places else None

    def _between(self, first: int, last: int) -> Span:
        return (self._tokens[first].start, self._tokens[last].end + 1)

    def _word(self, i: int) -> str:
        return self._tokens[i].text.upper() if 0 <= i < len(self._tokens) else ""

    def _grown(self, node: exp.Expr, first: int, last: int) -> tuple[int, int]:
        if isinstance(node, exp.Func) and first == last and self._word(last + 1) == "(":
            last += 1
        if isinstance(node, _UNPLACED) and self._word(last + 1) == "::":
            last += 2
        elif "start" not in node.meta:
            first = self._call(node, first)
        first, last = self._balanced(first, last)
        while self._word(first - 1) in _BEFORE.get(type(node), ()):
            first -= 1
        first, last = self._balanced(first, last)
        while self._word(last + 1) in _AFTER.get(type(node), ()):
            last += 1
        return self._balanced(first, last)

    def _call(self, node: exp.Expr, first: int) -> int:
        """Goes back from an argument to the function's name before its opening bracket."""
        if not isinstance(node, exp.Func | exp.Rollup | exp.Cube | exp.GroupingSets):
            return first
        depth = 0
        for i in range(first - 1, 0, -1):
            depth += (self._word(i) in _CLOSE) - (self._word(i) in _OPEN)
            if depth < 0:
                name = self._word(i - 1)
                known = name in node.sql_names() if isinstance(node, exp.Func) else False
                return i - 1 if known or isinstance(node, (*_UNPLACED, exp.AggFunc)) else first
        return first

    def _balanced(self, first: int, last: int) -> tuple[int, int]:
        depth = lowest = 0
        for i in range(first, last + 1):
            depth += (self._word(i) in _OPEN) - (self._word(i) in _CLOSE)
            lowest = min(lowest, depth)
        while lowest < 0 and first > 0:
            first -= 1
            change = (self._word(first) in _OPEN) - (self._word(first) in _CLOSE)
            lowest += change
            depth += change
        while depth > 0 and last + 1 < len(self._tokens):
            last += 1
            depth += (self._word(last) in _OPEN) - (self._word(last) in _CLOSE)
        return first, last
