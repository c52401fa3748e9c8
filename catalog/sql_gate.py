"""The gate for SQL text: small, one SELECT, nothing that is not on the allow-list.

Limits come before parsing, because a parser's worst cases cost seconds and stack frames. What
passes is still only text that somebody wrote; it runs nowhere until it is bound to the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sqlglot import Dialect, Token, exp
from sqlglot.errors import ParseError, TokenError

from catalog import sql_words
from catalog.sql_hints import (
    TYPOGRAPHIC,
    misspelt_clause,
    narrowed,
    nearest,
    nearest_function,
    unbalanced,
    unclosed,
)
from catalog.sql_places import Places, Span
from protos.faults import SqlError
from protos.language import Text, Words

MAX_BYTES: Final = 16 * 1024
MAX_TOKENS: Final = 2_000
MAX_NESTING: Final = 16  # brackets and CASEs, before parsing
MAX_DEPTH: Final = 40  # of the syntax tree; a chain of ANDs or ORs counts once
MAX_CHAIN: Final = 200
MAX_PREFIXES: Final = 8

_DIALECT: Final = "duckdb"
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
        self, node: exp.Expr, message: Words, *, remedy: Words = "", code: str = "sql.unsupported"
    ) -> SqlError:
        """Returns the error that underlines ``node``."""
        return _error(self.sql, self.places.span(node), message, remedy, code)

    def refuse_word(
        self, node: exp.Expr, word: str, message: Words, *, remedy: Words = ""
    ) -> SqlError:
        """Returns the error that underlines the first keyword ``word`` from ``node`` on."""
        span = self.places.keyword(node, word)
        return _error(self.sql, span, message, remedy, "sql.unsupported")


def parse(sql: str) -> Statement:
    """Parses one SELECT and refuses everything that is not on the allow-list.

    Full-width punctuation of an input method counts as its ASCII twin (`narrowed`).

    Raises:
        SqlError: With the place, the reason and what would work. Codes: ``sql.too_long``,
            ``sql.too_deep``, ``sql.syntax``, ``sql.not_select``, ``sql.many``,
            ``sql.function``, ``sql.unsupported``.
    """
    if len(sql.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise SqlError(
            Text(
                f"the statement is longer than {MAX_BYTES // 1024} KB",
                f"语句超过 {MAX_BYTES // 1024} KB",
            ),
            remedy=Text("shorten it, for example its lists of values", "请缩短，例如精简取值列表"),
            code="sql.too_long",
        )
    plain = narrowed(sql)
    tokens = _tokens(plain)
    _check_tokens(plain, tokens)
    statement = _parsed(sql, plain, tokens)
    _check_shape(statement)
    for node in statement.tree.walk():
        _check_node(statement, node)
    return statement


def _tokens(sql: str) -> list[Token]:
    if (at := unclosed(sql)) >= 0:
        what = Text("comment", "注释") if sql[at] == "/" else Text("quote", "引号")
        raise _error(
            sql,
            (at, at + 1),
            Text(f"this {what.en} is never closed", f"此{what.zh}没有结尾"),
            Text("close it", "请补上结尾"),
            "sql.syntax",
        )
    try:
        return Dialect.get_or_raise(_DIALECT).tokenize(sql)
    except TokenError as error:
        raise _error(
            sql,
            (0, len(sql)),
            Text("the text cannot be read as SQL", "文本无法按 SQL 解析"),
            Text("check its quotes", "请检查引号"),
            "sql.syntax",
        ) from error


def _check_tokens(sql: str, tokens: list[Token]) -> None:
    if not tokens:
        raise SqlError(
            Text("the statement is empty", "语句为空"),
            remedy=Text("write SELECT …", "请写 SELECT …"),
            code="sql.not_select",
        )
    if len(tokens) > MAX_TOKENS:
        place = (tokens[MAX_TOKENS].start, tokens[MAX_TOKENS].end + 1)
        raise _error(
            sql,
            place,
            Text(f"the statement has more than {MAX_TOKENS} words", f"语句超过 {MAX_TOKENS} 个词"),
            Text("shorten it", "请缩短"),
            "sql.too_long",
        )
    first = tokens[0]
    if first.text.upper() not in {"SELECT", "WITH", "FROM", "("}:
        raise _error(
            sql,
            (first.start, first.end + 1),
            Text("only SELECT is supported", "只支持 SELECT"),
            nearest(first.text, ("SELECT", "WITH"))
            or Text("begin with SELECT or WITH", "请以 SELECT 或 WITH 开头"),
            "sql.not_select",
        )
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
                sql,
                place,
                Text("one statement at a time", "一次只能执行一条语句"),
                Text("run the statements one by one", "请逐条执行"),
                "sql.many",
            )
        depth += (word in {"(", "CASE"}) - (word in {")", "END"})
        prefixes = prefixes + 1 if word in _PREFIX else 0
        if depth > MAX_NESTING or prefixes > MAX_PREFIXES:
            raise _too_deep(sql, place)


def _check_token(sql: str, token: Token) -> None:
    place, word = (token.start, token.end + 1), token.text.upper()
    if (at := next((i for i, c in enumerate(token.text) if c in TYPOGRAPHIC), -1)) >= 0:
        raise _error(
            sql,
            (token.start + at, token.start + at + 1),
            Text(f"{token.text[at]} is a typographic quote", f"{token.text[at]} 是中文引号"),
            Text(
                "write texts in straight single quotes: 'F'; names need no quotes",
                "文本请用英文单引号：'F'；名称不用引号",
            ),
            "sql.syntax",
        )
    if word == "`":
        raise _error(
            sql,
            place,
            Text("names are not quoted with `", "名称不能用 ` 括起"),
            Text('leave it out, or write "name"', '请去掉，或写成 "名称"'),
            "sql.syntax",
        )
    if word[:1] in {"?", "$"}:
        raise _error(
            sql,
            place,
            Text("parameters are not supported", "不支持参数占位符"),
            Text("write the value into the statement", "请把值直接写入语句"),
            "sql.unsupported",
        )
    if word in {"[", "{"}:  # long chains of them also cost the parser quadratic time
        raise _error(
            sql,
            place,
            Text("lists, structs and subscripts are not supported", "不支持列表、结构和下标"),
            Text("use SUBSTR for a part of a text", "取文本的一部分请用 SUBSTR"),
            "sql.unsupported",
        )


def _parsed(sql: str, plain: str, tokens: list[Token]) -> Statement:
    places = Places(plain, tokens)
    try:
        trees = Dialect.get_or_raise(_DIALECT).parser().parse(tokens, plain)
    except ParseError as error:
        raise _syntax_error(plain, tokens, error) from error
    except RecursionError as error:
        raise _too_deep(sql, (0, len(sql))) from error
    tree = trees[0] if trees else None
    if not isinstance(tree, exp.Query):
        span = (tokens[0].start, tokens[0].end + 1)
        raise _error(
            sql,
            span,
            Text("only SELECT is supported", "只支持 SELECT"),
            Text("begin with SELECT", "请以 SELECT 开头"),
            "sql.not_select",
        )
    return Statement(sql, tree, places)


def _syntax_error(sql: str, tokens: list[Token], error: ParseError) -> SqlError:
    first = error.errors[0] if error.errors else {}
    where = (first.get("line"), first.get("col"))
    at = next((i for i, t in enumerate(tokens) if (t.line, t.col) == where), len(tokens) - 1)
    token = tokens[at]
    if (bracket := unbalanced(tokens, sql)) is not None:
        odd, what = bracket
        place = (tokens[odd].start, tokens[odd].end + 1)
        remedy = Text("count the brackets", "请检查括号是否成对")
        return _error(sql, place, what, remedy, "sql.syntax")
    if (misspelt := misspelt_clause(tokens, at)) is not None:
        odd, meant = misspelt
        return _error(
            sql,
            (tokens[odd].start, tokens[odd].end + 1),
            Text("the SQL is not clear here", "SQL 在此处无法理解"),
            Text(f"did you mean {meant}?", f"是不是 {meant}？"),
            "sql.syntax",
        )
    if at > 0 and tokens[at - 1].text.upper() == "TOP":
        return _error(
            sql,
            (tokens[at - 1].start, token.end + 1),
            Text("TOP is not supported", "不支持 TOP"),
            Text(f"write LIMIT {token.text} at the end", f"请在末尾写 LIMIT {token.text}"),
            "sql.unsupported",
        )
    reason = (
        Text("the SQL ends too early here", "SQL 在此处过早结束")
        if token is tokens[-1]
        else Text("the SQL is not clear here", "SQL 在此处无法理解")
    )
    return _error(
        sql,
        (token.start, token.end + 1),
        reason,
        Text(
            "check commas, brackets and the order of clauses just before it",
            "请检查此处之前的逗号、括号和子句顺序",
        ),
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
                part,
                (
                    Text(
                        f"{part.rstrip('_').upper()} is not supported here",
                        f"此处不支持 {part.rstrip('_').upper()}",
                    ),
                    Text("leave it out", "请去掉"),
                ),
            )
            raise statement.refuse(node, message, remedy=remedy)
    if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
        raise statement.refuse(
            node,
            Text("table functions are not supported", "不支持表函数"),
            remedy=Text("read a dataset of the catalog", "请查询目录中的数据集"),
        )
    if isinstance(node, exp.With) and node.args.get("recursive"):
        raise statement.refuse_word(
            statement.tree,
            "RECURSIVE",
            Text("recursive queries are not supported", "不支持递归查询"),
        )


def _refused_kind(statement: Statement, node: exp.Expr) -> SqlError:
    if isinstance(node, exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_names()[0]
        return statement.refuse(
            node,
            Text(f"the function {name.upper()} is not supported", f"不支持函数 {name.upper()}"),
            remedy=nearest_function(name, sql_words.FUNCTIONS)
            or Text("use another function", "请使用其他函数"),
            code="sql.function",
        )
    return statement.refuse(
        node,
        Text(
            f"{statement.places.text(node)[:60]!r} is not supported here",
            f"此处不支持 {statement.places.text(node)[:60]!r}",
        ),
    )


def _parts(node: exp.Expr) -> Iterator[str]:
    return (name for name, value in node.args.items() if value)


def _too_deep(sql: str, place: Span) -> SqlError:
    return _error(
        sql,
        place,
        Text("the statement is nested too deeply", "语句嵌套过深"),
        Text(
            "flatten it: fewer brackets, IN (…) instead of many ORs",
            "请简化：减少括号，用 IN (…) 代替大量 OR",
        ),
        "sql.too_deep",
    )


def _error(sql: str, place: Span, message: Words, remedy: Words, code: str) -> SqlError:
    return SqlError(message, sql=sql, start=place[0], end=place[1], remedy=remedy, code=code)
