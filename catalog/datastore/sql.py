"""One SELECT of a stranger over public tables: what of it passes, and what is made of it.

Nothing of the text reaches the engine. It is parsed (`catalog.sql_gate`: one SELECT, small, every
node on an allow-list, no table function, no recursion), its tables are looked up among the public
ones, and it is written anew from the tree: each table under a name of ours, each identifier in
quotes, so that no word of it can be anything but a name. What can still be asked is bounded by the
process that it runs in (`sql_tables`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from catalog.datastore.resources import Resource
from catalog.sql_gate import Statement, parse
from desensitize.engines.worker import RenderedSql
from protos.faults import MissingError
from protos.language import Text

MOST_TABLES: Final = 6
MOST_ROWS: Final = 32_000
_TYPES: Final = frozenset(
    {"TINYINT", "SMALLINT", "INT", "BIGINT", "INT128", "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN",
     "DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "TEXT", "VARCHAR", "UUID", "INTERVAL"}
)  # fmt: skip
_LONGEST_TYPE: Final = 40  # characters: DECIMAL(38, 10) and the like


@dataclass(frozen=True)
class Governed:
    """A SELECT that may run.

    Attributes:
        sql: Written anew; its tables are ``snapshot.data``, ``t1.data``, ``t2.data`` …
        tables: Name of each database → what it holds; ``snapshot`` first.
        most: Rows that it yields, one more than the caller gets.
    """

    sql: RenderedSql
    tables: Mapping[str, Resource]
    most: int


def govern(
    text: str,
    find: Callable[[str], Resource],
    most_rows: int = MOST_ROWS,
) -> Governed:
    """Turns a stranger's SELECT into ours.

    Args:
        text: As it was written.
        find: Returns the public table of a name, for this caller.
        most_rows: That an answer may have; one more is asked for, to know that there are more.

    Raises:
        SqlError: With the place, the reason and what would work.
        MissingError: A table is not there, or not for this caller.
    """
    statement = parse(text)
    tree = statement.tree.copy()
    _check(statement)
    ours = _Names(statement, find)
    # The copy is changed, the statement underlines: their nodes stand in the same order.
    with_places = list(
        zip(tree.find_all(exp.Table), statement.tree.find_all(exp.Table), strict=True)
    )
    for node, written in with_places:
        ours.rename(node, written)
    for cte in tree.find_all(exp.CTE):
        cte.set("alias", _alias(ours.ctes[cte.alias.casefold()], cte.args["alias"]))
    if not ours.tables:
        raise statement.refuse(
            statement.tree,
            Text("the statement reads no table", "语句没有查询任何数据表"),
            remedy=Text('write FROM "id of a resource"', '请写 FROM "资源标识"'),
        )
    most = _limit(statement, tree, most_rows)
    sql = tree.sql(dialect="duckdb", identify=True, comments=False)
    return Governed(RenderedSql(sql), {name: found for found, name in ours.tables.values()}, most)


def _limit(statement: Statement, tree: exp.Query, most: int) -> int:
    """Has the statement itself end: a query around it might lose its order."""
    limit = tree.args.get("limit")
    asked = most + 1
    if limit is not None:
        number = limit.expression
        if not isinstance(number, exp.Literal) or not number.this.isdigit() or number.is_string:
            raise statement.refuse(
                statement.tree.args["limit"],
                Text("LIMIT takes a number", "LIMIT 须为数字"),
                remedy=Text("write LIMIT 100", "请写 LIMIT 100"),
            )
        asked = min(int(number.this), asked)
    tree.set("limit", exp.Limit(expression=exp.Literal.number(asked)))
    return asked


def _check(statement: Statement) -> None:
    tree = statement.tree
    if any(sign == "\x00" or "\ud800" <= sign <= "\udfff" for sign in statement.sql):
        raise statement.refuse(
            tree,
            Text("there is a sign in the text that is none", "语句中有无效字符"),
            remedy=Text("leave zero bytes and halves of characters out", "请去掉零字节和残缺字符"),
        )
    for node in tree.find_all(exp.DataType):
        kind = node.this
        name = kind.value if isinstance(kind, exp.DataType.Type) else str(kind)
        if name.upper() not in _TYPES or len(node.sql()) > _LONGEST_TYPE:
            raise statement.refuse(
                node, Text(f"the type {name[:40]} is not supported", f"不支持类型 {name[:40]}"),
                remedy=Text("use text, numbers, dates or times", "请使用文本、数字、日期或时间"),
            )  # fmt: skip
    tables = sum(1 for _ in tree.find_all(exp.Table))
    if tables > MOST_TABLES:
        raise statement.refuse(
            tree,
            Text(f"more than {MOST_TABLES} tables in one statement",
                 f"一条语句最多 {MOST_TABLES} 张表"),
            remedy=Text("download one of them instead", "请下载其中的数据再处理"),
        )  # fmt: skip


class _Names:
    """Names of ours for the tables and subqueries of one statement."""

    def __init__(self, statement: Statement, find: Callable[[str], Resource]) -> None:
        self._statement = statement
        self._find = find
        names = dict.fromkeys(cte.alias.casefold() for cte in statement.tree.find_all(exp.CTE))
        # A name of ours that is out of scope is no table: never one of the engine's own.
        self.ctes = {name: f"c{number}" for number, name in enumerate(names)}
        self.tables: dict[str, tuple[Resource, str]] = {}

    def rename(self, node: exp.Table, written: exp.Table) -> None:
        """Gives a table the name that it has here; its columns are still called as before."""
        name = node.name
        called = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(name, quoted=True))
        joins = node.args.get("joins")
        if (cte := self.ctes.get(name.casefold())) is not None:
            node.replace(exp.Table(this=exp.to_identifier(cte), alias=called, joins=joins))
            return
        try:
            found = self._find(name)
        except MissingError as error:
            raise self._statement.refuse(
                written, error.said, remedy=error.advice, code="sql.table"
            ) from error
        _, ours = self.tables.setdefault(
            found.id, (found, f"t{len(self.tables)}" if self.tables else "snapshot")
        )
        table = exp.Table(
            this=exp.to_identifier("data"), db=exp.to_identifier(ours), alias=called, joins=joins
        )
        node.replace(table)


def _alias(name: str, written: exp.TableAlias) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name), columns=written.args.get("columns"))
