"""Releases of small tables in memory, with their originals, for the attacks."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from desensitize.attacks import AttackReport, Earlier, attack_tables
from desensitize.keys import TokenKeys
from desensitize.masking.statement import forget, prepare
from desensitize.policy import PublishPolicy
from desensitize.policy_file import parse_policy
from desensitize.sources import Table, columns_of, open_object
from tests.chinese_tables import id_check
from tests.masking_world import KEYS

TODAY = dt.date(2026, 1, 1)


def people(rows: int, seed: int = 1) -> dict[str, list[Any]]:
    """People with ids that agree with birth, age, sex and district."""
    rng = random.Random(seed)  # noqa: S311 - a table that is the same each time
    table: dict[str, list[Any]] = {
        name: [] for name in ("name", "id", "phone", "birth", "age", "sex", "district", "income")
    }
    for place in range(rows):
        code, area = rng.choice(
            [("440106", "广东省广州市天河区"), ("440305", "广东省深圳市南山区")]
        )
        born = dt.date(1945, 1, 1) + dt.timedelta(days=rng.randrange(365 * 60))
        number = rng.randrange(1000)
        body = f"{code}{born:%Y%m%d}{number:03d}"
        values = (
            f"人{place}", body + id_check(body), f"138{rng.randrange(10**8):08d}",
            born.isoformat(), (TODAY - born).days * 4 // 1461, "男" if number % 2 else "女",
            area, rng.randrange(1, 50) * 100,
        )  # fmt: skip
        for column, value in zip(table.values(), values, strict=True):
            column.append(value)
    return table


ROLES = {
    "name": "direct", "id": "direct", "phone": "direct", "birth": "quasi", "age": "quasi",
    "sex": "quasi", "district": "quasi", "income": "sensitive",
}  # fmt: skip


def policy_for(
    methods: Mapping[str, str],
    limits: str = "",
    roles: Mapping[str, str] = ROLES,
    more: str = "",
    declared: Sequence[str] = (),
) -> PublishPolicy:
    """A policy with one method (TOML) per column, and columns that are only declared."""
    lines = ['dataset = "t"']
    for name in (*methods, *declared):
        lines += [f"[columns.{name}]", f'role = "{roles[name]}"']
        if name == "income":
            lines += ['type = "integer"', "bounds = [0, 100000]"]
    lines += ["[publish]", f"attacks = {{ {limits} }}", more, "[publish.methods]"]
    lines += [f"{name} = {how}" for name, how in methods.items()]
    return parse_policy("\n".join(lines))


def release_of(
    data: Mapping[str, Sequence[Any]], policy: PublishPolicy, keys: TokenKeys = KEYS
) -> pa.Table:
    """The released rows, by the release's own statement."""
    source = open_object(pa.table(dict(data)))
    source.engine.execute("SET preserve_insertion_order = true").fetchall()
    statement = prepare(source, policy, keys)
    rows = source.engine.sql(statement.sql).to_arrow_table()
    forget(source.engine, statement.workshop)
    return rows.select(range(len(statement.names))).rename_columns(list(statement.names))


def attacked(
    data: Mapping[str, Sequence[Any]],
    policy: PublishPolicy,
    released: pa.Table | None = None,
    *,
    auxiliary: Mapping[str, Sequence[Any]] | None = None,
    earlier: Sequence[pa.Table] = (),
    levels: Mapping[str, str] | None = None,
) -> AttackReport:
    """Attacks a release; one made here by default."""
    original = open_object(pa.table(dict(data)))
    rows = release_of(data, policy) if released is None else released

    def beside(name: str, table: pa.Table) -> Table:
        original.engine.register(name, table)
        return Table(name, original.engine, name, columns_of(original.engine, name))

    return attack_tables(
        original,
        beside("released", rows),
        policy,
        levels=dict(levels or {}),
        today=TODAY,
        auxiliary=None if auxiliary is None else beside("known", pa.table(dict(auxiliary))),
        earlier=[Earlier(f"e{i}", beside(f"e{i}", table)) for i, table in enumerate(earlier)],
    )
