"""Noise, met by the nearest row: of those that agree in everything else, the one to claim."""

# ruff: noqa: S608 - own SQL over our own tables

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from desensitize.attacks.view import HERE, THERE, View, column_of, make, number, numbered

NEAREST: Final = 500
"""People who are looked for, drawn at random; each among all rows of the release."""
_SEED: Final = 20_240_607
_FAR: Final = 1e6
_SHUFFLED: Final = 1 << 22
_TARGETS: Final = "veil_targets"


def nearest(view: View, near: Sequence[str], names: Sequence[str]) -> tuple[float, float]:
    """Claims the nearest of the rows that agree.

    Args:
        view: Both tables; not empty.
        near: Columns with noise.
        names: Columns in which rows have to agree.

    Returns:
        Share of people whose row was claimed rightly, ties shared, and what chance gives.
    """
    scales = _spreads(view, near)
    people = _lay_out_targets(view, near, names, scales)
    agree = " AND ".join(f"t.{key} = h.{key}" for key in view.keys(names)) or "true"
    apart = " + ".join(
        f"pow({_scaled(f'h.{view.near[name]}', scale)} - t.b{i}, 2)"
        for i, (name, scale) in enumerate(zip(near, scales, strict=True))
    )
    found = view.fetch(
        "SELECT line, count(*) AS agree, min(apart) AS least, max(apart) FILTER (own) AS own FROM ("
        f"SELECT t.line, h.rowid = t.line AS own, {apart} AS apart FROM {HERE} h "
        f"JOIN {_TARGETS} t ON {agree}) GROUP BY line"
    )
    engine = view.release.engine
    engine.register("veil_nearest", found)
    # Only where nothing is nearer than the own row, it matters whether others are as near.
    ties = view.fetch(
        f"SELECT count(*) AS ties FROM (SELECT t.line, n.least, {apart} AS apart FROM {HERE} h "
        f"JOIN ({_TARGETS} t JOIN veil_nearest n ON n.line = t.line AND n.own = n.least) "
        f"ON {agree}) WHERE apart = least GROUP BY line"
    )
    engine.unregister("veil_nearest")
    right = float((1 / ties.column("ties").to_numpy()).sum())
    expected = float((1 / found.column("agree").to_numpy()).sum())
    return right / people, expected / people


def _spreads(view: View, near: Sequence[str]) -> list[float]:
    listed = ", ".join(
        f"stddev_pop({view.near[name]}) FILTER (isfinite({view.near[name]}))" for name in near
    )
    [found] = view.release.engine.sql(f"SELECT {listed} FROM {HERE}").fetchall()
    return [float(each) if each else 1.0 for each in found]


def _scaled(value: str, scale: float) -> str:
    """What is no number is far from every number."""
    return f"CASE WHEN isnan({value}) THEN {_FAR!r} ELSE {value} / '{scale!r}'::DOUBLE END"


def _lay_out_targets(
    view: View, near: Sequence[str], names: Sequence[str], scales: Sequence[float]
) -> int:
    """Draws people; makes a table of what is known of each. Returns how many there are."""
    rng = np.random.default_rng(_SEED)
    # A whole permutation of many rows would not fit beside the engine.
    few = view.rows <= _SHUFFLED
    drawn = rng.permutation(view.rows)[:NEAREST] if few else rng.choice(
        view.rows, NEAREST, replace=False, shuffle=False
    )  # fmt: skip
    engine = view.release.engine
    engine.register("veil_drawn", pa.table({"line": drawn}))
    known = {
        f"v{i}": number(
            view.original, name, column_of(view.release, name), view.policy.columns[name]
        )
        for i, name in enumerate(near)
    }
    keys = "".join(f", t.{key}" for key in view.keys(names))
    values = "".join(f", {_scaled(f'o.v{i}', scale)} AS b{i}" for i, scale in enumerate(scales))
    make(
        view.release, _TARGETS,
        f"SELECT d.line{keys}{values} FROM veil_drawn d JOIN {THERE} t ON t.rowid = d.line "
        f"JOIN {numbered(view.original, known)} o ON o.line = t.line",
    )  # fmt: skip
    engine.unregister("veil_drawn")
    return len(drawn)
