"""The attacks' figures against plain counting, row by row, on random tables with missing values."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitize.attacks import AttackReport, Earlier, attack_tables, view
from desensitize.attacks.tally import Tally
from desensitize.sources import Table, columns_of, open_object
from tests.attack_world import TODAY, policy_for

SEED = bytes(range(32))
COLUMNS = ("sex", "district", "birth", "income")
POLICY = policy_for(dict.fromkeys(COLUMNS, '"keep"'), "unique_share_max = 0")
Row = tuple[Any, ...]

cell = st.one_of(st.none(), st.sampled_from("abc"))
row = st.tuples(cell, st.sampled_from("xy"), st.sampled_from("pqr"), st.integers(0, 40))
tables = st.lists(row, min_size=1, max_size=60)


def attacked(original: list[Row], released: list[Row], earlier: list[Row]) -> AttackReport:
    def arrow(rows: list[Row]) -> pa.Table:
        columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
        kinds = (*[pa.string()] * 3, pa.int64())
        return pa.table(
            {n: pa.array(c, k) for n, c, k in zip(COLUMNS, columns, kinds, strict=True)}
        )

    source = open_object(arrow(original))

    def beside(name: str, rows: list[Row]) -> Table:
        source.engine.register(name, arrow(rows))
        return Table(name, source.engine, name, columns_of(source.engine, name))

    return attack_tables(
        source, beside("released", released), POLICY, levels={}, today=TODAY, order=SEED,
        earlier=[Earlier("before", beside("before", earlier))],
    )  # fmt: skip


def in_order(rows: list[Row]) -> list[Row]:
    """Puts rows into the secret order of a release."""

    def place(number: int) -> bytes:
        return hashlib.sha256(SEED + (number + 1).to_bytes(8, "big")).digest()

    return [rows[number] for number in sorted(range(len(rows)), key=place)]


def only(places: Iterable[int]) -> Callable[[Row], Row]:
    wanted = tuple(places)
    return lambda row: tuple(row[place] for place in wanted)


def figure(report: AttackReport, attack: str, name: str) -> float:
    [finding] = [each for each in report.of(attack) if not name or each.columns[0] == name]
    assert finding.figure is not None
    return finding.figure


@settings(max_examples=15, deadline=None)
@given(tables, st.sampled_from([None, "x"]), st.integers(0, 5), st.sampled_from([4, view.TURN]))
def test_every_figure_is_what_counting_says(
    rows: list[Row], left_out: str | None, less: int, turn: int
) -> None:
    # What models leave out is whole classes.
    kept = [row for row in rows if row[:3] not in {r[:3] for r in rows if r[1] == left_out}]
    released, earlier = in_order(rows), rows[less:]
    released = [row for row in released if row in kept]
    with patch.object(view, "TURN", turn):  # a few classes at a time, as with many millions
        report = attacked(rows, released, earlier)
    quasi = [row[:3] for row in released]
    sizes, everybody = Counter(quasi), len(released)

    alone = sum(size == 1 for size in sizes.values())
    assert report.of("uniqueness")[0].figures == {"rows_alone": alone, "classes": len(sizes)}
    if left_out is None or released:
        figures = report.of("linkage")[0].figures
        assert figures["claimed"] == alone
        assert figures["expected_at_random"] == pytest.approx(len(sizes) / max(everybody, 1))

    facts, people = by_greed(rows, released)
    found = report.of("singling_out")[0]
    assert found.columns == tuple(COLUMNS[place] for place in facts)
    assert found.figure == people / max(everybody, 1)
    by_all = sum(alone_in(rows, released, range(4)).values())
    assert found.figures == {"people": people, "by_all": by_all}

    margins = [c for c in sets_of(3) if len(c) != 3] + [(0, 1, 2)]
    if left_out is None:  # else whole columns may have other labels
        differ = [
            abs(Counter(map(only(c), released))[each] - Counter(map(only(c), earlier))[each])
            for c in margins for each in {only(c)(r) for r in (*released, *earlier)}
        ]  # fmt: skip
        last = report.of("differencing")[0]
        if last.columns == ("sex", "district", "birth"):
            assert last.figures["compared"] == len(differ)
            assert last.figure == sum(n == 1 for n in differ)
            assert last.figures["by_few"] == sum(1 < n < 5 for n in differ)

    if released:
        check_inference(report, released, sizes)


def sets_of(width: int) -> list[tuple[int, ...]]:
    whole = [tuple(range(width))] if width > 3 else []
    return [*whole, *(c for size in (1, 2, 3) for c in combinations(range(width), size))]


def alone_in(rows: list[Row], released: list[Row], columns: Iterable[int]) -> dict[Row, bool]:
    """Says of each combination of the release whether one person has it, here and there."""
    here, there = (Counter(map(only(columns), each)) for each in (released, rows))
    return {each: n == 1 == there[each] for each, n in here.items()}


def by_greed(rows: list[Row], released: list[Row]) -> tuple[list[int], int]:
    chosen: list[int] = []
    people = 0
    for _ in range(3):
        tried = {
            place: alone_in(rows, released, [*chosen, place])
            for place in range(4)
            if place not in chosen
        }
        best = max(tried, key=lambda place: (sum(tried[place].values()), len(tried[place])))
        chosen, people = [*chosen, best], sum(tried[best].values())
    return chosen, people


def check_inference(report: AttackReport, released: list[Row], sizes: Counter[Row]) -> None:
    values = tenths([row[3] for row in released])
    cells = Counter((row[:3], value) for row, value in zip(released, values, strict=True))
    told = with_own = without = 0
    for (group, value), n in cells.items():
        others = max((m for (g, v), m in cells.items() if g == group and v != value), default=0)
        told += n * (n == sizes[group])
        with_own += n * (n >= others)
        # Without himself: still commonest among the others, of whom there is somebody.
        without += n * (n - 1 > others or (n - 1 == others and others > 0))
    [finding] = report.of("inference")
    rows = len(released)
    assert finding.figure == told / rows
    assert finding.figures["right_with_own_row"] == with_own / rows
    assert finding.figures["right_without_own_row"] == without / rows
    assert finding.figures["base_rate"] == max(Counter(values).values()) / rows


def tenths(numbers: list[int]) -> list[int]:
    if len(set(numbers)) <= 20:
        return numbers
    edges = np.quantile(numbers, np.linspace(0, 1, 11)[1:-1])
    return [int(sum(edge <= number for edge in edges)) for number in numbers]


@given(
    st.lists(
        st.lists(st.tuples(st.integers(-1, 9), st.integers(1, 4)), max_size=6),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_a_tally_knows_what_all_values_would_tell(batches: list[list[tuple[int, int]]]) -> None:
    tally, values = Tally(), []
    for batch in batches:
        pairs = np.array(batch, dtype=np.int64).reshape(-1, 2)
        tally.add(pairs[:, 0], pairs[:, 1])
        values += [value for value, rows in batch for _ in range(rows) if value > 0]
    assert tally.rows == len(values)
    if values:
        assert (tally.least, tally.median) == (min(values), float(np.median(values)))
        assert tally.below(5) == sum(value < 5 for value in values)
