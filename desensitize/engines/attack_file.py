"""Attacks a release in a process of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from desensitize.attacks.findings import AttackReport, from_dict
from desensitize.engines.child import call, no_file
from desensitize.engines.scratch import scratch
from desensitize.engines.snapshot import LoadLimits
from desensitize.policy import PublishPolicy
from desensitize.releasing.earlier import EarlierRelease
from protos.language import Text


def attack_file(
    original: Path,
    release: Path,
    policy: PublishPolicy,
    *,
    levels: Mapping[str, str],
    today: dt.date,
    order: bytes = b"",
    auxiliary: Path | None = None,
    earlier: Sequence[EarlierRelease] = (),
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> AttackReport:
    """Attacks a release in a process of its own.

    Args:
        original: What went in: CSV, Parquet, Excel or OpenDocument.
        release: What came out: Parquet, or any of these.
        policy: What was done.
        levels: Level of each column that has a hierarchy.
        today: Last possible day of birth.
        order: Seed of the release's order of rows; empty if they stand as in the original.
        auxiliary: File that an attacker has; None for the original itself.
        earlier: Earlier releases of the dataset.
        sheet: Sheet of the original, if it is a workbook.
        limits: What the process may use.
        progress: Told how far it is.

    Raises:
        InputError: A file is missing or wrong, or does not go with the policy.
        UnavailableError: Memory, disk or time did not suffice.
    """
    beside = [each.path for each in earlier] + ([auxiliary] if auxiliary else [])
    for path in (original, release, *beside):
        if not path.is_file():
            raise no_file(path)
    task = {
        "sheet": sheet,
        "release": str(release.resolve()),
        "policy": policy.text,
        "folder": str(policy.folder.resolve()),
        "levels": dict(levels),
        "today": today.isoformat(),
        "order": order.hex(),
        "auxiliary": str(auxiliary.resolve()) if auxiliary else "",
        "earlier": [
            (each.name, str(each.path.resolve()), dict(each.facts.levels)) for each in earlier
        ],
    }
    with scratch("attack") as place:
        return from_dict(
            call(
                "desensitize.engines.attack_child",
                original,
                task,
                scratch=place,
                limits=limits or LoadLimits(),
                program=Text("attacking process", "攻击测试进程"),
                progress=progress,
            )
        )
