"""What stands above the aggregate runs locked, and intervals follow their figures."""

import pyarrow as pa
import pytest

from exchange.analyst.finalise import Released
from exchange.analyst.postprocess import postprocess
from protos.faults import InputError

RELEASED = Released(
    pa.table({"k0": ["x", "y", "z"], "a0": [3, 1, 2], "a1": [3.56, 1.24, 2.04]}),
    pa.table(
        {
            "a0_low": [2, 0, 1],
            "a0_high": [4, 2, 3],
            "a1_low": [3.11, None, 1.91],
            "a1_high": [3.94, None, 2.13],
        }
    ),
    3,
)
EXACT = Released(RELEASED.table, None, 3)


def test_intervals_follow_renamed_sorted_and_cut_figures() -> None:
    sql = "SELECT k0 AS d, a0 AS n FROM released WHERE a0 > 1 ORDER BY a0 LIMIT 2"
    found = postprocess(sql, RELEASED)
    assert found.table.to_pylist() == [{"d": "z", "n": 2}, {"d": "x", "n": 3}]
    assert found.intervals is not None
    assert found.intervals.to_pylist() == [{"n_low": 1, "n_high": 3}, {"n_low": 2, "n_high": 4}]
    assert found.unbarred == ()


def test_intervals_follow_through_rounding_and_casts() -> None:
    sql = "SELECT ROUND(a1, 1) AS c, CAST(a0 AS DOUBLE) AS f FROM released ORDER BY k0"
    found = postprocess(sql, RELEASED)
    assert found.intervals is not None
    assert found.intervals.to_pylist()[0] == {
        "c_low": 3.1, "c_high": 3.9, "f_low": 2.0, "f_high": 4.0,
    }  # fmt: skip
    assert found.intervals["c_low"][1].as_py() is None


@pytest.mark.parametrize(
    ("sql", "unbarred"),
    [
        ("SELECT k0, a1 / a0 AS q FROM released", ("q",)),
        ("SELECT -a0 AS q FROM released", ("q",)),
        ("SELECT ROUND(a1, CAST(a0 AS INTEGER)) AS q FROM released", ("q",)),
        ("SELECT SUM(a0) OVER (ORDER BY k0) AS w FROM released", ("w",)),
        ("SELECT d, n FROM (SELECT k0 AS d, a0 AS n FROM released) t", ("d", "n")),
        ("SELECT MAX(a0) AS m FROM released GROUP BY k0", ("m",)),
        ("SELECT DISTINCT a0 AS n FROM released", ("n",)),
        ("WITH t AS (SELECT * FROM released) SELECT a0 FROM t", ("a0",)),
    ],
)
def test_computed_columns_say_that_they_have_no_interval(
    sql: str, unbarred: tuple[str, ...]
) -> None:
    found = postprocess(sql, RELEASED)
    assert found.intervals is None
    assert found.unbarred == unbarred
    assert found.table.num_columns == len(set(found.table.column_names))


def test_exact_answers_have_no_intervals() -> None:
    found = postprocess("SELECT k0, a0 FROM released", EXACT)
    assert (found.intervals, found.unbarred) == (None, ())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "COPY released TO 'stolen.csv'",
        "SELECT * FROM 'README.md'",
        "SELECT * FROM read_csv('README.md')",
        "SELECT * FROM read_text('/etc/hostname')",
        "ATTACH 'somewhere.db'",
        "SET lock_configuration = false",
        "INSTALL httpfs",
        "SELECT nope FROM released",
    ],
)
def test_only_one_select_over_the_released_table_runs(sql: str) -> None:
    with pytest.raises(InputError):
        postprocess(sql, EXACT)


def test_a_query_without_end_is_interrupted() -> None:
    endless = "SELECT count(*) FROM range(100000000) a, range(100000000) b"
    with pytest.raises(InputError, match="longer than"):
        postprocess(endless, EXACT, deadline_s=0.05)
