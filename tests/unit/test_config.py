"""Dataset and policy files: exact numbers, and errors that name file, key and column."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from catalog.codec import policy_version
from catalog.config import load_dataset, load_policy
from catalog.policy import narrowed_codes
from protos.faults import InputError
from tests.sql_world import DATASET, POLICY

DATASET_TOML = """
name = "visits"
title = "Outpatient visits"
members = ["guangzhou", "shenzhen"]
max_rows = 1_000_000
subject = "resident_id"
subjects_disjoint = true
[columns.age]
type = "integer"
bounds = [0, 120]
[columns.cost]
type = "decimal"
decimals = 2
bounds = [-0.1, 50000]
[columns.day]
type = "date"
bounds = [2025-01-01, "2025-12-31"]
[columns.district]
type = "string"
codes = ["440103", "440104"]
uses = ["filter", "group"]
nullable = false
[columns.level]
type = "integer"
codes = [3, 1]
[columns.done]
type = "boolean"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "d.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_dataset_file_is_read_exactly(tmp_path: Path):
    dataset = load_dataset(write(tmp_path, DATASET_TOML))
    assert dataset.columns["cost"].bounds == (-10, 5_000_000)
    assert dataset.columns["day"].bounds == (20089, 20453)
    assert (date(1970, 1, 1).toordinal() + 20089) == date(2025, 1, 1).toordinal()
    assert dataset.columns["district"].codes == ("440103", "440104")
    assert dataset.columns["level"].codes == (3, 1)
    assert not dataset.columns["district"].nullable
    assert dataset.columns["age"].uses == {"join", "filter", "group", "aggregate"}
    assert (dataset.delta, dataset.max_rows_per_subject) == (1e-6, 1)
    assert list(dataset.columns) == ["age", "cost", "day", "district", "level", "done"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("max_rows = 1_000_000", "max_row = 1", "max_row is not a known key"),
        ("max_rows = 1_000_000", "", "max_rows: is missing"),
        ("max_rows = 1_000_000", "max_rows = 0", "max_rows: "),
        ("max_rows = 1_000_000", "max_rows = ", "is not TOML"),
        ('type = "boolean"', 'type = "float"', "columns.done.type: "),
        ('type = "boolean"', 'type = "boolean"\nbounds = [0, 1]', "columns.done.bounds: a boolean"),
        ("bounds = [0, 120]", "bounds = [0, 120.5]", "columns.age.bounds: 120.5 does not fit"),
        ("bounds = [0, 120]", "bounds = [0, inf]", "columns.age.bounds"),
        ("bounds = [0, 120]", "bounds = [0, 1e30]", "columns.age.bounds: 1E+30 does not fit"),
        ("bounds = [0, 120]", "bounds = [true, 120]", "columns.age.bounds: True does not suit"),
        ("bounds = [0, 120]", "bounds = [9, 1]", "columns.age.bounds: the lower one"),
        ("bounds = [0, 120]", "bounds = [0]", "columns.age.bounds"),
        ("[-0.1, 50000]", "[-0.001, 50000]", "columns.cost.bounds: -0.001 does not fit"),
        ('"2025-12-31"', '"31.12.2025"', "columns.day.bounds: '31.12.2025' is not a date"),
        ("codes = [3, 1]", "codes = [3, 3]", "columns.level.codes: is empty or lists"),
        ("codes = [3, 1]", 'codes = ["3"]', "columns.level.codes: '3' does not suit"),
        ("codes = [3, 1]", "decimals = 2", "columns.level.decimals"),
        ('name = "visits"', 'name = "Visits"', "name: "),
        ('["guangzhou", "shenzhen"]', '["gz", "gz"]', "lists 'gz' twice"),
        ('["guangzhou", "shenzhen"]', '["g z"]', "not a valid name"),
        ("[columns.age]", "[columns.Done]\ntype='boolean'\n[columns.age]", "by case only"),
    ],
)
def test_a_wrong_dataset_file_is_explained(tmp_path: Path, old: str, new: str, says: str):
    assert old in DATASET_TOML
    path = write(tmp_path, DATASET_TOML.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_dataset(path)
    assert says in caught.value.message
    assert str(path) in caught.value.message or "valid name" in says


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="does not exist"):
        load_dataset(tmp_path / "none.toml")


