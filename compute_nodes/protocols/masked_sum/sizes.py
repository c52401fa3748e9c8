"""How many bytes a department will send in each round, from the setup alone."""

from __future__ import annotations

from typing import Final

from compute_nodes.crypto.agreement import KEY_BYTES
from compute_nodes.crypto.boxes import OVERHEAD_BYTES
from compute_nodes.crypto.ring import Ring
from compute_nodes.crypto.seed import SEED_BYTES
from compute_nodes.protocols.base import Setup, compose
from compute_nodes.protocols.masked_sum.keys import SHARE_BYTES, Advertisement, Roster
from compute_nodes.protocols.masked_sum.messages import (
    KEYS_PURPOSE,
    SEALED_SEED_BYTES,
    SURVIVORS_PURPOSE,
    keys_claims,
    survivor_claims,
)
from compute_nodes.protocols.signed_sizes import token_bytes

_PART_BYTES: Final = 4  # length before each part


def predicted_sizes(setup: Setup, party: int | None = None) -> dict[str, int]:
    """Predicts the size of each message body that a party sends.

    Args:
        setup: Of the run.
        party: Its number; the last one, whose messages are the longest, if not given.

    Returns:
        Bytes by round. Exact when every party takes part to the end and signs with ES256
        (`compute_nodes.crypto.signatures`). No message is longer if others drop out.
    """
    me = setup.n - 1 if party is None else party
    everybody = range(setup.n)
    blank = Advertisement(me, bytes(KEY_BYTES), bytes(KEY_BYTES), bytes(SEED_BYTES))
    roster = Roster(setup, (blank,))
    signed_keys = token_bytes(KEYS_PURPOSE, keys_claims(setup, blank))
    signed_set = token_bytes(SURVIVORS_PURPOSE, survivor_claims(roster, me, everybody, everybody))
    vector = [setup.length * Ring(setup.bits).element_bytes]
    sealed = [] if setup.envelope is None else [SEALED_SEED_BYTES]
    parts = {
        "advertise": [signed_keys],
        "shares": [SHARE_BYTES + OVERHEAD_BYTES] * (setup.n - 1),
        "masked": vector + sealed,
        "consistency": [signed_set],
        "unmask": [SEED_BYTES * setup.n, 0],
    }
    return {
        name: _empty_bytes(setup, name, me, roster) + sum(_PART_BYTES + size for size in sizes)
        for name, sizes in parts.items()
    }


def _empty_bytes(setup: Setup, round_name: str, me: int, roster: Roster) -> int:
    fields = {"roster": roster.digest} if round_name == "shares" else {}
    return len(compose(setup, round_name, me, fields).body)
