"""A program has its release attested in one call, as the command line does."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import desensitize
from desensitize.attesting.signing import new_signing_key
from desensitize.policy_file import parse_policy
from protos.faults import PolicyError

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


def test_a_release_is_attested_or_refused(tmp_path: Path) -> None:
    did = new_signing_key(tmp_path / "key.toml")
    table = pa.table({"sex": ["男", "女"] * 50})
    key = tmp_path / "key.toml"
    out = tmp_path / "signed"
    desensitize.run(table, policy=parse_policy(POLICY), out=out, signing_key=key)
    found = desensitize.verify(out / "attestation.json", signer=did)
    assert found.valid, found.checks
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
