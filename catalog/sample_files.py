"""The sample province as files: declaration, policies, ``cluster.toml`` and data.

``write_cluster`` writes a folder that ``veil up --config FOLDER/cluster.toml`` starts from;
``docs/samples`` is one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from catalog.sample import (
    COST_CAP_FEN,
    DATASET,
    MOST_DAYS,
    ROWS,
    YEAR,
    city_named,
    visits,
)
from catalog.sample_lists import CITIES, DEPARTMENTS, DIAGNOSES

CSV_CITY: Final = "zhuhai"  # one city keeps CSV, so that both formats are seen


def write_province(
    directory: Path, *, seed: int = 1, rows: int = ROWS, most_visits: int = 1
) -> dict[str, Path]:
    """Writes every city's table below ``directory``: Parquet, and CSV for zhuhai.

    Args:
        directory: Made if it does not exist; files of the same name are replaced.
        seed: Same seed, same bytes.
        rows: Rows per city.
        most_visits: See ``visits``.

    Returns:
        City name → file.
    """
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

    directory.mkdir(parents=True, exist_ok=True)
    files = {city.name: directory / data_file(city.name) for city in CITIES}
    for name, file in files.items():
        table = visits(name, seed=seed, rows=rows, most_visits=most_visits)
        if name == CSV_CITY:
            pacsv.write_csv(table, file)
        else:
            pq.write_table(table, file, compression="zstd")
    return files


def data_file(city: str) -> str:
    """Returns the name of a city's data file."""
    return f"{DATASET}-{city}.{'csv' if city == CSV_CITY else 'parquet'}"


def write_cluster(
    directory: Path, *, seed: int = 1, rows: int = ROWS, most_visits: int = 1
) -> Path:
    """Writes a whole sample federation; returns its ``cluster.toml``.

    Args:
        directory: Made if it does not exist; files of the same name are replaced.
        seed: Same seed, same bytes.
        rows: Rows per city.
        most_visits: See ``visits``.
    """
    write_province(directory / "data", seed=seed, rows=rows, most_visits=most_visits)
    (directory / "policies").mkdir(exist_ok=True)
    texts = {
        "cluster.toml": cluster_toml(),
        f"{DATASET}.toml": dataset_toml(most_visits=most_visits),
        **{
            f"policies/{city.name}.toml": policy_toml(city.name, most_visits=most_visits)
            for city in CITIES
        },
    }
    for name, text in texts.items():
        (directory / name).write_text(text, "utf-8")
    return directory / "cluster.toml"


def cluster_toml() -> str:
    """Returns a ``cluster.toml`` with the five cities and one analyst."""
    departments = "\n".join(
        f"""\
[[department]]
name = "{city.name}"
title = "{city.title}"
[[department.data]]
dataset = "{DATASET}"
file = "data/{data_file(city.name)}"
policy = "policies/{city.name}.toml"
"""
        for city in CITIES
    )
    return f"""\
# Five cities' health departments, an exchange and an analyst on this machine:
#
#     veil up --config cluster.toml
#
# Paths are relative to this file.
datasets = ["{DATASET}.toml"]
analysts = ["analyst"]

{departments}"""


def dataset_toml(*, max_rows: int = 100_000, most_visits: int = 1) -> str:
    """Returns the declaration of the dataset ``visits`` that all five cities agreed to."""
    members = ", ".join(f'"{city.name}"' for city in CITIES)
    districts = ",\n  ".join(
        f'"{code}",  # {city.title[:2]} {district}'
        for city in CITIES
        for code, district in city.districts.items()
    )
    departments = ", ".join(f'"{name}"' for name in DEPARTMENTS)
    diagnoses = ", ".join(f'"{row[0]}"' for row in DIAGNOSES)
    return f"""\
# What five cities agreed to answer for. A city's policy may narrow it, never widen it.
name = "{DATASET}"
title = "Outpatient visits {YEAR}"
members = [{members}]
max_rows = {max_rows}
subject = "resident_id"
max_rows_per_subject = {most_visits}
subjects_disjoint = true
delta = 1e-6

[columns.sex]
type = "string"
codes = ["F", "M"]
nullable = false

[columns.age]
type = "integer"
bounds = [0, 100]
nullable = false

[columns.district]
type = "string"
codes = [
  {districts}
]
nullable = false

[columns.visit_date]
type = "date"
bounds = [{YEAR}-01-01, {YEAR}-12-31]
nullable = false

[columns.department]
type = "string"
codes = [{departments}]
nullable = false

[columns.diagnosis]
type = "string"
codes = [{diagnoses}]
nullable = false

[columns.cost]
type = "decimal"
decimals = 2
bounds = [0, {COST_CAP_FEN // 100}]
nullable = false

[columns.insured]
type = "boolean"
nullable = false

[columns.days]
type = "integer"
bounds = [0, {MOST_DAYS}]
"""


def policy_toml(name: str, *, most_visits: int = 1) -> str:
    """Returns the policy file of one city for ``visits``: the law at its node."""
    city = city_named(name)
    return f"""\
# {city.title}: what may be asked of our rows of "{DATASET}".
# A column that is not named here cannot be used at all.
dataset = "{DATASET}"

[columns.sex]
uses = ["filter", "group"]
[columns.age]
uses = ["filter", "group", "aggregate"]
[columns.district]
uses = ["filter", "group"]
[columns.visit_date]
uses = ["filter", "group"]
[columns.department]
uses = ["filter", "group"]
[columns.diagnosis]
uses = ["filter", "group"]
[columns.cost]
uses = ["filter", "aggregate"]
[columns.insured]
uses = ["filter", "group", "aggregate"]
[columns.days]
uses = ["filter", "group", "aggregate"]

[query]
subject = "resident_id"
max_rows_per_subject = {most_visits}
min_group = 5
min_parties = 3
max_cells = 100_000
protocols = ["masked_sum", "he_sum", "sealed"]
audience = ["*"]
colluders = 0

[query.budget]
epsilon = 20.0
default = 0.5
ceiling = 2.0
in_flight = 4

[query.budget.projects]
default = 1.0
"""
