"""The gate for SQL text: small, one SELECT, nothing that is not on the allow-list.

Limits come before parsing, because a parser's worst cases cost seconds and stack frames. What
passes is still only text that somebody wrote; it runs nowhere until it is bound to the catalog.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sqlglot import Dialect, Token, exp
from sqlglot.errors import ParseError, TokenError

from catalog import sql_words
from catalog.sql_places import Places, Span
from protos.faults import SqlError

MAX_BYTES: Final = 16 * 1024
MAX_TOKENS: Final = 2_000
MAX_NESTING: Final = 16  # brackets and CASEs, before parsing
MAX_DEPTH: Final = 40  # of the syntax tree; a chain of ANDs or ORs counts once
MAX_CHAIN: Final = 200
MAX_PREFIXES: Final = 8

_DIALECT: Final = "duckdb"
_WIDE: Final = frozenset("，（）；＝＜＞＋－＊／％“”‘’　")
_PREFIX: Final = frozenset({"NOT", "-", "+", "~"})


@dataclass(frozen=True)
class Statement:
    """One SELECT that passed the gate.

    Attributes:
        sql: As written.
        tree: Parsed, DuckDB dialect. Treat it as frozen: copy before changing it.
    """

    sql: str
    tree: exp.Query
    places: Places = field(repr=False, compare=False)

    def refuse(
        self, node: exp.Expr, message: str, *, remedy: str = "", code: str = "sql.unsupported"
    ) -> SqlError:
        """Returns the error that underlines ``node``."""
        return _error(self.sql, self.places.span(node), message, remedy, code)

    def refuse_word(self, node: exp.Expr, word: str, message: str, *, remedy: str = "") -> SqlError:
        """Returns the error that underlines the first keyword ``word`` from ``node`` on."""
        span = self.places.keyword(node, word)
        return _error(self.sql, span, message, remedy, "sql.unsupported")


def parse(sql: str) -> Statement:
    """Parses one SELECT and refuses everything that is not on the allow-list.

    Raises:
        SqlError: With the place, the reason and what would work. Codes: ``sql.too_long``,
            ``sql.too_deep``, ``sql.syntax``, ``sql.not_select``, ``sql.many``,
            ``sql.function``, ``sql.unsupported``.
    """
    if len(sql.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise SqlError(
            f"the statement is longer than {MAX_BYTES // 1024} KB",
            remedy="shorten it, for example its lists of values",
            code="sql.too_long",
        )
    tokens = _tokens(sql)
    _check_tokens(sql, tokens)
    statement = _parsed(sql, tokens)
    _check_shape(statement)
    for node in statement.tree.walk():
        _check_node(statement, node)
    return statement


def nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    """Returns a remedy that names what is spelled most like ``name``, or ``""``."""
    folded = {k.casefold(): k for k in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(folded[c] for c in close)}?" if close else ""


def _tokens(sql: str) -> list[Token]:
    if (at := _unclosed(sql)) >= 0:
        what = "comment" if sql[at] == "/" else "quote"
        raise _error(sql, (at, at + 1), f"this {what} is never closed", "close it", "sql.syntax")
    try:
        return Dialect.get_or_raise(_DIALECT).tokenize(sql)
    except TokenError as error:
        raise _error(
            sql, (0, len(sql)), "the text cannot be read as SQL", "check its quotes", "sql.syntax"
        ) from error


def _check_tokens(sql: str, tokens: list[Token]) -> None:
    if not tokens:
        raise SqlError("the statement is empty", remedy="write SELECT …", code="sql.not_select")
    if len(tokens) > MAX_TOKENS:
        place = (tokens[MAX_TOKENS].start, tokens[MAX_TOKENS].end + 1)
        raise _error(
            sql, place, f"the statement has more than {MAX_TOKENS} words", "shorten it",
            "sql.too_long",
        )  # fmt: skip
    first = tokens[0]
    if first.text.upper() not in {"SELECT", "WITH", "FROM", "("}:
        raise _error(
            sql, (first.start, first.end + 1), "only SELECT is supported",
            "begin with SELECT or WITH", "sql.not_select",
        )  # fmt: skip
    depth = prefixes = 0
    for i, token in enumerate(tokens):
        place, word = (token.start, token.end + 1), token.text.upper()
        quoted = sql[token.start] in "'\""
        if quoted:
            prefixes = 0
            continue
        _check_token(sql, token)
        if word == ";" and any(t.text != ";" for t in tokens[i:]):
            raise _error(
                sql, place, "one statement at a time", "run the statements one by one", "sql.many"
            )
        depth += (word in {"(", "CASE"}) - (word in {")", "END"})
        prefixes = prefixes + 1 if word in _PREFIX else 0
        if depth > MAX_NESTING or prefixes > MAX_PREFIXES:
            raise _too_deep(sql, place)


def _check_token(sql: str, token: Token) -> None:
    place, word = (token.start, token.end + 1), token.text.upper()
    if wide := next((c for c in token.text if c in _WIDE), None):
        raise _error(
            sql, place, f"{wide} is a full-width character", "type it in half width (ASCII)",
            "sql.syntax",
        )  # fmt: skip
    if word[:1] in {"?", "$"}:
        raise _error(
            sql, place, "parameters are not supported", "write the value into the statement",
            "sql.unsupported",
        )  # fmt: skip
    if word in {"[", "{"}:  # long chains of them also cost the parser quadratic time
        raise _error(
            sql, place, "lists, structs and subscripts are not supported",
            "use SUBSTR for a part of a text", "sql.unsupported",
        )  # fmt: skip


def _parsed(sql: str, tokens: list[Token]) -> Statement:
    places = Places(sql, tokens)
    try:
        trees = Dialect.get_or_raise(_DIALECT).parser().parse(tokens, sql)
    except ParseError as error:
        raise _syntax_error(sql, tokens, error) from error
    except RecursionError as error:
        raise _too_deep(sql, (0, len(sql))) from error
    tree = trees[0] if trees else None
    if not isinstance(tree, exp.Query):
        span = (tokens[0].start, tokens[0].end + 1)
        raise _error(sql, span, "only SELECT is supported", "begin with SELECT", "sql.not_select")
    return Statement(sql, tree, places)


def _syntax_error(sql: str, tokens: list[Token], error: ParseError) -> SqlError:
    first = error.errors[0] if error.errors else {}
    where = (first.get("line"), first.get("col"))
    token = next((t for t in tokens if (t.line, t.col) == where), tokens[-1])
    reason = "the SQL ends too early here" if token is tokens[-1] else "the SQL is not clear here"
    return _error(
        sql,
        (token.start, token.end + 1),
        reason,
        "check commas, brackets and the order of clauses just before it",
        "sql.syntax",
    )


def _check_shape(statement: Statement) -> None:
    """Bounds the depth of the tree; every later walk may then recurse."""
    stack: list[tuple[exp.Expr, int, int]] = [(statement.tree, 0, 0)]
    while stack:
        node, depth, chain = stack.pop()
        chained = isinstance(node, exp.Connector) and type(node) is type(node.parent)
        depth, chain = (depth, chain + 1) if chained else (depth + 1, 0)
        if depth > MAX_DEPTH or chain > MAX_CHAIN:
            raise _too_deep(statement.sql, statement.places.span(node))
        stack.extend((child, depth, chain) for child in node.iter_expressions())


def _check_node(statement: Statement, node: exp.Expr) -> None:
    kind = type(node)
    if kind in sql_words.INSTEAD:
        message, remedy = sql_words.INSTEAD[kind]
        raise statement.refuse(node, message, remedy=remedy)
    if kind not in sql_words.ALLOWED:
        raise _refused_kind(statement, node)
    for part in _parts(node) if kind in sql_words.PARTS else ():
        if part not in sql_words.PARTS[kind]:
            message, remedy = sql_words.PART_INSTEAD.get(
                part, (f"{part.rstrip('_').upper()} is not supported here", "leave it out")
            )
            raise statement.refuse(node, message, remedy=remedy)
    if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
        raise statement.refuse(
            node, "table functions are not supported", remedy="read a dataset of the catalog"
        )
    if isinstance(node, exp.With) and node.args.get("recursive"):
        raise statement.refuse_word(
            statement.tree, "RECURSIVE", "recursive queries are not supported"
        )


def _refused_kind(statement: Statement, node: exp.Expr) -> SqlError:
    if isinstance(node, exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_names()[0]
        return statement.refuse(
            node,
            f"the function {name.upper()} is not supported",
            remedy=nearest(name, sql_words.FUNCTIONS) or "use another function",
            code="sql.function",
        )
    return statement.refuse(node, f"{statement.places.text(node)[:60]!r} is not supported here")


def _parts(node: exp.Expr) -> Iterator[str]:
    return (name for name, value in node.args.items() if value)


def _too_deep(sql: str, place: Span) -> SqlError:
    return _error(
        sql, place, "the statement is nested too deeply",
        "flatten it: fewer brackets, IN (…) instead of many ORs", "sql.too_deep",
    )  # fmt: skip


def _error(sql: str, place: Span, message: str, remedy: str, code: str) -> SqlError:
    return SqlError(message, sql=sql, start=place[0], end=place[1], remedy=remedy, code=code)


def _unclosed(sql: str) -> int:
    """Returns the offset of a quote or comment that never ends, or -1."""
    at = 0
    while at < len(sql):
        if sql[at] in "'\"":
            end = sql.find(sql[at], at + 1)
        elif sql.startswith("--", at):
            end = sql.find("\n", at)
            if end < 0:
                return -1
        elif sql.startswith("/*", at):
            end = sql.find("*/", at + 2)
            end += end >= 0
        else:
            end = at
        if end < 0:
            return at
        at = end + 1
    return -1
