"""Attacks on the publishing gate: what is not exactly right stays private; nothing is half."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import desensitize
from catalog.publishing import compromised as compromised_module
from catalog.publishing import publish as publish_module
from catalog.publishing import signers
from catalog.publishing.compromised import compromised
from catalog.publishing.publish import publish
from catalog.publishing.revoked import take_revocation
from catalog.publishing.rules import wanted_name
from catalog.publishing.unpublish import read_unpublication, unpublish
from catalog.registry.entries import entry
from catalog.registry.registry import Registry, opened
from desensitize.attesting.synthetic import TYPES as SYNTHETIC
from protos.data_integrity import secure
from protos.did_key import fingerprint_of
from protos.faults import InputError, TrustError
from protos.signing import IdentityKey
from tests.catalog_world import HEALTH, POLICE, record
from tests.publishing_world import (
    World,
    clone,
    damaged,
    digest,
    enrol,
    objects,
    public,
    readable,
    refused,
)

Patch = pytest.MonkeyPatch
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def catalog(publishing: World, tmp_path: Path) -> Iterator[Registry]:
    with opened(clone(publishing, tmp_path)) as registry:
        yield registry


@pytest.fixture
def release(publishing: World, tmp_path: Path) -> Path:
    return damaged(publishing, tmp_path)


def named(world: World, release: Path, code: str) -> None:
    """Makes the attested name that of another dataset."""
    world.signed_again(release, dataset=code.lower().replace("/", "_"))


# ---- what is honest ----------------------------------------------------------------------------


def test_an_attested_release_becomes_public_byte_by_byte(
    publishing: World, catalog: Registry
) -> None:
    made = publish(catalog, publishing.release, "local", "YL/001")
    assert (made.number, made.state, made.kind, made.rows) == (1, "published", "copy", 400)
    [name] = objects(catalog)
    assert (catalog.directory / "public" / name).read_bytes() == (
        publishing.release / "yl_001.parquet"
    ).read_bytes()
    assert refused(catalog, publishing.release) == {"publish.already"}


def test_grades_ask_for_officers(
    publishing: World, catalog: Registry, release: Path, tmp_path: Path
) -> None:
    steward = {c: publishing.sign_off(tmp_path / f"s{c}", code=f"YL/00{c}") for c in (3, 4)}
    chief = publishing.sign_off(tmp_path / "chief", "chief", code="YL/004")
    named(publishing, release, "YL/003")
    assert refused(catalog, release, "YL/003") == {"publish.sign_off_missing"}
    assert publish(catalog, release, "local", "YL/003", sign_offs=[steward[3]]).number == 1
    named(publishing, release, "YL/004")
    for some in ([steward[4]], [chief]):
        assert refused(catalog, release, "YL/004", sign_offs=some) == {"publish.sign_off_missing"}
    assert publish(catalog, release, "local", "YL/004", sign_offs=[steward[4], chief]).number == 1


def test_nothing_is_public_on_an_attestation_that_was_taken_back(
    publishing: World, catalog: Registry, release: Path, tmp_path: Path
) -> None:
    key = publishing.place / "signer.pem"
    told = tmp_path / "told.json"
    before = shutil.copytree(release, tmp_path / "before")
    publish(catalog, publishing.release, "local", "YL/001")
    desensitize.revoke(release, signing_key=key, reason="a district was left in", out=told)
    [gone] = take_revocation(catalog, told, who="the office")
    assert (gone.identifier, gone.number) == ("YL/001", 1)
    assert public(catalog) == [("YL/001", 1, "unpublished")]
    assert objects(catalog) == []
    # Whoever has a copy from before it was taken back does not get it in again.
    assert {"publish.revocation"} <= refused(catalog, before)
    assert take_revocation(catalog, told, who="the office") == []
    # Nor where the statement lies in the release, and nobody has told the catalog.
    with opened(clone(publishing, tmp_path / "other")) as other:
        publish(other, before, "local", "YL/001")
    with opened(clone(publishing, tmp_path / "third")) as third:
        shutil.copy(told, release / "revocation.json")
        assert refused(third, release) == {"publish.revocation"}
        # A stranger's word, and what is no statement, change nothing.
        body = json.loads(told.read_text("utf-8"))
        his = publishing.key("steward")
        body |= {"issuer": publishing.dids["steward"]}
        del body["proof"]
        told.write_text(json.dumps(secure(body, his, NOW)), "utf-8")
        publish(third, before, "local", "YL/001")
        assert take_revocation(third, told, who="the office") == []
        told.write_text("{}", "utf-8")
        with pytest.raises(InputError, match="no revocation"):
            take_revocation(third, told, who="the office")
        assert public(third) == [("YL/001", 1, "published")]


def test_all_reasons_are_told_at_once(publishing: World, catalog: Registry, release: Path) -> None:
    publishing.signed_again(release, by="stranger")
    assert refused(catalog, release, "YL/004", synthetic=True) == {
        "publish.dataset", "publish.synthetic", "publish.signer", "publish.sign_off_missing",
    }  # fmt: skip


# ---- the attestation ---------------------------------------------------------------------------


def test_an_attestation_of_other_bytes(catalog: Registry, release: Path) -> None:
    (release / "yl_001.parquet").write_bytes(b"other")
    assert refused(catalog, release) == {"publish.data"}


@pytest.mark.parametrize("file", ["policy.toml", "manifest.json"])
def test_without_what_was_attested_beside_it(catalog: Registry, release: Path, file: str) -> None:
    content = (release / file).read_bytes()
    (release / file).unlink()
    assert "publish.incomplete" in refused(catalog, release)
    (release / file).write_bytes(content + b"\n")
    assert f"publish.{file.partition('.')[0]}" in refused(catalog, release)


def test_an_attestation_of_another_dataset(catalog: Registry, publishing: World) -> None:
    assert refused(catalog, publishing.release, "YL/002") == {"publish.dataset"}


def test_a_code_that_looks_like_another_has_a_name_of_its_own(
    catalog: Registry, publishing: World
) -> None:
    """YL-001 of the same department would be yl_001, too: then neither is."""
    catalog.register([record("YL-001")])
    assert refused(catalog, publishing.release, "YL-001") == {"publish.dataset"}
    assert refused(catalog, publishing.release, "YL/001") == {"publish.dataset"}


def test_one_key_for_two_departments_attests_for_the_one_it_names(
    catalog: Registry, publishing: World, release: Path
) -> None:
    """YL/001 is there in both, and who signs for both has attested only one of them."""
    catalog.register([record("YL/001", source="police", provider=POLICE)])
    assert publish(catalog, release, "local", "YL/001").number == 1
    enrol(catalog, POLICE.code, publishing.dids["signer"], "signer")
    refusals = refused(catalog, release, source="police")
    assert "publish.dataset" in refusals
    with catalog.database.read() as connection:
        names = {
            wanted_name(connection, entry(connection, source, "YL/001"), {HEALTH.code, POLICE.code})
            for source in ("local", "police")
        }
    assert len(names) == 2


def test_a_fast_clock_brings_nothing_back(
    catalog: Registry, publishing: World, release: Path, tmp_path: Path
) -> None:
    """Signed four minutes ahead, unpublished meanwhile: the same words are not said anew."""
    named(publishing, release, "YL/003")
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=4)
    publishing.signed_again(release, when=ahead)
    said = publishing.sign_off(tmp_path / "s", when=ahead)
    publish(catalog, release, "local", "YL/003", sign_offs=[said])
    unpublish(catalog, "local", "YL/003", 1, reason="有误", who="首席数据官")
    file = release / "attestation.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")), indent=1), "utf-8")
    assert refused(catalog, release, "YL/003", sign_offs=[said]) == {
        "publish.replayed", "publish.sign_off", "publish.sign_off_missing",
    }  # fmt: skip


@pytest.mark.parametrize("who", ["police", "stranger", "steward"])
def test_signed_by_whom_the_department_has_not_enrolled_for_it(
    catalog: Registry, publishing: World, release: Path, who: str
) -> None:
    publishing.signed_again(release, by=who)
    assert refused(catalog, release) == {"publish.signer"}


def test_a_removed_signer_has_not_signed(catalog: Registry, publishing: World) -> None:
    signers.remove(catalog, 1, by="数据局", reason="离职")
    assert refused(catalog, publishing.release) == {"publish.signer"}
    with catalog.database.read() as connection:
        [first] = signers.signers(connection, number=1)
    assert (first.removed_by, first.removed_reason) == ("数据局", "离职")
    with pytest.raises(InputError, match="no signer 1"):
        signers.remove(catalog, 1, by="x", reason="x")
    enrol(catalog, HEALTH.code, publishing.dids["signer"], "signer")
    assert publish(catalog, publishing.release, "local", "YL/001").number == 1


def test_a_compromised_key_takes_with_it_what_rests_on_it(
    catalog: Registry, publishing: World, release: Path, tmp_path: Path
) -> None:
    # One version on its attestation, one on its sign-off; the key serves the police, too.
    publish(catalog, publishing.release, "local", "YL/001")
    enrol(catalog, POLICE.code, publishing.dids["steward"], "steward")
    named(publishing, release, "YL/003")
    publish(catalog, release, "local", "YL/003", sign_offs=[publishing.sign_off(tmp_path / "s")])
    both = [("YL/001", 1, "published"), ("YL/003", 1, "published")]
    # Who leaves has signed in good faith.
    signers.remove(catalog, 1, by="数据局", reason="离职")
    signers.remove(catalog, 2, by="数据局", reason="离职")
    assert public(catalog) == both
    # The steward's key was stolen; it is heard of after he left. What was public before stays.
    later = catalog.now() + 60
    assert compromised(catalog, 2, by="数据局", reason="被盗", since=later) == []
    assert public(catalog) == both
    [gone] = compromised(catalog, 2, by="数据局", reason="被盗")
    assert gone.identifier == "YL/003"
    assert public(catalog) == [both[0], ("YL/003", 1, "unpublished")]
    assert compromised(catalog, 2, by="数据局", reason="被盗", since=later) == []
    with catalog.database.read() as connection:
        mine = signers.signers(connection, key=fingerprint_of(publishing.dids["steward"]))
        [first] = signers.signers(connection, number=1)
    assert [(s.department, s.compromised_from, s.removed_at is None) for s in mine] == [
        (HEALTH.code, 0, False), (POLICE.code, 0, False),
    ]  # fmt: skip
    assert first.compromised_from is None
    # For good, for everybody.
    for department in (HEALTH.code, POLICE.code):
        with pytest.raises(InputError, match="compromised"):
            enrol(catalog, department, publishing.dids["steward"], "steward")
    [gone] = compromised(catalog, 1, by="数据局", reason="被盗")
    assert (gone.identifier, objects(catalog)) == ("YL/001", [])
    assert "publish.signer" in refused(catalog, publishing.release)
    with pytest.raises(InputError, match="no signer 99"):
        compromised(catalog, 99, by="数据局", reason="被盗")


def test_killed_between_the_key_and_the_bytes_it_is_run_again(
    catalog: Registry, publishing: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(catalog, publishing.release, "local", "YL/001")

    def killed(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(compromised_module, "unpublish", killed)
        with pytest.raises(KeyboardInterrupt):
            compromised(catalog, 1, by="数据局", reason="被盗")
    assert "publish.signer" in refused(catalog, publishing.release)
    assert len(compromised(catalog, 1, by="数据局", reason="被盗")) == 1
    assert objects(catalog) == []


def test_a_signer_out_of_his_term(catalog: Registry, publishing: World) -> None:
    later = Registry(
        catalog.database, catalog.directory / "identity.pem",
        clock=lambda: int((NOW + dt.timedelta(days=366)).timestamp()),
    )  # fmt: skip
    assert refused(later, publishing.release) == {"publish.signer", "publish.time"}


def test_an_expired_attestation(catalog: Registry, publishing: World, release: Path) -> None:
    publishing.signed_again(release, {"validUntil": "2020-01-01T00:00:00Z"})
    assert refused(catalog, release) == {"publish.time"}


def test_a_changed_word_or_a_foreign_form(catalog: Registry, release: Path) -> None:
    path = release / "attestation.json"
    body = json.loads(path.read_text("utf-8"))
    body["credentialSubject"]["dataset"] = "yl_002"
    path.write_text(json.dumps(body), "utf-8")
    assert refused(catalog, release, "YL/002") == {"publish.proof"}
    path.write_text("[]", "utf-8")
    with pytest.raises(InputError):
        publish(catalog, release, "local", "YL/002")


def test_synthetic_rows_are_not_passed_off_as_a_copy(
    catalog: Registry, publishing: World, release: Path
) -> None:
    assert refused(catalog, publishing.synthetic()) == {"publish.synthetic"}
    assert refused(catalog, publishing.release, synthetic=True) == {"publish.synthetic"}
    # The synthetic attestation over the bytes and the manifest of a copy, by the signer's own key.
    copied = json.loads((release / "attestation.json").read_text("utf-8"))["credentialSubject"]
    shutil.copy(publishing.synthetic() / "attestation.json", release / "attestation.json")
    output = {name: copied[name] for name in ("id", "output", "manifestSha256", "policySha256")}
    publishing.signed_again(release, {"type": list(SYNTHETIC)}, **output)
    for said in (True, False):
        assert "publish.kind" in refused(catalog, release, synthetic=said)
    made = publish(catalog, publishing.synthetic(), "local", "YL/001", synthetic=True)
    assert made.kind == "synthetic"


def test_what_is_not_open_or_was_withdrawn(
    catalog: Registry, publishing: World, release: Path
) -> None:
    named(publishing, release, "ZM/1")
    assert refused(catalog, release, "ZM/1") == {"publish.closed"}
    catalog.withdraw("local", "YL/001", reason="重复", who="我")
    assert refused(catalog, publishing.release) == {"publish.withdrawn"}


def test_attested_as_conditional_needs_a_steward(
    catalog: Registry, publishing: World, release: Path, tmp_path: Path
) -> None:
    publishing.signed_again(release, open="conditional")
    assert refused(catalog, release) == {"publish.sign_off_missing"}
    allowed = publishing.sign_off(tmp_path / "s", code="YL/001")
    assert publish(catalog, release, "local", "YL/001", sign_offs=[allowed]).number == 1


# ---- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["yl_001.parquet", "attestation.json", "policy.toml", "levels"])
def test_links_in_a_release_are_refused(catalog: Registry, release: Path, name: str) -> None:
    (release / name).rename(release.parent / "elsewhere")
    (release / name).symlink_to(release.parent / "elsewhere")
    with pytest.raises(TrustError) as caught:
        publish(catalog, release, "local", "YL/001")
    assert caught.value.code == "publish.link"
    assert (public(catalog), objects(catalog)) == ([], [])


def test_a_pipe_in_a_release_is_refused(catalog: Registry, release: Path) -> None:
    (release / "yl_001.parquet").unlink()
    os.mkfifo(release / "yl_001.parquet")
    with pytest.raises(TrustError):
        publish(catalog, release, "local", "YL/001")


def test_rows_exchanged_after_they_were_verified(
    catalog: Registry, release: Path, monkeypatch: Patch
) -> None:
    """In place, and by another file of the same name: published are the verified bytes, or none."""
    path, examine = release / "yl_001.parquet", publish_module.examine
    good = path.read_bytes()

    def other_file(*words: Any) -> Any:  # noqa: ANN401 - as `examine`
        case = examine(*words)
        path.unlink()
        path.write_bytes(b"x" * len(good))
        return case

    monkeypatch.setattr(publish_module, "examine", other_file)
    publish(catalog, release, "local", "YL/001")
    [name] = objects(catalog)
    assert (catalog.directory / "public" / name).read_bytes() == good
    unpublish(catalog, "local", "YL/001", 1, reason="试", who="我")

    def in_place(*words: Any) -> Any:  # noqa: ANN401 - as `examine`
        case = examine(*words)
        path.write_bytes(b"x" * len(good))
        later = NOW + dt.timedelta(hours=1)  # as if it had been signed again since
        return replace(case, signed_at=later, attestation=json.dumps({"signed": "again"}))

    path.write_bytes(good)
    monkeypatch.setattr(publish_module, "examine", in_place)
    with pytest.raises(TrustError) as caught:
        publish(catalog, release, "local", "YL/001")
    assert caught.value.code == "publish.swapped"
    assert public(catalog) == [("YL/001", 1, "unpublished")]
    assert objects(catalog) == []


# ---- sign-offs ---------------------------------------------------------------------------------


def test_a_sign_off_serves_for_one_file_one_dataset_one_office_one_time(
    catalog: Registry, publishing: World, release: Path, tmp_path: Path
) -> None:
    named(publishing, release, "YL/003")
    out = tmp_path / "s"
    both = {"publish.sign_off", "publish.sign_off_missing"}
    for wrong in (
        {"sha256": "0" * 64}, {"code": "YL/004"}, {"when": NOW - dt.timedelta(days=31)},
        {"when": NOW + dt.timedelta(hours=1)},
    ):  # fmt: skip
        bad = publishing.sign_off(out, **wrong)  # type: ignore[arg-type]
        assert refused(catalog, release, "YL/003", sign_offs=[bad]) == both
    for who in ("signer", "chief", "police", "stranger"):
        bad = publishing.sign_off(out, "steward", by=who)
        found = refused(catalog, release, "YL/003", sign_offs=[bad])
        assert found == {"publish.steward", "publish.sign_off_missing"}
    good = publishing.sign_off(out).read_bytes()
    for content in (b"", b"{}", good.replace(b"YL/003", b"YL/004"), b"[" * 99, b" " * 99_999):
        out.write_bytes(content)
        assert refused(catalog, release, "YL/003", sign_offs=[out]) == both
    out.unlink()
    assert refused(catalog, release, "YL/003", sign_offs=[out]) == both


def test_nothing_signed_before_bytes_were_unpublished_brings_them_back(
    catalog: Registry, publishing: World, release: Path, tmp_path: Path
) -> None:
    named(publishing, release, "YL/003")
    before = publishing.sign_off(tmp_path / "s")
    publish(catalog, release, "local", "YL/003", sign_offs=[before])
    token = unpublish(catalog, "local", "YL/003", 1, reason="有误", who="首席数据官")
    assert refused(catalog, release, "YL/003", sign_offs=[before]) == {
        "publish.replayed", "publish.sign_off", "publish.sign_off_missing",
    }  # fmt: skip
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    publishing.signed_again(release, when=later)
    assert refused(catalog, release, "YL/003", sign_offs=[before]) == {
        "publish.sign_off", "publish.sign_off_missing",
    }  # fmt: skip
    after = publishing.sign_off(tmp_path / "t", when=later)
    assert publish(catalog, release, "local", "YL/003", sign_offs=[after]).number == 2
    said = read_unpublication(token, catalog.key().public)
    assert (said["reason"], said["sha256"]) == ("有误", digest(release))
    with pytest.raises(TrustError):
        read_unpublication(token, IdentityKey.generate().public)


# ---- the way out -------------------------------------------------------------------------------


def test_unpublished_bytes_are_gone_and_their_record_stays(
    catalog: Registry, publishing: World
) -> None:
    publish(catalog, publishing.release, "local", "YL/001")
    with pytest.raises(InputError, match="is public"):
        catalog.withdraw("local", "YL/001", reason="重复", who="我")
    for reason, who in (("", "我"), ("有误", ""), ("a\nb", "我"), ("x" * 1001, "我")):
        with pytest.raises(InputError):
            unpublish(catalog, "local", "YL/001", 1, reason=reason, who=who)
    unpublish(catalog, "local", "YL/001", 1, reason="有误", who="我")
    assert (public(catalog), objects(catalog)) == ([("YL/001", 1, "unpublished")], [])
    for number in (1, 2):
        with pytest.raises(InputError, match="is not public"):
            unpublish(catalog, "local", "YL/001", number, reason="有误", who="我")
    assert readable(catalog) == []
