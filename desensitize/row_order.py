"""The order of rows in a release: secret, and the same whenever the release is made again.

Rows that kept the order of the original would be linked by their place: two releases of one table,
each harmless, would lie side by side row for row, and so would any file that somebody exported in
the same order. So rows are put into an order that is drawn from the original's bytes, from what
makes this release another than the next, and under the release's salt. Whoever has original and
salt can draw it again, and with it the same release; nobody else can, not even who has guessed the
original (see `salt`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Occasion:
    """What two releases of one original may differ in; where they do, their orders differ too.

    Else new keys would be worth nothing: tokens before and after would stand in the same places.
    All of it is public.

    Attributes:
        policy: SHA-256 of its text.
        keys: Id of the key of each domain.
        files: SHA-256 of each hierarchy file.
        population: Commitment to the population; empty without one.
        sheet: Of the original, as it was named.
        drawn: Drawn anew where a method draws anew, so that noise cannot be averaged over two
            releases; empty where the same bytes must come out.
    """

    policy: str
    keys: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    population: str = ""
    sheet: str = ""
    drawn: str = ""

    def told(self) -> bytes:
        """Returns it as bytes, the same for the same occasion."""
        return json.dumps(asdict(self), sort_keys=True).encode()


def place(row: str, seed: str) -> str:
    """Returns the expression by which rows are ordered.

    128 bits of SHA-256 over 32 secret bytes and eight bytes of the number: no ties, and without the
    seed a random order.

    Args:
        row: Expression of a row's number.
        seed: Expression of the seed, a BLOB.
    """
    return f"left(sha256({seed} || unhex(printf('%016x', {row}))), 32)"
