"""A harvest ends: its records stay as this catalog's own, or are withdrawn, all in one step."""

from __future__ import annotations

from catalog.harvest.alone import alone
from catalog.harvest.sources import Harvest, forget, ids
from catalog.registry.fading import fade
from catalog.registry.registry import Registry
from catalog.registry.withdrawal import withdraw as take_out


def end(registry: Registry, harvest: Harvest, *, withdraw: bool, by: str, reason: str) -> int:
    """Removes a harvest.

    Args:
        registry: Open.
        harvest: What is read no more.
        withdraw: Whether its records are withdrawn; else they stay.
        by: Who decides, for the tombstones.
        reason: Why, for the tombstones.

    Returns:
        How many records were withdrawn.

    Raises:
        InputError: No reason is given, or data of one of the records is public here: nothing
            is changed then.
        UnavailableError: Another process reads it just now.
    """
    signer = registry.key()
    with alone(registry, harvest.name), registry.database.write() as (connection, revision):
        gone = ids(connection, harvest) if withdraw else ()
        for key in gone:
            take_out(
                connection, revision, key,
                reason=reason, who=by, now=registry.now(), signer=signer,
            )  # fmt: skip
        if withdraw:
            fade(connection, who=by, why=reason, now=registry.now())
        forget(connection, harvest.name)
    return len(gone)
