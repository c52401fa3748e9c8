"""Where people write down to which department an analyst belongs."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from compute_nodes.cli import app
from exchange.cluster.config import load_cluster_config
from protos.cards import Pins
from protos.faults import InputError, TrustError

CLUSTER = """
datasets = []
analysts = ["ana"]
affiliations = {affiliations}
[[department]]
name = "foshan"
"""
KEY = "ab" * 32


def cluster(directory: Path, affiliations: str) -> dict[str, str]:
    file = directory / "cluster.toml"
    file.write_text(CLUSTER.format(affiliations=affiliations), "utf-8")
    return load_cluster_config(file).affiliations


def test_a_cluster_names_its_analysts_departments(tmp_path: Path) -> None:
    assert cluster(tmp_path, '{ ana = "foshan" }') == {"ana": "foshan"}
    assert cluster(tmp_path, "{}") == {}
    with pytest.raises(InputError, match="'bob', who is not under `analysts`"):
        cluster(tmp_path, '{ bob = "foshan" }')
    with pytest.raises(InputError, match="'zhuhai' is no department of this cluster"):
        cluster(tmp_path, '{ ana = "zhuhai" }')


def pin(directory: Path, *arguments: str) -> None:
    (directory / "member.json").touch()
    command = ["pin", *arguments, "--dir", str(directory)]
    CliRunner().invoke(app, command, catch_exceptions=False)


def test_an_operator_pins_an_analyst_with_its_department(tmp_path: Path) -> None:
    pin(tmp_path, "analyst", "ana", KEY)
    pin(tmp_path, "analyst", "ana", KEY, "--department", "foshan")
    pin(tmp_path, "department", "foshan", "cd" * 32)
    pins = Pins.load(tmp_path / "pins.toml")
    assert pins.department_of("ana") == "foshan"
    assert pins.fingerprint_of("analyst", "ana") == KEY
    with pytest.raises(TrustError, match="pinned as one of foshan, not of zhuhai"):
        pin(tmp_path, "analyst", "ana", KEY, "--department", "zhuhai")
    with pytest.raises(InputError, match="belongs to no department"):
        pin(tmp_path, "exchange", "hub", "ef" * 32, "--department", "foshan")
