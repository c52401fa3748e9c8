"""The verb `run`: masks, scans the output, measures it, attacks it, and gives it its name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from desensitize.attesting.attestation import digest_of_manifest
from desensitize.attesting.gate import Gated, Seen, judged
from desensitize.attesting.gate_rules import Figures
from desensitize.attesting.signing import read_signing_key
from desensitize.engines.snapshot import LoadLimits
from desensitize.keys import TokenKeys, read_keys
from desensitize.masking.apply import Progress
from desensitize.policy import PublishPolicy
from desensitize.policy_file import GivenPolicy, given_policy
from desensitize.releasing.checks import checked_attacks, checked_risk, checked_scan
from desensitize.releasing.directory import check_final, publication
from desensitize.releasing.earlier import EarlierRelease, changes, read_earlier
from desensitize.releasing.facts import (
    POLICY,
    Release,
    sha256_of,
    write_manifest,
)
from desensitize.releasing.files import placed
from desensitize.releasing.headers import check_headers
from desensitize.releasing.masked import Masked, from_file, from_object
from desensitize.releasing.reading import version
from desensitize.releasing.record import record
from desensitize.releasing.stages import ATTACKING, MEASURING, SCANNING, Stages
from desensitize.salt import check_beside, new_salt, place_of_salt, read_salt, write_salt
from protos.faults import PolicyError, TrustError
from protos.language import Text


def run(
    data: object,
    *,
    policy: GivenPolicy,
    out: str | os.PathLike[str],
    token_keys: str | os.PathLike[str] | TokenKeys | None = None,
    sheet: str = "",
    attack: bool = True,
    earlier: Sequence[str | os.PathLike[str]] = (),
    salt: str | os.PathLike[str] | None = None,
    signing_key: str | os.PathLike[str] | None = None,
    valid_days: int = 365,
    limits: LoadLimits | None = None,
    progress: Progress | None = None,
    stages: Stages | None = None,
) -> Release:
    """Makes a release: a desensitized copy, the policy, and a manifest of what was done.

    A file is read in a child process with limits on memory, disk and time and without network;
    an object is read in this process. Before the output gets its name it is scanned, measured and,
    where the policy sets limits for them, attacked.

    Args:
        data: Path of a CSV, Parquet, Excel or OpenDocument file; pandas DataFrame; Arrow table,
            batch or reader; DuckDB relation.
        policy: A policy file, the text of one (what `plan` returns), or one that was read.
        out: Directory to make; must not exist.
        token_keys: Key file, or keys that were read; needed by tokens, FF1 and date shifts.
        sheet: Sheet of a workbook; empty for the first that has cells.
        attack: Try the attacks before publishing. The gate tries them in any case.
        earlier: Directories of earlier releases of the dataset: what changed since stands in the
            manifest, and both are read together by the differencing attack.
        salt: File of the salt, which stays with the original; made if there is none. By default it
            lies beside ``out``, as ``OUT.salt``. The same salt gives the same bytes again.
        signing_key: Key file of whoever answers for the release: the gate judges it at once and
            attests it. None leaves that to `gate`.
        valid_days: Days for which that attestation holds.
        limits: What each process that reads a file may use.
        progress: Called with the rows that are done and, if known, all there are.
        stages: Told what begins after the masking; returns whom to tell about rows.

    Returns:
        What stands in the manifest.

    Raises:
        InputError: The policy, the keys, the salt or the data are wrong, ``out`` exists, or an
            earlier release is of another dataset.
        TrustError: The file of keys or of the salt is open to others, or a key is weak.
        PolicyError: A name of a column is somebody's value, the scan of the output found a direct
            identifier, a model does not hold of it, or an attack defeats it: nothing is published.
            Or the gate refuses what was made: the directory stays, without an attestation.
        UnavailableError: Memory, disk or time did not suffice: nothing is published.
    """
    release, gated = made(
        data, policy=policy, out=out, token_keys=token_keys, sheet=sheet, attack=attack,
        earlier=earlier, salt=salt, signing_key=signing_key, valid_days=valid_days, limits=limits,
        progress=progress, stages=stages,
    )  # fmt: skip
    if gated is not None and not gated.verdict.passed:
        raise _refused(gated.verdict.refusals[0].reason, gated.verdict.refusals[0].remedy)
    return release


def made(
    data: object,
    *,
    policy: GivenPolicy,
    out: str | os.PathLike[str],
    token_keys: str | os.PathLike[str] | TokenKeys | None,
    sheet: str,
    attack: bool,
    earlier: Sequence[str | os.PathLike[str]],
    salt: str | os.PathLike[str] | None,
    signing_key: str | os.PathLike[str] | None,
    valid_days: int,
    limits: LoadLimits | None,
    progress: Progress | None,
    stages: Stages | None,
) -> tuple[Release, Gated | None]:
    """Does what `run` does; returns the gate's verdict, too, which may be a refusal.

    Raises:
        InputError, TrustError, PolicyError, UnavailableError: As `run`, but for that refusal.
    """
    given = rules = given_policy(policy)
    out = Path(out)
    keys = _keys(token_keys)
    check_headers(rules)
    keys.check(rules.domains)
    if signing_key is not None:
        read_signing_key(Path(signing_key))  # said before the work, not after it
        if isinstance(data, pa.RecordBatchReader):  # is read twice
            data = data.read_all()
    check_final(out)
    salt_file = place_of_salt(out) if salt is None else Path(salt)
    check_beside(salt_file, out)
    known = read_salt(salt_file) if os.path.lexists(salt_file) else None
    secret = known or new_salt()
    before = read_earlier(earlier, rules.dataset)
    attack = attack and (rules.attacks.asked or bool(before))
    begins = stages or (lambda _: None)
    with publication(out) as draft:
        rules = placed(rules, draft)
        path = draft / f"{rules.dataset}.parquet"
        origin = Path(os.fspath(data)) if isinstance(data, str | os.PathLike) else None
        if origin is not None:
            masked = from_file(
                origin, rules, keys, secret, path, sheet, limits or LoadLimits(), progress
            )  # fmt: skip
        else:
            masked = from_object(
                data, rules, keys, secret, path, sheet, limits, progress, lay_down=attack
            )
        written = version(path)
        release, figures = _looked_at(
            draft,
            path,
            rules,
            masked,
            origin,
            before,
            sheet=sheet,
            limits=limits,
            begins=begins,
            attack=attack,
        )
        if before:
            since = [changes(release, each, rules).to_dict() for each in before]
            release = replace(release, figures={**release.figures, "earlier": since})
        write_manifest(release, draft)
        if known is None:  # before the release has its name: one without a salt is worth nothing
            write_salt(secret, salt_file)
        manifest = digest_of_manifest(draft)
    if signing_key is None:
        return release, None
    beside = {each.name: each.facts.output.sha256 for each in before}
    seen = None if figures is None else Seen(figures, manifest, beside, written)
    return release, judged(
        out, data, signing_key=signing_key, policy=given, auxiliary=None, earlier=earlier,
        valid_days=valid_days, salt=salt, sheet=sheet, limits=limits, stages=stages, seen=seen,
    )  # fmt: skip


def _keys(given: str | os.PathLike[str] | TokenKeys | None) -> TokenKeys:
    if isinstance(given, str | os.PathLike):
        return read_keys(Path(given))
    return given or TokenKeys()


def _looked_at(
    draft: Path,
    path: Path,
    rules: PublishPolicy,
    masked: Masked,
    origin: Path | None,
    before: Sequence[EarlierRelease],
    *,
    sheet: str,
    limits: LoadLimits | None,
    begins: Stages,
    attack: bool,
) -> tuple[Release, Figures | None]:
    """Scans, measures and attacks what was written; returns all that the gate asks for, too.

    Raises:
        PolicyError: A direct identifier is left, a model does not hold, or an attack defeats it.
        TrustError: The file is not any more what it was when that began.
    """
    digest, as_written = sha256_of(path), version(path)
    rescanned = checked_scan(path, rules, begins(SCANNING), limits)
    risk = checked_risk(
        path, rules, masked.written.levels, rescanned, begins(MEASURING), limits
    )  # fmt: skip
    attacked = None
    if attack:
        attacked = checked_attacks(
            origin, draft, path, rules, masked, before, sheet, limits=limits,
            progress=begins(ATTACKING),
        )  # fmt: skip
    (draft / POLICY).write_bytes(rules.text.encode())
    release = record(rules, masked, path, rescanned, risk, attacked)
    # What is told is of what was looked at, also if another file was put back meanwhile.
    if release.output.sha256 != digest or version(path) != as_written:
        raise _changed(path.name)
    if attacked is None:
        return release, None
    return release, Figures(release.output.rows, rescanned, risk, attacked)


def _refused(reason: Text, remedy: Text) -> PolicyError:
    return PolicyError(
        Text(f"the gate refuses to attest the release: {reason.en}",
             f"门禁拒绝为该发布出具证明：{reason.zh}"),
        remedy=remedy,
        code="gate.refused",
    )  # fmt: skip


def _changed(name: str) -> TrustError:
    return TrustError(
        Text(f"{name} was changed by another program while it was checked. Nothing was published",
             f"{name} 在检查过程中被其他程序改动。未发布任何内容"),
        remedy=Text("run it again, in a directory that nobody else writes to",
                    "请在他人无法写入的目录中重新运行"),
        code="release.changed",
    )  # fmt: skip
