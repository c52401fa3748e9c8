"""Tries what a proposal costs on a file, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from desensitize.engines.child import call
from desensitize.engines.scratch import scratch
from desensitize.engines.snapshot import LoadLimits
from desensitize.generalise.alternatives import KS
from desensitize.policy import PublishPolicy
from desensitize.proposing.costs import Costs, from_dict
from protos.language import Text


def costs_file(
    source: Path,
    policy: PublishPolicy,
    *,
    ks: Sequence[int] = KS,
    facts_max: float | None = None,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Costs:
    """Searches in a process of its own; see `proposing.costs`.

    Raises:
        InputError: The file is missing or wrong, or does not go with the policy.
        UnavailableError: Memory, disk or time did not suffice.
    """
    task = {
        "sheet": sheet,
        "policy": policy.text,
        "folder": str(policy.folder.resolve()),
        "ks": list(ks),
        "facts_max": facts_max,
    }
    with scratch("plan") as place:
        body = call(
            "desensitize.engines.costs_child",
            source,
            task,
            scratch=place,
            limits=limits or LoadLimits(),
            program=Text("search of levels", "层级搜索程序"),
            progress=progress,
        )
    return from_dict(body)
