"""The ten messages of ``masked_sum``: five rounds, a request and an answer in each.

============ ======================================== ===================================
round        coordinator → party                      party → coordinator
============ ======================================== ===================================
advertise    (begin)                                  signed keys
shares       who advertised (U1), their signed keys   roster digest, one box for each peer
masked       who shared (U2), the boxes to this party masked vector, sealed envelope seed
consistency  who survives (U3)                        signed survivor set
unmask       who signed (U4), their signatures        a share for each of U2
============ ======================================== ===================================
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from compute_nodes.crypto.agreement import KEY_BYTES
from compute_nodes.protocols.base import COORDINATOR, Setup, Verify, context
from compute_nodes.protocols.masked_sum.keys import Advertisement, Roster
from protos.faults import ProtocolError, TrustError

ROUNDS: Final = ("advertise", "shares", "masked", "consistency", "unmask")
KEYS_PURPOSE: Final = "masked_sum.keys"
SURVIVORS_PURPOSE: Final = "masked_sum.survivors"
SEALED_SEED_BYTES: Final = 80  # HPKE: 32-byte share, 32-byte key, 16-byte tag
MAX_TOKEN_BYTES: Final = 4 * 1024

_KEY_FIELDS: Final = ("cipher_key", "mask_key", "commitment")


def keys_claims(setup: Setup, keys: Advertisement) -> dict[str, Any]:
    """Returns the body that a party signs to advertise its keys."""
    return context(setup, "advertise", keys.party) | {
        name: getattr(keys, name).hex() for name in _KEY_FIELDS
    }


def read_keys(setup: Setup, party: int, token: memoryview, verify: Verify) -> Advertisement:
    """Verifies one advertisement.

    Raises:
        ProtocolError: It is not a token.
        TrustError: Not signed by this party's pinned key, for this very run.
    """
    claims = verify(party, KEYS_PURPOSE, read_token(token))
    try:
        values = [_key(claims[name]) for name in _KEY_FIELDS]
    except (KeyError, ValueError) as error:
        raise TrustError(
            f"the keys that {setup.name(party)} advertised are malformed", code="key.invalid"
        ) from error
    keys = Advertisement(party, *values)
    if claims != keys_claims(setup, keys):
        raise TrustError(
            f"the keys of {setup.name(party)} were advertised for another run",
            code="signature.context",
        )
    return keys


def survivor_claims(
    roster: Roster, party: int, sharers: Sequence[int], survivors: Sequence[int]
) -> dict[str, Any]:
    """Returns the body that a party signs to accept a survivor set, once per run.

    Sets are written as one 0 or 1 for each party of the setup, so their size says nothing.
    """
    return context(roster.setup, "consistency", party) | {
        "roster": roster.digest,
        "sharers": _written(roster.setup, sharers),
        "survivors": _written(roster.setup, survivors),
    }


def check_survivor_tokens(
    roster: Roster,
    sharers: Sequence[int],
    survivors: Sequence[int],
    tokens: Iterable[tuple[int, memoryview]],
    verify: Verify,
) -> None:
    """Verifies that each party accepted exactly this survivor set.

    Args:
        roster: Who advertised keys (U1).
        sharers: Who shared secrets (U2).
        survivors: Whose vector is in the total (U3).
        tokens: (party, its signature) each.
        verify: Against pinned identities.

    Raises:
        ProtocolError: One is not a token.
        TrustError: One signed another set, roster or run, or the signature does not hold.
    """
    agreed = survivor_claims(roster, COORDINATOR, sharers, survivors)
    for party, token in tokens:
        claims = verify(party, SURVIVORS_PURPOSE, read_token(token))
        if claims != agreed | {"sender": party}:
            raise TrustError(
                f"{roster.setup.name(party)} signed a different survivor set",
                code="protocol.survivors",
            )


def read_token(part: memoryview) -> str:
    """Reads a compact JWS.

    Raises:
        ProtocolError: It is too long or not ASCII.
    """
    try:
        if len(part) > MAX_TOKEN_BYTES:
            raise ValueError("too long")
        return str(part, "ascii")
    except ValueError as error:
        raise ProtocolError("a signature is malformed", code="protocol.malformed") from error


def check_parts(parts: Sequence[memoryview], count: int, sizes: Iterable[int] = ()) -> None:
    """Checks how many binary parts there are, and their sizes where they are fixed.

    Raises:
        ProtocolError: They differ.
    """
    if len(parts) != count or any(
        len(part) != size for part, size in zip(parts, sizes, strict=False)
    ):
        raise ProtocolError("the message's binary parts are not those of its round")


def enough(setup: Setup, chosen: Sequence[int], allowed: Sequence[int], me: int) -> None:
    """Checks a set that the coordinator claims.

    Raises:
        ProtocolError: Below the threshold, not a subset of ``allowed``, or without ``me``.
    """
    if len(chosen) < setup.threshold:
        raise ProtocolError(
            f"{len(chosen)} departments are below the threshold of {setup.threshold}",
            code="protocol.threshold",
        )
    if not set(chosen) <= set(allowed) or me not in chosen:
        raise ProtocolError("the coordinator names departments that do not take part")


def _written(setup: Setup, parties: Sequence[int]) -> str:
    chosen = frozenset(parties)
    return "".join("1" if party in chosen else "0" for party in range(setup.n))


def _key(value: object) -> bytes:
    if isinstance(value, str) and len(value) == 2 * KEY_BYTES and value == value.lower():
        return bytes.fromhex(value)
    raise ValueError("not 64 lower-case hex digits")
