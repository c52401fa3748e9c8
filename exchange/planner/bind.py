"""Binds a statement to the catalog: the innermost SELECT over a dataset becomes the algebra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from sqlglot import exp

from catalog.algebra import Aggregate, Expr, Key
from catalog.dataset import Dataset
from catalog.plan import Mode
from catalog.sql_gate import Statement
from catalog.sql_hints import nearest
from exchange.planner.bound import Bound, Output, OutputFunction
from exchange.planner.domains import domain_of
from exchange.planner.expressions import Translator
from exchange.planner.measures import MeasurePool
from exchange.planner.post_sql import (
    TABLE,
    KeyNode,
    Lifter,
    check_reserved,
    is_private_aggregate,
    rewritten,
)
from exchange.planner.rehearsal import rehearse
from protos.faults import InputError, SqlError
from protos.language import Text

__all__ = ["MAX_CELLS", "Bound", "Output", "OutputFunction", "bind"]

MAX_CELLS: Final = 1_000_000
E = TypeVar("E", bound=exp.Expr)


def bind(statement: Statement, datasets: Mapping[str, Dataset], *, mode: Mode = "adhoc") -> Bound:
    """Binds names, derives domains and measures, and rewrites what stands above the aggregate.

    Args:
        statement: From `catalog.sql_gate.parse`.
        datasets: The catalog's datasets by name.
        mode: Exact answers use other measures than ad hoc ones (see `Output`).

    Raises:
        SqlError: Something is unknown or not supported; the place is underlined.
    """
    table, dataset = _dataset(statement, datasets)
    private = _private_select(statement, table)
    translator = Translator(statement, dataset.columns, frozenset({table.alias_or_name.casefold()}))
    predicate = _predicate(statement, private, translator)
    nodes = _key_nodes(statement, private, translator)
    keys = _keys(statement, nodes, predicate, translator, dataset)
    pool = MeasurePool(statement, translator, dataset.columns)
    aliases = frozenset(p.alias.casefold() for p in private.expressions if p.alias)
    key_nodes = [KeyNode(_resolved(node, translator), f"k{i}") for i, node in enumerate(nodes)]
    lifter = Lifter(statement, translator, key_nodes, aliases, pool.add)
    post = rewritten(statement, _resolved(private, translator), lifter)
    measures, outputs = pool.laid_out(mode)
    released = frozenset({*(k.column for k in key_nodes), *(o.column for o in outputs)})
    check_reserved(statement, private, released, post)
    bound = Bound(
        dataset=dataset,
        aggregate=Aggregate(dataset.name, predicate, keys, measures),
        outputs=outputs,
        post_sql=_spliced(statement.tree, private, post),
        sql=statement.sql,
        mode=mode,
    )
    rehearse(bound)
    return bound


def _dataset(statement: Statement, datasets: Mapping[str, Dataset]) -> tuple[exp.Table, Dataset]:
    """Finds the one place where a dataset is read."""
    ctes = _cte_names(statement, datasets)
    reads = [t for t in statement.tree.find_all(exp.Table) if t.name.casefold() not in ctes]
    reads.sort(key=statement.places.span)
    known = ", ".join(datasets) or "none"
    for table in reads:
        if table.name.casefold() not in datasets:
            raise statement.refuse(
                table,
                Text(f"there is no dataset {table.name!r}", f"没有名为 {table.name!r} 的数据集"),
                remedy=nearest(table.name, (*datasets, *ctes))
                or Text(f"datasets: {known}", f"数据集：{'、'.join(datasets) or '无'}"),
                code="sql.dataset",
            )
    if not reads:
        raise statement.refuse(
            statement.tree,
            Text("the statement reads no dataset", "语句没有读取任何数据集"),
            remedy=Text(f"datasets: {known}", f"数据集：{'、'.join(datasets) or '无'}"),
            code="sql.dataset",
        )
    first = reads[0]
    for other in reads[1:]:
        joined = other.find_ancestor(exp.Select) is first.find_ancestor(exp.Select)
        raise statement.refuse(
            other,
            Text("joins are not supported yet", "暂不支持连接（JOIN）")
            if joined
            else Text("a dataset may be read once only", "同一数据集只能读取一次"),
            remedy=Text("ask about one dataset", "请只查询一个数据集")
            if joined
            else Text(
                "aggregate it once: WITH t AS (SELECT …) and read t as often as you like",
                "请先汇总一次：WITH t AS (SELECT …)，之后可多次读取 t",
            ),
        )
    return first, datasets[first.name.casefold()]


def _cte_names(statement: Statement, datasets: Mapping[str, Dataset]) -> frozenset[str]:
    names = set()
    for cte in statement.tree.find_all(exp.CTE):
        name = cte.alias.casefold()
        if name in datasets or name == TABLE:
            raise statement.refuse(
                cte.args["alias"],
                Text(f"the name {cte.alias!r} is taken", f"名称 {cte.alias!r} 已被占用"),
                remedy=Text("give the WITH part another name", "请给 WITH 部分换一个名称"),
            )
        names.add(name)
    return frozenset(names)


def _private_select(statement: Statement, table: exp.Table) -> exp.Select:
    """Returns the SELECT that reads ``table``, after checking that it aggregates it alone."""
    source = table.parent
    private = source.parent if isinstance(source, exp.From) else None
    joins = [source] if isinstance(source, exp.Join) else []
    if isinstance(private, exp.Select):
        joins = list(private.args.get("joins") or ())
    if joins:
        raise statement.refuse(
            joins[0],
            Text(
                "joins below the aggregate are not supported yet", "暂不支持在汇总之前连接（JOIN）"
            ),
            remedy=Text(
                "aggregate the dataset first; results of WITH parts may be joined",
                "请先汇总数据集；各 WITH 部分的结果可以连接",
            ),
        )
    if not isinstance(private, exp.Select):
        raise statement.refuse(
            table, Text("a dataset can stand in FROM only", "数据集只能出现在 FROM 中")
        )
    alias = table.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        raise statement.refuse(
            table,
            Text("columns cannot be renamed in FROM", "不能在 FROM 中重命名列"),
            remedy=Text("use AS", "请用 AS"),
        )
    for inner in private.find_all(exp.Select):
        if inner is not private and inner.find_ancestor(exp.CTE) is private.find_ancestor(exp.CTE):
            raise statement.refuse(
                inner,
                Text(
                    "a subquery inside the aggregating SELECT is not supported",
                    "汇总的 SELECT 内不支持子查询",
                ),
                remedy=Text(
                    "put the aggregate into WITH t AS (…), and the subquery beside it",
                    "请把汇总写入 WITH t AS (…)，子查询放在其外",
                ),
            )
    if not any(is_private_aggregate(node) for node in private.walk()):
        raise _no_aggregate(statement, private)
    return private


def _no_aggregate(statement: Statement, private: exp.Select) -> SqlError:
    grouped = private.args.get("group") is not None
    return statement.refuse(
        private.expressions[0] if private.expressions else private,
        Text("no aggregate is asked for", "没有要求任何汇总")
        if grouped
        else Text(
            "rows themselves never leave a department; this SELECT aggregates nothing",
            "明细行不出域；此 SELECT 没有作任何汇总",
        ),
        remedy=Text("add COUNT(*), SUM(x) or AVG(x)", "请加上 COUNT(*)、SUM(x) 或 AVG(x)")
        if grouped
        else Text(
            "ask for figures: SELECT district, COUNT(*), AVG(cost) FROM … GROUP BY district; "
            "WHERE and expressions go into the same SELECT",
            "请查询汇总数：SELECT district, COUNT(*), AVG(cost) FROM … GROUP BY district；WHERE "
            "和表达式写在同一个 SELECT 中",
        ),
        code="sql.rows",
    )


def _predicate(statement: Statement, private: exp.Select, translator: Translator) -> Expr | None:
    where = private.args.get("where")
    if where is None:
        return None
    predicate = translator.expr(where.this)
    if translator.type(predicate, where.this).type != "boolean":
        raise statement.refuse(
            where.this, Text("WHERE needs a condition", "WHERE 需要条件"), code="type.mismatch"
        )
    return predicate


def _key_nodes(statement: Statement, private: exp.Select, translator: Translator) -> list[exp.Expr]:
    """Returns the group keys' syntax: GROUP BY by expression, alias, ordinal or ALL."""
    group = private.args.get("group")
    if group is None:
        return []
    projections = private.expressions
    if group.args.get("all"):
        plain = [p for p in projections if not p.find(exp.AggFunc, exp.Window)]
        return [p.unalias().unnest() for p in plain]
    aliases = {p.alias.casefold(): p.unalias() for p in projections if p.alias}
    nodes: dict[exp.Expr, None] = {}
    for written in group.expressions:
        node = written
        if isinstance(node, exp.Literal) and not node.args["is_string"]:
            if not node.name.isdigit() or not 1 <= int(node.name) <= len(projections):
                raise statement.refuse(
                    node,
                    Text(
                        f"GROUP BY {node.name}: there are {len(projections)} columns to choose",
                        f"GROUP BY {node.name}：可选的列只有 {len(projections)} 个",
                    ),
                )
            node = projections[int(node.name) - 1].unalias()
        elif isinstance(node, exp.Column) and translator.resolve(node) is None:
            node = aliases.get(node.name.casefold(), node) if not node.table else node
        nodes[node.unnest()] = None
    return list(nodes)


