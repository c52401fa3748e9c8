"""An office that issues certificates, a log with three witnesses, and a reader elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.algebra import Aggregate, Measure
from catalog.certificates.evidence import Trust
from catalog.certificates.grants import GrantRequest, issue_grant
from catalog.certificates.kinds import Registration
from catalog.certificates.office import Application, CertificateOffice
from catalog.certificates.receipts import (
    PLAN_TYPE,
    Facts,
    Statement,
    issue_receipt,
    plan_hash,
    receipt_of,
    sign_statement,
)
from catalog.certificates.records import Record
from catalog.certificates.report import Report
from catalog.certificates.verification import verify_bundle
from catalog.codec import to_json
from catalog.plan import Member, Mode, Plan
from catalog.transparency.notes import LOG, WITNESS, NoteSigner
from catalog.transparency.policy import LogPolicy
from catalog.transparency.witness import Submission, Witness
from exchange.proof.receipt import make_document
from protos.names import Role
from protos.signing import IdentityKey, Pins, SealingKey, make_card

NOW = 1_800_000_000
CITIES = ("guangzhou", "shenzhen", "foshan")
ALICE = IdentityKey.generate()
SEALING = SealingKey.generate().public_hex
COUNT = Aggregate("visits", None, (), (Measure("rows"),))
VISITS = Registration("visits", "Visits", CITIES, "d" * 64, "L3")


def ed25519(name: str, kind: int = WITNESS) -> NoteSigner:
    return NoteSigner.of(name, kind, Ed25519PrivateKey.generate())


class Witnesses(dict[str, Witness]):
    """Opened when they are first asked."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def __missing__(self, name: str) -> Witness:
        self[name] = self._office.witness(name)
        return self[name]


@dataclass
class ExactJob:
    """A job of exact figures: its grants, and its receipt with everything that proves it."""

    hub: IdentityKey
    owners: dict[str, IdentityKey]
    at: int = NOW
    dataset_digest: str = "d" * 64
    mode: Mode = "exact"

    def grant(self, owner: str) -> str:
        return issue_grant(self.owners[owner], owner, self.request, now=self.at)

    @property
    def roster(self) -> tuple[Member, ...]:
        return tuple(Member(name, key.public.fingerprint) for name, key in self.owners.items())

    @property
    def request(self) -> GrantRequest:
        return GrantRequest(
            id="f" * 32, issued_at=self.at, expires_at=self.at + 3600, analyst="alice",
            recipient=ALICE.public.fingerprint, dataset="visits",
            dataset_digest=self.dataset_digest, statement="SELECT COUNT(*) FROM visits",
            aggregate=COUNT, purpose="report", members=self.roster,
        )  # fmt: skip

    def document(self, late: int = 0) -> dict[str, Any]:
        names, exact = tuple(self.owners), self.mode == "exact"
        plan = Plan(
            job="0" * 32, issued_at=self.at, expires_at=self.at + 600, analyst="alice",
            analyst_fingerprint=ALICE.public.fingerprint, analyst_sealing_key=SEALING,
            project="default", purpose="report", dataset="visits",
            dataset_digest=self.dataset_digest, statement="SELECT COUNT(*) FROM visits",
            aggregate=COUNT, mode=self.mode, protocol="masked_sum", bits=64, roster=self.roster,
            threshold=3, epsilon=0.0 if exact else 0.5, delta=0.0 if exact else 1e-6,
            grants=tuple(map(self.grant, names)) if exact else (),
        )  # fmt: skip
        facts = Facts(plan.job, plan_hash(plan), 0.0, names, "e" * 64, 0)
        statements = {
            name: Statement(plan.job, facts.plan_hash, name, "9" * 64, "5" * 32, 0.0, names, {},
                            "e" * 64)
            for name in names
        }  # fmt: skip
        receipt = receipt_of(plan, facts, statements.values())
        people: list[tuple[IdentityKey, str, Role]] = [(ALICE, "alice", "analyst")]
        people += [(self.hub, "hub", "exchange")]
        people += [(key, name, "department") for name, key in self.owners.items()]
        return make_document(
            issue_receipt(self.hub, "hub", receipt, now=self.at + late),
            {name: sign_statement(self.owners[name], said) for name, said in statements.items()},
            ALICE.sign(PLAN_TYPE, to_json(plan)),
            tuple(make_card(*person, SEALING, self.at) for person in people),
        )


