"""The plan: what an analyst signs and every node judges for itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from catalog.algebra import Aggregate

Mode = Literal["adhoc", "exact"]
Protocol = Literal[
    "masked_sum",
    "he_sum.bfv",
    "he_sum.paillier",
    "he_sum.bfv.open",
    "he_sum.paillier.open",
    "sealed",
]
Bits = Literal[32, 64, 128]


@dataclass(frozen=True)
class Member:
    """One department of the roster, by name and identity-key fingerprint."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class Plan:
    """The body that the analyst signs (``veil-plan+jwt``).

    Everything that follows from these fields (cells, sensitivities, noise) is derived by each
    node itself and not trusted from the wire.

    Attributes:
        job: 32 lower-case hex digits, chosen by the analyst, never reused.
        issued_at: Unix seconds.
        expires_at: Unix seconds; nodes refuse a plan outside [issued_at - skew, expires_at].
        analyst: Name, as certified.
        analyst_fingerprint: Fingerprint of the analyst's identity key.
        analyst_sealing_key: X25519 public key, 64 hex digits; answers are sealed to it.
        project: Whose budget share pays.
        purpose: What for, in the analyst's words.
        dataset: Name of the logical dataset.
        dataset_digest: SHA-256 (hex) of the dataset's canonical JSON.
        statement: The SQL as written, for people; nodes never execute it.
        aggregate: The typed algebra that nodes compute.
        mode: ``adhoc`` (differentially private) or ``exact`` (needs every owner's grant).
        protocol: Which protocol carries it.
        bits: Width of the ring Z_(2**bits).
        roster: Departments that are asked, in order; positions are party numbers.
        threshold: Fewest survivors for an answer.
        epsilon: Privacy asked for (adhoc); 0 for exact.
        delta: The dataset's delta; 0 for exact.
        colluders: Departments assumed to collude when noise is divided.
        grants: Owners' signed grants (compact JWS), exact mode only.
        order_keys: Per department, the cell-order key sealed to it (hex), exact mode only.
        order_key_digest: SHA-256 (hex) of that one key: all departments use the same order.
        he_key_digest: SHA-256 (hex) of the analyst's public HE key, which travels beside the
            plan; ``he_sum`` only.
        affiliation: The department that the analyst belongs to, "" for none. Only a claim: every
            node compares it with its own pins.
    """

    job: str
    issued_at: int
    expires_at: int
    analyst: str
    analyst_fingerprint: str
    analyst_sealing_key: str
    project: str
    purpose: str
    dataset: str
    dataset_digest: str
    statement: str
    aggregate: Aggregate
    mode: Mode
    protocol: Protocol
    bits: Bits
    roster: tuple[Member, ...]
    threshold: int
    epsilon: float
    delta: float
    colluders: int = 0
    grants: tuple[str, ...] = ()
    order_keys: tuple[tuple[str, str], ...] = ()
    order_key_digest: str = ""
    he_key_digest: str = ""
    affiliation: str = ""

    @property
    def is_open(self) -> bool:
        """Whether inputs travel without masks: each department adds all of the noise itself."""
        return self.protocol.endswith(".open")

    @property
    def own(self) -> int:
        """How many departments of the roster are the analyst's own: 0 or 1."""
        return sum(member.name == self.affiliation for member in self.roster)
