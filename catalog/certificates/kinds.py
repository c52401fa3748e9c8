"""The three certificates: a dataset's registration, a use's authorisation, a result's circulation.

An authorisation says again what a department's own grant says, and a circulation what a receipt
says; each names that document by digest, so that neither can stand for another. Grants and
receipts stay as they are on the wire. A circulation leads to its authorisations, both lead to the
registrations of their datasets; the way back is the issuer's (`CertificateOffice.citing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from catalog.certificates import envelope
from catalog.certificates.grants import open_grant
from catalog.certificates.receipts import read_receipt
from catalog.codec import dataset_digest, from_json, to_json
from catalog.dataset import Dataset
from catalog.plan import Mode, Protocol
from protos.canonical import digest
from protos.faults import InputError, TrustError
from protos.identity import unverified_claims
from protos.language import Text

Grade = Literal["L1", "L2", "L3", "L4"]


@dataclass(frozen=True)
class Source:
    """The signed document that a certificate is about.

    Attributes:
        id: ``urn:uuid`` of the credential.
        issuer: Who signed it.
        fingerprint: Of the key that signed it.
        digest: SHA-256 (hex) of its canonical claims.
    """

    id: str
    issuer: str
    fingerprint: str
    digest: str


@dataclass(frozen=True)
class Registration:
    """A dataset is known to the catalog, with this declaration.

    Attributes:
        dataset: Catalog name.
        title: One line for people.
        providers: Departments that answer for it, in roster order.
        dataset_digest: SHA-256 (hex) of the declaration's canonical JSON.
        grade: Of its most sensitive column.
    """

    dataset: str
    title: str
    providers: tuple[str, ...]
    dataset_digest: str
    grade: Grade


@dataclass(frozen=True)
class Authorisation:
    """A department has granted one use.

    Attributes:
        grant: The department's own signed grant.
        analyst: Who may use it.
        recipient: Fingerprint of the analyst's key.
        dataset: Catalog name.
        dataset_digest: Of the declaration that was granted upon.
        statement: The SQL, for people.
        aggregate_digest: SHA-256 (hex) of what nodes may compute.
        purpose: What for, in the analyst's words.
        uses: How often.
        registrations: ``urn:uuid`` of the registration of each dataset.
    """

    grant: Source
    analyst: str
    recipient: str
    dataset: str
    dataset_digest: str
    statement: str
    aggregate_digest: str
    purpose: str
    uses: str
    registrations: tuple[str, ...]


@dataclass(frozen=True)
class Circulation:
    """A result has left: what it was made of, and under which authorisations.

    Attributes:
        receipt: The exchange's signed receipt.
        job: As in the receipt.
        plan_hash: As in the receipt.
        dataset: As in the receipt.
        dataset_digest: As in the receipt.
        mode: As in the receipt.
        protocol: As in the receipt.
        survivors: As in the receipt.
        outcome_digest: As in the receipt.
        registrations: ``urn:uuid`` of the registration of each dataset.
        authorisations: ``urn:uuid`` of the authorisation of each department that was asked;
            none for noisy answers.
    """

    receipt: Source
    job: str
    plan_hash: str
    dataset: str
    dataset_digest: str
    mode: Mode
    protocol: Protocol
    survivors: tuple[str, ...]
    outcome_digest: str
    registrations: tuple[str, ...]
    authorisations: tuple[str, ...]


@dataclass(frozen=True)
class StatusChange:
    """A certificate was revoked, suspended or allowed again; logged like a certificate.

    Attributes:
        certificate: Its ``urn:uuid``.
        purpose: Which list.
        value: The bit from now on.
        reason: Why, in words.
    """

    certificate: str
    purpose: Literal["revocation", "suspension"]
    value: bool
    reason: str


Subject = Registration | Authorisation | Circulation | StatusChange
KINDS: Final[dict[str, type[Subject]]] = {
    "VeilRegistration": Registration,
    "VeilAuthorisation": Authorisation,
    "VeilCirculation": Circulation,
    "VeilStatusChange": StatusChange,
}
TITLES: Final[dict[str, Text]] = {
    "VeilRegistration": Text("registration", "登记"),
    "VeilAuthorisation": Text("authorisation", "授权"),
    "VeilCirculation": Text("circulation", "流通"),
    "VeilStatusChange": Text("change of status", "状态变更"),
}
S = TypeVar("S", bound=Subject)


def kind_of(subject: Subject) -> str:
    """Returns the certificate's type for a subject."""
    return next(kind for kind, cls in KINDS.items() if cls is type(subject))


