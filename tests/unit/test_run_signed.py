"""A program has its release attested in one call, as the command line does."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import desensitize
from desensitize.attesting.signing import new_signing_key
from desensitize.policy_file import parse_policy
from protos.faults import InputError, PolicyError, TrustError
from protos.language import Text

POLICY = """
dataset = "d"
[columns.sex]
type = "sex"
role = "quasi"
[publish]
methods = { sex = "keep" }
models = { k = 2 }
attacks = { mask_candidates_min = 1000, linkage_correct_max = 0.9, small_cell_differences = 0 }
"""


def test_a_program_goes_from_a_frame_to_an_attestation_without_a_file_of_its_own(
    tmp_path: Path,
) -> None:
    place = str(tmp_path)
    did = new_signing_key(f"{place}/key.pem")
    frame = pd.DataFrame({"sex": ["男", "女"] * 500, "city": ["广州市", "深圳市"] * 500})
    proposed = desensitize.plan(frame)
    desensitize.run(frame, policy=proposed, out=f"{place}/out")
    (tmp_path / "policy.toml").write_text(proposed, "utf-8")
    assert desensitize.attack(frame, f"{place}/out", policy=proposed).to_dict() == (
        desensitize.attack(frame, f"{place}/out", policy=f"{place}/policy.toml").to_dict()
    )
    gated = desensitize.gate(
        f"{place}/out", original=frame, policy=proposed, signing_key=f"{place}/key.pem"
    )
    assert gated.verdict.passed, gated.verdict.refusals
    assert desensitize.verify(f"{place}/out/attestation.json", signer=did).valid
    # All verbs that compare with the original take it as it was given; none takes another.
    verified = desensitize.verify(f"{place}/out", original=frame)
    assert {check.name: check.state for check in verified.checks}["original"] == "holds"
    shown = desensitize.report(f"{place}/out", original=frame, out=f"{place}/report.html")
    assert shown.alternatives
    useful = desensitize.utility(frame, f"{place}/out", "sex", models=["linear"])
    assert useful.models
    other = frame.head(900)
    for verb in (desensitize.attack, partial(desensitize.utility, target="sex")):
        with pytest.raises(TrustError, match="not what the release was made from"):
            verb(other, f"{place}/out")
    # The text of a policy is read as strictly as a file.
    with pytest.raises(InputError, match="TOML"):
        desensitize.run(frame, policy="dataset = \n", out=f"{place}/none")


def test_a_release_is_attested_or_refused(tmp_path: Path) -> None:
    did = new_signing_key(tmp_path / "key.toml")
    table = pa.table({"sex": ["男", "女"] * 50})
    key = tmp_path / "key.toml"
    out = tmp_path / "signed"
    desensitize.run(table, policy=parse_policy(POLICY), out=out, signing_key=key)
    found = desensitize.verify(out / "attestation.json", signer=did)
    assert found.valid, found.checks
    # What run has found a moment ago is what the gate finds by itself.
    about = json.loads((out / "attestation.json").read_text("utf-8"))["credentialSubject"]
    (out / "attestation.json").unlink()
    begun: list[str] = []
    desensitize.gate(
        out, original=table, signing_key=key, stages=lambda said: begun.append(said.en)
    )
    again = json.loads((out / "attestation.json").read_text("utf-8"))["credentialSubject"]
    assert about == again
    assert len(begun) == 3
    # Made without the attacks, which the gate tries in any case.
    ids = pa.table({"sex": ["男", "女"] * 50, "id": ["11010519491231002X"] * 100})
    masked = parse_policy(
        POLICY.replace("[publish]", '[columns.id]\ntype = "cn_resident_id"\n[publish]').replace(
            '"keep" }', '"keep", id = { keep_last = 17 } }'
        )
    )
    with pytest.raises(PolicyError, match="gate refuses"):
        desensitize.run(ids, policy=masked, out=tmp_path / "refused", attack=False, signing_key=key)
    assert not (tmp_path / "refused" / "attestation.json").exists()


def test_rows_that_somebody_exchanges_while_they_are_looked_at_are_not_published(
    tmp_path: Path,
) -> None:
    new_signing_key(tmp_path / "key.pem")
    begun: list[str] = []

    def exchange(begins: Text) -> None:
        begun.append(begins.en)
        if begins.en == "Attacking it":  # when the scan and the measurement are done
            [draft] = tmp_path.glob(".out.partial-*/d.parquet")
            pq.write_table(pq.read_table(draft), draft, compression="none")  # other bytes

    with pytest.raises(TrustError, match="changed by another program"):
        desensitize.run(
            pa.table({"sex": ["男", "女"] * 50}), policy=parse_policy(POLICY),
            out=tmp_path / "out", signing_key=tmp_path / "key.pem", stages=exchange,
        )  # fmt: skip
    assert begun == ["Scanning the output", "Measuring its risk", "Attacking it"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("signed", [True, False])
def test_rows_that_are_exchanged_while_they_are_looked_at_and_put_back_are_not_published(
    tmp_path: Path, signed: bool
) -> None:
    """Another file is scanned and measured; the digests at both ends are those of the right one."""
    new_signing_key(tmp_path / "key.pem")
    other, hidden = tmp_path / "other.parquet", tmp_path / "hidden.parquet"
    pq.write_table(pa.table({"sex": ["男", "女"] * 50}), other)
    exchanged: list[str] = []

    def exchange(begins: Text) -> None:
        if begins.en in {"Scanning the output", "Attacking it"}:
            [draft] = [*tmp_path.glob(".out.partial-*/d.parquet")]
            draft.rename(hidden if not exchanged else other)
            (other if not exchanged else hidden).rename(draft)
            exchanged.append(begins.en)

    with pytest.raises(TrustError, match="changed by another program"):
        desensitize.run(
            pa.table({"sex": ["男", "女"] * 50}), policy=parse_policy(POLICY),
            out=tmp_path / "out", signing_key=tmp_path / "key.pem" if signed else None,
            stages=exchange,
        )  # fmt: skip
    assert len(exchanged) == 2
    assert not (tmp_path / "out").exists()


def test_an_original_that_changes_while_its_release_is_attacked_is_signed_by_nobody(
    tmp_path: Path,
) -> None:
    new_signing_key(tmp_path / "key.pem")
    original = tmp_path / "o.csv"
    original.write_bytes(b"sex\n" + "男\n女\n".encode() * 50)

    def exchange(begins: Text) -> None:
        if begins.en == "Attacking it":
            original.write_bytes(original.read_bytes().replace(b"\n", b"\r\n"))  # the same rows

    with pytest.raises(TrustError):
        desensitize.run(
            original, policy=parse_policy(POLICY), out=tmp_path / "out",
            signing_key=tmp_path / "key.pem", stages=exchange,
        )  # fmt: skip
    assert (tmp_path / "out" / "manifest.json").is_file()
    assert not (tmp_path / "out" / "attestation.json").exists()
