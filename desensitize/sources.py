"""A table to scan, whatever it is kept in: one engine, one table expression, columns as text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa

from desensitize.engines.stored_values import quoted
from protos.faults import InputError, VeilError
from protos.language import Text

if TYPE_CHECKING:
    import pandas as pd

Setting = str | bool | int | float | list[str]
ENGINE: Final[dict[str, Setting]] = {
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "preserve_insertion_order": False,
}
_OBJECT: Final = "veil_scanned"
MOST_COLUMNS: Final = 5000
"""Each has patterns of its own in the engine: twice as many do not fit a gigabyte with one row."""
_DEEPEST: Final = 10
"""To write a value as text takes the engine twice as long for each level: 60 would never end."""
_NAME: Final = re.compile("\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'")  # of a field, or a value of an ENUM
_FLOATS: Final = frozenset({"DOUBLE", "FLOAT"})


@dataclass(frozen=True)
class SourceColumn:
    """One column of a table.

    Attributes:
        name: For people; unique within the table.
        stored: Type in which it is stored.
        sql: Expression that gives its cells as VARCHAR.
        rounded: Expression that is true for a number that a float cannot hold exactly.
        raw: Expression that gives its cells as they are stored.
    """

    name: str
    stored: str
    sql: str
    rounded: str
    raw: str


@dataclass(frozen=True)
class Table:
    """Something to scan.

    Attributes:
        name: For people.
        engine: Connection in which ``sql`` means something.
        sql: Table expression.
        columns: In order.
        rows: How many there are, if that is known; only for progress.
        notes: What was odd.
        blame: Says what is wrong when the engine could not read on.
    """

    name: str
    engine: duckdb.DuckDBPyConnection
    sql: str
    columns: tuple[SourceColumn, ...]
    rows: int | None = None
    notes: tuple[Text, ...] = ()
    blame: Callable[[duckdb.Error], VeilError] | None = None


def _engine() -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect(config=ENGINE)
    # It would draw its own bar into ours, and into a notebook.
    engine.execute("SET enable_progress_bar = false").fetchall()
    return engine


def open_object(data: object) -> Table:
    """Opens a pandas frame, an Arrow table, batch or reader, or a DuckDB relation.

    Raises:
        InputError: It is none of these.
    """
    if isinstance(data, duckdb.DuckDBPyRelation):
        return _from_relation(data)
    if isinstance(data, pa.Table | pa.RecordBatch):
        arrow = _unique(data)
    elif isinstance(data, pa.RecordBatchReader):
        # A reader can be read once; a scan looks at the beginning first.
        arrow = _unique(data.read_all())
    elif _is_pandas(data):
        return _from_pandas(data)
    else:
        raise InputError(
            Text(
                f"a {type(data).__name__} cannot be scanned", f"无法扫描 {type(data).__name__} 对象"
            ),
            remedy=Text(
                "give a file's path, a pandas DataFrame, an Arrow table or a DuckDB relation",
                "请提供文件路径、pandas DataFrame、Arrow 表或 DuckDB 关系",
            ),
            code="scan.kind",
        )
    engine = _engine()
    engine.register(_OBJECT, arrow[0])
    return _described("Arrow", engine, _OBJECT, arrow[0].num_rows, arrow[1])


def columns_of(
    engine: duckdb.DuckDBPyConnection, sql: str, names: Sequence[str] | None = None
) -> tuple[SourceColumn, ...]:
    """Describes the columns of a table expression.

    Args:
        engine: Where it means something.
        sql: Table expression.
        names: What to call the columns, if not what they are called in the engine.

    Raises:
        InputError: There are too many of them, or one's values are nested very deep.
    """
    check_width(len(names or ()))
    found = engine.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()  # noqa: S608 - own expression
    check_width(len(found))
    shown = names or [str(row[0]) for row in found]
    for name, row in zip(shown, found, strict=True):
        if _nesting(str(row[1])) > _DEEPEST:
            raise InputError(
                Text(
                    f"column {name[:80]!r} has values within values, more than {_DEEPEST} deep",
                    f"列“{name[:80]}”的取值嵌套超过 {_DEEPEST} 层",
                ),
                remedy=Text("export it as text, or leave it out", "请导出为文本，或去掉该列"),
                code="source.nested",
            )
    return tuple(
        _column(name, quoted(str(row[0])), str(row[1]))
        for name, row in zip(shown, found, strict=True)
    )


def check_width(columns: int) -> None:
    """Refuses a table with more columns than the engine can work on.

    Raises:
        InputError: There are more than `MOST_COLUMNS`.
    """
    if columns > MOST_COLUMNS:
        raise InputError(
            Text(
                f"{columns:,} columns are more than the {MOST_COLUMNS:,} that can be looked at",
                f"共 {columns:,} 列，超过可处理的 {MOST_COLUMNS:,} 列",
            ),
            remedy=Text(
                "divide the table, or write repeated columns as rows",
                "请拆分表格，或将重复的列改写为行",
            ),
            code="source.wide",
        )


def _nesting(stored: str) -> int:
    """Returns how deep a type of the engine is, such as ``STRUCT(a INTEGER[])[]``: 3.

    Read backwards, each bracket comes before what is in it.
    """
    deepest = depth = 0
    around = [0]
    for sign in reversed(_NAME.sub("", stored)):
        if sign in ")]":
            depth += 1
            deepest = max(deepest, depth)
        if sign == ")":
            around.append(depth)
        elif sign == "(" and len(around) > 1:
            depth = around.pop()
        elif sign == ",":
            depth = around[-1]
    return deepest


def _column(name: str, raw: str, stored: str) -> SourceColumn:
    text, rounded = f"{raw}::VARCHAR", "false"
    if stored in _FLOATS:
        integral = f"{raw} = trunc({raw}) AND abs({raw}) < 1e36"
        text = f"CASE WHEN {integral} THEN {raw}::HUGEINT::VARCHAR ELSE {raw}::VARCHAR END"
        rounded = f"abs({raw}) > 9007199254740992"
    elif stored == "VARCHAR":
        text = raw
        rounded = f"regexp_full_match({raw}, '[0-9](?:[.][0-9]+)?[eE][+]?1[0-9]')"
    return SourceColumn(name, stored, text, rounded, raw)


def distinct_names(names: Sequence[str]) -> tuple[list[str], tuple[Text, ...]]:
    """Gives empty and repeated headers a name of their own, and says so.

    A scan must not lose a column because of its header; whatever names columns afterwards
    (a policy) needs them to differ.
    """
    result: list[str] = []
    notes: list[Text] = []
    taken = Counter(names)
    given: set[str] = set()
    for number, name in enumerate(names, 1):
        shown = name if name.strip() else ""
        if not shown:
            shown = f"column {number}"
            notes.append(Text(f"column {number} has no header", f"第 {number} 列没有列名"))
        elif taken[name] > 1:
            shown = f"{name} #{number}"
            notes.append(
                Text(
                    f"the header {name!r} is there {taken[name]} times; column {number} is shown "
                    f"as {shown!r}",
                    f"列名“{name}”出现 {taken[name]} 次，第 {number} 列显示为“{shown}”",
                )
            )
        while shown in given:
            shown += "'"
        given.add(shown)
        result.append(shown)
    return result, tuple(notes)


def _unique(data: Any) -> tuple[pa.Table, tuple[Text, ...]]:  # noqa: ANN401 - Arrow has no types
    table = data if isinstance(data, pa.Table) else pa.Table.from_batches([data])
    names, notes = distinct_names(table.column_names)
    return table.rename_columns(names), notes


def _is_pandas(data: object) -> bool:
    # Without importing pandas for those who do not use it.
    return type(data).__module__.split(".")[0] == "pandas" and hasattr(data, "columns")


def _from_pandas(frame: Any) -> Table:  # noqa: ANN401 - pandas is not imported here
    names, notes = distinct_names([str(name) for name in frame.columns])
    if not names:
        raise InputError(
            Text("the DataFrame has no columns", "DataFrame 没有列"), code="scan.no_columns"
        )
    copy: pd.DataFrame = frame.set_axis(names, axis=1)
    engine = _engine()
    try:
        engine.register(_OBJECT, copy)
        return _described("pandas", engine, _OBJECT, len(copy), notes)
    except (duckdb.Error, pa.ArrowException):
        # A column of mixed Python objects: their texts are what can be scanned.
        engine.register(_OBJECT, copy.astype("string"))
        return _described("pandas", engine, _OBJECT, len(copy), notes)


def _from_relation(relation: duckdb.DuckDBPyRelation) -> Table:
    # A relation means something in its own connection only, and that is not ours to define
    # patterns in: its rows are read into memory, as those of an Arrow reader are.
    table = relation.to_arrow_table()
    engine = _engine()
    arrow, notes = _unique(table)
    engine.register(_OBJECT, arrow)
    return _described("DuckDB", engine, _OBJECT, table.num_rows, notes)


def _described(
    name: str, engine: duckdb.DuckDBPyConnection, sql: str, rows: int, notes: tuple[Text, ...]
) -> Table:
    return Table(name, engine, sql, columns_of(engine, sql), rows, notes)
