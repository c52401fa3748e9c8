"""A cluster's files are read before anything starts; a mistake is named in the user's own file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from exchange.cluster.check import check_cluster
from exchange.cluster.cluster import Cluster
from exchange.cluster.config import load_cluster_config
from exchange.step_names import step_name
from protos.faults import InputError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "docs" / "samples", tmp_path / "samples"))


def problem(samples: Path) -> str:
    with pytest.raises(InputError) as refused:
        check_cluster(load_cluster_config(samples / "cluster.toml"))
    assert refused.value.said.zh != refused.value.said.en
    assert refused.value.advice.zh != refused.value.advice.en
    return refused.value.message


def test_the_sample_is_right(samples: Path) -> None:
    check_cluster(load_cluster_config(samples / "cluster.toml"))


@pytest.mark.parametrize("name", ["data/visits-foshan.parquet", "policies/foshan.toml"])
def test_a_missing_file_is_named_with_its_department(samples: Path, name: str) -> None:
    (samples / name).unlink()
    assert problem(samples) == f"foshan: {samples / name} does not exist"


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("cluster.toml", 'name = "foshan"', 'name = "guangzhou"', "'guangzhou' is listed twice"),
        ("cluster.toml", 'title = "佛山', 'titel = "佛山', "titel is not a known key"),
        ("cluster.toml", 'policy = "policies/foshan.toml"', "", "policy: is missing"),
        ("cluster.toml", 'analysts = ["analyst"]', "analysts = 1", "analysts: must be a list"),
        ("cluster.toml", 'name = "foshan"', 'name = "heyuan"', "'foshan' is no department"),
        ("visits.toml", ', "zhuhai"]', "]", "zhuhai is no member of 'visits'"),
        ("visits.toml", 'type = "date"', 'type = "day"', "must be one of 'integer'"),
        ("policies/foshan.toml", "[columns.sex]", "[columns.income]", "has no such column"),
        ("policies/foshan.toml", '"filter"', '"filtre"', "must be one of 'join'"),
    ],
)
def test_a_mistake_is_told_in_the_users_own_file(
    samples: Path, file: str, old: str, new: str, says: str
) -> None:
    path = samples / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    assert says in problem(samples)


@pytest.mark.parametrize(
    ("step", "en", "zh"),
    [
        ("main/masked", "masked figures", "掩码后的数值"),
        ("counts/shares", "group sizes: shares for drop-outs", "分组人数：备用密钥份额"),
        ("receipt", "signatures on the receipt", "签署回执"),
        ("main/unheard-of", "main/unheard-of", "main/unheard-of"),
    ],
)
def test_steps_have_names_for_people(step: str, en: str, zh: str) -> None:
    assert (step_name(step).en, step_name(step).zh) == (en, zh)


def test_what_an_earlier_cluster_left_is_moved_aside_and_not_removed(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    assert cluster.make_room() is None
    kept = []
    for number in range(2):
        (tmp_path / "catalog").mkdir()
        (tmp_path / "catalog" / "catalog.db").write_text(f"accounts {number}")
        (tmp_path / "sample").mkdir(exist_ok=True)
        kept.append(cluster.make_room())
        assert not (tmp_path / "catalog").exists()
    assert (tmp_path / "sample").is_dir(), "what a person names with --config stays"
    for number, aside in enumerate(kept):
        assert aside is not None
        assert (aside / "catalog" / "catalog.db").read_text() == f"accounts {number}"
    (tmp_path / "people").mkdir()
    assert cluster.make_room(fresh=True) is None
    assert not (tmp_path / "people").exists()
