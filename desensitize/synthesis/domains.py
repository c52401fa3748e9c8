"""A column's domain at work: how its values are numbered, and how numbers become values again.

Numbers run from 0; one more stands for what is empty, and one more for what the domain does not
have, which counts as empty.
"""

# ruff: noqa: S608 - own SQL: texts pass `literal`, numbers are Decimals

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from desensitize.divisions import divisions
from desensitize.engines.stored_values import literal
from desensitize.generalise.levels import Listed, hierarchy
from desensitize.masking.base import Cell, Workshop
from desensitize.masking.dates import in_unit
from desensitize.masking.district import District, full_name
from desensitize.masking.read_column import read_column
from desensitize.masking.readings import as_date, as_number, as_text
from desensitize.policy import HierarchyRule, PublishedColumn
from desensitize.synthesis.allowed import MOST_VALUES
from desensitize.synthesis.spec import Bands, Codes, Days, DomainRule, Labels, Places
from desensitize.written_policy import Written
from protos.faults import InputError
from protos.language import Text

Cells = npt.NDArray[np.int64]
Draw = Callable[[Cells, np.random.Generator], pa.Array]
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True)
class Domain:
    """One column's domain.

    Attributes:
        column: Its name.
        size: Values; the cell ``size`` is "no value".
        nullable: Whether a row may have no value.
        read: SQL over the source's cell.
        code: SQL over what ``read`` gives: the value's number, NULL if the domain has it not.
        make: From cells to values.
        says: What the manifest says of it.
    """

    column: str
    size: int
    nullable: bool
    read: str
    code: Callable[[str], str]
    make: Draw
    says: dict[str, Any]


def domain_of(
    column: PublishedColumn,
    rule: DomainRule,
    cell: Cell,
    shop: Workshop,
    engine: duckdb.DuckDBPyConnection,
    folder: Path,
) -> Domain:
    """Builds the domain of a column, from the policy and public lists alone.

    Args:
        column: What the policy declares.
        rule: Which domain it asks for.
        cell: The column in the source.
        shop: Keeps functions that the statement will refer to.
        engine: Gets a type for each list of texts.
        folder: Where the policy's files lie.

    Raises:
        InputError: A file is wrong, or a domain too large.
    """
    read = read_column(cell, column, (), shop)
    match rule:
        case Codes():
            return _codes(column, read, engine)
        case Bands():
            return _bands(column, rule, read)
        case Days():
            return _days(column, rule, read, engine)
        case Places():
            names = sorted({full_name(code, rule.district) for code in divisions()})
            found = District(rule.district).apply(read, shop)
            return _listed(column, found.sql, names, engine, {"district": rule.district})
        case Labels():
            return _labels(column, rule, read, shop, engine, folder)


def _labels(
    column: PublishedColumn,
    rule: Labels,
    read: Cell,
    shop: Workshop,
    engine: duckdb.DuckDBPyConnection,
    folder: Path,
) -> Domain:
    levels = hierarchy(column.name, HierarchyRule(file=rule.file), folder)
    if rule.level >= len(levels.methods):
        raise InputError(
            Text(f"{rule.file} has no level {rule.level}", f"{rule.file} 没有第 {rule.level} 级"),
            remedy=Text(
                f"levels: 0 to {len(levels.methods) - 1}", f"可用：0 到 {len(levels.methods) - 1}"
            ),
            code="synthesis.level",
        )
    method = levels.methods[rule.level]
    labels = list(dict.fromkeys(method.labels.values())) if isinstance(method, Listed) else ["*"]
    found = method.apply(read, shop)
    return _listed(
        column, found.sql, labels, engine, {"file": Path(rule.file).name, "level": rule.level}
    )


def _codes(column: PublishedColumn, read: Cell, engine: duckdb.DuckDBPyConnection) -> Domain:
    codes: Sequence[Written] = column.codes or (False, True)
    texts = [str(code).lower() if isinstance(code, bool) else str(code).strip() for code in codes]
    return _listed(
        column, f"trim({as_text(read).sql})", texts, engine, {"codes": len(codes)}, codes
    )


def _listed(
    column: PublishedColumn,
    read: str,
    texts: Sequence[str],
    engine: duckdb.DuckDBPyConnection,
    says: dict[str, Any],
    values: Sequence[Written] = (),
) -> Domain:
    """A domain of texts: an ENUM of the engine, which numbers them."""
    if len(texts) > MOST_VALUES:
        raise _too_large(column.name)
    (number,) = engine.sql("SELECT count(*) FROM duckdb_types() WHERE logical_type = 'ENUM'").fetchall()[0]  # noqa: E501  # fmt: skip
    name = f"veil_domain_{number}"
    engine.execute(f"CREATE TEMP TYPE {name} AS ENUM ({', '.join(map(literal, texts))})")
    known = pa.array(list(values or texts))

    def make(cells: Cells, _rng: np.random.Generator) -> pa.Array:
        return known.take(pa.array(cells, mask=cells == len(texts)))

    return Domain(
        column.name, len(texts), column.nullable, read,
        lambda x: f"enum_code(TRY_CAST({x} AS {name}))", make, says,
    )  # fmt: skip


