"""Scans one table: a look at its beginning, then one streaming pass over every cell.

The beginning tells which *forms* a column has (nearly all cells of a column of ids look like
ids). In the pass, the engine sorts each cell of each column into one of these kinds:

- of a form of its column: counted, and its value checked with NumPy if the type has a check;
- let through by the **union gate**, one pattern for all types: the finder looks at it;
- anything else: nothing is in it, and its text never leaves the engine.

So the work per cell is one or two RE2 matches on all cores, and Python sees few texts. Memory is
flat: batches stream, and only counts and a few masked examples are kept.
"""

# ruff: noqa: S608 - own SQL: names pass `quoted`, patterns pass `literal`

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from desensitize.engines.stored_values import literal, quoted
from desensitize.masking.district import is_unclear, names_one
from desensitize.recognisers import recognisers
from desensitize.recognisers.base import Recogniser
from desensitize.scanning.attributes import attribute
from desensitize.scanning.classify import Seen, classify, likely
from desensitize.scanning.days import NO_DAYS, Days, days_of, says_days
from desensitize.scanning.finder import WIDE_GATE, find, whole
from desensitize.scanning.findings import FEW_CODES, NUMBERS, Count, ScanReport, masked
from desensitize.scanning.places import deciding
from desensitize.scanning.values import headers_as_told
from desensitize.sources import SourceColumn, Table
from desensitize.vocabulary import LISTS, shares
from protos.faults import InputError
from protos.language import Text

Progress = Callable[[int, int | None], None]
"""Called with the rows that are done and, if known, all there are."""

SAMPLE_ROWS: Final = 10_000
_HEAD_CELLS: Final = 400_000
_HEAD_ROWS: Final = (100, 2_000)
_HEAD_CHARACTERS: Final = 1_000  # no form is longer
_BATCH_BYTES: Final = 16 << 20
_BATCH_ROWS: Final = (16, 65_536)
_COLUMNS_PER_PASS: Final = 250
_MOST_FORMS: Final = 3
_FORM_SHARE: Final = 0.02
_PENDING: Final = 50_000
_NUMBER: Final = r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?(?:[eE][+-]?[0-9]{1,2})?"
_PENDING_CHARACTERS: Final = 4_000_000
_EXAMPLES: Final = 3
_LOOK: Final = -1  # kind of a cell that the finder must look at


@dataclass(frozen=True)
class Figures:
    """What the numbers of a column look like; the fields are those of `ColumnFinding`.

    Attributes:
        numeric: Share of numbers.
        magnitude: Power of ten of the median.
        different: Different values.
        divisions: Share of codes and names of administrative divisions.
        unclear: Of these, names that several divisions have.
        lists: Share of different words that a list of groups has, by its name.
        undated: Values that say no day, where the header promises days.
        either: … that could be two days.
        day_first: Whether the day comes first in these; None if no other value tells.
    """

    numeric: float
    magnitude: int
    different: int
    divisions: float
    unclear: int
    lists: dict[str, float]
    undated: int
    either: int
    day_first: bool | None

    @property
    def coded(self) -> bool:
        """Whether they are a few small whole numbers."""
        few = 0 < self.different <= FEW_CODES
        return few and self.numeric >= NUMBERS and self.magnitude == 0


@dataclass
class _Column:
    """What is known about one column while it is being scanned."""

    source: SourceColumn
    forms: tuple[Recogniser, ...]
    distinct: float
    mean_length: float
    mean_bytes: float
    damaged: float
    examples: tuple[str, ...]
    figures: Figures
    days: Days = NO_DAYS
    values: int = 0
    whole: Counter[str] = field(default_factory=Counter)
    invalid: Counter[str] = field(default_factory=Counter)
    inside: Counter[str] = field(default_factory=Counter)

    def seen(self) -> Seen:
        names = {*self.whole, *self.invalid, *self.inside}
        counts = {
            name: Count(self.whole[name], self.invalid[name], self.inside[name])
            for name in (r.name for r in recognisers())
            if name in names
        }
        return Seen(self.source.name, self.source.stored, self.values, counts, self.distinct,
                    self.mean_length, self.damaged, self.examples,
                    self.figures.divisions, self.figures.unclear, self.days,
                    self.figures.coded)  # fmt: skip


