"""From the database into the log: every event's commitment, and the certificates it leads to.

Log and catalog are two stores, so no transaction spans them. An event is kept first, with its salt
and without a place in the log; then its effect is done and its commitment is appended; then the
place is noted. Whoever is killed in between leaves an event without a place, and the next one who
comes by, or the next start, does it again: the log takes a commitment that it has only once, and
effects are made so that twice is as once. So nothing is lost, and nothing stands twice.

A log that cannot be written stops no case: what is kept is signed and chained already.
"""

from __future__ import annotations

import logging
from typing import Final

from sqlalchemy import bindparam, select, update

from catalog.certificates.office import CertificateOffice
from catalog.registry.registry import Registry
from catalog.workflows.case import history
from catalog.workflows.events import Event, unverified_event
from catalog.workflows.rules import EFFECTS
from catalog.workflows.tables import CaseEventRow
from protos.faults import VeilError

_AT_ONCE: Final = 500
_LOG: Final = logging.getLogger("veil.workflows")


def deliver(registry: Registry, office: CertificateOffice) -> int:
    """Brings all events into the log that are not there yet; returns how many.

    Never raises for a log that cannot be written: the events wait.
    """
    done = 0
    try:
        while count := _deliver(registry, office):
            done += count
    except VeilError as error:
        _LOG.warning("events wait for the log: %s: %r", error.code, error.detail)
    return done


def _deliver(registry: Registry, office: CertificateOffice) -> int:
    waiting = (
        select(CaseEventRow.case, CaseEventRow.number, CaseEventRow.token, CaseEventRow.salt)
        .where(CaseEventRow.entry.is_(None))
        .order_by(CaseEventRow.sequence)
        .limit(_AT_ONCE)
    )
    with registry.database.read() as connection:
        rows = connection.execute(waiting).all()
    rows = [row for row in rows if _effect(registry, office, unverified_event(row.token))]
    if not rows:
        return 0
    entries = office.note_down(
        [unverified_event(row.token).committed(bytes.fromhex(row.salt)) for row in rows]
    )
    with registry.database.write() as (connection, _):
        connection.execute(
            update(CaseEventRow)
            .where(
                CaseEventRow.case == bindparam("of"), CaseEventRow.number == bindparam("at"),
                CaseEventRow.entry.is_(None),
            )
            .values(entry=bindparam("place")),
            [{"of": row.case, "at": row.number, "place": place}
             for row, place in zip(rows, entries, strict=True)],
        )  # fmt: skip
    return len(rows)


def _effect(registry: Registry, office: CertificateOffice, event: Event) -> bool:
    """Does what an event leads to; says whether it is done. One that fails holds up no other."""
    kind, _, case = event.case.partition("/")
    effect = EFFECTS.get((kind, event.step))
    if effect is None:
        return True
    with registry.database.read() as connection:
        events = [kept.said for kept in history(connection, case)]
    try:
        effect(office, events, event.number)
    except VeilError as error:
        _LOG.warning("%s %d: %s: %r", event.case, event.number, error.code, error.detail)
        return False
    return True
