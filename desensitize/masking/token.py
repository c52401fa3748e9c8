"""Keyed tokens: HMAC-SHA-256 of a value under the key of its domain (RFC 2104, FIPS 198-1).

The hexadecimal digits of a token stand in groups of four with an x between: without, one token of
100,000 would contain what looks like a resident id, and the scan of the output would believe it.

Written as two nested ``sha256`` of the engine, which is three times as quick as a call per value;
the padded keys are variables of the session, so that no statement's text holds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from pydantic import Field

from desensitize.masking.base import Cell, Domain, Workshop
from desensitize.masking.readings import as_text
from protos.language import Text

_BLOCK: Final = 64  # bytes of a block of SHA-256
_GROUP: Final = 4  # digits; no number of a person is so short


@dataclass(frozen=True)
class Token:
    """A value becomes hexadecimal digits that only the key can make.

    Blanks around a value do not count; else values that are written differently have different
    tokens. Equal values have equal tokens wherever the domain is the same.

    Conclusions: who has the same value, in all tables of the domain, and how frequent it is. What
    the value was, only with the key; without a key (a plain hash) it would be tried out in
    seconds.

    Attributes:
        domain: Names the key.
        length: Hexadecimal digits, four bits each. With 32, two values out of a billion have the
            same token with a probability of 10**-21; fewer than 16 could well collide.
    """

    domain: Domain
    length: Annotated[int, Field(ge=16, le=64)] = 32

    title: ClassVar = Text("keyed token", "带密钥的令牌")
    concludes: ClassVar = Text(
        "which rows have the same value, in all tables of the domain",
        "可知哪些记录的值相同（同一域内所有表）",
    )

    def apply(self, cell: Cell, shop: Workshop) -> Cell:
        """Returns tokens."""
        key = shop.secrets.subkey(self.domain, "token")
        text = f"nullif(trim({as_text(cell).sql}), '')"
        digits = hmac_sha256(text, key, shop)
        # Named one layer below: each group would else compute it anew.
        whole = shop.helper(digits)
        groups = ", 'x', ".join(
            f"substring({whole}, {first + 1}, {min(_GROUP, self.length - first)})"
            for first in range(0, self.length, _GROUP)
        )
        # `||` would keep NULL by itself, and takes four times as long as `concat`.
        grouped = f"concat({groups})"
        return Cell(f"CASE WHEN {whole} IS NOT NULL THEN {grouped} END", "VARCHAR")


def hmac_sha256(text: str, key: bytes, shop: Workshop) -> str:
    """Returns the SQL of the HMAC of a text in UTF-8, as 64 hexadecimal digits.

    Args:
        text: Expression.
        key: At most 64 bytes; longer keys would be hashed first.
        shop: Keeps the padded keys.
    """
    if len(key) > _BLOCK:
        raise ValueError("the key is longer than a block")
    padded = key.ljust(_BLOCK, b"\0")
    inner = shop.variable(bytes(byte ^ 0x36 for byte in padded))
    outer = shop.variable(bytes(byte ^ 0x5C for byte in padded))
    return f"sha256({outer} || unhex(sha256({inner} || encode({text}))))"