def scan_table(
    table: Table,
    *,
    full: bool = True,
    sample_rows: int = SAMPLE_ROWS,
    progress: Progress | None = None,
) -> ScanReport:
    """Scans a table.

    Args:
        table: What to scan.
        full: Whether every row is looked at; if not, a repeatable random sample is.
        sample_rows: Size of that sample.
        progress: Told about rows that are done, a few times a second.

    Raises:
        VeilError: The rows cannot be read.
    """
    start = time.perf_counter()
    if not table.columns:
        raise InputError(
            Text(f"{table.name} has no columns", f"{table.name} 没有列"), code="source.no_columns"
        )
    try:
        if not full:
            table, full = _sampled(table, sample_rows)
        columns = _look_at_head(table)
        _define_patterns(table.engine)
        rows = 0
        for first in range(0, len(columns), _COLUMNS_PER_PASS):
            part = columns[first : first + _COLUMNS_PER_PASS]
            rows = _Pass(
                table, part, first / len(columns), len(part) / len(columns), progress
            ).run()
        found = [replace(classify(c.seen()), **asdict(c.figures)) for c in columns]
        beside = deciding(table, found)
    except duckdb.Error as error:
        if table.blame is None:
            raise
        raise table.blame(error) from error
    found = [replace(column, within=beside.get(column.name, "")) for column in found]
    seconds = time.perf_counter() - start
    notes = (*table.notes, *_odd_headers([column.name for column in found]))
    return ScanReport(table.name, rows, full, tuple(found), notes, round(seconds, 3))


def _odd_headers(headers: list[str]) -> list[Text]:
    """What is said of a table whose first line looks like somebody's values."""
    told = headers_as_told(headers)
    values = [new for old, new in zip(headers, told, strict=True) if new != old]
    if 2 * len(values) < len(headers):
        return []
    return [Text(
        f"{len(values)} of {len(headers)} names of columns look like values ({values[0]}): was "
        "the line of names left out? The first line counts as names, and its row is in no figure",
        f"{len(headers)} 个列名中有 {len(values)} 个形似数据（{values[0]}）：是否缺少表头行？"
        "首行按列名处理，未计入任何统计",
    )]  # fmt: skip


def union_gate(without: str = "") -> str:
    """Returns the one RE2 pattern that every cell with a hit of any type matches.

    Args:
        without: Name of a type that does not count.
    """
    gates = [r.text_gate for r in recognisers() if r.text_gate and r.name != without]
    return "|".join([*(f"(?:{gate})" for gate in gates), WIDE_GATE])


def _sampled(table: Table, rows: int) -> tuple[Table, bool]:
    """Takes a sample into memory, the same rows each time; says whether it is the whole table."""
    table.engine.execute(
        f"CREATE OR REPLACE TEMP TABLE veil_sample AS SELECT * FROM {table.sql} "
        f"USING SAMPLE reservoir({rows} ROWS) REPEATABLE (1)"
    )
    (count,) = table.engine.execute("SELECT count(*) FROM veil_sample").fetchall()[0]
    return replace(table, sql="veil_sample", rows=count), count < rows


# ---- the beginning -----------------------------------------------------------------------------


