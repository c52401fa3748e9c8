"""Attacks on a release, each with the best that an outsider could have: figures and verdicts.

========================  ======================================================================
`mask_reversal`           candidates that a mask leaves, alone and with what is beside it
`hashes`                  hashes without a key
`uniqueness`              rows that are alone with what the masks leave together
`linkage`                 people whose row is named rightly
`inference`               sensitive values that a class tells
`singling_out`            predicates that isolate one person
`differencing`            cells in which two releases differ by one person
========================  ======================================================================
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from desensitize.attacks import (
    differencing,
    hashes,
    inference,
    linkage,
    mask_reversal,
    singling_out,
    uniqueness,
)
from desensitize.attacks.differencing import Earlier
from desensitize.attacks.findings import ATTACKS, AttackReport, Finding, from_dict
from desensitize.attacks.layout import lay_out
from desensitize.policy import PublishPolicy
from desensitize.sources import Table

__all__ = ["ATTACKS", "AttackReport", "Earlier", "Finding", "attack_tables", "from_dict"]


def attack_tables(
    original: Table,
    release: Table,
    policy: PublishPolicy,
    *,
    levels: dict[str, str],
    today: dt.date,
    order: bytes = b"",
    auxiliary: Table | None = None,
    earlier: Sequence[Earlier] = (),
    progress: Callable[[int, int | None], None] | None = None,
) -> AttackReport:
    """Runs every attack.

    Args:
        original: What went in.
        release: What came out.
        policy: What was done.
        levels: Level of each column that has a hierarchy.
        today: Last possible day of birth.
        order: Seed of the release's order of rows; empty if they stand as in the original.
        auxiliary: What an attacker could have; None for the original itself.
        earlier: Earlier releases of the dataset.
        progress: Told how many of the rows' passes are done, after each attack.

    Raises:
        InputError: Tables and policy do not go together.
    """
    view = lay_out(original, release, policy, levels, order)
    steps: tuple[Callable[[], Finding | list[Finding]], ...] = (
        lambda: mask_reversal.attack(view, today),
        lambda: hashes.attack(view, today),
        lambda: uniqueness.attack(view),
        lambda: linkage.attack(view, auxiliary),
        lambda: inference.attack(view),
        lambda: singling_out.attack(view),
        *((lambda each=each: differencing.attack(view, each, levels)) for each in earlier),
    )
    findings: list[Finding] = []
    for done, step in enumerate(steps, 1):
        made = step()
        findings += made if isinstance(made, list) else [made]
        if progress is not None:
            progress(view.rows * done, view.rows * len(steps))
    return AttackReport(
        view.rows, tuple(findings), "" if auxiliary is None else auxiliary.name,
        tuple(each.name for each in earlier),
    )  # fmt: skip
