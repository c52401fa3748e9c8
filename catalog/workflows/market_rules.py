"""Rules of the market: who may list, what may be ordered, what proves a delivery."""

from __future__ import annotations

import datetime as dt
from typing import Final

from sqlalchemy import Connection

from catalog.certificates.reading import CertificateReader
from catalog.certificates.records import Record
from catalog.interchange.declared import SOURCE as NODES
from catalog.workflows.case import find_case, history
from catalog.workflows.lookups import in_force, of_owner, registered
from catalog.workflows.public_files import public_files
from catalog.workflows.situation import Change, Situation, refused
from catalog.workflows.statements import declared
from protos.faults import InputError
from protos.language import Text

_CIRCULATION: Final = "VeilCirculation"


def applied(at: Situation) -> Change:
    """Checks that there is no other licence, or application for one."""
    if of_owner(at.connection, "licences", at.caller.account, "applied") or licensed(
        at.connection, at.caller.account, at.today
    ):
        raise refused(
            "licence",
            Text("there is a licence, or an application for one", "已有资质或申请"),
            Text("see: veil product licence list", "请查看：veil product licence list"),
        )
    return Change(title=at.said["title"], asked=1)


def decided(at: Situation) -> Change:
    """Checks that a licence does not end before it begins."""
    at.until(at.said["until"])
    return Change()


def listed(at: Situation) -> Change:
    """Checks that a licensed broker offers what is open, at least on a condition."""
    owner = at.caller.account
    if not licensed(at.connection, owner, at.today):
        raise _unlicensed(owner)
    for each in registered(at):
        if each.record.opening.attribute == "none":
            code = each.record.identifier
            raise refused(
                "not_open",
                Text(f"{code} is not open", f"{code} 不予开放"),
                Text("make the product of open data", "请使用开放的数据资源"),
            )
    number = 1 if at.case is None else at.case.revision + 1
    return Change(title=at.said["title"], datasets=at.said["datasets"], asked=number)


def ordered(at: Situation) -> Change:
    """Checks that the product is listed by a broker whose licence is in force."""
    product = find_case(at.connection, "products", at.said["product"])
    if (
        product is None
        or product.state != "listed"
        or not licensed(at.connection, product.owner, at.today)
    ):
        raise refused(
            "product",
            Text("there is no such product on the market", "市场上没有该产品"),
            Text("see: veil product list", "请查看：veil product list"),
        )
    if product.owner == at.caller.account:
        raise refused(
            "own_product",
            Text("this product is your own", "这是您自己的产品"),
            Text("order another", "请订购其他产品"),
        )
    return Change(title=product.title, counterpart=product.owner, asked=1)


def accepted(at: Situation) -> Change:
    """Checks that whoever takes an order still has a licence."""
    owner = at.opened().counterpart
    if not licensed(at.connection, owner, at.today):
        raise _unlicensed(owner)
    return Change()


def delivered(at: Situation) -> Change:
    """Names the public files that are delivered, or checks the certificate of what left.

    All certificates are public, so one that anybody may find proves nothing by itself: the result
    left after it was ordered, of the data that the product says it is made of, and has proved no
    other delivery. Without a certificate, all that the product is made of is public files.
    """
    made_of = _made_of(at.connection, at.asked().fields["product"])
    files, without = public_files(at.connection, made_of)
    more = {"files": files} if files else {}
    if "circulation" not in at.said:
        if without or not files:
            raise _unproven(without)
        return Change(more=more)
    record = circulation(at, at.said["circulation"])
    if record.issued_at < at.opened().opened_at:
        raise _other(Text("is older than the order", "早于本订单"))
    held = {(NODES, each) for each in declared(at.connection, record.dataset)}
    if held and not held & {(each["source"], each["identifier"]) for each in made_of}:
        raise _other(Text("is about data that the product does not name",
                          "所涉数据不在该产品所用数据资源之内"))  # fmt: skip
    return Change(once=record.urn, more=more)


def circulation(at: Situation, identifier: str) -> Record:
    """Returns the circulation certificate with this whole id; it must be in force.

    Raises:
        InputError: There is none.
    """
    found = None if at.office is None else _circulates(at.office, identifier)
    if found is None:
        raise refused(
            "circulation",
            Text("this is no circulation certificate that is in force", "这不是有效的流通证书"),
            Text("give its whole id, as the analyst's veil sql has written it with --certificate, "
                 "or the pages of certificates show it",
                 "请给出完整编号：见 veil sql --certificate 写出的证书文件，或“数据证书”页面"),
        )  # fmt: skip
    return found


def licensed(connection: Connection, owner: str, today: dt.date) -> bool:
    """Whether an account has a broker's licence that is in force on a day."""
    return in_force(connection, "licences", "licensed", owner, today)


def _made_of(connection: Connection, product: str) -> list[dict[str, str]]:
    case = find_case(connection, "products", product)
    if case is None:
        return []
    asked = history(connection, case.id)[case.asked - 1].said
    datasets: list[dict[str, str]] = asked.fields["datasets"]
    return datasets


def _unproven(without: list[str]) -> InputError:
    named = without[0] if without else ""
    return refused(
        "circulation_missing",
        Text(f"{named} has no public file, so a circulation certificate has to prove the delivery",
             f"{named} 没有公开文件，须以流通证书证明交付"),
        Text("give its id (--circulation), or deliver when all data of the product is public",
             "请给出流通证书编号（--circulation），或待产品所用数据全部公开后再交付"),
    )  # fmt: skip


def _other(why: Text) -> InputError:
    return refused(
        "circulation_other",
        Text(f"this circulation certificate {why.en}", f"该流通证书{why.zh}"),
        Text("give that of the result that is delivered; a product must name its data",
             "请给出所交付结果的流通证书；产品须列明所用数据资源"),
    )  # fmt: skip


def _unlicensed(owner: str) -> InputError:
    return refused(
        "unlicensed",
        Text(f"{owner} has no broker's licence in force", f"{owner} 没有有效的数据经纪人资质"),
        Text("apply for one: veil product licence apply", "请申请：veil product licence apply"),
    )


def _circulates(office: CertificateReader, identifier: str) -> Record | None:
    try:
        record = office.find(identifier)
    except InputError:
        return None
    whole = identifier in {record.id, record.urn}
    sound = whole and record.kind == _CIRCULATION and not any(office.state(record).values())
    return record if sound else None
