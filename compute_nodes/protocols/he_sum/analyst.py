"""The analyst's side of he_sum: opens the total and checks who is in it."""

from __future__ import annotations

import re
from typing import Final

from compute_nodes.crypto.bfv import BfvSecretKey
from compute_nodes.crypto.paillier import PaillierSecretKey
from compute_nodes.protocols.base import Verify, context
from compute_nodes.protocols.he_sum import bfv_scheme, paillier_scheme
from compute_nodes.protocols.he_sum.setup import PURPOSE, ROUND, HeSetup
from compute_nodes.protocols.he_sum.total import HeTotal
from protos.faults import ProtocolError, TrustError

_HEX64: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def decrypt_total(
    secret: BfvSecretKey | PaillierSecretKey, setup: HeSetup, total: HeTotal, verify: Verify
) -> list[int]:
    """Opens a total.

    The signatures prove that each survivor sent *a* ciphertext for this job, not that the exchange
    added it: a wrong addition shows only where the total leaves the declared bounds, as it does,
    almost surely, when masks do not cancel.

    Args:
        secret: The key whose digest the plan names.
        setup: Derived from the plan.
        total: From the coordinator.
        verify: Checks a department's signature against its pinned identity key.

    Returns:
        ``setup.length`` signed integers.

    Raises:
        TrustError: Another key, or a signature that does not hold.
        ProtocolError: Too few survivors, or it opens to no total within the declared bounds.
    """
    if secret.public.digest != setup.key_digest:
        raise TrustError("this key is not the one that the plan names", code="he.key")
    needed = setup.n if setup.masked else setup.threshold
    if len(total.survivors) < needed or len(total.tokens) != len(total.survivors):
        raise ProtocolError(
            f"the total holds {len(total.survivors)} departments, {needed} are needed",
            code="he.survivors",
        )
    for party, token in zip(total.survivors, total.tokens, strict=True):
        claims = dict(verify(party, PURPOSE, token))
        hashed = claims.pop("sha256", None)
        sound = isinstance(hashed, str) and _HEX64.fullmatch(hashed)
        if not sound or claims != context(setup, ROUND, party):
            raise TrustError(
                f"the signature of {setup.name(party)} belongs to another job", code="he.signature"
            )
    values = _open(secret, setup, total)
    bound = 1 << (setup.width - 1)
    if not all(-bound <= value < bound for value in values):
        raise ProtocolError(
            "the total is outside the declared bounds: a ciphertext was changed or left out",
            code="he.total",
        )
    return values


def _open(secret: BfvSecretKey | PaillierSecretKey, setup: HeSetup, total: HeTotal) -> list[int]:
    terms = len(total.survivors)
    if setup.scheme == "bfv" and isinstance(secret, BfvSecretKey):
        return bfv_scheme.decrypt(setup, secret, total.blocks, terms)
    if setup.scheme == "paillier" and isinstance(secret, PaillierSecretKey):
        return paillier_scheme.decrypt(setup, secret, total.blocks, terms)
    raise TrustError("the key is of another scheme than the plan's", code="he.key")
