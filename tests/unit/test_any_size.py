"""Tables whose combinations do not fit into the memory that the system allows a child process."""

# ruff: noqa: S608 - own SQL

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

import desensitize
from desensitize.engines.snapshot import LoadLimits
from tests.generalise_world import policy_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # millions of rows

ROWS = 3_000_000
LIMITS = LoadLimits(memory_bytes=700 << 20)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nearly every row is another combination, and has an amount that few others have."""
    path = tmp_path_factory.mktemp("people") / "people.parquet"
    with duckdb.connect() as engine:
        engine.execute(
            "COPY (SELECT (DATE '1940-01-01' + (hash(i, 1) % 27000)::INTEGER) AS born, "
            "(hash(i, 2) % 3000)::INTEGER AS town, (hash(i, 3) % 100)::INTEGER AS job, "
            "(hash(i, 4) % 1000000 / 100)::DECIMAL(12, 2) AS wage "
            f"FROM range({ROWS}) r(i)) TO '{path}' (FORMAT parquet)"
        )
    return path


def test_levels_are_searched_over_more_combinations_than_fit(people: Path, tmp_path: Path) -> None:
    policy = policy_of(
        {"born": '["day", "month", "year", "10y", "*"]', "town": '["value", "10", "100", "*"]',
         "job": '["value", "10", "*"]'},
        ["wage"], "k = 20, l = 2, max_suppressed = 0.02",
    )  # fmt: skip
    made = desensitize.run(people, policy=policy, out=tmp_path / "out", limits=LIMITS)
    assert made.figures["loss"] < 0.1
    assert made.suppressed_rows <= 0.02 * ROWS
    [told] = desensitize.alternatives(people, policy, ks=[20], limits=LIMITS)
    assert 2_900_000 > told.sample > 1_900_000
    assert 0.1 > told.loss >= made.figures["loss"]


def test_risk_is_measured_over_more_cells_than_fit(people: Path) -> None:
    report = desensitize.risk(people, ["town", "job"], ["wage", "born"], limits=LIMITS)
    assert report.rows == ROWS
    [wage, born] = report.sensitive
    with duckdb.connect() as engine:
        counted = "SELECT count(DISTINCT wage) w, count(DISTINCT born) b, count(*) n"
        [expected] = engine.sql(
            f"SELECT min(w), min(b), min(n), count(*) FROM "
            f"({counted} FROM '{people}' GROUP BY town, job)"
        ).fetchall()
    assert (wage.l, born.l, report.k, report.classes) == expected
    assert 0 < wage.t < 1
