"""What the guides tell people to write is accepted as it stands."""

import datetime as dt
import json
import re
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pyarrow.parquet as pq
import pytest
import typer

from catalog.access import openid_settings
from catalog.codec import dataset_digest
from catalog.config import load_dataset, load_policy
from compute_nodes.config import load_node_config
from desensitize.masking import KINDS
from desensitize.masking.dates import Unit
from desensitize.policy_file import parse_policy
from exchange.cli import app
from exchange.cluster.config import ClusterConfig
from protos.keyfile import write_private
from tests.certificate_world import ExactJob, Office

Run = Callable[..., subprocess.CompletedProcess[str]]
GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"


def test_the_toml_of_bring_your_own_data_loads() -> None:
    text = (GUIDES / "bring-your-own-data.md").read_text("utf-8")
    found = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    dataset_text, policy_text, both_text, cluster_text = found
    dataset = load_dataset(tomllib.loads(dataset_text))
    policy = load_policy(tomllib.loads(policy_text), dataset, "guangzhou")
    assert policy.max_rows_per_subject == dataset.max_rows_per_subject == 3
    assert dataset.columns["cost"].bounds == (0, 500_000)
    assert set(load_policy(tomllib.loads(both_text), dataset, "guangzhou").columns) == {
        "age",
        "cost",
    }
    assert [each.name for each in parse_policy(both_text).published] == ["age", "cost"]
    assert ClusterConfig.model_validate(tomllib.loads(cluster_text)).analysts == ("me",)


def test_the_rules_of_the_grants_guide_are_a_node_s(tmp_path: Path) -> None:
    text = (GUIDES / "grants.md").read_text("utf-8")
    [rules] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "node.toml").write_text(f'exchange = "localhost:1"\n{rules}', "utf-8")
    found = load_node_config(tmp_path).grants
    assert found is not None
    assert [(each.name, each.office) for each in found.officer] == [
        ("Li Hua", "steward"), ("Wu Min", "chief"),
    ]  # fmt: skip
    rule = found.rule_for("visits")
    assert rule is not None
    assert rule.needs == {"steward": 1, "chief": 1}
    uncommented = re.sub(r"^# (department|removed)", r"\1", rules, flags=re.MULTILINE)
    (tmp_path / "node.toml").write_text(f'exchange = "localhost:1"\n{uncommented}', "utf-8")
    again = load_node_config(tmp_path).grants
    assert again is not None
    assert (again.department, again.officer[1].removed) == ("11440100…", dt.date(2026, 6, 1))


def test_the_scan_of_the_guide_says_what_the_guide_shows(tmp_path: Path, run: Run) -> None:
    text = (GUIDES / "scan.md").read_text("utf-8")
    [table] = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    [shown] = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "people.csv"
    path.write_text(table, "utf-8")
    said = run(Path(sys.executable).with_name("veil"), "desensitize", "scan", path)
    assert said.returncode == 0, said.stderr
    printed = [" ".join(line.split()) for line in said.stdout.splitlines()]
    for line in shown.splitlines():
        if line.strip():
            begin = " ".join(line.split())
            assert any(whole.startswith(begin) for whole in printed), line


def test_the_python_of_the_scan_guide_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (GUIDES / "scan.md").read_text("utf-8")
    [table] = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    (tmp_path / "people.csv").write_text(table, "utf-8")
    monkeypatch.chdir(tmp_path)
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(code, "scan.md", "exec"), {})  # noqa: S102 - our own guide
    printed = capsys.readouterr().out
    assert "cn_resident_id direct 4" in printed
    assert "CN_RESIDENT_ID" in printed


def test_the_release_of_the_guide_is_what_the_guide_shows(tmp_path: Path, run: Run) -> None:
    text = (GUIDES / "release.md").read_text("utf-8")
    [table] = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    [policy] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    shown, since = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    (tmp_path / "visits.csv").write_text(table, "utf-8")
    (tmp_path / "policy.toml").write_text(policy, "utf-8")
    veil, out = Path(sys.executable).with_name("veil"), tmp_path / "release"
    planned = run(veil, "desensitize", "plan", tmp_path / "visits.csv")
    assert parse_policy(planned.stdout).dataset == "visits"
    assert (
        run(veil, "desensitize", "keys", "new", tmp_path / "keys.toml", "patients").returncode == 0
    )
    command = (
        veil, "desensitize", "run", tmp_path / "visits.csv", "--policy", tmp_path / "policy.toml",
        "--token-keys", tmp_path / "keys.toml", "--out",
    )  # fmt: skip
    said = run(*command, out)
    assert said.returncode == 0, said.stderr
    printed = [" ".join(line.split()) for line in said.stdout.splitlines()]
    for line in shown.splitlines():
        begin = " ".join(line.split())
        assert any(whole.startswith(begin) for whole in printed), line
    assert sorted(path.name for path in out.iterdir()) == [
        "manifest.json", "policy.toml", "visits.parquet",
    ]  # fmt: skip
    rows = pq.read_table(out / "visits.parquet").to_pylist()
    rows.sort(key=lambda row: row["费用"])  # they stand in an order that new keys change
    assert [row["住址"] for row in rows] == ["北京市", "北京市", "广东省广州市"]
    assert [row["费用"] for row in rows] == [300, 1300, 50000]
    assert rows[0]["就诊日期"] - rows[1]["就诊日期"] == dt.timedelta(14)
    again = run(*command, tmp_path / "release3", "--earlier", out)
    assert again.returncode == 0, again.stderr
    assert since.strip() in again.stdout


