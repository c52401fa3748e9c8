"""Whose signatures a publication rests on: the signer's enrolment, and officers' sign-offs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from catalog.publishing.case import Case
from catalog.publishing.objection import Objection
from catalog.publishing.sign_offs import SignOff
from catalog.publishing.signers import ROLES, Signer
from catalog.registry.entries import Entry
from protos.language import Text


def offices(grade: int, *, conditional: bool) -> tuple[str, ...]:
    """Returns whose sign-offs are needed.

    Args:
        grade: Highest of the dataset's record, 1 to 4: a name of a published column is the
            publisher's word, and lowers nothing.
        conditional: Whether it is opened on a condition, which somebody must say is met.
    """
    if grade >= 4:
        return ("steward", "chief")
    return ("steward",) if grade == 3 or conditional else ()


def enrolment(
    enrolled: Sequence[Signer], fingerprint: str, department: str, role: str, now: int
) -> tuple[int, list[Objection]]:
    """Returns the enrolment that a signature rests on, or why there is none."""
    mine = [s for s in enrolled if s.fingerprint == fingerprint]
    here = [s for s in mine if s.department == department and s.role == role]
    for signer in here:
        if signer.valid(now):
            return signer.number, []
    who = ROLES.terms[role]
    removed = bool(here) and all(s.removed_at is not None for s in here)
    if any(s.compromised_from is not None for s in mine):
        why = Text("is compromised", "已泄露")
    elif removed:
        why = Text("was removed", "已被移除")
    elif here:
        why = Text("is out of its term", "不在有效期内")
    elif any(s.department == department for s in mine):
        why = Text("has another role in this department", "在该部门担任其他角色")
    elif mine:
        why = Text("signs for another department", "属于其他部门")
    else:
        why = Text("is not enrolled", "未登记")
    said = Text(
        f"{who.en}: the key {fingerprint} {why.en}", f"{who.zh}：密钥 {fingerprint} {why.zh}"
    )
    remedy = Text(
        f"have it signed by whom the department has enrolled (veil catalog signers list), or, if "
        f"the key is rightly the department's: veil catalog signers add {fingerprint} "
        f"--department {department} --role {role} --name NAME --by YOU",
        f"请由该部门登记的签署人签署（见 veil catalog signers list）；如该密钥确属该部门："
        f"veil catalog signers add {fingerprint} --department {department} --role {role} "
        "--name 持有人 --by 登记人",
    )
    return 0, [Objection(f"publish.{role}", said, remedy)]


def officers_of(
    entry: Entry,
    case: Case,
    enrolled: Sequence[Signer],
    now: dt.datetime,
    gone: int,
    ended: Collection[str] = (),
) -> tuple[dict[int, SignOff], list[Objection]]:
    """Judges what officers have signed.

    Args:
        entry: The dataset.
        case: What was verified.
        enrolled: All enrolments.
        now: The time, with a time zone.
        gone: Unix seconds at which the same bytes were unpublished last.
        ended: Documents on which they were public until then.

    Returns:
        Sign-offs that count, by number of the enrolment; and what is wrong or missing.
    """
    found: list[Objection] = [
        Objection(
            "publish.sign_off",
            Text(f"{name} is no sign-off: {why}", f"{name} 不是签批文件：{why}"),
            _sign(entry, "steward"),
        )
        for name, why in case.unreadable
    ]
    officers: dict[int, SignOff] = {}
    for each in case.sign_offs:
        if why := _flaw(each, entry, case, now, gone, ended):
            who = ROLES.terms[each.role]
            said = Text(f"{who.en}: the sign-off {why.en}", f"{who.zh}：签批{why.zh}")
            found.append(Objection("publish.sign_off", said, _sign(entry, each.role)))
            continue
        number, objections = enrolment(
            enrolled, each.fingerprint, entry.record.provider.code, each.role, int(now.timestamp())
        )
        found += objections
        if number:
            officers[number] = each
    conditional = "conditional" in {entry.record.opening.attribute, case.open}
    have = {each.role for each in officers.values()}
    for role in offices(entry.record.grade, conditional=conditional):
        if role not in have:
            who = ROLES.terms[role]
            found.append(Objection(
                "publish.sign_off_missing",
                Text(f"L{entry.record.grade}{', opened on a condition' if conditional else ''}: "
                     f"the sign-off of a {who.en} is missing",
                     f"L{entry.record.grade}{'，有条件开放' if conditional else ''}："
                     f"缺少{who.zh}的签批"),
                _sign(entry, role),
            ))  # fmt: skip
    return officers, found


def _flaw(
    each: SignOff, entry: Entry, case: Case, now: dt.datetime, gone: int, ended: Collection[str]
) -> Text | None:
    if each.sha256 != case.sha256:
        return Text("is for other bytes", "针对其他数据")
    if each.dataset != entry.record.key:
        return Text("is for another dataset", "针对其他数据资源")
    if not each.valid(now):
        return Text("is not valid now", "当前无效")
    if each.created.timestamp() <= gone or each.document in ended:
        return Text("was signed before these bytes were unpublished", "签署于该数据撤下之前")
    return None


def _sign(entry: Entry, role: str) -> Text:
    source, code = entry.record.key
    line = f"veil catalog sign-off RELEASE --dataset {code} --source {source} --role {role}"
    return Text(f"the officer signs: {line} --key KEY --out FILE",
                f"由该负责人签署：{line} --key 密钥 --out 文件")  # fmt: skip
