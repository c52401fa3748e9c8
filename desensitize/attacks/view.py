"""What an attacker works with: the release, and what the original looks like once masked.

The attacker knows the policy (Kerckhoffs): whatever he knows of a person he treats as the policy
does, as far as that needs no key and no chance, and then compares. So the original goes through
the very statement of the release, with the methods that anybody can repeat. Rows of the release
stand in an order that only the original tells (`row_order`), and those that models have left out
are whole classes: so each row's own original is known to us, who have to say whether an attacker is
right, but not to him.
"""

# ruff: noqa: S608 - own SQL: names pass `quoted`, the rest is made here

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from desensitize.attacks.classes import codes_of, together
from desensitize.engines.stored_values import quoted
from desensitize.generalise.levels import methods_of
from desensitize.keys import TokenKeys
from desensitize.masking.base import Cell, Method
from desensitize.masking.dates import DateShift, DateTo
from desensitize.masking.district import District
from desensitize.masking.noise import Noise
from desensitize.masking.numbers import Band, BottomCode, Round, TopCode
from desensitize.masking.order import Microaggregate
from desensitize.masking.readings import as_date, as_number
from desensitize.masking.statement import forget, prepare
from desensitize.masking.visible import Ends, Keep, Redact
from desensitize.policy import PublishPolicy
from desensitize.recognisers.digits import Ints
from desensitize.row_order import place as place_of
from desensitize.sources import Table
from protos.faults import InputError
from protos.language import Text

Floats = npt.NDArray[np.float64]
REPEATABLE: Final = (
    Keep, Redact, Ends, DateTo, District, Band, TopCode, BottomCode, Round,
)  # fmt: skip
"""Methods that give the same for anybody who knows the value: no key, no chance."""
NEAR: Final = (Noise, DateShift, Microaggregate)
"""Methods that leave a number or a date near what it was."""


@dataclass(frozen=True)
class View:
    """Both tables, laid side by side.

    Attributes:
        policy: What was done.
        release: The published table.
        original: The table that it was made of, in the same engine.
        rows: Of the release.
        known: Columns that anybody can repeat from the original values, in order.
        published: Their codes in the release, by name.
        masked: Their codes in the original, by name: equal cells have the codes of the release.
        near: Columns that come out near what they were, in the release, by name.
        before: The same in the original.
        origin: The original's row of each row of the release; None if that is not known.
    """

    policy: PublishPolicy
    release: Table
    original: Table
    rows: int
    known: tuple[str, ...]
    published: dict[str, Ints]
    masked: dict[str, Ints]
    near: dict[str, Floats]
    before: dict[str, Floats]
    origin: Ints | None

    def identifying(self) -> tuple[str, ...]:
        """Returns the known columns that somebody may know of a person."""
        columns = self.policy.columns
        return tuple(n for n in self.known if columns[n].quasi or columns[n].role == "direct")

    def cells(self, table: Table, name: str) -> Any:  # noqa: ANN401 - Arrow has no types
        """Returns a column of one of the tables as Arrow text."""
        raw = next(column.raw for column in table.columns if column.name == name)
        return table.engine.sql(f"SELECT {raw}::VARCHAR AS v FROM {table.sql}").to_arrow_table()[0]


def lay_out(
    original: Table,
    release: Table,
    policy: PublishPolicy,
    levels: dict[str, str],
    order: bytes = b"",
) -> View:
    """Masks the original as far as anybody can, and finds each released row's own.

    Args:
        original: What went in.
        release: What came out; in the same engine.
        policy: What was done.
        levels: Level of each column that has a hierarchy, by name.
        order: Seed of the release's order of rows; empty if they stand as in the original.

    Raises:
        InputError: Tables and policy do not go together.
    """
    original.engine.execute("SET preserve_insertion_order = true").fetchall()
    present = {column.name for column in release.columns}
    if missing := [c.name for c in policy.published if c.name not in present]:
        raise InputError(
            Text(
                f"the release has no column {', '.join(map(repr, missing))}, which the policy "
                "publishes",
                f"发布数据没有策略要发布的列：{'、'.join(missing)}",
            ),
            remedy=Text("give the policy that the release was made with", "请使用生成该发布的策略"),
            code="attack.column",
        )
    methods = {c.name: methods_of(c, policy, levels) for c in policy.published}
    known = tuple(
        name for name, steps in methods.items() if all(isinstance(s, REPEATABLE) for s in steps)
        or policy.columns[name].hierarchy is not None
    )  # fmt: skip
    masked = masked_cells(original, policy, {name: methods[name] for name in known})
    published, before = {}, {}
    raw = {column.name: column for column in release.columns}
    listed = ", ".join(f"{raw[name].raw}::VARCHAR AS c{i}" for i, name in enumerate(known)) or "1"
    rows = release.engine.sql(f"SELECT {listed} FROM {release.sql}").to_arrow_table()
    for place, name in enumerate(known):
        (published[name], before[name]), _ = codes_of(rows.column(place), masked[place])
    near = tuple(
        name for name, steps in methods.items()
        if any(isinstance(step, NEAR) for step in steps)
        and all(isinstance(step, NEAR + REPEATABLE) for step in steps)
    )  # fmt: skip
    return View(
        policy, release, original, rows.num_rows, known, published, before,
        {name: numbers(release, name) for name in near},
        {name: numbers(original, name) for name in near},
        _origin(policy, published, before, rows.num_rows, _order(original, order)),
    )  # fmt: skip


