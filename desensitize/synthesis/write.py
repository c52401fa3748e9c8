"""From a table to synthetic rows in a Parquet file: the whole way, in the process that reads."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from desensitize.budget import rho_for
from desensitize.keys import TokenKeys
from desensitize.masking.apply import PARQUET, ROW_GROUP
from desensitize.masking.base import Cell, Workshop
from desensitize.masking.statement import require_columns, unmentioned
from desensitize.policy import PublishPolicy
from desensitize.sources import Table
from desensitize.synthesis.counts import CodedTable, encode
from desensitize.synthesis.domains import Domain, domain_of
from desensitize.synthesis.facts import CLAIM, MarginalFacts, Synthesised, SynthesisFacts
from desensitize.synthesis.fidelity import figures
from desensitize.synthesis.mechanism import Measured, measure
from desensitize.synthesis.model import Beliefs, Forest, draw, fit
from desensitize.synthesis.spec import MOST_ROWS, SynthesisRules

Progress = Callable[[int, int | None], None]
SYNTHETIC: Final = "veil.synthetic"


def write_synthetic(
    table: Table,
    policy: PublishPolicy,
    rules: SynthesisRules,
    path: Path,
    *,
    progress: Progress | None = None,
) -> Synthesised:
    """Writes synthetic rows of a table to a Parquet file.

    Args:
        table: The source.
        policy: What its columns are.
        rules: What is synthesised, and what may be spent.
        path: A file that does not exist.
        progress: Told when the rows have been read, and while rows are written.

    Raises:
        InputError: Policy and table do not go together, or a domain is wrong.
        VeilError: The rows cannot be read.
        OSError: The disk is full.
        duckdb.Error: Memory or disk did not suffice.
    """
    named = [*rules.domains, *filter(None, [rules.subject])]
    require_columns(table, named)
    left_out = unmentioned(table, policy, frozenset(policy.columns))
    table.engine.execute("SET preserve_insertion_order = true").fetchall()
    rho = rho_for(rules.epsilon, rules.delta)
    coded, domains = _coded(table, policy, rules)
    if progress is not None:
        progress(coded.rows()[0], None)
    measured = measure(coded, rho, rules.max_rows_per_subject)
    forest, found = fit(measured, [not domain.nullable for domain in domains])
    rows = rules.rows or min(round(measured.total), MOST_ROWS)
    sample, schema = _write(path, domains, forest, found, rows, _metadata(rules))
    return Synthesised(
        rows,
        {field.name: str(field.type) for field in schema},
        _facts(rules, rho, measured, domains),
        figures(coded, domains, sample, left_out, table.notes),
    )


def _coded(
    table: Table, policy: PublishPolicy, rules: SynthesisRules
) -> tuple[CodedTable, list[Domain]]:
    stored = {column.name: column.stored for column in table.columns}
    raw = {column.name: column.raw for column in table.columns}
    beside = dict.fromkeys(each for n in rules.domains if (each := policy.columns[n].within))
    require_columns(table, beside)
    others = {name: Cell(f"b{place}", stored[name]) for place, name in enumerate(beside)}
    shop = Workshop(TokenKeys(), others)
    domains = []
    for place, (name, rule) in enumerate(rules.domains.items()):
        shop.column, shop.bounds = name, policy.columns[name].bounds
        cell = Cell(f"s{place}", stored[name])
        domains.append(
            domain_of(policy.columns[name], rule, cell, shop, table.engine, policy.folder)
        )
    subject = Cell(raw[rules.subject], stored[rules.subject]) if rules.subject else None
    return encode(table, domains, shop, subject, rules.max_rows_per_subject), domains


def _write(
    path: Path,
    domains: list[Domain],
    forest: Forest,
    found: Beliefs,
    rows: int,
    metadata: dict[str, str],
) -> tuple[list[np.ndarray[tuple[int], np.dtype[np.int64]]], pa.Schema]:
    """Draws and writes group by group; returns the first group's cells."""
    # Whatever is drawn here is drawn from public figures: any good generator will do.
    rng = np.random.default_rng(secrets.randbits(128))
    nothing = np.zeros(0, dtype=np.int64)
    schema = pa.schema(
        [(domain.column, domain.make(nothing, rng).type) for domain in domains], metadata=metadata
    )
    first = [nothing for _ in domains]
    with pq.ParquetWriter(path, schema, **PARQUET) as writer:
        for begin in range(0, rows, ROW_GROUP):
            cells = draw(forest, found, min(ROW_GROUP, rows - begin), rng)
            columns = [d.make(each, rng) for d, each in zip(domains, cells, strict=True)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), ROW_GROUP)
            if begin == 0:
                first = cells
    return first, schema


def _metadata(rules: SynthesisRules) -> dict[str, str]:
    return {
        SYNTHETIC: "true",
        "veil.claim.en": CLAIM.en,
        "veil.claim.zh": CLAIM.zh,
        "veil.epsilon": repr(rules.epsilon),
        "veil.delta": repr(rules.delta),
    }


def _facts(
    rules: SynthesisRules, rho: float, measured: Measured, domains: list[Domain]
) -> SynthesisFacts:
    if sum(measured.spent.values()) > rho:
        raise RuntimeError("more was spent than was given")
    return SynthesisFacts(
        rules.epsilon,
        rules.delta,
        rho,
        measured.spent,
        rules.subject,
        rules.max_rows_per_subject,
        tuple(
            MarginalFacts(
                tuple(domains[place].column for place in each.columns),
                each.counts.size,
                each.sigma,
            )
            for each in (*measured.ones, *measured.pairs)
        ),
        {d.column: d.says | {"values": d.size, "nullable": d.nullable} for d in domains},
    )
