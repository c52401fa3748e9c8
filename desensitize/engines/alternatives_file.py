"""Searches what several k would cost on a file, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from desensitize.engines.child import call
from desensitize.engines.scratch import scratch
from desensitize.engines.snapshot import LoadLimits
from desensitize.generalise.alternatives import KS, Alternative, from_dict
from desensitize.policy import PublishPolicy
from protos.language import Text


def alternatives_file(
    source: Path,
    policy: PublishPolicy,
    *,
    ks: Sequence[int] = KS,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> tuple[Alternative, ...]:
    """Searches in a process of its own; see `generalise.alternatives`.

    Raises:
        InputError: The file is missing or wrong, or does not go with the policy.
        UnavailableError: Memory, disk or time did not suffice.
    """
    task = {
        "sheet": sheet,
        "policy": policy.text,
        "folder": str(policy.folder.resolve()),
        "ks": list(ks),
    }
    with scratch("plan") as place:
        body = call(
            "desensitize.engines.alternatives_child",
            source,
            task,
            scratch=place,
            limits=limits or LoadLimits(),
            program=Text("search of levels", "层级搜索程序"),
            progress=progress,
        )
    return tuple(map(from_dict, body["alternatives"]))
