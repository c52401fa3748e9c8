"""How long a signature over a message is, before it is made."""

from __future__ import annotations

import json
from typing import Any, Final

from protos.canonical import canonical

_JWS_HEADER: Final = {"alg": "ES256", "typ": "veil-message+jwt", "kid": "0" * 64}
_ES256_BYTES: Final = 64


def token_bytes(purpose: str, body: dict[str, Any]) -> int:
    """Returns the size of a compact JWS (RFC 7515) by `compute_nodes.crypto.signatures`.

    Three base64url texts without padding, and two points.
    """
    header = json.dumps(_JWS_HEADER, separators=(",", ":")).encode()
    payload = canonical({"purpose": purpose, "body": body})
    sizes = (len(header), len(payload), _ES256_BYTES)
    return sum(-(-size * 4 // 3) for size in sizes) + 2
