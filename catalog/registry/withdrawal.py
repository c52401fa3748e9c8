"""Withdrawal: a dataset leaves search and exports, and a signed tombstone says so for ever.

Portals that let data vanish without a word are what their users complain about most. A tombstone
is a typed JWS (ES256) by the catalog's own key: what it was, when it went, who said so, and why.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from catalog.registry.tables import DatasetRow, DepartmentRow, PublicationRow, TombstoneRow
from catalog.search import index
from protos.faults import InputError, MissingError, TrustError
from protos.language import Text
from protos.signing import IdentityKey, PublicIdentity

TYPE: Final = "veil-tombstone+jwt"
_LONGEST: Final = 1000  # characters of a reason


def withdraw(
    connection: Connection,
    revision: int,
    key: tuple[str, str],
    *,
    reason: str,
    who: str,
    now: int,
    signer: IdentityKey,
) -> str:
    """Withdraws a dataset; its record, versions and claims stay where they are.

    Args:
        connection: Within a write's transaction.
        revision: Number of the write.
        key: Source and identifier.
        reason: Why, for the public.
        who: Who decided it.
        now: Unix seconds.
        signer: The catalog's key.

    Returns:
        The tombstone, a compact JWS.

    Raises:
        InputError: There is no such dataset, it was withdrawn before, some of its data is public
            still, or no reason is given.
    """
    reason, who = reason.strip(), who.strip()
    if not reason or not who or len(reason) > _LONGEST or not (reason + who).isprintable():
        raise InputError(
            Text("a withdrawal says who decided it, and why", "撤回须写明决定人和理由"),
            remedy=Text(
                f"give --by and --reason, in one line of at most {_LONGEST:,} characters",
                f"请填写 --by 和 --reason（单行，不超过 {_LONGEST:,} 字）",
            ),
            code="withdraw.reason",
        )
    row = connection.execute(
        select(DatasetRow.__table__, DepartmentRow.name.label("provider_name"))
        .join(DepartmentRow, DepartmentRow.code == DatasetRow.provider)
        .where(DatasetRow.source == key[0], DatasetRow.identifier == key[1])
    ).first()
    if row is None or row.state == "withdrawn":
        raise unknown(*key) if row is None else _gone(*key)
    public = select(PublicationRow.number).where(
        PublicationRow.dataset == row.id, PublicationRow.state == "published"
    )
    if (number := connection.execute(public).scalar()) is not None:
        raise _public(key[1], number)
    claims = {
        "source": row.source,
        "identifier": row.identifier,
        "name": row.name,
        "provider": row.provider,
        "provider_name": row.provider_name,
        "version": row.number,
        "digest": row.digest,
        "reason": reason,
        "by": who,
        "iat": now,
    }
    token = signer.sign(TYPE, claims)
    connection.execute(insert(TombstoneRow), {"dataset": row.id, "token": token})
    connection.execute(
        update(DatasetRow)
        .where(DatasetRow.id == row.id)
        .values(state="withdrawn", revision=revision, changed_at=now)
    )
    index.remove(connection, [row.id])
    return token


def read_tombstone(token: str, signer: PublicIdentity) -> dict[str, Any]:
    """Returns what a tombstone says.

    Raises:
        TrustError: It was not signed by this key, or is malformed.
    """
    claims = signer.verify(TYPE, token)
    if not {"source", "identifier", "reason", "by", "iat"} <= claims.keys():
        raise TrustError(
            Text("the tombstone is incomplete", "撤回凭证不完整"), code="tombstone.incomplete"
        )
    return claims


def unknown(source: str, identifier: str) -> MissingError:
    """Returns the error for a dataset that was never registered."""
    of = Text(f" of {source[:40]!r}", f"（来源 {source[:40]}）") if source else Text("", "")
    return MissingError(
        Text(
            f"there is no dataset {identifier[:80]!r}{of.en}",
            f"没有代码为“{identifier[:80]}”的数据资源{of.zh}",
        ),
        remedy=Text(
            "veil catalog search finds it, veil catalog show names its source; what is not of "
            "'local' is written SOURCE:CODE",
            "用 veil catalog search 查找，用 veil catalog show 查看来源；"
            "来源不是 local 的请写作 来源:代码",
        ),
        code="catalog.unknown",
    )


def _gone(source: str, identifier: str) -> InputError:
    return InputError(
        Text(
            f"{identifier[:80]!r} of {source[:40]!r} was withdrawn before",
            f"“{identifier[:80]}”（{source[:40]}）此前已撤回",
        ),
        remedy=Text("veil catalog show shows its tombstone", "用 veil catalog show 查看撤回凭证"),
        code="catalog.withdrawn",
    )


def _public(identifier: str, number: int) -> InputError:
    return InputError(
        Text(
            f"version {number} of {identifier[:80]!r} is public",
            f"“{identifier[:80]}”的版本 {number} 仍在公开",
        ),
        remedy=Text(
            f"first: veil catalog unpublish {identifier[:80]} {number} --by … --reason …",
            f"请先运行：veil catalog unpublish {identifier[:80]} {number} --by … --reason …",
        ),
        code="withdraw.public",
    )
