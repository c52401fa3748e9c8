"""Runs the statement of a policy over a table and writes what comes out, batch by batch.

Rows come in the order of the source and are written in row groups of one size, so that the same
rows make the same bytes whatever the number of processors. One thread asks the engine, another
compresses and writes: memory holds a few batches.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from desensitize.generalise import choose
from desensitize.masking.base import Secrets
from desensitize.masking.statement import Statement, prepare
from desensitize.policy import PublishPolicy
from desensitize.sources import Table
from protos.language import Text

Progress = Callable[[int, int | None], None]
ROW_GROUP: Final = 131_072
_COMPUTING: Final = 2
"""Groups of rows at which Python works at once.

In turns on two processors that others used too (load 5 to 9; medians of 6 or 7 pairs), against two:
one took 1.06 and 1.17 times as long with a secret order (12 columns; three of FF1 and a district),
0.89 and 1.13 without; three took 1.31 and 0.94, 0.95 and 0.96, with 2 to 6 % more processor time,
and a group more in memory. Single runs differed
more than that: no number wins clearly, and two stays.
"""
_BATCH_BYTES: Final = 32 << 20
_BATCH_ROWS: Final = (64, 65_536)
_TOLD_EVERY_S: Final = 0.2
PARQUET: Final[dict[str, Any]] = {"compression": "zstd", "compression_level": 1}


@dataclass(frozen=True)
class Written:
    """What came of it; nothing in here is a value of the data.

    Attributes:
        rows_in: Rows of the source.
        rows_out: Rows written.
        stored: Arrow type of each published column.
        lost: Values that became NULL, by column; those with none are left out.
        unclear: Those of them that name several divisions, by column.
        unmentioned: Columns that the policy does not mention.
        fresh: Columns that come out differently each time.
        levels: Level of each generalised column.
        suppressed: Rows left out so that the models hold.
        figures: Of the models.
        notes: What was odd about the source.
    """

    rows_in: int
    rows_out: int
    stored: dict[str, str]
    lost: dict[str, int]
    unclear: dict[str, int]
    unmentioned: tuple[str, ...]
    fresh: tuple[str, ...]
    levels: dict[str, str]
    suppressed: int
    figures: dict[str, Any]
    notes: tuple[Text, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, body: dict[str, Any]) -> Written:
        """Rebuilds what `to_dict` wrote."""
        return cls(
            **body
            | {
                "unmentioned": tuple(body["unmentioned"]),
                "fresh": tuple(body["fresh"]),
                "notes": tuple(Text(**note) for note in body["notes"]),
            }
        )


@dataclass
class _Counts:
    """Values that became NULL, by column, and those of them that name several divisions."""

    lost: Counter[str] = field(default_factory=Counter)
    unclear: Counter[str] = field(default_factory=Counter)


def write_masked(
    table: Table,
    policy: PublishPolicy,
    secrets: Secrets,
    path: Path,
    *,
    population: Table | None = None,
    order: bytes | None = None,
    progress: Progress | None = None,
) -> Written:
    """Writes the released rows of a table to a Parquet file.

    Args:
        table: The source.
        policy: What becomes of it.
        secrets: Keys of the domains.
        path: A file that does not exist.
        population: Everybody from whom the rows were drawn, if a model is about them.
        order: Secret seed of the release: of the order of its rows (see `row_order`) and of
            shuffles under a key. None for the order of the table.
        progress: Told about rows that are done, a few times a second.

    Raises:
        InputError: Policy and table do not go together.
        VeilError: The rows cannot be read.
        OSError: The disk is full.
        duckdb.Error: Memory or disk did not suffice.
    """
    # The same rows in the same order, whatever else the engine is used for.
    table.engine.execute("SET preserve_insertion_order = true").fetchall()
    drawn = order or b""
    chosen = choose(table, policy, secrets, population, occasion=drawn)
    late = {column.name for column in policy.published}
    if chosen is None:
        statement = prepare(table, policy, secrets, late=late, occasion=drawn, order=order)
    else:
        late -= set(chosen.columns)
        statement = prepare(
            table, policy, secrets, methods=chosen.methods, kept=chosen.kept, late=late,
            occasion=drawn, order=order,
        )  # fmt: skip
    rows, counts, schema = _write(table, statement, path, progress)
    suppressed = 0 if chosen is None else chosen.found.suppressed
    return Written(
        rows_in=rows + suppressed,
        rows_out=rows,
        stored={field.name: str(field.type) for field in schema},
        lost=dict(+counts.lost),
        unclear=dict(+counts.unclear),
        unmentioned=statement.unmentioned,
        fresh=statement.fresh,
        levels={} if chosen is None else chosen.levels,
        suppressed=suppressed,
        figures={} if chosen is None else chosen.figures(),
        notes=table.notes,
    )


def _write(
    table: Table, statement: Statement, path: Path, progress: Progress | None
) -> tuple[int, _Counts, pa.Schema]:
    width = len(statement.names)
    reader = table.engine.sql(statement.sql).to_arrow_reader(_batch_rows(table))
    schema = pa.schema([_plain(field) for field in list(reader.schema)[:width]])
    counts = _Counts()
    rows, told = 0, float("-inf")  # the first batch is told at once
    with (
        # Rows that were put in order leave the engine when it has nothing else to do.
        ThreadPoolExecutor(_COMPUTING, "veil-compute") as computing,
        ThreadPoolExecutor(1, "veil-write") as writing,
        pq.ParquetWriter(path, schema, **PARQUET) as writer,
    ):
        begun: deque[Future[None]] = deque()
        for group in _groups(reader):
            rows += group.num_rows
            computed = computing.submit(_computed, group, statement, schema)
            begun.append(writing.submit(_finish, computed, counts, writer))
            if len(begun) > _COMPUTING:
                begun.popleft().result()  # a full disk is met here
            if progress is not None and time.monotonic() - told > _TOLD_EVERY_S:
                told = time.monotonic()
                progress(rows, table.rows)
        for each in begun:
            each.result()
        if not rows:
            writer.write_table(schema.empty_table())
    return rows, counts, schema


def _groups(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """Yields groups of `ROW_GROUP` rows."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in reader:
        held.append(batch)
        count += batch.num_rows
        if count >= ROW_GROUP:
            whole = pa.Table.from_batches(held)
            while whole.num_rows >= ROW_GROUP:
                yield whole.slice(0, ROW_GROUP)
                whole = whole.slice(ROW_GROUP)
            held, count = whole.to_batches(), whole.num_rows
    if count:
        yield pa.Table.from_batches(held)


