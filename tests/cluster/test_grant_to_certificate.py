"""From a request to a certificate: officers decide, nodes sign, figures leave, anybody verifies."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.certificates.bundle import Bundle
from catalog.certificates.decisions import Matter, decide, decision_file, request_digest
from catalog.certificates.office_files import OfficeFiles
from exchange.analyst.client import Veil
from protos.did_key import did_of, fingerprint_of
from protos.faults import InputError
from protos.identity import unverified_claims
from tests.cluster_world import TestCluster, eventually

SQL = "SELECT sex, COUNT(*) AS n FROM visits WHERE insured GROUP BY sex"
OFFICERS = {office: Ed25519PrivateKey.generate() for office in ("steward", "chief")}


@pytest.fixture
def ruled(cluster: TestCluster) -> Iterator[TestCluster]:
    """Every department has two officers, and signs on both their words. No node restarts."""
    today = dt.datetime.now(dt.UTC).date()
    term = f"since = {today - dt.timedelta(1)}\nuntil = {today + dt.timedelta(9)}\n"
    text = "\n[grants]\n" + "".join(
        f'[[grants.officer]]\nname = "{office}"\noffice = "{office}"\n{term}'
        f'key = "{fingerprint_of(did_of(key.public_key()))}"\n'
        for office, key in OFFICERS.items()
    )
    text += '[[grants.rule]]\ndatasets = ["visits"]\nsteward = 1\nchief = 1\n'
    before = {}
    for name in cluster.names:
        file = cluster.node(name) / "node.toml"
        before[file] = file.read_text("utf-8")
        file.write_text(before[file] + text, "utf-8")
    others = {name: restated(cluster, name, "granted", "denied") for name in cluster.names}
    yield cluster
    for file, old in before.items():
        file.write_text(old, "utf-8")
    for name, requests in others.items():
        restated(cluster, name, "denied", "granted", requests)


def restated(
    cluster: TestCluster, name: str, old: str, new: str, only: list[str] | None = None
) -> list[str]:
    """Puts requests of other tests aside, which would overlap with this one's, and back."""
    with cluster.store(name) as store, store.db.write() as db:
        found = [
            row.id
            for row in store.requests()
            if row.state == old and (only is None or row.id in only)
        ]
        db.executemany(
            "UPDATE grant_request SET state = ? WHERE id = ?", [(new, each) for each in found]
        )
    return found


def decided(token: str, *names: str) -> bytes:
    """Both officers of these departments say yes to a request."""
    digest = request_digest(token)
    matter = Matter("requests/0123456789abcdef", digest, (digest,))
    now = dt.datetime.now(dt.UTC)
    return decision_file(
        decide(matter, name, office, "approve", key, now=now)  # type: ignore[arg-type]
        for name in names
        for office, key in OFFICERS.items()
    )


def states(veil: Veil, request: str) -> dict[str, str]:
    return {each["department"]: each["state"] for each in veil.grants(request)[0]["answers"]}


def test_from_a_request_to_a_certificate_that_anybody_verifies(
    ruled: TestCluster, veil: Veil, tmp_path: Path
) -> None:
    first, *others = ruled.names
    draft, file = tmp_path / "request.jwt", tmp_path / "decisions.json"
    me = ("--profile", ruled.profile())
    done = ruled.run("grant", "request", SQL, "--purpose", "report", "--draft", draft, *me)
    assert done.returncode == 0, done.stderr
    token = draft.read_text("ascii")
    request = veil.hand_in_request(token)
    with pytest.raises(InputError, match="no grant yet"):
        veil.sql(SQL, exact=True)
    # All but one department's officers have decided; that one waits for a hand or for its own.
    file.write_bytes(decided(token, *others))
    done = ruled.run("grant", "request", "--signed", draft, "--decisions", file, *me)
    assert (done.returncode, request[:12] in done.stdout) == (0, True), done.stderr
    signed = {first: "waiting"} | dict.fromkeys(others, "granted")
    assert eventually(lambda: states(veil, request) == signed)
    veil.hand_in_request(token, decided(token, first))
    assert eventually(lambda: set(states(veil, request).values()) == {"granted"})

    job = veil.submit(SQL, exact=True)
    answer = job.wait()
    truth = ruled.rows[ruled.rows["insured"]].groupby("sex").size()
    assert dict(zip(*answer.to_arrow().to_pydict().values(), strict=True)) == truth.to_dict()

    # An exchange that is killed at once has not lost the certificate.
    assert ruled.address, "noted before it dies"
    ruled.kill("exchange")
    ruled.start_exchange()
    content = veil.certificate(job.id, wait_s=20)
    bundle = Bundle.from_bytes(content)
    says: dict[str, Any] = unverified_claims(bundle.certificate)["credentialSubject"]
    assert (says["job"], len(says["authorisations"])) == (job.id, len(ruled.names))
    shown = veil.grants(request)[0]["answers"]
    known = {each["certificate"] for each in shown}
    assert known == {
        urn.removeprefix("urn:uuid:").replace("-", "") for urn in says["authorisations"]
    }

    # Offline, on any machine: public keys and the file.
    file, office = (
        tmp_path / "result.json",
        OfficeFiles(ruled.cluster.directory / "exchange/office"),
    )
    file.write_bytes(content)
    pins = ruled.cluster.directory / "analysts/analyst/pins.toml"
    for trusted in (pins, office.pins_file):
        done = ruled.run("verify", file, "--pins", trusted, "--policy", office.policy_file)
        assert done.returncode == 0, done.stdout
    body = json.loads(content)
    body["document"] = body["document"][:-4] + "AAAA"
    file.write_text(json.dumps(body), "utf-8")
    assert ruled.run("verify", file, "--pins", pins).returncode == 1
