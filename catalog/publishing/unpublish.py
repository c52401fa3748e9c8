"""The way out: public bytes are removed; their record stays, with a signed tombstone."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select, update

from catalog.publishing.alone import alone
from catalog.publishing.store import Store, open_store
from catalog.registry.entries import entry
from catalog.registry.registry import Registry
from catalog.registry.tables import PublicationRow
from protos.faults import InputError, TrustError
from protos.language import Text
from protos.signing import PublicIdentity

TYPE: Final = "veil-unpublished+jwt"
_LONGEST: Final = 1000  # characters of a reason


def unpublish(
    registry: Registry,
    source: str,
    identifier: str,
    number: int,
    *,
    reason: str,
    who: str,
    store: Store | None = None,
) -> str:
    """Ends a publication and removes its bytes.

    They stop being public with the transaction; if removing them fails, the next publication or
    unpublication removes them.

    Args:
        registry: The catalog.
        source: Catalog of the dataset.
        identifier: Its code.
        number: Version of the publication.
        reason: Why, for the public.
        who: Who decided it.
        store: Where the bytes lie; the catalog's own by default.

    Returns:
        The tombstone, a compact JWS.

    Raises:
        InputError: There is no such publication, it ended before, or no reason is given.
        UnavailableError: Something cannot be reached or written.
    """
    reason, who = reason.strip(), who.strip()
    if not reason or not who or len(reason + who) > _LONGEST or not (reason + who).isprintable():
        raise InputError(
            Text("who unpublishes says who decided it, and why", "撤下须写明决定人和理由"),
            remedy=Text(
                f"give --by and --reason, in one line of at most {_LONGEST:,} characters",
                f"请填写 --by 和 --reason（单行，不超过 {_LONGEST:,} 字）",
            ),
            code="unpublish.reason",
        )
    store, signer, now = store or open_store(registry.directory), registry.key(), registry.now()
    with alone(registry, store):
        with registry.database.write() as (connection, _):
            about = entry(connection, source, identifier)
            this = (PublicationRow.dataset == about.number) & (PublicationRow.number == number)
            row = connection.execute(select(PublicationRow.__table__).where(this)).first()
            if row is None or row.state != "published":
                raise _none(identifier, number)
            claims = {
                "source": source, "identifier": identifier, "version": number,
                "sha256": row.sha256, "published_at": row.published_at, "reason": reason,
                "by": who, "iat": now,
            }  # fmt: skip
            token = signer.sign(TYPE, claims)
            connection.execute(
                update(PublicationRow)
                .where(this)
                .values(state="unpublished", unpublished_at=now, tombstone=token)
            )
        store.remove(row.object)
    return token


def read_unpublication(token: str, signer: PublicIdentity) -> dict[str, Any]:
    """Returns what a tombstone of a publication says.

    Raises:
        TrustError: It was not signed by this key, or is malformed.
    """
    claims = signer.verify(TYPE, token)
    if not {"source", "identifier", "version", "sha256", "reason", "by", "iat"} <= claims.keys():
        raise TrustError(
            Text("the tombstone is incomplete", "撤下凭证不完整"), code="tombstone.incomplete"
        )
    return claims


def _none(identifier: str, number: int) -> InputError:
    return InputError(
        Text(f"version {number} of {identifier[:80]!r} is not public",
             f"“{identifier[:80]}”的版本 {number} 并未公开"),
        remedy=Text("veil catalog published shows what is", "用 veil catalog published 查看"),
        code="unpublish.none",
    )  # fmt: skip