def test_a_policy_inherits_types_and_has_a_version():
    policy = load_policy(POLICY, DATASET, "a")
    assert policy.columns["cost"].decimals == 2
    assert policy.columns["cost"].uses == {"filter", "aggregate"}
    assert "rate" not in policy.columns
    assert (policy.min_parties, policy.min_group, policy.budget.in_flight) == (3, 5, 4)
    assert policy.version == policy_version(policy)
    assert policy.version != load_policy(changed("query.min_group", 6), DATASET, "a").version


def changed(where: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - any TOML value
    body: dict[str, Any] = copy.deepcopy(POLICY)
    *path, last = where.split(".")
    at = body
    for part in path:
        at = at.setdefault(part, {})
    at[last] = value
    return body


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        ("columns.height.uses", ["filter"], "columns.height: the dataset 'visits' has no such"),
        ("columns.age.bounds", [0, 121], "columns.age.bounds: are wider than the dataset's"),
        ("columns.sex.codes", ["F", "X"], "columns.sex.codes: 'X' is not in the dataset's"),
        ("columns.sex.uses", ["peek"], "columns.sex.uses"),
        ("columns.age.codes", [18, 121], "columns.age.codes: 121 is outside the bounds"),
        (
            "columns.sex.type",
            "integer",
            "columns.sex.type: is integer, the dataset declares string",
        ),
        ("columns.cost.decimals", 3, "columns.cost.decimals: is 3, the dataset declares 2"),
        ("columns.sex.grade", 1, "columns.sex.grade: 1 is less sensitive than the dataset's 2"),
        ("columns.sex.nullables", False, "columns.sex.nullables is not a known key"),
        ("columns.sex.type", "sexx", "columns.sex.type: 'sexx' is no type"),
        ("columns.free", {"type": "sexx"}, "columns.free.type: 'sexx' is no type"),
        ("columns.sex.within", 3, "columns.sex.within"),
        ("open", "yes", "open: must be one of"),
        ("publish", "drop", "publish: must be a table: [name] or {…}"),
        ("publsih", {}, "publsih is not a known key"),
        # Without [publish] nothing in the file is for anybody else: a misspelt name that was to
        # leave rows out is told, though nothing could be computed on it.
        ("columns.distrct.codes", ["440103"], "columns.distrct: the dataset 'visits' has no such"),
        ("query.max_groups_per_subject", 1, "query.max_groups_per_subject is not a known key"),
        ("query.budget.ceilling", 1, "query.budget.ceilling is not a known key"),
        ("audience", ["*"], "audience is not a known key"),
        ("query.max_rows_per_subject", 2, "query.max_rows_per_subject is 2"),
        ("query.protocols", ["plain"], "'plain' is not a protocol"),
        ("query.budget.default", 3.0, "default <= ceiling <= epsilon"),
        ("query.budget.projects", {"x": 0.7, "y": 0.4}, "sum to more than 1"),
        ("query.budget.epsilon", -1, "query.budget.epsilon"),
        ("query.limit", 1, "query.limit is not a known key"),
        ("dataset", "other", "is for 'other', not for 'visits'"),
    ],
)
def test_a_wrong_or_wider_policy_is_refused(where: str, value: object, says: str):
    with pytest.raises(InputError) as caught:
        load_policy(changed(where, value), DATASET, "a")
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("column", "says", "wrong"),
    [
        ("height", {"uses": ["filter"]}, "columns.height: the dataset 'visits' has no such column"),
        ("费用(元)", {"uses": ["filter"]}, "columns.费用(元): the dataset 'visits' has no such"),
        ("free", {"type": "integer"}, "columns.free.type: is integer, the dataset declares string"),
        ("rate", {"bounds": [0, 2]}, "columns.rate.bounds: are wider than the dataset's"),
        ("rate", {"decimals": 2}, "columns.rate.decimals: is 2, the dataset declares 1"),
        ("district", {"codes": ["440103", "x"]}, "'x' is not in the dataset's code list"),
        ("free", {"grade": 1}, "columns.free.grade: 1 is less sensitive than the dataset's 2"),
        ("老 人", {"type": "person"}, "columns.老 人.type: 'person' is no type"),
    ],
)
def test_a_part_to_be_published_makes_nothing_wider(column: str, says: dict[str, Any], wrong: str):
    body = changed("publish", {"methods": {column: "drop"}})
    body["columns"][column] = {**body["columns"].get(column, {}), **says}
    with pytest.raises(InputError) as caught:
        load_policy(body, DATASET, "a")
    assert wrong in caught.value.message


