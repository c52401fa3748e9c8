"""Looking for one person in synthetic rows, in what lies beside them, and in how they are made."""

from __future__ import annotations

import datetime as dt
import json
import math
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import desensitize
from desensitize.attesting.signing import new_signing_key, read_signing_key
from desensitize.attesting.synthetic import SUBJECT, judge_synthetic
from desensitize.budget import rho_for
from desensitize.keys import TokenKeys
from desensitize.masking.base import Cell, Workshop
from desensitize.masking.numbers import TopCode
from desensitize.policy import PublishPolicy
from desensitize.policy_file import read_policy
from desensitize.releasing.facts import RescanFacts, read_release
from desensitize.sources import open_object
from desensitize.synthesis import write as writing
from desensitize.synthesis.counts import CodedTable
from desensitize.synthesis.facts import SynthesisFacts
from desensitize.synthesis.mechanism import Counts, measure
from desensitize.synthesis.spec import asked
from protos.data_integrity import secure
from protos.did_key import did_of
from protos.faults import InputError, TrustError
from tests.synthesis_world import ArrayCounts, policy_of, success, table_of

VEIL = Path(sys.executable).with_name("veil")
RUNS = 400


def canary_seen(counts: Counts, rho: float, bound: int, cell: tuple[int, int]) -> float:
    """What the noisy counts say of the cell that nobody but the canary has.

    The attacker sees more than any reader: rows are drawn from these counts and from nothing else,
    so what he cannot tell, no rows tell.
    """
    measured = measure(counts, rho, bound)
    seen = sum(one.counts[at] for one, at in zip(measured.ones, cell, strict=True))
    return float(seen + sum(pair.counts[cell] for pair in measured.pairs))


def tables(people: int, canaries: int) -> tuple[ArrayCounts, ArrayCounts]:
    """A hundred people who look alike, with and without rows that nobody else has."""
    usual = np.zeros(people, dtype=np.int64)
    other = np.concatenate([usual, np.full(canaries, 2)])
    return ArrayCounts((other, other), (4, 4)), ArrayCounts((usual, usual), (4, 4))


def test_an_outlier_is_found_without_noise_and_not_with_it() -> None:
    """The attacker knows all rows but one, and that it would be the only one of its kind."""
    inside, outside = tables(100, 1)

    def play(epsilon: float) -> tuple[float, float]:
        rho = rho_for(epsilon, 1e-6)
        return success(
            lambda: canary_seen(inside, rho, 1, (2, 2)),
            lambda: canary_seen(outside, rho, 1, (2, 2)),
            RUNS,
        )

    found, proved = play(1000.0)  # what no policy may ask for
    assert found > 0.9
    assert proved > 1.0
    found, proved = play(1.0)
    assert found < 0.7  # at epsilon 1 nobody can be right more often than e / (1 + e) = 0.73
    assert proved <= 1.0


def coded(rows: dict[str, list[Any]], section: str) -> tuple[CodedTable, Any]:
    policy = policy_of(section, 'domains = { sex = "codes", age = { band = 50 } }')
    rules = asked(policy.synthesis, None, None, None)
    return writing._coded(open_object(pa.table(rows)), policy, rules)[0], rules


def test_one_person_with_many_rows_is_found_unless_they_are_bounded() -> None:
    """Forty rows of one person: a declaration that a row is a subject is no protection of hers."""
    usual = {"who": [f"p{i}" for i in range(100)], "sex": ["f"] * 100, "age": [10] * 100,
             "day": [None] * 100, "note": [None] * 100}  # fmt: skip
    hers = {"who": ["canary"] * 40, "sex": ["m"] * 40, "age": [70] * 40,
            "day": [None] * 40, "note": [None] * 40}  # fmt: skip
    both = {name: usual[name] + hers[name] for name in usual}
    shares, proofs = {}, {}
    for section in ("row_is_subject = true", 'subject = "who"\nmax_rows_per_subject = 2'):
        inside, rules = coded(both, section)
        outside, _ = coded(usual, section)
        held = [
            ArrayCountsOf(table, tuple(table.one(i) for i in range(2)), table.pair(0, 1))
            for table in (inside, outside)
        ]
        rho, bound = rho_for(1.0, 1e-6), rules.max_rows_per_subject
        shares[section], proofs[section] = success(
            lambda: canary_seen(held[0], rho, bound, (1, 1)),  # noqa: B023 - called at once
            lambda: canary_seen(held[1], rho, bound, (1, 1)),  # noqa: B023
            RUNS,
        )
    unbounded, bounded = shares
    assert shares[unbounded] > 0.9
    assert proofs[unbounded] > 1.0
    assert shares[bounded] < 0.7
    assert proofs[bounded] <= 1.0