def test_the_guide_names_every_method(tmp_path: Path) -> None:
    text = (GUIDES / "release.md").read_text("utf-8")
    methods = text[text.index("## Methods") : text.index("## In Python")]
    for kind in KINDS:
        for key in (kind.name, *kind.options):
            assert re.search(rf"\b{key}\b", methods), key


def test_the_python_of_the_release_guide_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (GUIDES / "release.md").read_text("utf-8")
    [table] = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    [policy] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "visits.csv").write_text(table, "utf-8")
    (tmp_path / "policy.toml").write_text(policy, "utf-8")
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(code, "release.md", "exec"), {})  # noqa: S102 - our own guide
    assert "3 ('备注',) dict_keys(['patients'])" in capsys.readouterr().out


def test_the_risks_of_the_guide_are_what_the_guide_shows(tmp_path: Path, run: Run) -> None:
    text = (GUIDES / "risk.md").read_text("utf-8")
    [table] = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    [policy] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    before, after = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    (tmp_path / "patients.csv").write_text(table, "utf-8")
    (tmp_path / "policy.toml").write_text(policy, "utf-8")
    veil, file, out = (
        Path(sys.executable).with_name("veil"),
        tmp_path / "patients.csv",
        tmp_path / "r",
    )
    columns = ("--quasi", "性别,年龄,区县", "--sensitive", "诊断")
    first = run(veil, "desensitize", "risk", file, *columns)
    made = run(veil, "desensitize", "run", file, "--policy", tmp_path / "policy.toml", "--out", out)
    second = run(veil, "desensitize", "risk", out)
    assert made.returncode == 0, made.stderr
    for said, shown in ((first, before), (second, after)):
        assert said.returncode == 0, said.stderr
        assert set(shown.splitlines()) <= {line.rstrip() for line in said.stdout.splitlines()}


