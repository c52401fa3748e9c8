"""The verb `gate`: looks at a release once more, with the original, and attests it or refuses."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from desensitize.attacking import attack
from desensitize.attesting.attestation import (
    ATTESTATION,
    Attested,
    attest,
    digest_of_manifest,
    write_attestation,
)
from desensitize.attesting.gate_rules import Figures, GateVerdict, judge
from desensitize.attesting.signed_file import exists
from desensitize.attesting.signing import read_signing_key
from desensitize.engines.snapshot import LoadLimits
from desensitize.policy import PublishPolicy
from desensitize.policy_file import GivenPolicy, given_policy, read_policy
from desensitize.releasing.checks import measured, rescan
from desensitize.releasing.earlier import read_earlier
from desensitize.releasing.facts import POLICY, Release, read_copy
from desensitize.releasing.files import at, population_of
from desensitize.releasing.originals import original as opened_original
from desensitize.releasing.reading import version
from desensitize.releasing.stages import ATTACKING, MEASURING, SCANNING, Stages
from desensitize.salt import Salt, salt_of
from protos.faults import TrustError
from protos.language import Text


@dataclass(frozen=True)
class Gated:
    """What came of it.

    Attributes:
        verdict: The gate's, with every reason.
        figures: What it judged.
        attestation: The file; None if it refused, or nobody was to sign.
    """

    verdict: GateVerdict
    figures: Figures
    attestation: Path | None

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from desensitize.show.attack import show_gate
        from protos.terminal import as_html

        return as_html(show_gate, self)


@dataclass(frozen=True)
class Seen:
    """What the process that made a release has found in it, and in which bytes.

    Attributes:
        figures: From a scan, a measurement and attacks of the files that the manifest names.
        manifest: SHA-256 of that manifest, which holds the digests of all that was looked at.
        earlier: SHA-256 of the output of each earlier release that was attacked beside it, by name.
        version: What changes with the file of rows, before it was looked at.
    """

    figures: Figures
    manifest: str
    earlier: Mapping[str, str]
    version: list[int]


def gate(
    directory: str | os.PathLike[str],
    *,
    original: object,
    signing_key: str | os.PathLike[str] | None = None,
    policy: GivenPolicy | None = None,
    auxiliary: str | os.PathLike[str] | None = None,
    earlier: Sequence[str | os.PathLike[str]] = (),
    valid_days: int = 365,
    salt: str | os.PathLike[str] | None = None,
    sheet: str = "",
    limits: LoadLimits | None = None,
    stages: Stages | None = None,
) -> Gated:
    """Scans, measures and attacks a release, judges it, and signs what was found.

    Nothing that was said when the release was made is believed: figures are made anew from the
    files. A refusal writes nothing. (`run` with a signing key has made them a moment ago, in the
    same process and of the same bytes: there they are not made twice.)

    Args:
        directory: The release.
        original: What it was made from, to the byte: a file; or a DataFrame, Arrow object or DuckDB
            relation, if it was made of one.
        signing_key: Key file of whoever answers for it; without one nothing is signed.
        policy: The policy as it was given to `run`, where it names a population that lies beside
            it; the release's copy by default.
        auxiliary: File that an attacker has.
        earlier: Earlier releases of the dataset.
        valid_days: Days for which the attestation holds.
        salt: File of the release's salt; the one beside the directory by default.
        sheet: Sheet of the original.
        limits: What each reading process may use.
        stages: Told what begins; returns whom to tell about rows.

    Raises:
        InputError: Files are missing, or do not go together; or it is attested already.
        TrustError: A file is not the one that the manifest speaks of, or the key is unsafe.
        UnavailableError: Memory, disk or time did not suffice.
    """
    return judged(
        Path(directory), original, signing_key=signing_key, policy=policy, auxiliary=auxiliary,
        earlier=earlier, valid_days=valid_days, salt=salt, sheet=sheet, limits=limits,
        stages=stages,
    )  # fmt: skip


def judged(
    place: Path,
    original: object,
    *,
    signing_key: str | os.PathLike[str] | None,
    policy: GivenPolicy | None,
    auxiliary: str | os.PathLike[str] | None,
    earlier: Sequence[str | os.PathLike[str]],
    valid_days: int,
    salt: str | os.PathLike[str] | None,
    sheet: str,
    limits: LoadLimits | None,
    stages: Stages | None,
    seen: Seen | None = None,
) -> Gated:
    """Does what `gate` does; ``seen`` is what this process itself has just found in the release.

    Raises:
        InputError, TrustError, UnavailableError: As `gate`.
    """
    if isinstance(original, pa.RecordBatchReader):  # is looked at more than once
        original = original.read_all()
    release = read_copy(place)
    if (place / ATTESTATION).exists():
        raise exists(place / ATTESTATION, "attestation")
    key = None if signing_key is None else read_signing_key(Path(signing_key))
    # Hierarchies are those of the release, whose digests were compared just now.
    rules = at(given_policy(place / POLICY if policy is None else policy), place)
    secret = salt_of(place, salt)
    _same(release, rules, original, secret)
    output = place / release.output.name
    before = version(output) if seen is None else seen.version
    if seen is None:
        begins = stages or (lambda _: None)
        scanned = rescan(output, rules, begins(SCANNING), limits)
        risk = measured(
            output, rules, release.levels, scanned, limits=limits, progress=begins(MEASURING)
        )
        attacks = attack(
            original, place, policy=rules, auxiliary=auxiliary, earlier=earlier, salt=salt,
            sheet=sheet, limits=limits, progress=begins(ATTACKING),
        )  # fmt: skip
        figures = Figures(release.output.rows, scanned, risk, attacks)
    elif digest_of_manifest(place) != seen.manifest:
        raise _changed(place.name)
    else:
        figures = seen.figures
    verdict = judge(rules, figures)
    if key is None or not verdict.passed:
        return Gated(verdict, figures, None)
    # What is signed is what was looked at, also if somebody exchanged a file meanwhile, and put
    # the first one back: its digest would be right, but not the time of its last change.
    if version(output) != before or read_copy(place) != release:
        raise _changed(place.name)
    _same(release, rules, original, secret)
    beside = {each.name: each.facts.output.sha256 for each in read_earlier(earlier, rules.dataset)}
    if seen is not None and beside != seen.earlier:
        raise _changed(", ".join({*beside, *seen.earlier}))
    rules = read_policy(place / POLICY)  # as it is written, without places of this machine
    about = Attested(release, rules, figures, verdict, digest_of_manifest(place), beside)
    signed = attest(about, key, now=dt.datetime.now(dt.UTC), valid_days=valid_days)
    return Gated(verdict, figures, write_attestation(signed, place))


def _same(release: Release, policy: PublishPolicy, original: object, salt: Salt) -> None:
    if policy.digest != release.policy_sha256:
        raise TrustError(
            Text("this is not the policy that the release was made with",
                 "该策略不是生成此发布所用的策略"),
            remedy=Text("leave --policy out, or name the file that was used",
                        "请省略 --policy，或指定当时使用的文件"),
            code="gate.policy",
        )  # fmt: skip
    delta = policy.models.delta
    everybody = None if delta is None else policy.folder / delta.file
    if (
        everybody is not None
        and everybody.is_file()  # one that is missing is said where it is read
        and population_of(policy, salt) != release.population
    ):
        raise TrustError(
            Text(f"{everybody.name} is not the population that the release was made with",
                 f"{everybody.name} 不是生成此发布所用的总体数据"),
            remedy=Text("name the policy beside which the unchanged file lies",
                        "请指定未经改动的文件所在处的策略"),
            code="gate.population",
        )  # fmt: skip
    with opened_original(original) as origin:
        origin.check(release, salt, "gate.original")


def _changed(name: str) -> TrustError:
    return TrustError(
        Text(f"{name} changed while it was looked at", f"{name} 在检查过程中被改动"),
        remedy=Text("run the gate again", "请重新运行门禁"),
        code="gate.changed",
    )
