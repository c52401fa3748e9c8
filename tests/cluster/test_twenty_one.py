"""Twenty-one departments on one machine: an answer, many drop-outs, an exact answer."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalog import sample_files
from catalog.sample import visits
from catalog.sample_lists import CITIES
from exchange.analyst.answer import Answer
from exchange.cluster.cluster import Cluster
from protos.faults import JobError
from tests.cluster_world import COUNT, TestCluster

pytestmark = pytest.mark.slow

NODES = 21
THRESHOLD = 2 * NODES // 3 + 1
ROWS = 200


class Province(TestCluster):
    """A federation of towns, each with rows of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cluster = Cluster(directory / "cluster")
        self.config = write_province(directory / "sample")
        self._presences = {}


def write_province(folder: Path) -> Path:
    """Writes declaration, policies and data of every town; returns ``cluster.toml``."""
    (folder / "data").mkdir(parents=True)
    names = [f"town{number:02}" for number in range(NODES)]
    parts = ['datasets = ["visits.toml"]']
    for number, name in enumerate(names):
        city = CITIES[number % len(CITIES)].name
        table = visits(city, seed=number + 1, rows=ROWS)
        pq.write_table(table, folder / "data" / f"visits-{name}.parquet")
        (folder / f"{city}.toml").write_text(sample_files.policy_toml(city), "utf-8")
        parts.append(
            f'[[department]]\nname = "{name}"\n[[department.data]]\ndataset = "visits"\n'
            f'file = "data/visits-{name}.parquet"\npolicy = "{city}.toml"'
        )
    declared = sample_files.dataset_toml()
    (line,) = (row for row in declared.splitlines() if row.startswith("members"))
    members = ", ".join(f'"{name}"' for name in names)
    (folder / "visits.toml").write_text(declared.replace(line, f"members = [{members}]"), "utf-8")
    config = folder / "cluster.toml"
    config.write_text("\n".join(parts), "utf-8")
    return config


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    province = Province(tmp_path_factory.mktemp("province"))
    try:
        province.up()
        yield province
    finally:
        province.down()


def near(province: Province, answer: Answer, without: Collection[str] = ()) -> bool:
    """Whether every figure is within three interval widths of the truth."""
    truth = province.rows[~province.rows["city"].isin(without)].groupby("sex").size()
    found = answer.to_pandas().set_index("sex")["n"]
    assert answer.intervals is not None
    ends = answer.intervals.to_pandas()
    half = (ends["n_high"] - ends["n_low"]).to_numpy() / 2
    return bool(((found - truth).abs().to_numpy() <= 3 * half).all())


def test_all_of_them_answer(province: Province) -> None:
    with province.connect() as veil:
        answer = veil.sql(COUNT)
    assert near(province, answer)
    assert len(answer.receipt["statements"]) == NODES


def test_as_many_as_may_drop_out_do_and_one_more_is_too_many(province: Province) -> None:
    gone = province.names[: NODES - THRESHOLD]
    for name in gone:
        province.kill(name)
    with province.connect() as veil:
        answer = veil.sql(COUNT, fresh=True, protocol="masked_sum")
        assert near(province, answer, without=gone)
        assert any(f"{THRESHOLD} of {NODES}" in note for note in answer.notes)
        assert all(any(name in note for note in answer.notes) for name in gone)
        province.kill(province.names[-1])
        with pytest.raises(JobError, match=f"{THRESHOLD} are needed"):
            veil.sql(COUNT, fresh=True, protocol="masked_sum")
    province.heal()


def test_exact_figures_of_all_of_them(province: Province) -> None:
    sql = "SELECT sex, COUNT(*) AS n, SUM(cost) AS cost FROM visits GROUP BY sex ORDER BY sex"
    with province.connect() as veil:
        province.grant(veil, sql)
        found = veil.sql(sql, exact=True).to_pandas()
    truth = province.rows.groupby("sex").agg(n=("sex", "size"), cost=("cost", "sum"))
    assert found["n"].tolist() == truth["n"].tolist()
    assert [round(float(v), 2) for v in found["cost"]] == [round(v, 2) for v in truth["cost"]]
