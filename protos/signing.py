"""The one door to all that is signed, sealed or pinned.

========================  =====================================================
`canonical`, `digest`     one byte string for one meaning (RFC 8785)
`IdentityKey`             signs; `PublicIdentity` verifies (ES256, typed JWS)
`SealingKey`, `seal`      only the addressee opens it (HPKE, RFC 9180)
`Card`, `Pins`            who somebody is; whom this machine believes
========================  =====================================================
"""

from protos.canonical import canonical, digest
from protos.cards import Card, Pins, make_card, read_card
from protos.identity import IdentityKey, PublicIdentity, show_fingerprint, unverified_claims
from protos.sealing import SealingKey, seal

__all__ = [
    "Card",
    "IdentityKey",
    "Pins",
    "PublicIdentity",
    "SealingKey",
    "canonical",
    "digest",
    "make_card",
    "read_card",
    "seal",
    "show_fingerprint",
    "unverified_claims",
]
