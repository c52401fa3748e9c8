"""Attacks on whoever verifies an attestation: every change, every trick, every odd file."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import desensitize
from desensitize.attesting.gate import Gated
from desensitize.attesting.signing import new_signing_key, read_signing_key
from desensitize.attesting.verify import MOST_BYTES, Verification, verify
from desensitize.policy_file import parse_policy
from desensitize.releasing.stages import ATTACKING, SCANNING
from protos.data_integrity import secure
from protos.did_key import did_of, fingerprint_of
from protos.faults import InputError, TrustError
from protos.language import Text
from tests.attack_world import people

POLICY = """dataset = "people"
[columns.name]
role = "direct"
[columns.id]
role = "direct"
[columns.birth]
role = "quasi"
[columns.sex]
role = "quasi"
[columns.income]
type = "integer"
role = "sensitive"
bounds = [0, 100000]
[publish]
methods = { name = "drop", id = "drop", income = { round = 1000 } }
hierarchies = { birth = ["month", "quarter", "year", "*"], sex = { file = "levels/sex.csv" } }
models = { k = 3, l = 2, max_suppressed = 0.1 }
attacks = { mask_candidates_min = 1000, linkage_correct_max = 0.001, small_cell_differences = 0 }
gate = { gbt42460_level_min = 2 }
"""
WEAK = POLICY.replace('id = "drop"', "id = { keep_first = 6, keep_last = 4 }")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An original, two releases, a key, and the attestation of the sound release."""
    place = tmp_path_factory.mktemp("attested")
    data = people(2000)
    kept = {name: data[name] for name in ("name", "id", "birth", "sex", "income")}
    pq.write_table(pa.table(kept), place / "o.parquet")
    (place / "p.toml").write_text(POLICY, "utf-8")
    (place / "levels").mkdir()
    (place / "levels" / "sex.csv").write_text("男;*\n女;*\n", "utf-8")
    (place / "weak.toml").write_text(WEAK, "utf-8")
    desensitize.run(place / "o.parquet", policy=place / "p.toml", out=place / "good")
    desensitize.run(
        place / "o.parquet", policy=place / "weak.toml", out=place / "weak", attack=False
    )
    new_signing_key(place / "key.pem")
    gated: Gated = desensitize.gate(
        place / "good", original=place / "o.parquet", signing_key=place / "key.pem"
    )
    assert gated.verdict.refusals == ()
    assert gated.attestation == place / "good" / "attestation.json"
    return place


