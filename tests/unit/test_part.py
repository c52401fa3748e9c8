"""A department's own part: its query, its clipping, its noise, its suppression."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.plan import Plan
from compute_nodes.guard import Admitted
from compute_nodes.jobs.opening import read_opening
from compute_nodes.jobs.part import Source, secret_order
from desensitize.engines.snapshot import load
from desensitize.engines.worker import QueryPool, RenderedSql
from protos.faults import PolicyError, UnavailableError
from tests.job_world import ORDER_KEY, World

AGES = "SELECT sex, COUNT(*) AS n, SUM(age) AS age FROM visits GROUP BY sex"
ROWS = [(f"p{i}", "F" if i % 3 else "M", 20 + i) for i in range(30)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("nodes"))
    yield world
    world.close()


@pytest.fixture(scope="module")
def pool() -> Iterator[QueryPool]:
    pool = QueryPool(512 * 2**20, cpu_s=20)
    pool.start()
    yield pool
    pool.close()


def source(
    world: World, pool: QueryPool, directory: Path, rows: list[tuple[str, str, int]] = ROWS,
    deadline_s: float = 30,
) -> Source:  # fmt: skip
    file = directory / "visits.csv"
    lines = ["id,sex,age", *(f"{i},{sex},{age}" for i, sex, age in rows)]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    columns = world.towns["mid"].policy.columns
    snapshot = load(file, columns, subject="id", directory=directory / "snapshots")
    return Source(snapshot, pool, deadline_s)


def admitted(world: World, plan: Plan) -> Admitted:
    return world.towns["mid"].tools.guard.admit(read_opening(world.opening(plan)))


def truth(rows: list[tuple[str, str, int]] = ROWS) -> dict[str, tuple[int, int]]:
    return {
        code: (sum(s == code for _, s, _ in rows), sum(a for _, s, a in rows if s == code))
        for code in "FM"
    }


def test_exact_values_counts_and_no_vetoes(world: World, pool: QueryPool, tmp_path: Path) -> None:
    part = source(world, pool, tmp_path)
    plan = world.exact(AGES)
    found = part.begin(admitted(world, plan)).result()
    expected = truth()
    cells = [key for (key,) in [(d,) for d in plan.aggregate.keys[0].domain]]
    rows, ages = found.values[: len(cells)], found.values[-len(cells) :]
    for at, code in enumerate(cells):
        assert (rows[at], ages[at]) == expected.get(str(code), (0, 0))
    assert found.counts[: len(cells)] == rows  # one row each
    assert set(found.counts[len(cells) :]) == {0}
    part.close()


def test_noise_is_fresh_each_time_and_as_large_as_promised(
    world: World, pool: QueryPool, tmp_path: Path
) -> None:
    part = source(world, pool, tmp_path)
    plan = world.plan("SELECT COUNT(*) AS n FROM visits", epsilon=0.5)
    job = admitted(world, plan)
    assert job.calibration is not None
    sigma = job.calibration.sigma_node[0]
    drawn = [part.begin(job).result().values[0] - len(ROWS) for _ in range(40)]
    assert len(set(drawn)) > 10
    deviation = (sum(v * v for v in drawn) / len(drawn)) ** 0.5
    assert 0.5 * sigma < deviation < 1.7 * sigma  # missed in 1 of 10^6 runs
    assert part.begin(job).result().counts == ()
    part.close()


def test_values_out_of_bounds_are_clipped_ad_hoc_and_refused_exactly(
    world: World, pool: QueryPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [*ROWS, ("far", "F", 100_000)]
    part = source(world, pool, tmp_path, rows)
    sql = "SELECT SUM(age) AS age FROM visits"
    adhoc = admitted(world, world.plan(sql))
    assert adhoc.calibration is not None
    with caplog.at_level(logging.INFO, "veil.node"):
        found = part.begin(adhoc).result()
    assert "clipped" in caplog.text
    assert "100000" not in caplog.text
    offset = adhoc.plan.aggregate.measures[-1].offset
    clipped = sum(min(age, 120) - offset for _, _, age in rows)
    assert abs(found.values[-1] - clipped) < 6 * adhoc.calibration.sigma_node[-1]
    with pytest.raises(PolicyError) as refused:
        part.check_exact(admitted(world, world.exact(sql)))
    assert refused.value.code == "policy.out_of_bounds"
    assert "age" not in refused.value.message
    # A question that does not use the column is answered.
    part.check_exact(admitted(world, world.exact("SELECT COUNT(*) AS n FROM visits")))
    part.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) AS n FROM visits",  # the rest of a total is a question for it, too
        "SELECT COUNT(*) AS n FROM visits WHERE sex <> 'F'",
        "SELECT COUNT(*) AS n FROM visits WHERE NOT sex = 'F'",
        "SELECT COUNT(*) AS n FROM visits WHERE sex LIKE 'M'",
        "SELECT COUNT(*) AS n FROM visits WHERE sex > 'F'",
        "SELECT COUNT(*) AS n FROM visits WHERE UPPER(sex) = 'M'",
        "SELECT COUNT(*) AS n FROM visits WHERE SUBSTR(sex, 1, 1) = 'M'",
        "SELECT LOWER(sex) AS s, COUNT(*) AS n FROM visits GROUP BY s",
        "SELECT COUNT(*) AS n, SUM(age) AS age FROM visits WHERE COALESCE(sex, 'M') = 'M'",
    ],
)
def test_values_that_a_policy_leaves_out_are_in_no_answer(
    world: World, pool: QueryPool, tmp_path: Path, sql: str
) -> None:
    """Any words for them: the department answers as if the rows were not there."""
    told = []
    for rows in (ROWS, [row for row in ROWS if row[1] == "F"]):
        directory = tmp_path / str(len(rows))
        directory.mkdir()
        part = source(world, pool, directory, rows)
        job = admitted(world, world.exact(sql))
        columns = job.policy.columns | {"sex": replace(job.policy.columns["sex"], codes=("F",))}
        policy = replace(job.policy, columns=columns, dominance=(1, 0.9))
        told.append(part.begin(replace(job, policy=policy)).result())
        part.close()
    assert told[0] == told[1]


def test_one_person_counts_once_ad_hoc(world: World, pool: QueryPool, tmp_path: Path) -> None:
    rows = [*ROWS, *[("p1", "F", 30)] * 5000]
    part = source(world, pool, tmp_path, rows)
    job = admitted(world, world.plan("SELECT COUNT(*) AS n FROM visits"))
    assert job.calibration is not None
    found = part.begin(job).result().values[0]
    assert abs(found - len(ROWS)) < 8 * job.calibration.sigma_node[0]
    part.close()


def test_a_single_owner_suppresses_small_cells_by_itself(
    world: World, pool: QueryPool, tmp_path: Path
) -> None:
    rows = [row for row in ROWS if row[1] == "F"] + [("m1", "M", 30), ("m2", "M", 31)]
    part = source(world, pool, tmp_path, rows)
    others = frozenset(set(world.towns) - {"mid"})
    plan = world.plan(AGES, mode="exact", without=others)
    job = replace(_exact_alone(world, plan), plan=plan)
    found = part.begin(job).result()
    assert found.counts == ()
    cells = plan.aggregate.cells
    flags, values = found.values[:cells], found.values[cells:]
    shown = dict(zip(plan.aggregate.keys[0].domain, flags, strict=True))
    assert shown["M"] == 0
    for at, value in enumerate(values):
        assert value == 0 or flags[at % cells] == 1
    part.close()


def test_a_query_that_takes_too_long_fails_with_a_fixed_text(
    world: World, pool: QueryPool, tmp_path: Path
) -> None:
    part = source(world, pool, tmp_path, deadline_s=1e-6)
    with pytest.raises(UnavailableError) as failed:
        part.begin(admitted(world, world.exact(AGES))).result()
    assert failed.value.code.startswith("engine.")
    part.close()


def test_the_secret_order_moves_counts_and_vetoes_alike(world: World) -> None:
    job = admitted(world, world.exact(AGES))
    cells = job.plan.aggregate.cells
    counts = tuple(range(10, 10 + cells)) + tuple(range(50, 50 + cells))
    moved = secret_order(job, counts, ORDER_KEY)
    assert sorted(moved) == sorted(counts)
    assert [v - 40 for v in moved[cells:]] == moved[:cells]
    assert moved == secret_order(job, counts, ORDER_KEY)


def _exact_alone(world: World, plan: Plan) -> Admitted:
    """As the guard would admit it once this owner has granted it."""
    return admitted(world, replace(plan, mode="adhoc", epsilon=0.5, delta=1e-6))


def test_a_cancelled_part_kills_its_query(
    world: World, pool: QueryPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that runs already, as `Future.cancel` does not."""
    part = source(world, pool, tmp_path)
    endless = RenderedSql("SELECT COUNT(*) AS m0 FROM range(1000000000000) a(i) WHERE i % 7 = 3")
    monkeypatch.setattr("compute_nodes.jobs.part.render", lambda *_, **__: endless)
    running = part.begin(admitted(world, world.plan("SELECT COUNT(*) AS n FROM visits")))
    while not running.running():
        time.sleep(0.01)
    running.cancel()
    error = running.exception(10)
    assert isinstance(error, UnavailableError)
    assert "cancelled" in error.detail
    part.close()
