"""Lays release and original side by side, in tables of the engine; see `view`."""

# ruff: noqa: S608 - own SQL: names and expressions are made here

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from desensitize.attacks.view import (
    CELLS,
    HERE,
    THERE,
    View,
    code,
    make,
    mask_into,
    number,
    parts,
    text,
)
from desensitize.generalise.levels import methods_of
from desensitize.masking.base import Method
from desensitize.masking.dates import DateShift, DateTo
from desensitize.masking.district import District
from desensitize.masking.format_preserving import ClearPart, FormatPreserving
from desensitize.masking.noise import Noise
from desensitize.masking.numbers import Band, BottomCode, Round, TopCode
from desensitize.masking.order import Microaggregate
from desensitize.masking.visible import Ends, Keep, Redact
from desensitize.policy import PublishPolicy
from desensitize.row_order import place as place_of
from desensitize.sources import Table
from protos.faults import InputError
from protos.language import Text

_MASKED: Final = "veil_masked"
REPEATABLE: Final = (
    Keep, Redact, Ends, DateTo, District, Band, TopCode, BottomCode, Round, ClearPart,
)  # fmt: skip
"""Methods that give the same for anybody who knows the value: no key, no chance."""
NEAR: Final = (Noise, DateShift, Microaggregate)
"""Methods that leave a number or a date near what it was."""


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
    done = {c.name: methods_of(c, policy, levels) for c in policy.published}
    clear = {
        name: steps[-1].clear for name, steps in done.items()
        if isinstance(steps[-1], FormatPreserving) and steps[-1].clear
    }  # fmt: skip
    known = known_of(policy, done)
    near = tuple(
        name for name, steps in done.items()
        if any(isinstance(step, NEAR) for step in steps)
        and all(isinstance(step, NEAR + REPEATABLE) for step in steps)
    )  # fmt: skip
    sensitive = [column.name for column in policy.published if column.sensitive]
    codes = {name: f"c{i}" for i, name in enumerate(dict.fromkeys((*known, *sensitive)))}
    values = {name: f"x{i}" for i, name in enumerate(near)}
    listed = ", ".join(
        [f"{code(_visible(release, name, clear))} AS {place}" for name, place in codes.items()]
        + [f"{number(release, name)} AS {place}" for name, place in values.items()]
    )
    make(release, HERE, f"SELECT {listed or '0 AS nothing'} FROM {release.sql}")
    view = View(policy, release, original, 0, known, codes, values, origin=False)
    [rows] = view.ask(f"SELECT count(*) FROM {HERE}")
    mask_into(_MASKED, original, policy, known)
    view = replace(view, rows=rows)
    view = replace(view, origin=_lay_side_by_side(view, order))
    _count_cells(view)
    return view


def known_of(
    policy: PublishPolicy, done: Mapping[str, tuple[Method, ...]]
) -> dict[str, tuple[Method, ...]]:
    """Returns what anybody can repeat who knows the original values.

    Args:
        policy: What was done.
        done: … to each published column, by name, its level included.
    """
    told = {name: _told(steps) for name, steps in done.items()}
    return {
        name: steps for name, steps in told.items()
        if all(isinstance(step, REPEATABLE) for step in steps)
        or policy.columns[name].hierarchy is not None
    }  # fmt: skip


def _told(steps: tuple[Method, ...]) -> tuple[Method, ...]:
    """What was done, as far as the release tells it without a key."""
    *before, last = steps
    if isinstance(last, FormatPreserving) and last.clear:
        return (*before, ClearPart(last.alphabet, last.clear))
    return steps


def _visible(release: Table, name: str, clear: dict[str, int]) -> str:
    """The expression of a cell, or of the part of it that is not encrypted."""
    cell = text(release, name)
    return f"left({cell}, {clear[name]})" if name in clear else cell


def _lay_side_by_side(view: View, order: bytes) -> bool:
    """Makes `THERE`; says whether its first rows are those of the release, one by one.

    What models leave out is whole classes: a row is released if its class is there at all.
    """
    [people] = view.ask(f"SELECT count(*) FROM {_MASKED}")
    quasi = view.keys([name for name in view.known if view.policy.columns[name].quasi])
    released = "true"
    if people != view.rows and quasi:
        same = " AND ".join(f"h.{key} = m.{key}" for key in quasi)
        classes = f"(SELECT DISTINCT {', '.join(quasi)} FROM {HERE})"
        released = f"EXISTS (SELECT 1 FROM {classes} h WHERE {same})"
    by = place_of("line + 1", "$seed") if order else "line"
    sql = f"SELECT *, rowid AS line, {released} AS released FROM {_MASKED} m"
    make(
        view.original, THERE, f"SELECT * FROM ({sql}) ORDER BY NOT released, {by}",
        {"seed": order} if order else {},
    )  # fmt: skip
    view.original.engine.execute(f"DROP TABLE {_MASKED}").fetchall()
    [as_many] = view.ask(f"SELECT count(*) FROM {THERE} WHERE released")
    if as_many != view.rows or (people != view.rows and not quasi):
        return False
    # Row by row the same, in every column that can be repeated: else the order is another's.
    differ = " OR ".join(f"h.{key} <> t.{key}" for key in view.keys(view.known)) or "false"
    [others] = view.ask(
        f"SELECT count(*) FROM {HERE} h POSITIONAL JOIN (SELECT * FROM {THERE}) t WHERE {differ}"
    )
    return others == 0


def _count_cells(view: View) -> None:
    keys = view.keys(view.known)
    listed = ", ".join(keys) or "0 AS nothing"
    rows = f"{THERE}" if view.origin else (
        f"(SELECT {listed}, true AS released, false AS original FROM {HERE} UNION ALL "
        f"SELECT {listed}, false, true FROM {THERE})"
    )  # fmt: skip
    there = "count(*)" if view.origin else "count(*) FILTER (original)"
    counts = f"count(*) FILTER (released) AS here, {there} AS there"
    first, *others = (
        f"SELECT {listed}, {counts} FROM {rows} WHERE {turn} GROUP BY ALL"
        for turn in parts(view.release, THERE, keys)
    )
    make(view.release, CELLS, first)
    for sql in others:
        view.release.engine.execute(f"INSERT INTO {CELLS} {sql}").fetchall()
