"""Who may sign for a department: keys by fingerprint, each with one role, a term and a record.

Enrolment is the catalog's word, not the signer's: anybody can make a key. A key that is removed
signs nothing more from that moment, whatever it signed before; its row stays. What was published on
its word stays, too, for people leave; of a key that somebody else may hold see `compromised`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from catalog.registry.registry import Registry
from catalog.registry.tables import DepartmentRow, SignerRow
from catalog.registry.vocabulary import Vocabulary
from protos.did_key import read_fingerprint
from protos.faults import InputError
from protos.language import Text

ROLES: Final = Vocabulary(
    Text("role of a signer", "签署角色"),
    {
        "signer": Text("signer of attestations", "证明签署人"),
        "steward": Text("data steward", "数据专员"),
        "chief": Text("chief data officer", "首席数据官"),
    },
)
_LONGEST: Final = 200  # characters of a name or a reason


@dataclass(frozen=True)
class Signer:
    """One enrolment.

    Attributes:
        number: For commands.
        department: Code of the department that it signs for.
        role: Code of `ROLES`.
        fingerprint: Of the key, eight groups of four digits.
        name: Whose key it is.
        valid_from: Unix seconds.
        valid_until: Unix seconds; at that second it is over.
        enrolled_at: Unix seconds.
        enrolled_by: Who answers for the enrolment.
        removed_at: Unix seconds; None while it stands.
        removed_by: Who removed it; None while it stands.
        removed_reason: Why; None while it stands.
        compromised_from: Second from which somebody else may have held the key; None if nobody
            says so.
    """

    number: int
    department: str
    role: str
    fingerprint: str
    name: str
    valid_from: int
    valid_until: int
    enrolled_at: int
    enrolled_by: str
    removed_at: int | None
    removed_by: str | None
    removed_reason: str | None
    compromised_from: int | None

    def valid(self, now: int) -> bool:
        """Whether it may sign at a time, Unix seconds."""
        return self.removed_at is None and self.valid_from <= now < self.valid_until


def enrol(
    registry: Registry,
    department: str,
    key: str,
    *,
    role: str,
    name: str,
    by: str,
    until: dt.date | None = None,
    days: int = 365,
) -> Signer:
    """Enrols a key for a department, from now on.

    Args:
        registry: The catalog.
        department: Code of the department.
        key: did:key, or the fingerprint that its owner has told.
        role: Code of `ROLES`, or its name.
        name: Whose key it is.
        by: Who answers for the enrolment.
        until: Last day (UTC) of the term.
        days: Length of the term if no last day is given.

    Raises:
        InputError: The department is unknown, the key is enrolled already or compromised, or the
            term is over.
        TrustError: ``key`` is neither a DID nor a fingerprint.
    """
    name, by = line(name), line(by)
    role, fingerprint, now = ROLES.read(role), read_fingerprint(key), registry.now()
    end = now + days * 86_400 if until is None else _end_of(until)
    if end <= now:
        raise InputError(
            Text("the term is over before it begins", "有效期在开始前已结束"),
            remedy=Text("give a later day with --until", "请用 --until 指定更晚的日期"),
            code="signer.term",
        )
    with registry.database.write() as (connection, _):
        if not _known(connection, department):
            raise InputError(
                Text(
                    f"there is no department {department[:80]!r}",
                    f"没有代码为“{department[:80]}”的部门",
                ),
                remedy=Text(
                    "veil catalog departments lists them", "用 veil catalog departments 查看"
                ),
                code="signer.department",
            )
        if any(s.compromised_from is not None for s in signers(connection, key=fingerprint)):
            raise InputError(
                Text("this key is compromised: somebody else may hold it",
                     "该密钥已泄露：可能为他人持有"),
                remedy=Text("its owner makes a new one: veil desensitize keys signing",
                            "请持有人生成新密钥：veil desensitize keys signing"),
                code="signer.compromised",
            )  # fmt: skip
        for other in signers(connection, department=department):
            if other.fingerprint == fingerprint and other.removed_at is None:
                raise InputError(
                    Text(
                        f"this key is enrolled already, as number {other.number}",
                        f"该密钥已登记，编号 {other.number}",
                    ),
                    remedy=Text(
                        f"a key has one role and one term; to change them: "
                        f"veil catalog signers remove {other.number}",
                        f"一把密钥只有一个角色和一个期限；如需变更："
                        f"veil catalog signers remove {other.number}",
                    ),
                    code="signer.enrolled",
                )
        last = select(func.coalesce(func.max(SignerRow.id), 0))
        number = connection.execute(last).scalar_one() + 1
        row = {
            "id": number, "department": department, "role": role, "fingerprint": fingerprint,
            "name": name, "valid_from": now, "valid_until": end, "enrolled_at": now,
            "enrolled_by": by,
        }  # fmt: skip
        connection.execute(insert(SignerRow), row)
        return signers(connection, number=number)[0]


def remove(registry: Registry, number: int, *, by: str, reason: str) -> None:
    """Ends an enrolment now; its record stays.

    Raises:
        InputError: There is none of this number, or it ended before.
    """
    by, reason = line(by), line(reason)
    with registry.database.write() as (connection, _):
        done = connection.execute(
            update(SignerRow)
            .where(SignerRow.id == number, SignerRow.removed_at.is_(None))
            .values(removed_at=registry.now(), removed_by=by, removed_reason=reason)
        )
        if done.rowcount != 1:
            raise unknown(number)


def unknown(number: int) -> InputError:
    """Returns the error for an enrolment that there is not."""
    return InputError(
        Text(f"no signer {number} is enrolled", f"没有编号为 {number} 的在册签署人"),
        remedy=Text("veil catalog signers list shows them", "用 veil catalog signers list 查看"),
        code="signer.unknown",
    )


def signers(
    connection: Connection, *, department: str = "", number: int = 0, key: str = ""
) -> list[Signer]:
    """Returns enrolments, also those that ended, in the order in which they were made.

    Args:
        connection: To read with.
        department: Only of this one; empty for all.
        number: Only this one; 0 for all.
        key: Only of this fingerprint; empty for all.
    """
    statement = select(SignerRow.__table__).order_by(SignerRow.id)
    if department:
        statement = statement.where(SignerRow.department == department)
    if number:
        statement = statement.where(SignerRow.id == number)
    if key:
        statement = statement.where(SignerRow.fingerprint == key)
    return [Signer(*row) for row in connection.execute(statement)]


def _known(connection: Connection, department: str) -> bool:
    found = select(DepartmentRow.code).where(DepartmentRow.code == department)
    return connection.execute(found).first() is not None


def line(text: str) -> str:
    """Returns a name or a reason without space around it.

    Raises:
        InputError: It is none of one line.
    """
    text = text.strip()
    if not text or len(text) > _LONGEST or not text.isprintable():
        raise InputError(
            Text("names and reasons are one line", "姓名和理由须为一行文字"),
            remedy=Text(
                f"give --name, --by and --reason, each of at most {_LONGEST} characters",
                f"请填写 --name、--by 和 --reason，每项不超过 {_LONGEST} 字",
            ),
            code="signer.line",
        )
    return text


def _end_of(day: dt.date) -> int:
    after = dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(days=1)
    return int(after.timestamp())