def registration_of(dataset: Dataset, grade: Grade) -> Registration:
    """Makes a registration from a dataset's declaration."""
    return Registration(
        dataset.name, dataset.title, dataset.members, dataset_digest(dataset), grade
    )


def authorisation_of(
    grant: str, registrations: tuple[str, ...]
) -> tuple[Authorisation, envelope.Credential]:
    """Makes an authorisation from a grant.

    Args:
        grant: ``vc+jwt`` of the department; its signature is checked here, whether the key is
            the department's is the caller's to know.
        registrations: Certificates of the datasets.

    Returns:
        The claims, and the grant's envelope: the certificate begins and ends with it.

    Raises:
        TrustError: The grant does not hold.
    """
    credential = open_grant(grant)
    said = {name: credential.subject.get(name) for name in _GRANTED}
    made = read_subject(
        Authorisation,
        {
            **said,
            "grant": to_json(source_of(grant, credential)),
            "registrations": list(registrations),
        },
    )
    return made, credential


def circulation_of(
    receipt: str, registrations: tuple[str, ...], authorisations: tuple[str, ...]
) -> tuple[Circulation, envelope.Credential]:
    """Makes a circulation from a receipt.

    Args:
        receipt: ``vc+jwt`` of the exchange; its signature is checked here. The rest of the
            receipt document, and whose key it is, are the caller's to have verified.
        registrations: Certificates of the datasets.
        authorisations: Certificates of the grants that its plan carried.

    Returns:
        The claims, and the receipt's envelope.

    Raises:
        TrustError: The receipt does not hold, or exact figures are not authorised by each
            department on its roster.
    """
    read, credential = read_receipt(receipt)
    needed = len(read.roster) if read.mode == "exact" else 0
    if len(set(authorisations)) != needed:
        raise TrustError(
            Text(
                f"this result needs {needed} authorisations, one of each department that was "
                f"asked, and has {len(set(authorisations))}",
                f"此结果需要 {needed} 份授权证书（每个被询问部门一份），"
                f"现有 {len(set(authorisations))} 份",
            ),
            code="certificate.unauthorised",
        )
    made = Circulation(
        receipt=source_of(receipt, credential),
        job=read.job,
        plan_hash=read.plan_hash,
        dataset=read.dataset,
        dataset_digest=read.dataset_digest,
        mode=read.mode,
        protocol=read.protocol,
        survivors=read.survivors,
        outcome_digest=read.outcome_digest,
        registrations=registrations,
        authorisations=authorisations,
    )
    return made, credential


def check_source(subject: Subject, token: str) -> envelope.Credential:
    """Checks that a certificate says what the document says that it is about.

    Args:
        subject: Of an authorisation or a circulation.
        token: The grant or the receipt, from anywhere.

    Returns:
        The document's envelope: whose it is, and when it holds.

    Raises:
        TrustError: It is another document, does not hold, or says something else; names what.
    """
    if isinstance(subject, Authorisation):
        wanted: tuple[Subject, envelope.Credential]
        wanted = authorisation_of(token, subject.registrations)
    elif isinstance(subject, Circulation):
        wanted = circulation_of(token, subject.registrations, subject.authorisations)
    else:
        raise TrustError(
            Text("this certificate is about no other document", "此证书不涉及其他文件"),
            code="certificate.source",
        )
    made, document = wanted
    said, meant = to_json(subject), to_json(made)
    for name in said:
        if said[name] != meant[name]:
            raise TrustError(
                Text(
                    f"the certificate says another {name.replace('_', ' ')} than its document",
                    f"证书的 {name} 与所依据的文件不符",
                ),
                code="certificate.source",
            )
    return document


def source_of(token: str, credential: envelope.Credential) -> Source:
    """Names a signed document whose signature was checked."""
    return Source(
        credential.id,
        credential.issuer,
        credential.identity.fingerprint,
        digest(unverified_claims(token)),
    )


def read_subject(kind: type[S], body: object) -> S:
    """Reads a certificate's claims.

    Raises:
        TrustError: They are malformed.
    """
    try:
        return from_json(kind, body)
    except InputError as error:
        raise TrustError(
            Text(
                f"the certificate's claims are malformed: {error.message}",
                f"证书内容格式有误：{error.said.zh}",
            ),
            code="certificate.invalid",
        ) from error


_GRANTED: Final = (
    "analyst",
    "recipient",
    "dataset",
    "dataset_digest",
    "statement",
    "aggregate_digest",
    "purpose",
    "uses",
)
