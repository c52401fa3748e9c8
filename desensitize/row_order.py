"""The order of rows in a release: secret, and the same whenever the release is made again.

Rows that kept the order of the original would be linked by their place: two releases of one table,
each harmless, would lie side by side row for row, and so would any file that somebody exported in
the same order. So rows are put into an order that is drawn from the original's bytes and the
policy. Whoever has the original can draw it again, and with it the same release; nobody else can,
for it is not derived from the SHA-256 that a manifest tells, and releases by other policies have
other orders.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Final

_PERSON: Final = b"veil row order"


class RowOrder:
    """Takes in what an original consists of; gives the seed of a release's order."""

    def __init__(self) -> None:
        self._hashed = hashlib.blake2b(digest_size=32, person=_PERSON)

    def update(self, content: bytes | memoryview) -> None:
        """Takes in more of the original."""
        self._hashed.update(content)

    def seed(self, policy_digest: str) -> bytes:
        """Returns 32 secret bytes: of this original under this policy."""
        return hmac.digest(self._hashed.digest(), policy_digest.encode(), "sha256")


def seed_of(path: Path, policy_digest: str) -> bytes:
    """Returns the seed of a release of a file.

    Raises:
        OSError: The file cannot be read.
    """
    order = RowOrder()
    with path.open("rb") as file:
        while content := file.read(1 << 20):
            order.update(content)
    return order.seed(policy_digest)


def place(row: str, seed: str) -> str:
    """Returns the expression by which rows are ordered.

    128 bits of SHA-256 over 32 secret bytes and eight bytes of the number: no ties, and without the
    seed a random order.

    Args:
        row: Expression of a row's number.
        seed: Expression of the seed, a BLOB.
    """
    return f"left(sha256({seed} || unhex(printf('%016x', {row}))), 32)"