class ArrayCountsOf:
    """Counts that were asked of the engine once."""

    def __init__(self, table: CodedTable, ones: tuple[Any, ...], pair: Any) -> None:  # noqa: ANN401
        self.sizes, self._ones, self._pair = table.sizes, ones, pair

    def one(self, column: int) -> Any:  # noqa: ANN401
        return self._ones[column]

    def pair(self, first: int, second: int) -> Any:  # noqa: ANN401
        return self._pair


def test_of_each_subject_the_first_rows_count_and_of_nobody_none() -> None:
    rows = {
        "who": ["a", "b", "a", "a", None, " ", "b", "c"],
        "sex": ["f", "m", "f", "m", "m", "m", "m", "x"],
        "age": [1] * 8, "day": [None] * 8, "note": [None] * 8,
    }  # fmt: skip
    table, _ = coded(rows, 'subject = "who"\nmax_rows_per_subject = 2')
    assert table.one(0).tolist() == [2, 2, 1]  # a: f f; b: m m; c: outside, counts as empty
    assert table.rows() == (8, 5)
    # One subject more moves no count by more than its two rows, and no other subject's rows.
    more = {name: [*values, *values[:1] * 5] for name, values in rows.items()}
    more["who"][8:] = ["d"] * 5
    assert coded(more, 'subject = "who"\nmax_rows_per_subject = 2')[0].one(0).tolist() == [4, 2, 1]


def test_two_neighbours_have_the_same_domains_and_the_same_schema(tmp_path: Path) -> None:
    """The only oldest, the only value of its kind, the last day: nothing of it shows."""
    usual = table_of(300)
    extreme = {"who": "x", "sex": "王小明", "age": 1_000_000, "day": "1900-01-01", "note": "13800138000"}  # noqa: E501  # fmt: skip
    neighbour = {name: [*values, extreme[name]] for name, values in usual.items()}
    kinds = []
    for number, rows in enumerate((usual, neighbour)):
        out = tmp_path / str(number)
        made = desensitize.synthesise(pa.table(rows), policy=policy_of(), out=out, rows=4000)
        table = pq.read_table(out / "t.synthetic.parquet")
        frame = table.to_pandas().dropna()
        assert set(frame.sex) <= {"f", "m"}
        assert frame.age.between(0, 99).all()
        assert frame.day.map(str).between("2024-01-01", "2024-12-31").all()
        facts = read_release(out).synthesis
        assert facts is not None
        ones = [m for m in facts.marginals if len(m.columns) == 1]
        kinds.append((table.schema, table.schema.metadata, facts.domains, ones))
        assert made.steward.rows_in == 300 + number
    assert kinds[0] == kinds[1]


def test_no_domain_can_ask_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """A domain is built in a workshop that has no way to measure the rows."""
    seen: list[Workshop] = []
    build = writing.domain_of

    def spied(column, rule, cell: Cell, shop: Workshop, engine, folder):  # noqa: ANN001, ANN202
        seen.append(shop)
        return build(column, rule, cell, shop, engine, folder)

    monkeypatch.setattr(writing, "domain_of", spied)
    coded(table_of(3), "row_is_subject = true")
    assert seen
    for shop in seen:
        assert shop.figures == {}
        with pytest.raises(KeyError):  # a method that needs a figure of the rows finds none
            TopCode("p99").apply(Cell("s0", "DOUBLE"), shop)
        assert shop.secrets == TokenKeys()


def test_the_release_tells_no_digest_count_or_size_of_what_went_in(tmp_path: Path) -> None:
    """A digest of the input lets whoever knows all rows but one try out the last one."""
    source, out = tmp_path / "t.parquet", tmp_path / "out"
    pq.write_table(pa.table({**table_of(777), "张三": [1] * 777}), source)
    made = desensitize.synthesise(source, policy=policy_of(), out=out, rows=100)
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert manifest["input"] is None
    assert manifest["notes"] == []
    text = (out / "manifest.json").read_text("utf-8")
    metadata = pq.read_metadata(out / "t.synthetic.parquet").metadata or {}
    for place in (text, str(metadata), repr(made.release)):
        for told in (
            "777",
            "张三",
            str(source.stat().st_size),
            "one_way",
            "two_way",
            "outside",
            "counted",
        ):
            assert told not in place
    assert [column["lost"] for column in manifest["columns"]] == [0, 0, 0]
    # What is for the steward stays out of the release, however it is written.
    assert (made.steward.rows_in, made.steward.unmentioned) == (777, ("张三",))
    assert "steward" not in text