def _keys(
    statement: Statement,
    nodes: list[exp.Expr],
    predicate: Expr | None,
    translator: Translator,
    dataset: Dataset,
) -> tuple[Key, ...]:
    keys: list[Key] = []
    cells = 1
    for node in nodes:
        expr = translator.expr(node)
        try:
            domain = domain_of(expr, predicate, dataset.columns)
        except InputError as error:
            raise statement.refuse(
                node, error.said, remedy=error.advice, code=error.code
            ) from error
        keys.append(Key(expr, domain))
        cells *= len(domain)
        if cells > MAX_CELLS:
            raise statement.refuse(
                node,
                Text(
                    f"the keys have more than {MAX_CELLS:,} combinations of groups",
                    f"分组键的组合超过 {MAX_CELLS:,} 个",
                ),
                remedy=Text("group by fewer keys, or by wider bands", "请减少分组键，或放宽分段"),
                code="group.domain",
            )
    return tuple(keys)


def _resolved(node: E, translator: Translator) -> E:
    """Returns a copy in which every column of the dataset is written in one way."""
    copy = node.copy()
    for column in copy.find_all(exp.Column):
        name = translator.resolve(column)
        if name is not None:
            column.this.set("this", name)
            column.this.set("quoted", True)  # noqa: FBT003 - how the library's nodes are set
            column.set("table", None)
    return copy


def _spliced(tree: exp.Query, private: exp.Select, post: exp.Select) -> str:
    """Returns the whole statement as SQL with the private SELECT replaced."""
    if private is tree:
        post.set("with_", private.args.get("with_"))
        return post.sql("duckdb", comments=False)
    at = next(i for i, node in enumerate(tree.walk()) if node is private)
    copy = tree.copy()
    twin = next(node for i, node in enumerate(copy.walk()) if i == at)
    post.set("with_", twin.args.get("with_"))
    twin.replace(post)
    return copy.sql("duckdb", comments=False)