@pytest.fixture
def release(world: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(world / "good", tmp_path / "good")
    return tmp_path / "good"


@pytest.fixture
def signer(world: Path) -> str:
    return did_of(read_signing_key(world / "key.pem").public_key())


def states(found: Verification) -> dict[str, str]:
    assert all(check.reason.en and check.reason.zh for check in found.checks)
    return {check.name: check.state for check in found.checks}


def fails(found: Verification) -> set[str]:
    assert not found.valid
    return {name for name, state in states(found).items() if state == "fails"}


# ---- what is honest ----------------------------------------------------------------------------


def test_an_honest_attestation_is_valid_by_did_and_by_fingerprint(
    release: Path, signer: str
) -> None:
    for named in (signer, fingerprint_of(signer), fingerprint_of(signer).upper()):
        found = verify(release / "attestation.json", signer=named)
        assert found.valid, states(found)
        assert found.dataset == "people"
    # The data alone, elsewhere.
    (release / "elsewhere").mkdir()
    for name in ("attestation.json", "people.parquet"):
        shutil.move(release / name, release / "elsewhere" / name)
    here = release / "elsewhere"
    assert verify(here / "attestation.json", signer=signer).valid


def test_an_unknown_signer_is_said_and_never_valid(release: Path) -> None:
    found = verify(release / "attestation.json")
    assert not found.valid
    assert states(found)["signer"] == "open"
    assert "unknown signer" in next(c for c in found.checks if c.name == "signer").reason.en


def test_data_that_are_not_there_are_not_valid(release: Path, signer: str) -> None:
    (release / "people.parquet").unlink()
    found = verify(release / "attestation.json", signer=signer)
    assert not found.valid
    assert states(found)["data"] == "open"


@pytest.mark.parametrize("named", ["me", "did:key:zzz", "did:web:x", "1234", "z" * 32])
def test_a_misspelt_signer_is_an_error(release: Path, named: str) -> None:
    with pytest.raises(TrustError):
        verify(release / "attestation.json", signer=named)


def test_a_file_that_is_exchanged_while_it_is_looked_at_and_put_back_is_not_attested(
    world: Path, release: Path
) -> None:
    """The digests at both ends are those of the file with the numbers; another one was scanned."""
    (release / "attestation.json").unlink()
    shown, sound = release / "people.parquet", release.parent / "sound.parquet"
    shutil.copy(shown, sound)
    rows = pq.read_table(shown)
    more = rows.append_column("note", pa.array(["13900139000"] * len(rows)))
    pq.write_table(more, shown)
    manifest = json.loads((release / "manifest.json").read_text("utf-8"))
    digest = hashlib.sha256(shown.read_bytes()).hexdigest()
    manifest["output"] |= {"sha256": digest, "bytes": shown.stat().st_size}
    (release / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    hidden = release.parent / "hidden.parquet"

    def stages(stage: Text) -> None:
        if stage == SCANNING:
            shown.rename(hidden)
            sound.rename(shown)
        elif stage == ATTACKING:
            shown.rename(sound)
            hidden.rename(shown)

    with pytest.raises(TrustError, match="changed while it was looked at"):
        desensitize.gate(
            release, original=world / "o.parquet", signing_key=world / "key.pem",
            salt=world / "good.salt", stages=stages,
        )  # fmt: skip
    assert hashlib.sha256(shown.read_bytes()).hexdigest() == digest
    assert not (release / "attestation.json").exists()


# ---- changes -----------------------------------------------------------------------------------


def leaves(body: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(body, dict | list):
        items = body.items() if isinstance(body, dict) else enumerate(body)
        yield from (found for name, each in items for found in leaves(each, (*path, name)))
        if not body:
            yield path
    else:
        yield path


def changed(body: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    body = copy.deepcopy(body)
    inner: Any = body
    for step in path[:-1]:
        inner = inner[step]
    old = inner[path[-1]]
    inner[path[-1]] = not old if isinstance(old, bool) else (
        old + 1 if isinstance(old, int | float) else f"{old}x"
    )  # fmt: skip
    return body


def test_every_single_figure_and_word_is_under_the_signature(release: Path, signer: str) -> None:
    path = release / "attestation.json"
    body = json.loads(path.read_text("utf-8"))
    places = list(leaves(body))
    assert len(places) > 150
    for place in places:
        path.write_text(json.dumps(changed(body, place)), "utf-8")
        assert fails(verify(path, signer=signer)), place


def test_tampered_files_are_named(release: Path, signer: str) -> None:
    for name, check in (
        ("people.parquet", "data"), ("policy.toml", "policy"), ("manifest.json", "manifest"),
        ("levels/sex.csv", "files"),
    ):  # fmt: skip
        path = release / name
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        assert fails(verify(release / "attestation.json", signer=signer)) == {check}
        path.write_bytes(before)
    other = release / "other.parquet"
    other.write_bytes(b"x")
    assert fails(verify(release / "attestation.json", data=other, signer=signer)) == {"data"}


@pytest.mark.parametrize(
    "files", [{"/etc/passwd": "0"}, {"../o.parquet": "0"}, {"a\0b": "0"}, {"x" * 9000: "0"}]
)
def test_names_of_files_lead_nowhere_else(
    world: Path, release: Path, signer: str, files: dict[str, str]
) -> None:
    """Of a file elsewhere nothing is told, not even whether it is there."""
    path = release / "attestation.json"
    signed_again(world, path, {"credentialSubject": {"files": files}}, dt.datetime.now(dt.UTC))
    assert "files" not in states(verify(path, signer=signer))


@pytest.mark.parametrize("files", [None, [], "x", {"levels/sex.csv": 1}])
def test_files_that_are_no_list_are_not_valid(
    world: Path, release: Path, signer: str, files: object
) -> None:
    path = release / "attestation.json"
    signed_again(world, path, {"credentialSubject": {"files": files}}, dt.datetime.now(dt.UTC))
    assert fails(verify(path, signer=signer)) == {"files", "manifest"}


def test_another_s_key_over_the_same_words(release: Path, signer: str) -> None:
    """Whoever signs the same words with a key of his own is found, also if he leaves the issuer."""
    path = release / "attestation.json"
    body = json.loads(path.read_text("utf-8"))
    del body["proof"]
    key = Ed25519PrivateKey.generate()
    now = dt.datetime.now(dt.UTC)
    path.write_text(json.dumps(secure(body, key, now)), "utf-8")
    assert "form" in fails(verify(path, signer=signer))
    body["issuer"] = did_of(key.public_key())
    path.write_text(json.dumps(secure(body, key, now)), "utf-8")
    assert fails(verify(path, signer=signer)) == {"signer"}
    assert not verify(path).valid


def signed_again(world: Path, path: Path, change: dict[str, Any], when: dt.datetime) -> None:
    """The steward's own key over other words."""
    body = json.loads(path.read_text("utf-8"))
    del body["proof"]
    subject = body["credentialSubject"] | change.pop("credentialSubject", {})
    body |= change | {"credentialSubject": subject}
    path.write_text(json.dumps(secure(body, read_signing_key(world / "key.pem"), when)), "utf-8")


def test_expired_and_not_yet_valid(world: Path, release: Path, signer: str) -> None:
    path = release / "attestation.json"
    now = dt.datetime.now(dt.UTC)
    for later in (dt.timedelta(days=366), -dt.timedelta(days=1)):
        assert fails(verify(path, signer=signer, now=now + later)) == {"time"}
    for change in (
        {"validUntil": "2999-01-01"}, {"validUntil": "2020-01-01T00:00:00Z"},
        {"validFrom": "2999-01-01T00:00:00Z"}, {"validFrom": None},
    ):  # fmt: skip
        signed_again(world, path, dict(change), now)
        assert fails(verify(path, signer=signer)) == {"time"}
        shutil.copy(world / "good" / "attestation.json", path)


def test_signed_figures_that_do_not_pass_the_policy(
    world: Path, release: Path, signer: str
) -> None:
    """A steward's key does not make bad figures good."""
    path = release / "attestation.json"
    subject = json.loads(path.read_text("utf-8"))["credentialSubject"]
    worse = copy.deepcopy(subject["attacks"])
    next(f for f in worse["findings"] if f["attack"] == "linkage")["figure"] = 0.5
    for change in (
        {"attacks": worse}, {"attacks": None}, {"risk": None}, {"rescan": None},
        {"risk": subject["risk"] | {"k": 1}}, {"attacks": {"rows": 1}}, {"attacks": []},
        {"risk": "x"},
    ):  # fmt: skip
        signed_again(world, path, {"credentialSubject": change}, dt.datetime.now(dt.UTC))
        assert fails(verify(path, signer=signer)) == {"figures"}
        shutil.copy(world / "good" / "attestation.json", path)


def test_words_that_policy_or_manifest_does_not_say(
    world: Path, release: Path, signer: str
) -> None:
    """Whoever reads the attestation alone would believe in k = 100, and in other levels."""
    path = release / "attestation.json"
    subject = json.loads(path.read_text("utf-8"))["credentialSubject"]
    checks = [{**check, "asked": not check["asked"]} for check in subject["checks"]]
    for change, named in (
        ({"models": subject["models"] | {"k": 100}}, {"figures"}),
        ({"limits": subject["limits"] | {"unique_share_max": 0.0}}, {"figures"}),
        ({"gate": subject["gate"] | {"gbt42460_level_min": 4}}, {"figures"}),
        ({"checks": checks}, {"figures"}), ({"checks": []}, {"figures"}),
        ({"checks": 1}, {"figures"}),
        ({"open": "unconditional"}, {"figures", "manifest"}),
        ({"dataset": "others"}, {"figures", "manifest"}),
        ({"levels": {"birth": "*", "sex": "*"}}, {"manifest"}),
        ({"suppressedRows": 0.5}, {"manifest"}), ({"columns": []}, {"manifest"}),
        ({"input": subject["input"] | {"rows": 10**9}}, {"manifest"}),
    ):  # fmt: skip
        signed_again(world, path, {"credentialSubject": change}, dt.datetime.now(dt.UTC))
        assert fails(verify(path, signer=signer)) == named, change
        shutil.copy(world / "good" / "attestation.json", path)


def test_an_attestation_cannot_point_elsewhere(world: Path, release: Path, signer: str) -> None:
    path = release / "attestation.json"
    subject = json.loads(path.read_text("utf-8"))["credentialSubject"]
    for name in ("../good/people.parquet", "/etc/passwd", "."):
        output = subject["output"] | {"name": name}
        signed_again(world, path, {"credentialSubject": {"output": output}},
                     dt.datetime.now(dt.UTC))  # fmt: skip
        assert not verify(path, signer=signer).valid or name.endswith("people.parquet")


# ---- odd files ---------------------------------------------------------------------------------


def test_members_that_come_twice_are_refused(release: Path, signer: str) -> None:
    path = release / "attestation.json"
    text = path.read_text("utf-8")
    for twice in (
        text.replace('"dataset":', '"dataset":"other","dataset":', 1),
        text.replace('"issuer":', '"issuer":"did:key:z6Mk","issuer":', 1),
        text.replace('"proof":', '"proof":{},"proof":', 1),
    ):
        assert twice != text
        path.write_text(twice, "utf-8")
        assert fails(verify(path, signer=signer)) == {"file"}


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"{" * 100_000, b"[" * 100_000, b'{"a":NaN}',
     b'{"a":1e999}', b'{"a":' + b"9" * 5000 + b"}", b'{"a":"\\ud800"}', b"\x00" * 100],
)  # fmt: skip
def test_odd_files_get_an_answer(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "attestation.json"
    path.write_bytes(content)
    assert fails(verify(path)) <= {"file", "proof"}


def test_a_huge_file_a_pipe_and_a_directory_get_an_answer(tmp_path: Path) -> None:
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(MOST_BYTES * 1000)  # sparse: never read to its end
    os.mkfifo(tmp_path / "pipe")
    for path in (huge, tmp_path / "pipe", tmp_path, tmp_path / "missing", Path("/dev/zero")):
        assert fails(verify(path)) == {"file"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(member=st.sampled_from(["proof", "credentialSubject", "issuer", "type"]), value=JSON)
def test_any_json_in_any_member_gets_an_answer(
    world: Path, tmp_path: Path, member: str, value: object
) -> None:
    body = json.loads((world / "good" / "attestation.json").read_text("utf-8"))
    path = tmp_path / "attestation.json"
    path.write_text(json.dumps(body | {member: value}), "utf-8")
    assert not verify(path).valid
    del body["proof"]
    if member != "proof":
        try:
            again = secure(
                body | {member: value}, read_signing_key(world / "key.pem"),
                dt.datetime.now(dt.UTC),
            )  # fmt: skip
        except InputError:
            return  # no canonical form, so nobody can sign it
        path.write_text(json.dumps(again), "utf-8")
        assert not verify(path).valid


PARTS = ("output", "input", "dataset", "rescan", "risk", "attacks", "policySha256", "checks", "id")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_anything_that_a_stranger_signs_gets_an_answer(
    world: Path, release: Path, data: st.DataObject
) -> None:
    """Anybody can sign anything with a key of his own, about data that lie there."""
    body = json.loads((world / "good" / "attestation.json").read_text("utf-8"))
    del body["proof"]
    places = [path for path in leaves(body["credentialSubject"]) if path[0] in PARTS]
    place = data.draw(st.sampled_from(places))
    place = place[: data.draw(st.integers(1, len(place)))]
    inner = body["credentialSubject"]
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = data.draw(JSON)
    key = Ed25519PrivateKey.generate()
    body["issuer"] = did_of(key.public_key())
    try:
        signed = secure(body, key, dt.datetime.now(dt.UTC))
    except InputError:
        return  # no canonical form, so nobody can sign it
    path = release / "attestation.json"
    path.write_text(json.dumps(signed), "utf-8")
    assert not verify(path).valid


def test_sizes_that_are_words_get_an_answer(world: Path, release: Path, signer: str) -> None:
    path = release / "attestation.json"
    subject = json.loads(path.read_text("utf-8"))["credentialSubject"]
    for change in ({"bytes": "many"}, {"rows": True}, {"name": 5}, {"sha256": None}):
        odd = {"credentialSubject": {"output": subject["output"] | change}}
        signed_again(world, path, odd, dt.datetime.now(dt.UTC))
        assert fails(verify(path, signer=signer)) == {"form"}
        shutil.copy(world / "good" / "attestation.json", path)


# ---- the gate as a whole -----------------------------------------------------------------------


def test_a_refusal_writes_nothing(world: Path) -> None:
    before = sorted(path.name for path in (world / "weak").iterdir())
    gated = desensitize.gate(
        world / "weak", original=world / "o.parquet", signing_key=world / "key.pem"
    )
    assert gated.attestation is None
    assert {"attack.mask_reversal", "attack.linkage"} <= {c.name for c in gated.verdict.refusals}
    assert sorted(path.name for path in (world / "weak").iterdir()) == before


def test_an_attestation_is_never_replaced_and_files_must_belong_together(
    world: Path, tmp_path: Path, release: Path
) -> None:
    with pytest.raises(InputError, match="exists already"):
        desensitize.gate(release, original=world / "o.parquet")
    (release / "attestation.json").unlink()
    other = tmp_path / "other.parquet"
    shutil.copy(world / "good" / "people.parquet", other)
    with pytest.raises(TrustError, match="not what the release was made from"):
        desensitize.gate(release, original=other, salt=world / "good.salt")
    with pytest.raises(TrustError, match="not the policy"):
        desensitize.gate(
            release, original=world / "o.parquet", policy=world / "weak.toml",
            salt=world / "good.salt",
        )  # fmt: skip
    (release / "people.parquet").write_bytes(b"x")
    with pytest.raises(TrustError, match="not the file that the manifest speaks of"):
        desensitize.gate(release, original=world / "o.parquet")


# ---- what it was made from ---------------------------------------------------------------------


def test_whoever_has_the_salt_proves_the_original_and_nobody_else(
    world: Path, release: Path, signer: str, tmp_path: Path
) -> None:
    salt, original = world / "good.salt", world / "o.parquet"
    found = verify(release, signer=signer, original=original, salt=salt)
    assert found.valid
    assert state(found, "original") == "holds"
    # Without the salt nothing is said, neither yes nor no: so nothing can be tried out.
    shutil.copy(world / "weak.salt", tmp_path / "weak.salt")
    for path in (original, release / "people.parquet"):
        assert state(verify(release, signer=signer, original=path), "original") == "open"
        weak = verify(release, signer=signer, original=path, salt=tmp_path / "weak.salt")
        assert state(weak, "original") == "fails"
    other = verify(release, signer=signer, original=release / "policy.toml", salt=salt)
    assert state(other, "original") == "fails"
    missing = verify(release, signer=signer, original=tmp_path / "none", salt=salt)
    assert state(missing, "original") == "open"


def state(found: Verification, name: str) -> str:
    return next(check.state for check in found.checks if check.name == name)


# ---- taking it back ----------------------------------------------------------------------------


def test_the_signer_takes_an_attestation_back_for_good(
    world: Path, release: Path, signer: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(release, copy)
    assert verify(release, signer=signer).valid
    told = desensitize.revoke(
        release, signing_key=world / "key.pem", reason="the district was left in"
    )
    assert told == release / "revocation.json"
    found = verify(release, signer=signer)
    assert (found.valid, fails(found)) == (False, {"revocation"})
    said = next(check.reason for check in found.checks if check.name == "revocation")
    assert "the district was left in" in said.en
    assert "撤销" in said.zh
    # A copy elsewhere is as good as before, until its reader is told.
    assert verify(copy, signer=signer).valid
    (tmp_path / "known").mkdir()
    shutil.copy(told, tmp_path / "known" / "a.json")
    for known in (told, tmp_path / "known"):
        assert fails(verify(copy, signer=signer, revocations=[known])) == {"revocation"}
    with pytest.raises(InputError, match="exists already"):
        desensitize.revoke(release, signing_key=world / "key.pem", reason="again")
    # The report says first that it is worth nothing any more.
    assert desensitize.report(release, out=tmp_path / "r.html").standing == "broken"


def test_nobody_else_takes_an_attestation_back(
    world: Path, release: Path, signer: str, tmp_path: Path
) -> None:
    new_signing_key(tmp_path / "his.pem")
    his = read_signing_key(tmp_path / "his.pem")
    with pytest.raises(TrustError, match="another key had signed"):
        desensitize.revoke(release, signing_key=tmp_path / "his.pem", reason="spite")
    out = tmp_path / "hers.json"
    desensitize.revoke(release, signing_key=world / "key.pem", reason="true", out=out)
    body = json.loads(out.read_text("utf-8"))
    proof = body.pop("proof")
    forged = tmp_path / "forged.json"
    now = dt.datetime.now(dt.UTC)
    # In his own name: it holds, and counts for nothing.
    his_own = secure(body | {"issuer": did_of(his.public_key())}, his, now)
    forged.write_text(json.dumps(his_own), "utf-8")
    assert verify(release, signer=signer, revocations=[forged]).valid
    # In hers, or changed afterwards: it is none, and says nothing in either direction.
    other_id = body | {"credentialSubject": body["credentialSubject"] | {"id": "urn:uuid:0"}}
    for odd in (secure(body, his, now), body | {"credentialSubject": {}, "proof": proof},
                other_id | {"proof": proof}, {}, {"proof": 5}):  # fmt: skip
        forged.write_text(json.dumps(odd), "utf-8")
        assert state(verify(release, signer=signer, revocations=[forged]), "revocation") == "open"
        # Nor does it hide hers, which lies behind it: forged.json, hers.json.
        assert (
            state(verify(release, signer=signer, revocations=[tmp_path]), "revocation") == "fails"
        )
    # One of another attestation of hers takes nothing back here.
    forged.write_text(json.dumps(secure(other_id, read_signing_key(world / "key.pem"), now)))
    assert verify(release, signer=signer, revocations=[forged]).valid
    for reason in ("", " ", "a\nb", "x" * 1001):
        with pytest.raises(InputError, match="says why"):
            desensitize.revoke(release, signing_key=world / "key.pem", reason=reason)
    with pytest.raises(InputError, match="is no attestation"):
        desensitize.revoke(out, signing_key=world / "key.pem", reason="x")


def test_a_signing_key_that_others_can_read_is_refused(world: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    shutil.copy(world / "key.pem", key)
    key.chmod(0o644)
    with pytest.raises(TrustError, match="0644"):
        read_signing_key(key)
    key.chmod(0o600)
    key.write_bytes(b"no key")
    with pytest.raises(TrustError, match="no Ed25519 key"):
        read_signing_key(key)
    with pytest.raises(InputError, match="exists"):
        new_signing_key(key)


KINDS: dict[str, Callable[[pa.Table], object]] = {
    "pandas": pa.Table.to_pandas, "arrow": lambda rows: rows, "reader": pa.Table.to_reader,
    "duckdb": lambda rows: duckdb.connect().from_arrow(rows),
}  # fmt: skip
SMALL = {"age": [20 + i % 3 for i in range(60)], "pay": [i % 7 for i in range(60)]}


@pytest.fixture(scope="module")
def of_memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of a table in memory, and its salt."""
    policy = parse_policy(
        'dataset = "d"\n[columns.age]\nrole = "quasi"\n[columns.pay]\nrole = "sensitive"\n'
        "[publish]\nmodels = { k = 5, l = 2 }\nattacks = { linkage_correct_max = 0.001 }\n"
        'hierarchies = { age = ["value", "*"] }\nmethods = { pay = "keep" }\n'
    )
    place = tmp_path_factory.mktemp("memory")
    desensitize.run(pa.table(SMALL), policy=policy, out=place / "r")
    return place


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_table_in_memory_is_attacked_and_attested_like_a_file(
    of_memory: Path, tmp_path: Path, kind: str
) -> None:
    """A release of one kind is attested beside each other kind: they are the same rows."""
    made, table, out = KINDS[kind], pa.table(SMALL), tmp_path / "r"
    shutil.copytree(of_memory, tmp_path, dirs_exist_ok=True)
    [linkage] = desensitize.attack(made(table), out).of("linkage")
    assert linkage.verdict == "held"
    signer = new_signing_key(tmp_path / "k.pem")
    with pytest.raises(TrustError, match="is not what the release was made from"):
        desensitize.gate(out, original=made(table.slice(1)))
    gated = desensitize.gate(out, original=made(table), signing_key=tmp_path / "k.pem")
    assert gated.verdict.passed
    assert desensitize.verify(out / "attestation.json", signer=signer).valid