def _bands(column: PublishedColumn, rule: Bands, read: Cell) -> Domain:
    low, high = column.bounds or (None, None)
    if not isinstance(low, Decimal) or not isinstance(high, Decimal):
        raise TypeError("the policy was not checked")
    if isinstance(rule.band, tuple):
        inner = list(rule.band)
        cases = " ".join(f"WHEN {{x}} < {edge:f} THEN {i}" for i, edge in enumerate(inner))
        code = f"CASE WHEN {{x}} IS NULL THEN NULL {cases} ELSE {len(inner)} END"
    else:
        width = rule.band
        # A whole number at the upper end has a band of its own if it begins one; of fractions it
        # is the end of the last.
        first, last = math.floor(low / width), math.floor(high / width)
        if column.type != "integer":
            last = max(first, math.ceil(high / width) - 1)
        inner = [width * step for step in range(first + 1, last + 1)]
        code = f"floor({{x}}::DOUBLE / {width:f})::BIGINT - {first}"
    starts, ends = [low, *inner], [*inner, high]
    size = len(starts)
    if column.type == "integer":
        make = _whole(np.array(starts, np.int64), np.array(ends, np.int64), pa.int64())
    else:
        make = _fractions(np.array(starts, float), np.array(ends, float), column.decimals)
    said = [f"{e:f}" for e in rule.band] if isinstance(rule.band, tuple) else f"{rule.band:f}"
    says = {"band": said, "bounds": [f"{low:f}", f"{high:f}"]}
    # In floating point a value at the upper end can fall one band too high.
    return Domain(
        column.name, size, column.nullable, as_number(read).sql,
        lambda x: f"least(greatest({code.format(x=x)}, 0), {size - 1})", make, says,
    )  # fmt: skip


def _days(
    column: PublishedColumn, rule: Days, read: Cell, engine: duckdb.DuckDBPyConnection
) -> Domain:
    if column.bounds is None:
        raise RuntimeError("the policy was not checked")
    low, high = column.bounds
    days = f"SELECT d::DATE AS d FROM range(DATE '{low}', DATE '{high}' + 1, INTERVAL 1 DAY) t(d)"
    # The labels by the very expression that will number the rows.
    found = engine.sql(
        f"SELECT {in_unit('d', rule.date)}, min(d), max(d) FROM ({days}) GROUP BY 1 ORDER BY 2"
    ).fetchall()
    listed = _listed(
        column, in_unit(as_date(read).sql, rule.date), [row[0] for row in found], engine, {}
    )
    starts, ends = (np.array([(row[i] - _EPOCH).days for row in found]) for i in (1, 2))
    make = _whole(starts, ends + 1, pa.date32())
    says = {"date": rule.date, "bounds": [str(low), str(high)]}
    return Domain(column.name, listed.size, column.nullable, listed.read, listed.code, make, says)


def _whole(starts: npt.NDArray[Any], ends: npt.NDArray[Any], kind: pa.DataType) -> Draw:
    """Draws whole numbers (or days) evenly from a band; the last end is included for numbers."""
    if kind == pa.int64():
        ends = np.append(ends[:-1], ends[-1] + 1)

    def make(cells: Cells, rng: np.random.Generator) -> pa.Array:
        empty = cells == len(starts)
        held = np.where(empty, 0, cells)
        drawn = rng.integers(starts[held], ends[held])
        narrow = drawn.astype(np.int32) if kind == pa.date32() else drawn
        return pa.array(narrow, mask=empty).cast(kind)

    return make


def _fractions(
    starts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64], decimals: int | None
) -> Draw:
    def make(cells: Cells, rng: np.random.Generator) -> pa.Array:
        empty = cells == len(starts)
        held = np.where(empty, 0, cells)
        drawn = rng.uniform(starts[held], ends[held])
        if decimals is not None:
            drawn = np.clip(np.round(drawn, decimals), starts[0], ends[-1])
        return pa.array(drawn, mask=empty)

    return make


def _too_large(name: str) -> InputError:
    return InputError(
        Text(
            f"the domain of {name!r} has more than {MOST_VALUES:,} values",
            f"“{name}”的取值范围超过 {MOST_VALUES:,} 个值",
        ),
        remedy=Text("choose a coarser one", "请选用更粗的取值范围"),
        code="synthesis.domain",
    )
