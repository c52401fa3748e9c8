"""Attested releases, a catalog with their datasets, and keys of everybody who signs."""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
import shutil
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import desensitize
from catalog.publishing import signers
from catalog.publishing.listing import publications
from catalog.publishing.publish import PublicationRefusedError, publish
from catalog.publishing.sign_offs import sign_off
from catalog.publishing.store import Store, open_store
from catalog.publishing.verified import Verified
from catalog.registry.record import Item
from catalog.registry.registry import Registry, create, opened
from desensitize.attesting.signing import new_signing_key, read_signing_key
from desensitize.policy_file import parse_policy
from desensitize.releasing.facts import sha256_of
from protos.data_integrity import secure
from tests.attack_world import people
from tests.catalog_world import ASK, CLOSED, HEALTH, POLICE, record
from tests.synthesis_world import policy_of, table_of

POLICY = """dataset = "yl_001"
open = "unconditional"
[columns.birth]
role = "quasi"
[columns.sex]
role = "quasi"
[columns.income]
type = "integer"
role = "sensitive"
bounds = [0, 100000]
[publish]
methods = { income = { round = 1000 } }
hierarchies = { birth = ["month", "quarter", "year", "*"], sex = { file = "levels/sex.csv" } }
models = { k = 3, max_suppressed = 0.1 }
gate = { gbt42460_level_min = 2 }
"""
KEYS: Final = ("signer", "steward", "chief", "police", "stranger")
NAMES: Final = {"YL/001": 1, "YL/002": 2, "YL/003": 3, "YL/004": 4}


class World:
    """One release of each kind, signed; and a catalog in which everybody is enrolled."""

    def __init__(self, place: Path) -> None:
        self.place = place
        data = people(400)
        kept = {name: data[name] for name in ("birth", "sex", "income")}
        pq.write_table(pa.table(kept), place / "o.parquet")
        (place / "p.toml").write_text(POLICY, "utf-8")
        (place / "levels").mkdir()
        (place / "levels" / "sex.csv").write_text("男;*\n女;*\n", "utf-8")
        self.dids = {name: new_signing_key(place / f"{name}.pem") for name in KEYS}
        self.release = place / "good"
        desensitize.run(
            place / "o.parquet", policy=place / "p.toml", out=self.release, attack=False
        )
        gated = desensitize.gate(
            self.release, original=place / "o.parquet", signing_key=place / "signer.pem"
        )
        assert gated.verdict.refusals == ()
        self.catalog = place / "catalog"
        create(self.catalog)
        with opened(self.catalog) as registry:
            fill(registry)
            for name in ("signer", "steward", "chief"):
                enrol(registry, HEALTH.code, self.dids[name], name)
            enrol(registry, POLICE.code, self.dids["police"], "signer")

    def synthetic(self) -> Path:
        """A synthetic release, made once."""
        out = self.place / "synthetic"
        if not out.exists():
            text = policy_of().text.replace('dataset = "t"', 'dataset = "yl_001"')
            policy = parse_policy(text)
            desensitize.synthesise(
                pa.table(table_of(300)), policy=policy, out=out,
                signing_key=self.place / "signer.pem",
            )  # fmt: skip
        return out

    def key(self, name: str) -> Any:  # noqa: ANN401 - an Ed25519 key
        return read_signing_key(self.place / f"{name}.pem")

    def signed_again(
        self,
        release: Path,
        change: dict[str, Any] | None = None,
        *,
        by: str = "signer",
        when: dt.datetime | None = None,
        **subject: Any,  # noqa: ANN401 - members of the subject
    ) -> None:
        """An enrolled key over other words, of which policy and manifest say the same."""
        subject |= _rewritten(release, subject)
        path = release / "attestation.json"
        body = copy.deepcopy(json.loads(path.read_text("utf-8")))
        del body["proof"]
        body |= (change or {}) | {"issuer": self.dids[by]}
        body["credentialSubject"] |= subject
        when = when or dt.datetime.now(dt.UTC)
        path.write_text(json.dumps(secure(body, self.key(by), when)), "utf-8")

    def sign_off(
        self,
        out: Path,
        role: str = "steward",
        *,
        code: str = "YL/003",
        sha256: str = "",
        by: str = "",
        when: dt.datetime | None = None,
    ) -> Path:
        """An officer's decision about the good release."""
        content = sign_off(
            sha256 or digest(self.release), ("local", code), role, self.key(by or role),
            now=when or dt.datetime.now(dt.UTC),
        )  # fmt: skip
        out.write_bytes(content)
        return out


