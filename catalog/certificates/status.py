"""W3C Bitstring Status List 1.0: whether a certificate was revoked or is suspended.

A list is a credential with one bit for each of 131,072 certificates. A certificate's bits are
drawn at random, and a reader fetches the whole list: so nobody learns from a request, or from the
order of bits, which certificate was looked at or when it was issued.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args
from uuid import UUID

from catalog.certificates import envelope
from protos.faults import TrustError
from protos.identity import IdentityKey
from protos.language import Text

Purpose = Literal["revocation", "suspension"]
PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)
LIST_KIND: Final = "BitstringStatusListCredential"
ENTRY_KIND: Final = "BitstringStatusListEntry"
SLOTS: Final = 131_072  # the least that the specification allows: 16 KB
VALID_S: Final = 7 * 24 * 3600  # how long an old list can hide that a certificate was revoked
_MOST_BYTES: Final = 1 << 20
_SUBJECT: Final = {"id", "type", "statusPurpose", "encodedList"}


@dataclass(frozen=True)
class StatusEntry:
    """Where a certificate's bit stands.

    Attributes:
        purpose: What the bit means.
        slot: Its number.
        list_id: ``urn:uuid`` of the list.
    """

    purpose: Purpose
    slot: int
    list_id: str

    def to_json(self) -> dict[str, str]:
        """Writes it as a ``BitstringStatusListEntry``."""
        return {
            "id": f"{self.list_id}#{self.slot}",
            "type": ENTRY_KIND,
            "statusPurpose": self.purpose,
            "statusListIndex": str(self.slot),
            "statusListCredential": self.list_id,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> StatusEntry:
        """Reads one.

        Raises:
            TrustError: It is malformed.
        """
        slot = body.get("statusListIndex")
        if isinstance(slot, str) and slot.isascii() and slot.isdigit() and len(slot) < 10:
            for purpose in PURPOSES:
                if purpose == body.get("statusPurpose"):
                    entry = cls(purpose, int(slot), str(body.get("statusListCredential")))
                    if entry.to_json() == body:
                        return entry
        raise _malformed()


@dataclass(frozen=True)
class StatusList:
    """A list whose signature holds.

    Attributes:
        purpose: What its bits mean.
        bits: The bits, the first one highest in the first byte.
        credential: Its envelope; trust in the issuer and the times are the caller's.
    """

    purpose: Purpose
    bits: bytes
    credential: envelope.Credential

    def is_set(self, slot: int) -> bool:
        """Says whether a bit is set.

        Raises:
            TrustError: The list is shorter.
        """
        if not 0 <= slot < 8 * len(self.bits):
            raise TrustError(
                Text(f"the status list has no bit {slot}", f"状态列表没有第 {slot} 位"),
                code="status.range",
            )
        return is_set(self.bits, slot)


def issue_list(
    key: IdentityKey, issuer: str, list_id: str, purpose: Purpose, bits: bytes, now: int
) -> str:
    """Signs a list, valid for `VALID_S`.

    Args:
        key: The certificates' issuer.
        issuer: Its name.
        list_id: 32 hex digits.
        purpose: What the bits mean.
        bits: At least `SLOTS` of them.
        now: Unix seconds.
    """
    subject = {
        "id": f"{UUID(hex=list_id).urn}#list",
        "type": "BitstringStatusList",
        "statusPurpose": purpose,
        "encodedList": encoded(bits),
    }
    return envelope.issue(
        key,
        kind=LIST_KIND,
        identifier=list_id,
        issuer=issuer,
        subject=subject,
        valid_from=now,
        valid_until=now + VALID_S,
    )


def read_list(token: str) -> StatusList:
    """Reads a list: signature and shape.

    Raises:
        TrustError: It does not hold.
    """
    credential = envelope.read(token, LIST_KIND)
    subject = credential.subject
    if set(subject) != _SUBJECT or subject["type"] != "BitstringStatusList":
        raise _malformed()
    for purpose in PURPOSES:
        if subject["statusPurpose"] == purpose:
            return StatusList(purpose, decoded(subject["encodedList"]), credential)
    raise _malformed()


def encoded(bits: bytes) -> str:
    """Writes bits as ``encodedList``: gzip, base64url, prefix ``u`` (Multibase)."""
    packed = gzip.compress(bits, mtime=0)
    return "u" + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decoded(text: object) -> bytes:
    """Reads an ``encodedList``.

    Raises:
        TrustError: It is none, has fewer bits than herd privacy asks for, or unpacks to more
            than a megabyte.
    """
    if not isinstance(text, str) or not text.startswith("u"):
        raise _malformed()
    try:
        packed = base64.b64decode(text[1:] + "=" * (-len(text[1:]) % 4), altchars=b"-_")
        unpack = zlib.decompressobj(wbits=31)  # gzip
        bits = unpack.decompress(packed, _MOST_BYTES)
        if not unpack.eof or unpack.unused_data:
            raise ValueError("cut, too long, or followed by something")
    except (ValueError, zlib.error) as error:
        raise _malformed() from error
    if 8 * len(bits) < SLOTS:
        raise _malformed()
    return bits


def is_set(bits: bytes, slot: int) -> bool:
    """Says whether a bit is set."""
    return bool(bits[slot >> 3] & _mask(slot))


def with_bit(bits: bytes, slot: int, *, value: bool) -> bytes:
    """Returns the bits with one of them set or cleared."""
    changed = bytearray(bits)
    changed[slot >> 3] = bits[slot >> 3] & ~_mask(slot) | (_mask(slot) if value else 0)
    return bytes(changed)


def draw_slot(taken: Callable[[int], bool], below: Callable[[int], int]) -> int:
    """Draws a free slot; half of a list stays free, so it takes two draws on average at most.

    Args:
        taken: Whether a slot is in use.
        below: Draws from the operating system's randomness (``secrets.randbelow``).
    """
    while taken(slot := below(SLOTS)):
        pass
    return slot


def _mask(slot: int) -> int:
    return 0x80 >> (slot & 7)


def _malformed() -> TrustError:
    return TrustError(
        Text("the status list or its entry is malformed", "状态列表或其条目格式有误"),
        code="status.invalid",
    )
