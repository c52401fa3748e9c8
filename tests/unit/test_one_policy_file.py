"""One policy file for both of its readers: the pipeline's proposal, computed on by a node."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

import desensitize
from catalog.config import load_dataset, load_policy
from compute_nodes.config import DataSource, NodeConfig
from compute_nodes.daemon import load_holdings
from desensitize.keys import new_keys
from desensitize.policy_file import parse_policy
from protos.faults import InputError

DEPARTMENT = "guangzhou"
DATASET = """
name = "visits"
title = "Outpatient visits"
members = ["guangzhou"]
max_rows = 1000
subject = "身份证号"
[columns."性别"]
type = "string"
codes = ["男", "女"]
[columns."年龄"]
type = "integer"
bounds = [0, 120]
[columns."就诊日期"]
type = "date"
bounds = [2024-01-01, 2024-12-31]
[columns."费用"]
type = "decimal"
decimals = 2
bounds = [0, 5000]
[columns."备注"]
type = "string"
"""
QUERY = """
[query]
subject = "身份证号"
[query.budget]
epsilon = 10.0
default = 0.5
ceiling = 2.0
"""
USED = {
    "性别": 'uses = ["filter", "group"]',
    "年龄": 'uses = ["filter", "group", "aggregate"]\nbounds = [0, 100]',
    "就诊日期": 'uses = ["filter"]\nday_first = false',
    "费用": 'uses = ["aggregate"]\ndecimals = 2',
}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, what `plan` says of it with the node's part added, and a dataset's declaration."""
    folder = tmp_path_factory.mktemp("one")
    lines = ["身份证号,姓 名,性别,年龄,就诊日期,费用,费用(元),备注"]
    for i in range(40):
        name = "张李王陈"[i % 4] + "伟芳"[i % 2]
        lines.append(
            f"11010519491231{i:03d}X,{name},{'男女'[i % 2]},{20 + i % 4},2024-03-{1 + i % 9:02d},"
            f"{100 + i}.50,{i},无"
        )
    (folder / "visits.csv").write_text("\n".join(lines) + "\n", "utf-8")
    text = desensitize.plan(folder / "visits.csv")
    for name, says in USED.items():
        text = text.replace(f'[columns."{name}"]', f'[columns."{name}"]\n{says}')
    (folder / "policy.toml").write_text(text + QUERY, "utf-8")
    (folder / "dataset.toml").write_text(DATASET, "utf-8")
    return folder


def test_pipeline_and_node_take_the_same_file(room: Path, tmp_path: Path):
    new_keys(room / "keys.toml", ["visits"])
    release = desensitize.run(
        room / "visits.csv", policy=room / "policy.toml", out=tmp_path / "release",
        token_keys=room / "keys.toml",
    )  # fmt: skip
    assert release.output.rows == 40
    assert "姓 名" not in pq.read_schema(tmp_path / "release" / "visits.parquet").names

    source = DataSource(
        dataset=room / "dataset.toml", file=room / "visits.csv", policy=room / "policy.toml"
    )
    held = load_holdings(tmp_path, NodeConfig(exchange="localhost:1", data=(source,)), DEPARTMENT)
    policy = held["visits"].policy
    assert set(policy.columns) == set(USED)
    assert (policy.columns["年龄"].bounds, policy.columns["费用"].bounds) == ((0, 100), (0, 500000))
    assert held["visits"].snapshot.rows == 40
    # What is only published, names among it, is not in what the node computes on.
    assert set(held["visits"].snapshot.report.columns) == {*USED, "身份证号"}


def test_what_is_published_is_not_in_the_nodes_version(room: Path):
    dataset = load_dataset(room / "dataset.toml")
    text = (room / "policy.toml").read_text("utf-8")
    used = "\n".join(f'[columns."{name}"]\n{says}' for name, says in USED.items())
    alone = room / "alone.toml"
    alone.write_text(f'dataset = "visits"\n{used}\ngrade = 3\n{QUERY}', "utf-8")
    version = load_policy(alone, dataset, DEPARTMENT).version
    for change in (
        ("", ""),
        ('open = "conditional"', 'open = "unconditional"'),
        ("max_suppressed = 0.02", "max_suppressed = 0.03"),
        ('role = "quasi"', 'role = "sensitive"'),
        ('type = "sex"', 'type = "string"'),
        ('"备注" = "drop"', '"备注" = "redact"'),
        ('[columns."备注"]', '[columns."备注"]\nsame = [["无", "没有"]]\nnullable = false'),
    ):
        changed = text.replace(*change, 1)
        assert not change[0] or changed != text, change
        alone.write_text(changed, "utf-8")
        assert load_policy(alone, dataset, DEPARTMENT).version == version, change
    alone.write_text(text.replace("bounds = [0, 100]", "bounds = [0, 99]"), "utf-8")
    assert load_policy(alone, dataset, DEPARTMENT).version != version


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("\n[publish]", "\n[publsih]", "publsih is not a known key"),
        ("\n[query]", "\n[qurey]", "qurey is not a known key"),
        ("open =", "opne =", "opne is not a known key"),
        ("uses =", "use =", "columns.性别.use is not a known key"),
        ("role =", "rolle =", "columns.身份证号.rolle is not a known key"),
        ('["filter", "group"]', '["peek"]', "columns.性别.uses"),
        ("cn_resident_id", "resident_id", "'resident_id' is no type"),
        ("grade = 4", "grade = 5", "columns.身份证号.grade"),
        ("decimals = 2", "decimals = 10", "columns.费用.decimals"),
        ("bounds = [0, 100]", "bounds = [0, true]", r"columns\W+年龄\W+bounds"),
        ("bounds = [0, 100]", "bounds = [2024-01-01, 100]", r"columns\W+年龄\W+bounds"),
        ("bounds = [0, 100]", "bounds = [100, 0]", r"columns\W+年龄\W+bounds"),
        ("day_first = false", 'day_first = "maybe"', "columns.就诊日期.day_first"),
        ("day_first = false", 'same = [["a"]]', "columns.就诊日期.same"),
    ],
)
def test_both_refuse_what_neither_knows(room: Path, old: str, new: str, says: str):
    text = (room / "policy.toml").read_text("utf-8")
    assert old in text
    broken = room / "broken.toml"
    broken.write_text(text.replace(old, new, 1), "utf-8")
    dataset = load_dataset(room / "dataset.toml")
    with pytest.raises(InputError, match=says) as at_the_node:
        load_policy(broken, dataset, DEPARTMENT)
    with pytest.raises(InputError, match=says) as in_the_pipeline:
        parse_policy(broken.read_text("utf-8"), where="broken.toml")
    for caught in (at_the_node, in_the_pipeline):
        assert caught.value.said.zh != caught.value.said.en
        assert "broken.toml" in caught.value.said.zh
