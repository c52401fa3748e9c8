"""A measurement in batches says what one says that holds all cells in memory."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitize.generalise.spread import Sensitive, Spread, Steps
from desensitize.generalise.stream import told
from desensitize.risks import SensitiveRisk, measure
from desensitize.sources import open_object

Row = tuple[str | None, int | None, float | None, str | None]
rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.sampled_from([1, 2, None]),
        st.sampled_from([-1.5, 0.0, 2.0, 2.5, 1e9, None]),
        st.sampled_from(["流感", "gout", "", None]),
    ),
    min_size=1, max_size=40,
)  # fmt: skip


def in_memory(rows: list[Row], place: int, *, ordered: bool) -> Spread:
    """Every cell at once; no value is a class's, and stands behind all values."""
    keys = sorted({repr(row[:2]) for row in rows})
    values = sorted({row[place] for row in rows}, key=lambda v: (v is None, v or 0 if ordered else str(v)))  # fmt: skip  # noqa: E501
    member = np.array([keys.index(repr(row[:2])) for row in rows])
    code = np.array([values.index(row[place]) for row in rows])
    column = Sensitive("s", len(values), ordered, np.arange(len(rows)), code, np.ones_like(code))
    return column.over(member, np.bincount(member))


@settings(max_examples=40, deadline=None)
@given(rows)
def test_the_engine_counts_what_memory_would(rows: list[Row]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    types = [pa.string(), pa.int64(), pa.float64(), pa.string()]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    table = open_object(pa.table(dict(zip("pqst", arrays, strict=True))))
    report = measure(table, ["p", "q"], ["s", "t"])
    table.engine.close()
    for found, place, ordered in zip(report.sensitive, (2, 3), (True, False), strict=True):
        whole = in_memory(rows, place, ordered=ordered)
        assert found == SensitiveRisk(
            "st"[place - 2],
            int(whole.distinct.min()),
            math.exp(whole.entropies.min()),
            found.t,
            int(whole.sizes[whole.distinct == 1].sum()),
        )
        # Which of the values comes first changes the order in which t is added up.
        assert abs(found.t - whole.distances().max()) < 1e-12


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=80),
    st.lists(st.integers(0, 40), max_size=8),
    st.booleans(),
)
def test_where_batches_end_changes_no_bit(
    rows: list[tuple[int, int]], cuts: list[int], ordered: bool
) -> None:
    drawn = np.array(rows).T
    member, code = (np.unique(each, return_inverse=True)[1] for each in drawn)
    values = int(code.max()) + 1
    column = Sensitive("s", values, ordered, np.arange(len(rows)), code, np.ones_like(code))
    whole = column.over(member, np.bincount(member))
    totals = np.bincount(code)
    cells = np.stack(
        [whole.member, whole.sizes[whole.member], whole.count, whole.code, totals[whole.code]]
    )
    batches = np.split(cells, sorted(cut for cut in cuts if cut < cells.shape[1]), axis=1)
    steps = Steps.over(values, [totals / len(rows)]) if ordered else None
    found = list(told(batches, len(rows), steps))
    for name, expected in (
        ("sizes", whole.sizes),
        ("distinct", whole.distinct),
        ("entropies", whole.entropies),
        ("distances", whole.distances()),
    ):
        assert np.concatenate([getattr(each, name) for each in found]).tolist() == expected.tolist()
