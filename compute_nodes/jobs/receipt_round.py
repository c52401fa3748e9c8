"""The last round: which departments this one will sign for that they are in the total."""

from __future__ import annotations

import json
from collections.abc import Collection

from catalog.plan import Plan
from compute_nodes.jobs.runs import runs_of
from compute_nodes.protocols.base import Party
from compute_nodes.protocols.masked_sum.party import MaskedSumParty
from protos.faults import ProtocolError


def read_notice(body: bytes) -> tuple[tuple[str, ...], str]:
    """Reads what the exchange asks signatures for.

    Returns:
        The survivors, in roster order, and the SHA-256 (hex) of the aggregate.

    Raises:
        ProtocolError: It is malformed.
    """
    try:
        notice = json.loads(body)
        return tuple(notice["survivors"]), str(notice["outcome"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProtocolError("the receipt's notice is malformed", code="job.receipt") from error


def check_agreed(
    plan: Plan,
    department: str,
    party: Party | None,
    sent: Collection[str],
    survivors: tuple[str, ...],
) -> None:
    """Checks that these are the departments that this one has agreed to be in a total with.

    Args:
        plan: The plan.
        department: This one.
        party: Its machine in the run that carries the values, if that has begun.
        sent: Rounds in which it has sent a protocol message.
        survivors: As the notice says.

    Raises:
        ProtocolError: They are not.
    """
    if not _agreed(plan, department, party, sent, survivors):
        raise ProtocolError(
            "the receipt names other survivors than this department has signed",
            code="job.receipt",
        )


def _agreed(
    plan: Plan,
    department: str,
    party: Party | None,
    sent: Collection[str],
    survivors: tuple[str, ...],
) -> bool:
    names = tuple(member.name for member in plan.roster)
    if isinstance(party, MaskedSumParty):
        signed = tuple(names[index] for index in party.survivors)
        return bool(signed) and survivors == signed
    if not any(round_.startswith(f"{runs_of(plan)[-1]}/") for round_ in sent):
        return False
    if plan.is_open:  # any that are enough, itself among them; only the analyst sees who came
        chosen = tuple(name for name in names if name in survivors)
        enough = len(chosen) >= plan.threshold
        return survivors == chosen and enough and department in chosen
    # One message from each of the roster, and no total without all of them.
    return survivors == names
