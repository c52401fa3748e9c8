"""The sample province: well-formed, deterministic, and what docs/samples holds."""

import filecmp
import time
import tomllib
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from catalog.config import load_dataset, load_policy
from catalog.sample import CITIES, DISTRICT_NAMES, visits
from catalog.sample_files import (
    cluster_toml,
    data_file,
    dataset_toml,
    policy_toml,
    write_cluster,
)
from exchange.cluster.config import load_cluster_config
from protos.faults import InputError

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"
SAMPLE_ROWS = 2000
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999


@pytest.fixture(scope="module")
def province() -> dict[str, pa.Table]:
    return {city.name: visits(city.name, rows=3000) for city in CITIES}


def test_resident_ids_follow_gb_11643(province: dict[str, pa.Table]) -> None:
    for city in CITIES:
        for row in province[city.name].slice(0, 300).to_pylist():
            text = row["resident_id"]
            assert len(text) == 18
            check = sum(w * int(d) for w, d in zip(WEIGHTS, text, strict=False)) % 11
            assert text[17] == "10X98765432"[check]
            assert text[:6] in city.districts
            assert text[6:14] == row["birth_date"].strftime("%Y%m%d")
            assert (int(text[16]) % 2 == 1) == (row["sex"] == "M")


def test_known_id_of_the_standard_checks_out() -> None:
    # GB 11643-1999, annex: 11010519491231002X.
    assert sum(w * int(d) for w, d in zip(WEIGHTS, "11010519491231002", strict=True)) % 11 == 2


def test_residents_are_distinct_and_cities_disjoint(province: dict[str, pa.Table]) -> None:
    ids = [text for table in province.values() for text in table["resident_id"].to_pylist()]
    assert len(set(ids)) == len(ids)


def test_a_resident_may_come_more_often_when_asked_for() -> None:
    table = visits("zhuhai", rows=3000, most_visits=3)
    times = pc.value_counts(table["resident_id"]).field("counts")
    assert table.num_rows == 3000
    assert pc.max(times).as_py() == 3
    born = table.group_by("resident_id").aggregate([("birth_date", "count_distinct")])
    assert pc.max(born["birth_date_count_distinct"]).as_py() == 1


def test_ages_are_completed_years(province: dict[str, pa.Table]) -> None:
    for row in province["foshan"].slice(0, 500).to_pylist():
        born, seen = row["birth_date"], row["visit_date"]
        had_birthday = (seen.month, seen.day) >= (born.month, born.day)
        assert row["age"] == seen.year - born.year - (not had_birthday)


def test_every_value_is_within_the_declaration(province: dict[str, pa.Table]) -> None:
    dataset = load_dataset(tomllib.loads(dataset_toml()))
    assert dataset.members == tuple(city.name for city in CITIES)
    assert dataset.columns["district"].codes == tuple(DISTRICT_NAMES)
    for table in province.values():
        assert set(table["department"].to_pylist()) <= set(
            dataset.columns["department"].codes or ()
        )
        assert set(table["diagnosis"].to_pylist()) <= set(dataset.columns["diagnosis"].codes or ())
        for name in ("age", "days", "cost", "visit_date"):
            low, high = dataset.columns[name].bounds or (0, 0)
            found = pc.min_max(table[name]).as_py()
            scale = 10 ** dataset.columns[name].decimals
            if name == "visit_date":
                found = {k: (v - date(1970, 1, 1)).days for k, v in found.items()}
            assert low <= found["min"] * scale
            assert found["max"] * scale <= high
        nulls = {name: table[name].null_count for name in table.column_names}
        assert nulls.pop("days") > 0
        assert not any(nulls.values())


@pytest.mark.parametrize("city", [city.name for city in CITIES])
def test_policies_fit_the_dataset(city: str) -> None:
    dataset = load_dataset(tomllib.loads(dataset_toml()))
    policy = load_policy(tomllib.loads(policy_toml(city)), dataset, city)
    assert (policy.department, policy.min_group, policy.budget.epsilon) == (city, 5, 20.0)
    assert "resident_id" not in policy.columns
    assert "name" not in policy.columns


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_cluster(tmp_path / name, seed=7, rows=200)
    write_cluster(tmp_path / "other", seed=8, rows=200)
    for city in CITIES:
        file = f"data/{data_file(city.name)}"
        assert filecmp.cmp(tmp_path / "one" / file, tmp_path / "two" / file, shallow=False)
        assert not filecmp.cmp(tmp_path / "one" / file, tmp_path / "other" / file, shallow=False)


def test_docs_samples_are_what_the_generator_writes() -> None:
    assert (SAMPLES / "cluster.toml").read_text("utf-8") == cluster_toml()
    assert (SAMPLES / "visits.toml").read_text("utf-8") == dataset_toml()
    for city in CITIES:
        policy = SAMPLES / "policies" / f"{city.name}.toml"
        assert policy.read_text("utf-8") == policy_toml(city.name)
        file = SAMPLES / "data" / data_file(city.name)
        expected = visits(city.name, rows=SAMPLE_ROWS)
        if file.suffix == ".parquet":
            assert pq.read_table(file).equals(expected)
        else:
            types = pacsv.ConvertOptions(column_types=expected.schema, strings_can_be_null=False)
            assert pacsv.read_csv(file, convert_options=types).equals(expected)


def test_the_sample_cluster_loads() -> None:
    config = load_cluster_config(SAMPLES / "cluster.toml")
    files = [item for department in config.department for item in department.data]
    assert len(files) == 5
    assert all(item.file.is_file() and item.policy.is_file() for item in files)


def test_a_hundred_thousand_rows_take_little_of_a_processor(province: dict[str, pa.Table]) -> None:
    start = time.process_time()
    for city in CITIES:
        visits(city.name)
    assert time.process_time() - start < 2.0


def test_an_unknown_city_is_named() -> None:
    with pytest.raises(InputError, match="atlantis"):
        visits("atlantis")
    with pytest.raises(InputError):
        visits("foshan", rows=0)