def test_no_two_runs_are_alike_and_no_seed_is_taken(tmp_path: Path) -> None:
    made = [
        desensitize.synthesise(
            pa.table(table_of(300)), policy=policy_of(), out=tmp_path / str(i), rows=300
        )
        for i in range(2)
    ]
    assert made[0].release.output.sha256 != made[1].release.output.sha256
    assert not made[0].release.repeatable
    with pytest.raises(TypeError, match="seed"):
        desensitize.synthesise(  # type: ignore[call-arg]
            pa.table(table_of(3)), policy=policy_of(), out=tmp_path / "x", seed=1
        )


def test_risk_attack_gate_and_report_refuse_what_is_nobody_s(tmp_path: Path) -> None:
    """A pass of the gate over synthetic rows would attest figures that mean nothing of them."""
    source, out = tmp_path / "t.parquet", tmp_path / "out"
    pq.write_table(pa.table(table_of(50)), source)
    desensitize.synthesise(pa.table(table_of(50)), policy=policy_of(), out=out)
    calls: list[Callable[[], object]] = [
        lambda: desensitize.gate(out, original=source),
        lambda: desensitize.risk(out),
        lambda: desensitize.attack(source, out),
        lambda: desensitize.attack(source, source, policy=policy_of(), earlier=[out]),
        lambda: desensitize.utility(source, out, "sex"),
        lambda: desensitize.report(out, out=tmp_path / "page.html"),
        lambda: desensitize.report(out, out=tmp_path / "page.html", original=source),
    ]
    for call in calls:
        with pytest.raises(InputError, match="are synthetic: none is a person's") as refused:
            call()
        assert refused.value.code == "release.synthetic"
    assert not (out / "attestation.json").exists()
    assert not (tmp_path / "page.html").exists()
    assert "synthetic: no row is a person" in " ".join(read_release(out)._repr_html_().split())


