"""From a verified receipt to certificates: its grants, and the result itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from catalog.certificates.office import Application, CertificateOffice
from catalog.certificates.records import Record
from catalog.codec import from_json
from catalog.plan import Plan
from exchange.proof.files import read_file
from exchange.proof.receipt import verify_receipt
from protos.canonical import digest
from protos.cards import Pins
from protos.faults import InputError, TrustError
from protos.identity import unverified_claims
from protos.language import Text, both


def verified_receipt(path: Path, pins: Path) -> dict[str, Any]:
    """Reads a receipt document in which everything holds, under the reader's pins.

    Raises:
        TrustError: Something does not hold; says what.
        UnavailableError: It cannot be read.
    """
    try:
        document = json.loads(read_file(path))
    except (ValueError, RecursionError):
        document = None
    report = verify_receipt(document, pins=Pins.load(pins))
    if not report.ok or not isinstance(document, dict):
        wrong = report.failures[0]
        raise TrustError(
            Text(
                f"{path}: {wrong.name.en}: {both(wrong.what).en}",
                f"{path}：{wrong.name.zh}：{both(wrong.what).zh}",
            ),
            remedy=Text(
                f"see all of it: veil verify {path} --pins {pins}",
                f"查看全部：veil verify {path} --pins {pins}",
            ),
            code="receipt.invalid",
        )
    return document


def certify_grants(office: CertificateOffice, document: dict[str, Any]) -> list[Record]:
    """Issues an authorisation for each grant of a verified receipt that has none yet.

    Raises:
        InputError: The dataset is not registered.
    """
    plan = _plan(document)
    registered = _registration(office, plan)
    return office.issue_all(
        Application.of_grant(grant, (registered.urn,))
        for grant in plan.grants
        if office.about(_digest(grant)) is None
    )


def certify_result(office: CertificateOffice, document: dict[str, Any]) -> Record:
    """Issues a circulation that leads to the dataset's registration and to every authorisation.

    Raises:
        InputError: One of them is missing, or the result has a certificate.
    """
    plan = _plan(document)
    registered = _registration(office, plan)
    authorised = [office.about(_digest(grant)) for grant in plan.grants]
    known = tuple(record.urn for record in authorised if record is not None)
    if len(known) < len(plan.grants):
        raise InputError(
            Text(
                f"{len(plan.grants) - len(known)} grants of this result have no certificate",
                f"此结果有 {len(plan.grants) - len(known)} 份授权尚无证书",
            ),
            remedy=Text(
                "first: veil certificate issue authorisation RECEIPT",
                "请先运行：veil certificate issue authorisation 回执",
            ),
            code="certificate.unauthorised",
        )
    return office.issue(Application.of_receipt(document["receipt"], (registered.urn,), known))


def _plan(document: dict[str, Any]) -> Plan:
    return from_json(Plan, unverified_claims(document["plan"]))  # `verified_receipt` has checked it


def _registration(office: CertificateOffice, plan: Plan) -> Record:
    record = office.about(plan.dataset_digest)
    if record is None:
        raise InputError(
            Text(
                f"this declaration of {plan.dataset} is not registered",
                f"{plan.dataset} 的这一版声明尚未登记",
            ),
            remedy=Text(
                "first: veil certificate issue registration DATASET.toml --grade …",
                "请先运行：veil certificate issue registration 数据集.toml --grade …",
            ),
            code="certificate.unregistered",
        )
    return record


def _digest(grant: str) -> str:
    return digest(unverified_claims(grant))  # `verified_receipt` has checked it