def _rewritten(release: Path, subject: dict[str, Any]) -> dict[str, Any]:
    """Has policy and manifest say what is to be signed; returns their digests."""
    if not (words := {name: subject[name] for name in ("dataset", "open") if name in subject}):
        return {}
    policy, manifest = release / "policy.toml", release / "manifest.json"
    body = json.loads(manifest.read_text("utf-8")) | words
    text = policy.read_text("utf-8")
    for name, word in words.items():
        text = re.sub(rf'^{name} = ".*"$', f'{name} = "{word}"', text, count=1, flags=re.MULTILINE)
    policy.write_text(text, "utf-8")
    body["policy_sha256"] = sha256_of(policy)
    manifest.write_text(json.dumps(body, ensure_ascii=False), "utf-8")
    return {"policySha256": sha256_of(policy), "manifestSha256": sha256_of(manifest)}


def digest(release: Path) -> str:
    body = json.loads((release / "attestation.json").read_text("utf-8"))
    return str(body["credentialSubject"]["output"]["sha256"])


def fill(registry: Registry) -> None:
    """Datasets of grades 1 to 4 (codes YL/001 to YL/004), one that is not open, one of others."""
    registry.register(
        [
            *(
                record(code, opening=record().opening if grade < 3 else ASK,
                       items=(Item("收入", "integer", grade=grade),))
                for code, grade in NAMES.items()
            ),
            record("ZM/1", opening=CLOSED),
            record("GA/1", provider=POLICE),
        ]
    )  # fmt: skip


def enrol(registry: Registry, department: str, key: str, role: str, **more: Any) -> signers.Signer:  # noqa: ANN401 - of `signers.enrol`
    return signers.enrol(registry, department, key, role=role, name="张三", by="数据局", **more)


def clone(world: World, place: Path) -> Path:
    """A catalog of one's own."""
    return Path(shutil.copytree(world.catalog, place / "c"))


def damaged(world: World, place: Path) -> Path:
    """A copy of the release that a test may damage."""
    return Path(shutil.copytree(world.release, place / "release"))


def objects(registry: Registry) -> list[str]:
    folder = registry.directory / "public"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def public(registry: Registry) -> list[tuple[str, int, str]]:
    with registry.database.read() as connection:
        return [(p.identifier, p.number, p.state) for p in publications(connection)]


def readable(registry: Registry, store: Store | None = None) -> list[int]:
    """How many rows everything public has, after its bytes were checked."""
    verified = Verified(store or open_store(registry.directory))
    with registry.database.read() as connection:
        found = [each for each in publications(connection) if each.state == "published"]
    for each in found:
        verified.check(each)
    return [pq.read_metadata(verified.store.open(each.object)).num_rows for each in found]


def refused(
    registry: Registry,
    release: Path,
    code: str = "YL/001",
    source: str = "local",
    **more: Any,  # noqa: ANN401 - of `publish`
) -> set[str]:
    """The codes of all reasons; and nothing has changed."""
    before, lie = public(registry), objects(registry)
    with pytest.raises(PublicationRefusedError) as caught:
        publish(registry, release, source, code, **more)
    for each in caught.value.objections:
        assert each.said.en
        assert each.said.zh
        assert each.remedy.en
        assert each.remedy.zh
    assert (public(registry), objects(registry)) == (before, lie)
    assert not list(registry.directory.glob(".staged-*"))
    return {each.code for each in caught.value.objections}