def _look_at_head(table: Table) -> list[_Column]:
    rows = min(_HEAD_ROWS[1], max(_HEAD_ROWS[0], _HEAD_CELLS // len(table.columns)))
    parts = ", ".join(
        f"left({c.sql}, {_HEAD_CHARACTERS}), coalesce({c.rounded}, false), strlen({c.sql})"
        for c in table.columns
    )
    head = table.engine.sql(f"SELECT {parts} FROM {table.sql} LIMIT {rows}").to_arrow_table()
    texts = [_present(head.column(3 * i)) for i in range(len(table.columns))]
    ends = np.cumsum([0, *(len(text) for text in texts)])
    counts = _counts(pa.concat_arrays(texts), ends)
    dated = days_of(
        table.engine,
        {i: texts[i] for i, column in enumerate(table.columns) if says_days(column.name)},
    )
    result = []
    for i, (source, text) in enumerate(zip(table.columns, texts, strict=True)):
        size = max(len(text), 1)
        damaged = int(pc.sum(head.column(3 * i + 1)).as_py() or 0) / size
        distinct = pc.count_distinct(text).as_py() / size
        length = float(pc.mean(pc.utf8_length(text)).as_py() or 0)
        examples = tuple(masked(v) for v in text.unique()[:_EXAMPLES].to_pylist())
        days = dated.get(i, NO_DAYS)
        seen = Seen(
            source.name, source.stored, len(text), counts[i], distinct, length, damaged, (),
            days=days,
        )  # fmt: skip
        width = float(pc.mean(head.column(3 * i + 2)).as_py() or 0)
        result.append(
            _Column(
                source,
                _forms(seen),
                distinct,
                length,
                width,
                damaged,
                examples,
                _figures(text, source.name, days),
                days,
            )
        )
    return result


def _figures(text: pa.StringArray, header: str, days: Days) -> Figures:
    """What a column of numbers, places or listed words looks like, without any of its values."""
    number = pc.match_substring_regex(text, f"^{_NUMBER}$")
    found = text.filter(number).cast(pa.float64()).to_numpy(zero_copy_only=False)
    median = float(np.median(np.abs(found))) if len(found) else 0.0
    magnitude = int(np.log10(median)) if 10 <= median < np.inf else 0
    share = len(found) / max(len(text), 1)
    counted = pc.value_counts(text)
    values, times = counted.field(0).to_pylist(), counted.field(1).to_pylist()
    places = sum(n for value, n in zip(values, times, strict=True) if names_one(value.strip()))
    unclear = sum(n for value, n in zip(values, times, strict=True) if is_unclear(value.strip()))
    divisions = round(places / max(len(text), 1), 4)
    about, _ = attribute(header)
    listed = shares(values) if about is not None and about.name in LISTS else {}
    return Figures(
        round(share, 4), magnitude, len(values), divisions, unclear, listed,
        days.unread, days.either, days.day_first,
    )  # fmt: skip


def _present(column: pa.ChunkedArray) -> pa.StringArray:
    """The cells that hold something, as one array."""
    text = column.combine_chunks()
    text = pa.concat_arrays(text.chunks) if isinstance(text, pa.ChunkedArray) else text
    return text.cast(pa.string()).filter(pc.fill_null(pc.greater(pc.binary_length(text), 0), False))  # noqa: FBT003


def _counts(texts: pa.StringArray, ends: np.ndarray) -> list[dict[str, Count]]:
    """Counts whole values of every type in many columns at once: each pattern is compiled once."""
    result: list[dict[str, Count]] = [{} for _ in range(len(ends) - 1)]
    for each in recognisers():
        places = whole(texts, each).nonzero()[0]
        right = each.valid(texts.take(pa.array(places)))
        valid = np.diff(np.searchsorted(places[right], ends))
        form = np.diff(np.searchsorted(places, ends))
        for column in form.nonzero()[0]:
            result[column][each.name] = Count(int(valid[column]), int(form[column] - valid[column]))
    return result


def _forms(seen: Seen) -> tuple[Recogniser, ...]:
    """The column's likely type first, then others that stand alone and are not rare in it."""
    first = likely(seen)
    others = sorted(
        (r for r in recognisers() if r is not first and r.alone <= 1 and r.in_text and not r.cue),
        key=lambda r: -seen.counts.get(r.name, Count()).whole,
    )
    least = _FORM_SHARE * max(seen.values, 1)
    frequent = [r for r in others if seen.counts.get(r.name, Count()).whole > least]
    return tuple(([first] if first else []) + frequent)[:_MOST_FORMS]


# ---- the pass ----------------------------------------------------------------------------------


@dataclass
class _Pass:
    """One pass over some columns of a table."""

    table: Table
    columns: Sequence[_Column]
    done_before: float
    part: float
    progress: Progress | None
    pending: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))
    characters: int = 0

    def run(self) -> int:
        """Reads every row; returns how many there were."""
        rows, told = 0, float("-inf")  # the first batch is told at once
        for batch in self._batches():
            rows += batch.num_rows
            for number, column in enumerate(self.columns):
                self._take(number, column, batch.column(2 * number), batch.column(2 * number + 1))
            if len(self.pending) > _PENDING or self.characters > _PENDING_CHARACTERS:
                self._look()
            if self.progress is not None and time.monotonic() - told > 0.2:
                told = time.monotonic()
                whole_table = self.table.rows
                before = int(self.done_before * whole_table) if whole_table else 0
                self.progress(before + int(rows * self.part), whole_table)
        self._look()
        return rows

    def _batches(self) -> Iterator[pa.RecordBatch]:
        texts, sorted_, outer = [], [], []
        for i, column in enumerate(self.columns):
            texts.append(f"{column.source.sql} AS c{i}")
            sorted_.append(f"c{i}, {_kind(column, i)} AS k{i}")
            kept = [_LOOK, *(n for n, form in enumerate(column.forms, 1) if form.check is not None)]
            outer.append(f"k{i}, CASE WHEN k{i} IN ({', '.join(map(str, kept))}) THEN c{i} END")
        cells = f"SELECT {', '.join(texts)} FROM {self.table.sql}"
        sql = f"SELECT {', '.join(outer)} FROM (SELECT {', '.join(sorted_)} FROM ({cells}))"
        # Long cells come in smaller batches, so that a batch is some megabytes, not a gigabyte.
        width = sum(column.mean_bytes for column in self.columns)
        rows = min(max(int(_BATCH_BYTES / max(width, 1)), _BATCH_ROWS[0]), _BATCH_ROWS[1])
        return iter(self.table.engine.sql(sql).to_arrow_reader(rows))

    def _take(self, number: int, column: _Column, kinds: pa.Array, texts: pa.Array) -> None:
        kind = pc.fill_null(kinds, -128).to_numpy(zero_copy_only=False)
        counted = np.bincount(kind.astype(np.int64) + 128, minlength=256)
        column.values += len(kind) - int(counted[0])
        look = kind == _LOOK
        for place, form in enumerate(column.forms, 1):
            if not counted[128 + place]:
                continue
            right = int(counted[128 + place])
            if form.check is not None:
                mine = np.flatnonzero(kind == place)
                valid = form.valid(texts.take(pa.array(mine)).cast(pa.string()))
                right = int(valid.sum())
                look[mine[~valid]] = True  # it may still be something else
                column.invalid[form.name] += len(mine) - right
            column.whole[form.name] += right
        if look.any():
            for text in texts.filter(pa.array(look)).to_pylist():
                self.pending[number, text] += 1
                self.characters += len(text)

    def _look(self) -> None:
        """Lets the finder look at what is pending; equal texts of a column once."""
        keys = list(self.pending)
        found: dict[int, dict[str, bool]] = defaultdict(dict)
        for hit in find([text for _, text in keys]):
            alone = hit.start == 0 and hit.end == len(keys[hit.cell][1])
            found[hit.cell][hit.recogniser.name] = alone
        for cell, names in found.items():
            column, times = self.columns[keys[cell][0]], self.pending[keys[cell]]
            for name, alone in names.items():
                (column.whole if alone else column.inside)[name] += times
        self.pending.clear()
        self.characters = 0


def _define_patterns(engine: duckdb.DuckDBPyConnection) -> None:
    """Names the patterns in the engine, so that a pass over many columns is a short text."""
    gate = literal(union_gate())
    engine.execute(f"CREATE OR REPLACE TEMP MACRO veil_gate(t) AS regexp_matches(t, {gate})")
    for each in recognisers():
        test = f"regexp_full_match(t, {literal(each.pattern)})"
        if each.open:
            test += f" AND NOT regexp_matches(t, {literal(union_gate(each.name))})"
        engine.execute(
            f"CREATE OR REPLACE TEMP MACRO {quoted('veil_is_' + each.name)}(t) AS {test}"
        )


def _kind(column: _Column, number: int) -> str:
    text = f"c{number}"
    cases = "".join(
        f" WHEN {quoted('veil_is_' + form.name)}({text}) THEN {place}"
        for place, form in enumerate(column.forms, 1)
    )
    return (
        f"(CASE WHEN {text} IS NULL OR {text} = '' THEN NULL{cases} "
        f"WHEN veil_gate({text}) THEN {_LOOK} ELSE 0 END)::TINYINT"
    )
