"""Rules of requests for use: what may be asked, and which grants answer it."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from catalog.certificates.decisions import request_digest
from catalog.certificates.grants import (
    GrantRequest,
    check_answers,
    open_grant,
    read_grant,
    read_granted,
)
from catalog.registry.entries import Entry
from catalog.workflows.lookups import provider, registered
from catalog.workflows.node_pins import PINS
from catalog.workflows.situation import Change, Situation, refused
from catalog.workflows.statements import beside
from protos.cards import Pins
from protos.faults import TrustError
from protos.language import Text


def asked(at: Situation) -> Change:
    """Checks what is asked: datasets, columns, statements, until when."""
    entries = registered(at)
    department = provider(entries)
    if at.case is not None and at.case.department != department:
        raise refused(
            "department",
            Text("these datasets are of another department", "这些数据资源属于其他部门"),
            Text("open another request", "请另行申请"),
        )
    if closed := [each for each in entries if each.record.sharing.attribute == "none"]:
        code = closed[0].record.identifier
        raise refused(
            "not_shared",
            Text(f"{code} is not shared", f"{code} 不予共享"),
            Text("its record says why", "理由见目录"),
        )
    items = {item.name for each in entries for item in each.record.items}
    if unknown := [name for name in at.said["columns"] if name not in items]:
        raise refused(
            "columns",
            Text(f"{unknown[0]} is no data item of these datasets",
                 f"“{unknown[0]}”不是这些数据资源的数据项"),
            Text("veil catalog show lists them", "用 veil catalog show 查看"),
        )  # fmt: skip
    at.until(at.said["until"])
    _statements(at, entries)
    return Change(
        title=at.said["title"], department=department, datasets=at.said["datasets"],
        asked=1 if at.case is None else at.case.revision + 1,
    )  # fmt: skip


def decided(at: Situation) -> Change:
    """Checks that what is approved can still be used."""
    at.until(at.asked().fields["until"])
    return Change()


def granted(at: Situation) -> Change:
    """Checks that there is a grant for each statement, signed by the department's own key."""
    case, said = at.opened(), at.asked().fields
    pinned = Pins.load(at.registry.directory / PINS).fingerprint_of("department", case.department)
    if pinned is None:
        raise refused(
            "unpinned",
            Text("the key of this department's node is not known here",
                 "本目录尚未登记该部门节点的密钥"),
            Text(f"the operator compares its fingerprint, then runs: veil catalog pin "
                 f"{case.department}",
                 f"请运维员核对指纹后运行：veil catalog pin {case.department}"),
        )  # fmt: skip
    wanted = {
        UUID(hex=read_granted(each["grant_request"]).id).urn: each["grant_request"]
        for each in said["statements"]
    }
    for token in at.said["grants"]:
        grant = read_grant(token)
        if grant.fingerprint != pinned:
            raise TrustError(
                Text("this grant is not signed by the key of the responsible department",
                     "该授权不是由责任部门的密钥签署"),
                remedy=Text("have it signed at the department's node: veil node grants approve",
                            "请在该部门节点签署：veil node grants approve"),
                code="case.grant_key",
            )  # fmt: skip
        request_of = wanted.pop(grant.id, None)
        if request_of is None:
            raise refused(
                "grant_other",
                Text("this grant answers no statement of the case, or one twice",
                     "该授权与本案的语句不对应，或有重复"),
                Text("hand in one grant for each statement", "每条语句提交一份授权"),
            )  # fmt: skip
        check_answers(token, request_of, grant.owner, open_grant(token).identity)
        if grant.valid_until <= at.now:
            raise refused(
                "grant_expired",
                Text("this grant is over", "该授权已过期"),
                Text("ask for a new one", "请重新申请"),
            )
    if wanted:
        raise refused(
            "grant_missing",
            Text(
                f"{len(wanted)} statements have no grant yet", f"还有 {len(wanted)} 条语句没有授权"
            ),
            Text("hand in all grants at once", "请一次提交全部授权"),
        )
    return Change()


def _statements(at: Situation, entries: list[Entry]) -> None:
    seen: set[str] = set()
    for number, each in enumerate(at.said["statements"], 1):
        request, digest = read_granted(each["grant_request"]), request_digest(each["grant_request"])
        why = _differs(at, each["sql"], request)
        if why := why or beside(at.connection, request, entries, at.said["columns"]):
            raise refused(
                "statement",
                Text(f"statement {number}: its signed request {why.en}",
                     f"第 {number} 条语句：签名申请{why.zh}"),
                Text("sign it again (veil grant request), or name all of it in the case",
                     "请重新签署（veil grant request），或在本案中列全"),
            )  # fmt: skip
        if digest in seen:
            raise refused(
                "statement",
                Text(f"statement {number} is there twice", f"第 {number} 条语句重复"),
                Text("leave it out", "请删除"),
            )
        seen.add(digest)


def _differs(at: Situation, sql: str, request: GrantRequest) -> Text | None:
    if request.statement != sql:
        return Text("is for another statement", "针对其他语句")
    if request.purpose != at.said["purpose"]:
        return Text("is for another purpose", "用途不同")
    if request.expires_at <= at.now:
        return Text("is over", "已过期")
    if at.clocks.day(request.expires_at) > dt.date.fromisoformat(at.said["until"]):
        return Text("is for longer than asked here", "期限长于本次申请")
    return None