def test_columns_that_are_only_published_are_not_the_nodes():
    body = changed("publish", {"anything": {"may": ["stand", "here"]}})
    body["open"] = "unconditional"
    only = {"type": "cn_person", "role": "direct", "grade": 3}
    body["columns"] |= {"姓名": only, "费用(元)": {"bounds": [0, 1]}, "free": {"type": "free_text"}}
    body["columns"]["sex"] |= {
        "type": "sex", "role": "quasi", "nullable": False, "within": "district",
        "day_first": True, "same": [["F", "f"]],
    }  # fmt: skip
    policy, alone = load_policy(body, DATASET, "a"), load_policy(POLICY, DATASET, "a")
    assert policy == alone
    assert policy.version == alone.version


def test_a_narrower_code_list_counts_without_uses():
    """It leaves rows out of every answer (`narrowed_codes`), whatever may be computed."""
    body = changed("columns.district", {"codes": ["440103"]})
    policy = load_policy(body, DATASET, "a")
    assert narrowed_codes(policy, DATASET) == {"district": ("440103",)}
    assert not policy.columns["district"].uses
    everywhere = changed("columns.district", {"codes": ["440305", "440104", "440103"]})
    assert "district" not in load_policy(everywhere, DATASET, "a").columns


@pytest.mark.parametrize(
    ("declared", "said", "fits"),
    [
        ("direct", "direct", True),
        ("direct", "sensitive", False),
        ("direct", None, True),  # who says nothing contradicts nothing
        ("quasi", "sensitive", True),
        ("sensitive", "quasi", True),
        ("sensitive", "other", False),
        ("other", "direct", True),
    ],
)
def test_a_role_may_only_be_stronger(declared: str, said: str | None, fits: bool):
    column = {"type": "string", "codes": ["F"], "role": declared}
    dataset = load_dataset(
        {
            "name": "visits", "title": "t", "members": ["a"], "max_rows": 1, "subject": "id",
            "columns": {"sex": column},
        }
    )  # fmt: skip
    written = {"uses": ["group"]} | ({} if said is None else {"role": said})
    body = {**POLICY, "columns": {"sex": written}}
    if fits:
        assert load_policy(body, dataset, "a").columns["sex"].role == declared
        return
    with pytest.raises(InputError, match=f"role: '{said}' says less than the dataset's") as caught:
        load_policy(body, dataset, "a")
    assert declared in caught.value.remedy


def test_a_policy_may_say_again_what_is_declared():
    body = changed("columns.cost.type", "decimal")
    body["columns"]["cost"] |= {"decimals": 2, "grade": 3}
    body["columns"]["age"] |= {"codes": [18, 65], "bounds": [18, 65]}
    policy = load_policy(body, DATASET, "a")
    assert policy.columns["cost"] == replace(
        load_policy(POLICY, DATASET, "a").columns["cost"], grade=3
    )
    assert policy.columns["age"].codes == (18, 65)


def test_uses_beyond_the_dataset_are_refused():
    narrow = load_dataset(
        {
            "name": "visits", "title": "t", "members": ["a"], "max_rows": 1, "subject": "id",
            "columns": {"sex": {"type": "string", "codes": ["F"], "uses": ["filter"]}},
        }
    )  # fmt: skip
    body = {**POLICY, "columns": {"sex": {"uses": ["group"]}}}
    with pytest.raises(InputError, match="'group' is wider than the dataset allows"):
        load_policy(body, narrow, "a")


def test_shares_that_sum_to_one_in_decimals_pass():
    load_policy(changed("query.budget.projects", {"x": 0.7, "y": 0.2, "z": 0.1}), DATASET, "a")
