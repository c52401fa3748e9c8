"""The analyst's history: what was asked and what came back, so that asking again costs nothing.

A stored answer saves budget; it is never the defence. It is used again only for the same question
(the same algebra, mode, privacy, protocol), the same departments and the same data versions.

Beside the answers stands what they cost: one line for each, which is never rewritten. It is the
analyst's own record. What a department has left for everybody together, its own ledger knows.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from catalog.codec import to_json
from catalog.identity.files import create_directory
from catalog.plan import Plan
from exchange.analyst.federation import Federation
from protos.canonical import digest
from protos.identity import unverified_claims
from protos.whole_file import write_whole

CHARGES: Final = "charges.jsonl"


@dataclass(frozen=True)
class Remembered:
    """One answered question.

    Attributes:
        plan: ``veil-plan+jwt``.
        order_key: The job's cell-order key, or b"".
        outcome: As fetched.
        he_secret: The job's private HE key, or b"".
    """

    plan: str
    order_key: bytes = field(repr=False)
    outcome: bytes = field(repr=False)
    he_secret: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Charge:
    """What one ad hoc answer cost at every department that was asked.

    Attributes:
        job: The job.
        dataset: Its dataset.
        project: Whose share paid.
        rho: zCDP.
        departments: Who was asked, in the order of the roster.
    """

    job: str
    dataset: str
    project: str
    rho: float
    departments: tuple[str, ...]


class History:
    """Files in a folder: one a question, mode 0600.

    Args:
        directory: Made when it is first written to.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find(self, key: str) -> Remembered | None:
        """What was answered to this question before, or None."""
        path = self._directory / f"{key}.json"
        if not path.exists():
            return None
        body = json.loads(path.read_text("utf-8"))
        outcome = (self._directory / f"{key}.outcome").read_bytes()
        secret = self._directory / f"{key}.key"
        return Remembered(
            body["plan"],
            bytes.fromhex(body["order_key"]),
            outcome,
            secret.read_bytes() if secret.exists() else b"",
        )

    def find_job(self, beginning: str) -> list[tuple[str, Remembered]]:
        """The (key, answer) of every job whose number begins so."""
        found = []
        for path in self._directory.glob("*.json"):
            kept = self.find(path.stem)
            if kept and str(unverified_claims(kept.plan).get("job", "")).startswith(beginning):
                found.append((path.stem, kept))
        return found

    def keep(self, key: str, remembered: Remembered) -> None:
        """Keeps an answer; the outcome first, so that an entry is whole or absent."""
        create_directory(self._directory)
        body = {"plan": remembered.plan, "order_key": remembered.order_key.hex()}
        write_whole(self._directory / f"{key}.outcome", remembered.outcome)
        if remembered.he_secret:
            write_whole(self._directory / f"{key}.key", remembered.he_secret)
        write_whole(self._directory / f"{key}.json", json.dumps(body).encode("utf-8"))

    def charge(self, charge: Charge) -> None:
        """Notes what an answer cost, on disk before it returns."""
        create_directory(self._directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(self._directory / CHARGES, flags, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            # The first newline ends a line that a crash cut off.
            file.write("\n" + json.dumps(asdict(charge)) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def charges(self, dataset: str) -> list[Charge]:
        """Every charge on a dataset, oldest first; a line that a crash cut off is passed over.

        A job is charged once, however often its answer was fetched.
        """
        path = self._directory / CHARGES
        if not path.exists():
            return []
        found: dict[str, Charge] = {}
        for line in path.read_text("utf-8").splitlines():
            try:
                body = json.loads(line)
                charge = Charge(**{**body, "departments": tuple(body["departments"])})
            except (ValueError, TypeError, KeyError):
                continue
            if charge.dataset == dataset:
                found.setdefault(charge.job, charge)
        return list(found.values())


def same_question(plan: Plan, other: Plan) -> bool:
    """Whether two plans ask the same of the same departments, by whatever protocol.

    For a job that is still out: which data it will be answered from is not known yet.
    """
    return _question(plan) == _question(other)


def _question(plan: Plan) -> tuple[object, ...]:
    return (
        plan.aggregate,
        plan.dataset_digest,
        plan.mode,
        plan.epsilon,
        plan.delta,
        plan.analyst_fingerprint,
        plan.roster,
    )


def question_key(plan: Plan, federation: Federation) -> str:
    """What makes two questions the same; everything that an answer depends on is in it."""
    return digest(
        {
            "aggregate": to_json(plan.aggregate),
            "dataset": plan.dataset_digest,
            "mode": plan.mode,
            "protocol": plan.protocol,
            "epsilon": plan.epsilon,
            "delta": plan.delta,
            "recipient": plan.analyst_fingerprint,
            "roster": [
                [m.name, m.fingerprint, federation.snapshots.get((m.name, plan.dataset), "")]
                for m in plan.roster
            ],
        }
    )
