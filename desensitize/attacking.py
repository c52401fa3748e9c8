"""The verb `attack`: from what a caller names to tables of one engine."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path

from desensitize.attacks.findings import AttackReport
from desensitize.engines.attack_file import attack_file
from desensitize.engines.snapshot import LoadLimits
from desensitize.policy_file import GivenPolicy, given_policy
from desensitize.releasing.earlier import read_earlier
from desensitize.releasing.facts import POLICY, read_copy
from desensitize.releasing.originals import original as opened_original
from desensitize.salt import salt_of
from desensitize.scanning.table_scan import Progress
from protos.faults import InputError
from protos.language import Text

FilePath = str | os.PathLike[str]


def attack(
    original: object,
    release: FilePath,
    *,
    policy: GivenPolicy | None = None,
    auxiliary: FilePath | None = None,
    earlier: Sequence[FilePath] = (),
    today: dt.date | None = None,
    salt: FilePath | None = None,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Progress | None = None,
) -> AttackReport:
    """Attacks a release as an outsider would, with the original to tell who is right.

    All files are read in a child process with limits on memory, disk and time and without network.

    Args:
        original: What went in: CSV, Parquet, Excel or OpenDocument; or the DataFrame, Arrow object
            or DuckDB relation.
        release: Directory of a release, or a file with released rows.
        policy: What was done; a release's own policy by default.
        auxiliary: File that an attacker has, with names of columns as in the original; without
            one he knows the original itself.
        earlier: Directories of earlier releases of the same dataset.
        today: Last possible day of birth; today by default.
        salt: File of the salt of a release; the one beside its directory by default.
        sheet: Sheet of the original, if it is a workbook.
        limits: What the process may use.
        progress: Told how far it is.

    Raises:
        InputError: A file or the salt is missing or wrong, the policy does not go with it, or an
            earlier release is of another dataset.
        TrustError: A file of a release is not the one that its manifest speaks of, or the original
            is not what it was made from.
        UnavailableError: Memory, disk or time did not suffice.
    """
    source, levels, occasion = Path(release), {}, None
    secret = facts = None
    if source.is_dir():
        facts = read_copy(source)
        policy = policy if policy is not None else source / POLICY
        source, levels = source / facts.output.name, dict(facts.levels)
        occasion = facts.occasion(sheet)
        secret = salt_of(release, salt)
    if policy is None:
        raise InputError(
            Text("a file alone does not say what was done", "仅有数据文件，无法得知处理方式"),
            remedy=Text("give --policy, or the release's directory", "请给出 --policy 或发布目录"),
            code="attack.policy",
        )
    rules = given_policy(policy)
    with opened_original(original) as origin:
        if facts is not None and facts.input is not None and secret is not None:
            # Rows of another file are nobody's here: every attack on them would seem to fail.
            origin.check(facts, secret, "attack.original")
        return attack_file(
            origin.path,
            source,
            rules,
            levels=levels,
            today=today or dt.datetime.now(dt.UTC).date(),
            # A file alone stands in the order of the original, or in nobody's.
            order=secret.order(origin.digest, occasion) if secret and occasion else b"",
            auxiliary=None if auxiliary is None else Path(auxiliary),
            earlier=read_earlier(earlier, rules.dataset),
            sheet=sheet,
            limits=limits,
            progress=progress,
        )