def masked_cells(
    table: Table, policy: PublishPolicy, methods: dict[str, tuple[Method, ...]]
) -> list[Any]:
    """Runs the release's own statement over a table, for some of its columns.

    Args:
        table: Has these columns.
        policy: Says how they are read.
        methods: What to do, by column; nothing that needs a key.

    Returns:
        One Arrow column of text per entry of ``methods``, in the order of the table's rows.
    """
    if not methods:
        return []
    columns = {
        name: replace(policy.columns[name], methods=steps, hierarchy=None)
        for name, steps in methods.items()
    }
    asked = replace(policy, columns=columns, unknown_column="drop")
    statement = prepare(table, asked, TokenKeys())
    try:
        listed = ", ".join(f"{quoted(name)}::VARCHAR AS c{i}" for i, name in enumerate(methods))
        rows = table.engine.sql(f"SELECT {listed} FROM ({statement.sql})").to_arrow_table()
    finally:
        forget(table.engine, statement.workshop)
    return [rows.column(place) for place in range(len(methods))]


def numbers(table: Table, name: str) -> Floats:
    """Returns a column as numbers, a date as its day; NaN for what is neither."""
    column = next(each for each in table.columns if each.name == name)
    cell = Cell(column.raw, column.stored)
    day = f"date_diff('day', DATE '1970-01-01', {as_date(cell).sql})::DOUBLE"
    number = f"({as_number(cell).sql})::DOUBLE"
    sql = f"SELECT coalesce({number}, {day}, 'nan'::DOUBLE) AS v FROM {table.sql}"
    found: Floats = table.engine.sql(sql).to_arrow_table().column(0).to_numpy()
    return found


def _order(original: Table, seed: bytes) -> Ints:
    """Returns the numbers of the original's rows, from 0, in the release's order."""
    engine = original.engine
    [(rows,)] = engine.sql(f"SELECT count(*) FROM {original.sql}").fetchall()
    if not seed:
        return np.arange(rows)
    sql = f"SELECT i - 1 AS i FROM range(1, {rows} + 1) r(i) ORDER BY {place_of('i', '$seed')}"
    return np.asarray(engine.execute(sql, {"seed": seed}).fetchnumpy()["i"], np.int64)


def _origin(
    policy: PublishPolicy,
    published: dict[str, Ints],
    masked: dict[str, Ints],
    rows: int,
    order: Ints,
) -> Ints | None:
    """Finds the original's row of each released row: what models leave out is whole classes."""
    origin = order
    if rows != len(order):
        quasi = [name for name in published if policy.columns[name].quasi]
        if not quasi or not rows:
            return None
        here, there, width = together(
            [published[name] for name in quasi], [masked[name] for name in quasi]
        )
        is_there = np.zeros(width, dtype=np.bool_)
        is_there[here] = True
        origin = order[is_there[there[order]]]
        if len(origin) != rows:
            return None
    # Row by row the same, in every column that can be repeated: else the order is another's.
    same = all(np.array_equal(published[name], masked[name][origin]) for name in published)
    return origin if same else None


def matching(view: View, names: Sequence[str]) -> tuple[Ints, Ints, int]:
    """Numbers the combinations of some known columns: in the release, and in the original."""
    return together([view.published[n] for n in names], [view.masked[n] for n in names])