def _computed(group: pa.Table, statement: Statement, schema: pa.Schema) -> tuple[pa.Table, _Counts]:
    """Does what is left to Python, and counts what was lost."""
    # One chunk per column: where batches ended must not show in the file.
    columns = [_one(column) for column in group.columns]
    width = len(statement.names)
    middle = width + len(statement.counted)
    lost = dict(zip(statement.counted, columns[width:middle], strict=True))
    unclear = dict(zip(statement.unclear, columns[middle:], strict=True))
    for place, function in statement.late.items():
        read = columns[place]
        columns[place] = function.compute(read)
        lost[place] = pc.and_(lost[place], columns[place].is_null())
        if function.unclear is not None:
            unclear[place] = function.unclear(read.filter(lost[place]))
    counts = _Counts()
    for flags, counted in ((lost, counts.lost), (unclear, counts.unclear)):
        for place, flag in flags.items():
            counted[statement.names[place]] += int(pc.sum(flag).as_py() or 0)
    return pa.Table.from_arrays(columns[:width], schema=schema), counts


def _finish(
    computed: Future[tuple[pa.Table, _Counts]], counts: _Counts, writer: pq.ParquetWriter
) -> None:
    """Writes a group, and adds up what was lost."""
    group, more = computed.result()
    counts.lost.update(more.lost)
    counts.unclear.update(more.unclear)
    writer.write_table(group, ROW_GROUP)


def _one(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def _batch_rows(table: Table) -> int:
    """Long cells come in smaller batches, so that a batch is megabytes and not a gigabyte."""
    listed = ", ".join(f"avg(strlen({column.sql}))" for column in table.columns)
    head = f"SELECT * FROM {table.sql} LIMIT 1000"  # noqa: S608 - own expressions
    [means] = table.engine.sql(f"SELECT {listed} FROM ({head})").fetchall()  # noqa: S608
    bytes_a_row = sum(mean or 0 for mean in means)
    return int(min(max(_BATCH_BYTES / max(bytes_a_row, 1), _BATCH_ROWS[0]), _BATCH_ROWS[1]))


def _plain(field: pa.Field) -> pa.Field:
    """A type that every reader of Parquet knows: no views, no extensions of the engine."""
    kind = field.type
    if pa.types.is_string_view(kind) or pa.types.is_large_string(kind):
        kind = pa.string()
    return pa.field(field.name, kind)