def test_a_synthesis_that_is_killed_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    source, rules, out = tmp_path / "t.parquet", tmp_path / "p.toml", tmp_path / "out"
    pq.write_table(pa.table(table_of(1000)), source)
    rules.write_text(policy_of().text, "utf-8")
    command = [VEIL, "desensitize", "synthesise", source, "--policy", rules, "--out", out]
    with subprocess.Popen(
        [*command, "--rows", "5000000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        give_up = time.monotonic() + 60
        while not list(tmp_path.glob(".out.partial-*/t.synthetic.parquet")):
            assert process.poll() is None
            assert time.monotonic() < give_up
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    assert list(tmp_path.glob(".out.partial-*"))
    # The next run sweeps up and succeeds.
    desensitize.synthesise(pa.table(table_of(50)), policy=policy_of(), out=out)
    assert read_release(out).synthesis is not None
    assert not list(tmp_path.glob(".out.partial-*"))


# ---- attestations ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def attested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic release with its attestation, and the key beside it."""
    place = tmp_path_factory.mktemp("attested")
    new_signing_key(place / "key.pem")
    made = desensitize.synthesise(
        pa.table(table_of(2000)),
        policy=policy_of('subject = "who"\nmax_rows_per_subject = 2'),
        out=place / "out",
        signing_key=place / "key.pem",
    )
    assert made.attestation == place / "out" / "attestation.json"
    return place


def signer_of(place: Path) -> str:
    return did_of(read_signing_key(place / "key.pem").public_key())


def test_what_is_signed_at_birth_is_valid_and_says_that_it_is_synthetic(attested: Path) -> None:
    file = attested / "out" / "attestation.json"
    found = desensitize.verify(file, signer=signer_of(attested))
    assert found.valid, found.checks
    said = next(check.reason for check in found.checks if check.name == "figures")
    assert "the rows are synthetic: epsilon 1, delta 1e-06" in said.en
    assert "合成数据" in said.zh
    body = json.loads(file.read_text("utf-8"))
    assert body["type"] == ["VerifiableCredential", "VeilSyntheticAttestation"]
    assert "input" not in body["credentialSubject"]
    assert not desensitize.verify(file).valid  # nobody has named the signer


@pytest.mark.parametrize(
    ("name", "check"),
    [("t.synthetic.parquet", "data"), ("policy.toml", "policy"), ("manifest.json", "manifest")],
)
def test_a_changed_file_is_named(attested: Path, tmp_path: Path, name: str, check: str) -> None:
    shutil.copytree(attested / "out", tmp_path / "out")
    with (tmp_path / "out" / name).open("ab") as file:
        file.write(b" ")
    found = desensitize.verify(tmp_path / "out" / "attestation.json", signer=signer_of(attested))
    assert {each.name for each in found.checks if each.state == "fails"} == {check}


def facts_of(place: Path) -> tuple[PublishPolicy, SynthesisFacts, RescanFacts]:
    release = read_release(place / "out")
    assert release.synthesis is not None
    assert release.rescan is not None
    return read_policy(place / "out" / "policy.toml"), release.synthesis, release.rescan


LIES: dict[str, Callable[[SynthesisFacts], SynthesisFacts]] = {
    "more epsilon than allowed": lambda f: replace(f, epsilon=1.5, rho=rho_for(1.5, 1e-6)),
    "no epsilon": lambda f: replace(f, epsilon=0.0),
    "an epsilon that is no number": lambda f: replace(f, epsilon=math.nan),
    "more delta than allowed": lambda f: replace(f, delta=1e-5),
    "a rho that epsilon does not mean": lambda f: replace(f, rho=f.rho * 1.01),
    "less noise": lambda f: replace(
        f, marginals=(replace(f.marginals[0], sigma=f.marginals[0].sigma / 2), *f.marginals[1:])
    ),
    "no noise": lambda f: replace(f, marginals=(replace(f.marginals[0], sigma=0.0),)),
    "no marginals": lambda f: replace(f, marginals=()),
    "a choice for nothing": lambda f: replace(f, spent={**f.spent, "choice": 0.0}),
    "a choice that gives back": lambda f: replace(f, spent={**f.spent, "choice": -1.0}),
    "fewer rows a subject": lambda f: replace(f, max_rows_per_subject=1),
    "another subject": lambda f: replace(f, subject=""),
    "a column that nobody declared": lambda f: replace(f, domains={**f.domains, "who": {}}),
    "a column that was not measured": lambda f: replace(f, marginals=f.marginals[1:]),
}


@pytest.mark.parametrize("lie", LIES)
def test_words_that_do_not_agree_are_not_attested(attested: Path, lie: str) -> None:
    policy, facts, rescan = facts_of(attested)
    rows = rescan.rows
    assert judge_synthetic(policy, rows, rescan, facts).passed
    assert not judge_synthetic(policy, rows, rescan, LIES[lie](facts)).passed
    for missing in ((rows, None, facts), (rows + 1, rescan, facts), (rows, rescan, None)):
        assert not judge_synthetic(policy, *missing).passed
    found = replace(rescan, hits={"sex": {"cn_mobile": 1}})
    assert not judge_synthetic(policy, rows, found, facts).passed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    member=st.sampled_from(sorted(SUBJECT)),
    inner=st.sampled_from(["", "marginals", "spent", "domains", "rho", "epsilon", "claim"]),
    value=JSON,
)
def test_anything_that_a_stranger_signs_gets_an_answer(
    attested: Path, tmp_path: Path, member: str, inner: str, value: object
) -> None:
    out = tmp_path / "out"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(attested / "out", out)
    body = json.loads((out / "attestation.json").read_text("utf-8"))
    del body["proof"]
    if member == "synthesis" and inner:
        body["credentialSubject"]["synthesis"][inner] = value
    else:
        body["credentialSubject"][member] = value
    key = Ed25519PrivateKey.generate()
    body["issuer"] = did_of(key.public_key())
    try:
        signed = secure(body, key, dt.datetime.now(dt.UTC))
    except InputError:
        return  # no canonical form, so nobody can sign it
    (out / "attestation.json").write_text(json.dumps(signed), "utf-8")
    assert not desensitize.verify(out / "attestation.json", signer=signer_of(attested)).valid


def test_an_attestation_of_one_kind_is_none_of_the_other(attested: Path, tmp_path: Path) -> None:
    """A copy must not be signed as synthetic rows: these need no risk and no attacks."""
    body = json.loads((attested / "out" / "attestation.json").read_text("utf-8"))
    del body["proof"]
    subject = body["credentialSubject"]
    key = read_signing_key(attested / "key.pem")
    copies = ["VerifiableCredential", "VeilReleaseAttestation"]
    for change in (
        {"type": copies},
        {"type": ["VerifiableCredential"]},
        {"type": "VeilSyntheticAttestation"},
        {"credentialSubject": subject | {"input": None}},
        {"credentialSubject": subject | {"risk": None, "attacks": None}},
        {"credentialSubject": {k: v for k, v in subject.items() if k != "synthesis"}},
    ):
        path = tmp_path / "attestation.json"
        path.write_text(json.dumps(secure(body | change, key, dt.datetime.now(dt.UTC))), "utf-8")
        found = desensitize.verify(path, signer=signer_of(attested))
        assert {c.name for c in found.checks if c.state == "fails"} == {"form"}


def test_a_key_that_is_none_is_refused_before_anything_is_counted(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no key", "utf-8")
    (tmp_path / "key.pem").chmod(0o600)
    with pytest.raises(TrustError, match="no Ed25519 key"):
        desensitize.synthesise(
            7, policy=policy_of(), out=tmp_path / "out", signing_key=tmp_path / "key.pem"
        )
    assert not (tmp_path / "out").exists()
