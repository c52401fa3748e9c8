"""Release and original side by side as columns in memory: what models and marginals work with."""

# ruff: noqa: S608 - own SQL over our own tables

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from desensitize.attacks.layout import lay_out
from desensitize.attacks.view import HERE, THERE, View, mask_into, number, text
from desensitize.masking.base import Method
from desensitize.policy import PublishPolicy
from desensitize.recognisers.digits import Ints
from desensitize.sources import Table
from desensitize.usefulness.columns import Floats

_CELLS: Final = "veil_masked_cells"


@dataclass(frozen=True)
class LaidOut(View):
    """Both tables as the attacks see them, and the columns that anybody can repeat in memory.

    Attributes:
        published: Codes of these columns in the release, by name.
        masked: … and in the original, masked: equal cells have the codes of the release.
        lines: The original's row of each row of the release; None if that is not known.
    """

    published: dict[str, Ints]
    masked: dict[str, Ints]
    lines: Ints | None

    def cells(self, table: Table, name: str) -> Any:  # noqa: ANN401 - Arrow has no types
        """Returns a column of one of the tables as Arrow text."""
        found = table.engine.sql(f"SELECT {text(table, name)} AS v FROM {table.sql}")
        return found.to_arrow_table()[0]


def lay_out_columns(
    original: Table,
    release: Table,
    policy: PublishPolicy,
    levels: dict[str, str],
    order: bytes = b"",
) -> LaidOut:
    """Lays both tables side by side as for the attacks, and takes the columns into memory.

    Raises:
        InputError: Tables and policy do not go together.
    """
    view = lay_out(original, release, policy, levels, order)
    published, masked = {}, {}
    for name in view.known:
        published[name], masked[name] = _codes(view, name)
    lines = None
    if view.origin:
        lines = _column(view, f"SELECT line FROM {THERE} WHERE released ORDER BY rowid")
    return LaidOut(**vars(view), published=published, masked=masked, lines=lines)


def _codes(view: View, name: str) -> tuple[Ints, Ints]:
    key = view.codes[name]
    here = _column(view, f"SELECT {key} FROM {HERE} ORDER BY rowid")
    there = _column(view, f"SELECT {key} FROM {THERE} ORDER BY line")
    member, _ = pd.factorize(np.concatenate([here, there]))
    codes = member.astype(np.int64)
    return codes[: len(here)], codes[len(here) :]


def _column(view: View, sql: str) -> Ints:
    found: Ints = view.fetch(sql).column(0).to_numpy()
    return found


def numbers(table: Table, name: str) -> Floats:
    """Returns a column as numbers, a date as its day; NaN for what is neither."""
    sql = f"SELECT {number(table, name)} AS v FROM {table.sql}"
    found: Floats = table.engine.sql(sql).to_arrow_table().column(0).to_numpy()
    return found


def masked_cells(
    table: Table, policy: PublishPolicy, methods: dict[str, tuple[Method, ...]]
) -> list[Any]:
    """Returns what methods make of a table's columns, as Arrow text, in the order of its rows."""
    mask_into(_CELLS, table, policy, methods, cell=str)
    rows = table.engine.sql(f"SELECT * FROM {_CELLS} ORDER BY rowid").to_arrow_table()
    table.engine.execute(f"DROP TABLE {_CELLS}").fetchall()
    return [rows.column(place) for place in range(len(methods))]
