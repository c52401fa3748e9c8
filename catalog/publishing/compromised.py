"""Keys that somebody else may hold: what rests on their word is public no longer.

Who leaves has signed in good faith: removing an enrolment unpublishes nothing. A key that was
copied, lost or stolen is another matter: nobody knows any more who signed. So the catalog ends all
its enrolments, in every department and office, takes it back never, and unpublishes every version
that became public on it, as attestation or as an officer's sign-off, since it may have been in
other hands. By the catalog's clock: what a signature says of its time is its holder's word.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, or_, select, update

from catalog.publishing.listing import Publication, publications
from catalog.publishing.signers import line, signers, unknown
from catalog.publishing.store import Store
from catalog.publishing.unpublish import unpublish
from catalog.registry.registry import Registry
from catalog.registry.tables import PublicationRow, SignerRow, SignOffRow


def compromised(
    registry: Registry,
    number: int,
    *,
    by: str,
    reason: str,
    since: int = 0,
    store: Store | None = None,
) -> list[Publication]:
    """Ends a key for good, and unpublishes what became public on its word.

    The key is ended before anything is unpublished, so that whoever is killed in between runs it
    again, which does the rest. Also for an enrolment that ended before: people hear of it late.

    Args:
        registry: The catalog.
        number: Of one of the key's enrolments.
        by: Who decides it.
        reason: What happened, for the public.
        since: Unix seconds; what became public before stays. Said twice, the earlier counts.
        store: Where the bytes lie; the catalog's own by default.

    Returns:
        What was public until now.

    Raises:
        InputError: There is no such enrolment, or a name or reason is missing.
        UnavailableError: Something cannot be reached or written.
    """
    by, reason, now = line(by), line(reason), registry.now()
    with registry.database.write() as (connection, _):
        if not (found := signers(connection, number=number)):
            raise unknown(number)
        mine = SignerRow.fingerprint == found[0].fingerprint
        connection.execute(
            update(SignerRow)
            .where(mine, SignerRow.removed_at.is_(None))
            .values(removed_at=now, removed_by=by, removed_reason=reason)
        )
        connection.execute(
            update(SignerRow).where(mine, SignerRow.compromised_from.is_(None))
            .values(compromised_from=since)
        )  # fmt: skip
        connection.execute(
            update(SignerRow).where(mine, SignerRow.compromised_from > since)
            .values(compromised_from=since)
        )  # fmt: skip
    with registry.database.read() as connection:
        resting = _resting_on(connection, found[0].fingerprint)
    for each in resting:
        unpublish(
            registry, each.source, each.identifier, each.number,
            reason=f"a key that it rests on is compromised: {reason}", who=by, store=store,
        )  # fmt: skip
    return resting


def _resting_on(connection: Connection, fingerprint: str) -> list[Publication]:
    """What became public on a key's word since it may have been in other hands."""
    p, s = PublicationRow, SignOffRow
    mine = select(SignerRow.id).where(SignerRow.fingerprint == fingerprint)
    since = select(func.min(SignerRow.compromised_from)).where(SignerRow.fingerprint == fingerprint)
    signed_off = select(s.number).where(
        s.dataset == p.dataset, s.number == p.number, s.signer.in_(mine)
    )
    rows = connection.execute(
        select(p.dataset, p.number).where(
            p.state == "published",
            p.published_at >= since.scalar_subquery(),
            or_(p.signer.in_(mine), signed_off.exists()),
        ).order_by(p.dataset, p.number)
    ).all()  # fmt: skip
    return [publications(connection, dataset=d, number=n)[0] for d, n in rows]