def test_the_python_of_the_risk_guide_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (GUIDES / "risk.md").read_text("utf-8")
    [table] = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "patients.csv").write_text(table, "utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "risk.md", "exec"), {})  # noqa: S102 - our own guide
    assert capsys.readouterr().out.startswith("5 0.2 3\n")


def test_the_attest_guide_from_a_mask_that_falls_to_a_release_that_is_attested(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (GUIDES / "attest.md").read_text("utf-8")
    [table] = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    usual, better = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    attacked, passed, reported, revoked = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    for name, content in (("people.csv", table), ("usual.toml", usual), ("better.toml", better)):
        (tmp_path / name).write_text(content, "utf-8")
    monkeypatch.chdir(tmp_path)
    veil = Path(sys.executable).with_name("veil")
    ours = {"people.csv", "usual.toml", "better.toml", "usual", "release", "steward.pem"}
    ours.add("report.html")
    said = {}
    *lines, verify_line, revoke_line, _ = re.findall(r"^\$ veil (.*)$", text, re.MULTILINE)
    assert verify_line == "desensitize verify release/attestation.json --signer FINGERPRINT"
    for line in lines:
        words = [tmp_path / word if word in ours else word for word in line.split()]
        said[line] = run(veil, *words)
    attack = said["desensitize attack people.csv usual"]
    gate = next(each for line, each in said.items() if line.startswith("desensitize gate"))
    assert (attack.returncode, gate.returncode) == (1, 0), attack.stderr + gate.stderr
    report = next(each for line, each in said.items() if line.startswith("desensitize report"))
    for shown, printed in (
        (attacked, attack.stdout), (passed, gate.stdout), (reported, report.stdout),
    ):  # fmt: skip
        there = {
            " ".join(line.split()) for line in printed.replace(f"{tmp_path}/", "").splitlines()
        }
        assert {" ".join(line.split()) for line in shown.splitlines()} <= there
    fingerprint = re.findall(
        r"Fingerprint (\S+)", said["desensitize keys signing steward.pem"].stdout
    )
    verify = [veil, "desensitize", "verify", tmp_path / "release" / "attestation.json"]
    assert run(*verify, "--signer", *fingerprint).returncode == 0
    undecided = run(*verify)
    assert undecided.returncode == 1
    assert "Not decided: signer" in undecided.stdout
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(code, "attest.md", "exec"), {})  # noqa: S102 - our own guide
    printed = capsys.readouterr().out
    assert "mask_reversal 2.0 1000" in printed or "mask_reversal 2 1000" in printed
    assert "('signer', 'open')" in printed
    words = [tmp_path / word if word in ours else word for word in shlex.split(revoke_line)]
    assert run(veil, *words).returncode == 0
    told = run(*verify, "--signer", *fingerprint)
    assert told.returncode == 1
    today = dt.datetime.now(dt.UTC).date().isoformat()
    for line in revoked.replace("2026-11-26", today).splitlines():
        assert " ".join(line.split()) in {" ".join(x.split()) for x in told.stdout.splitlines()}


def test_the_synthesis_guide_from_a_table_to_rows_that_are_nobody_s(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (GUIDES / "synthesise.md").read_text("utf-8")
    maker, code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [policy] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    [shown] = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(maker, "synthesise.md", "exec"), {})  # noqa: S102 - our own guide
    (tmp_path / "policy.toml").write_text(policy, "utf-8")
    veil = Path(sys.executable).with_name("veil")
    said = run(
        veil, "desensitize", "synthesise", tmp_path / "visits.csv",
        "--policy", tmp_path / "policy.toml", "--out", tmp_path / "synthetic",
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert set(shown.splitlines()) <= {line.rstrip() for line in said.stdout.splitlines()}
    assert sorted(path.name for path in (tmp_path / "synthetic").iterdir()) == [
        "manifest.json", "policy.toml", "visits.synthetic.parquet",
    ]  # fmt: skip
    exec(compile(code, "synthesise.md", "exec"), {})  # noqa: S102 - our own guide
    printed = capsys.readouterr().out
    assert printed.startswith("500 1.0\n")
    assert "('费用', '住院')" in printed


def test_the_synthesis_guide_names_every_domain() -> None:
    text = (GUIDES / "synthesise.md").read_text("utf-8")
    for word in ("codes", "band", "date", "district", "file", "level", *get_args(Unit)):
        assert re.search(rf"\b{word}\b", text), word


def test_the_certificates_of_the_guide_hold_until_one_is_suspended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (GUIDES / "certificates.md").read_text("utf-8")
    [declaration] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    holds, suspended = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("visits.toml").write_text(declaration, "utf-8")
    office = Office(tmp_path)
    job = ExactJob(office.key, office.owners, int(time.time()))
    job.dataset_digest = dataset_digest(load_dataset(Path("visits.toml")))
    Path("receipt.json").write_text(json.dumps(job.document()), "utf-8")
    office.key.save(Path("identity.key"))
    office.pins.save(Path("pins.toml"))
    known: dict[str, str] = {}
    said: list[str] = []
    for line in re.findall(r"^\$ veil (.*)$", text, re.MULTILINE):
        words = [known.get(word, word) for word in shlex.split(line)]
        code = typer.main.get_command(app)(words, standalone_mode=False)
        printed = capsys.readouterr().out
        assert (code or 0) == int("does not hold" in printed), printed
        if words[:3] == ["certificate", "witness", "init"]:
            known[f"${words[3].partition('.')[0].upper()}"] = printed.splitlines()[-1]
        for kind, name in (("circulation", "$RESULT"), ("registration", "$REGISTRATION")):
            if found := re.search(rf"{kind} (\w{{12}}), entry", printed):
                known[name] = found[1]
        if words[0] == "verify":
            said.append(printed)
    for shown, printed in zip((holds, suspended), said, strict=True):
        lines = [" ".join(line.split()) for line in printed.splitlines()]
        for wanted in shown.splitlines():
            begin = " ".join(wanted.split())
            assert any(line.startswith(begin) for line in lines), (wanted, printed)
    assert Path("result.svg").read_text("utf-8").startswith("<?xml")


def test_the_openid_settings_of_the_accounts_guide_load(tmp_path: Path) -> None:
    text = (GUIDES / "accounts.md").read_text("utf-8")
    [settings] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "openid.toml").write_text(settings, "utf-8")
    write_private(tmp_path / "gov.secret", b"secret")
    (client,) = openid_settings.load(tmp_path)
    assert client.redirect in text