@dataclass
class Office:
    """Issuer, log and witnesses; `now` is everybody's clock."""

    directory: Path
    now: int = NOW
    key: IdentityKey = field(default_factory=IdentityKey.generate)
    log_key: NoteSigner = field(default_factory=lambda: ed25519("hub.example/log", LOG))
    owners: dict[str, IdentityKey] = field(
        default_factory=lambda: {name: IdentityKey.generate() for name in CITIES}
    )
    signers: dict[str, NoteSigner] = field(
        default_factory=lambda: {name: ed25519(f"{name}.example/w") for name in CITIES}
    )

    def __post_init__(self) -> None:
        self.office = self.opened("certificates.db")
        self.witnesses = Witnesses(self)
        self.pins = Pins()
        self.pins.add("exchange", "hub", self.key.public.fingerprint)
        self.pins.add("analyst", "alice", ALICE.public.fingerprint)
        for name, key in self.owners.items():
            self.pins.add("department", name, key.public.fingerprint)

    def opened(self, file: str) -> CertificateOffice:
        office = CertificateOffice(
            self.directory / file, "hub", self.key, self.log_key, lambda: float(self.now)
        )
        office.open()
        return office

    def witness(self, name: str) -> Witness:
        witness = Witness(self.directory / f"{name}.db", self.signers[name], [self.log_key.public])
        witness.open()
        return witness

    @property
    def policy(self) -> LogPolicy:
        return LogPolicy(
            self.log_key.public,
            {name: signer.public for name, signer in self.signers.items()},
            {"cities": (2, CITIES)},
            "cities",
        )

    def trust(self, **changes: object) -> Trust:
        return replace(Trust(self.now, self.pins, self.policy), **changes)  # type: ignore[arg-type]

    def cosign(self, *names: str) -> None:
        """The latest checkpoint goes to witnesses and comes back."""
        for name in names or CITIES[:2]:
            submission = Submission.parse(str(self.office.submission(name)))
            line = self.witnesses[name].add_checkpoint(submission, self.now)
            self.office.cosign(submission.note + line, self.policy)

    def register(self, number: int = 0, valid_until: int | None = None) -> Record:
        subject = replace(VISITS, dataset_digest=f"{number:064x}") if number else VISITS
        return self.office.issue(Application(subject, valid_until))

    def verify(self, record: Record, *, linked: bool = False, **changes: object) -> Report:
        content = self.office.bundle(record, linked=linked).to_bytes()
        return verify_bundle(content, self.trust(**changes))

    def grant(self, owner: str) -> str:
        return self.job.grant(owner)

    def receipt(self, late: int = 0) -> str:
        return str(self.job.document(late)["receipt"])

    @property
    def job(self) -> ExactJob:
        return ExactJob(self.key, self.owners)

    def chain(self, late: int = 0) -> tuple[Record, list[Record], Record]:
        """A registration, the authorisations upon it, and the circulation of a result."""
        urn = self.register().urn
        uses = [Application.of_grant(self.grant(name), (urn,)) for name in CITIES]
        authorised = self.office.issue_all(uses)
        urns = tuple(record.urn for record in authorised)
        result = self.office.issue(Application.of_receipt(self.receipt(late), (urn,), urns))
        return self.office.find(urn), authorised, result


def failed(report: Report) -> list[str]:
    """Names of the questions that failed."""
    return [check.name.en for check in report.failures]
