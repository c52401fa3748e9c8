"""Whether what came back is what had to come back."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from exchange.analyst.notebook_view import Figure
from protos.canonical import canonical

if TYPE_CHECKING:
    import pyarrow as pa

    from exchange.analyst.answer import Answer

# 95 % intervals miss the truth once in twenty by design. Three times as wide, Gaussian noise
# leaves them once in 10**8 figures: then something is broken.
FAR: Final = 3.0

Interval = tuple[Figure | None, Figure | None]
Group = tuple[object, ...]


@dataclass(frozen=True)
class Compared:
    """One released figure beside the true one.

    Attributes:
        group: Values of the keys.
        figure: Name of the column.
        value: As released.
        interval: Its 95 % interval; (None, None) for an exact figure.
        truth: Over all rows together.
    """

    group: Group
    figure: str
    value: Figure | None
    interval: Interval
    truth: Figure | None

    @property
    def inside(self) -> bool:
        """Whether the truth lies in the interval; for an exact figure, whether it is equal."""
        return self._within(1.0)

    @property
    def plausible(self) -> bool:
        """Whether the truth lies in an interval `FAR` times as wide."""
        return self._within(FAR)

    def _within(self, times: float) -> bool:
        low, high = self.interval
        if low is None or high is None:
            return self.value == self.truth
        if self.value is None or self.truth is None:
            return False
        middle, truth = float(self.value), float(self.truth)
        least = middle - times * (middle - float(low))
        most = middle + times * (float(high) - middle)
        return least <= truth <= most


def compare(answer: Answer, truth: pa.Table, keys: Sequence[str]) -> list[Compared]:
    """Puts every released figure beside the true one, in the answer's order.

    Args:
        answer: From ``Veil.sql``.
        truth: The same statement over all rows.
        keys: The columns that name a group; all others are figures.
    """
    true_rows = {_group(row, keys): row for row in truth.to_pylist()}
    ends = answer.intervals
    low_high = ends.to_pylist() if ends is not None else [{}] * answer.to_arrow().num_rows
    compared = []
    for row, ends_of_row in zip(answer.to_arrow().to_pylist(), low_high, strict=True):
        group = _group(row, keys)
        true_row = true_rows.get(group, {})
        for name in row:
            if name not in keys:
                interval = (ends_of_row.get(f"{name}_low"), ends_of_row.get(f"{name}_high"))
                compared.append(Compared(group, name, row[name], interval, true_row.get(name)))
    return compared


def altered(receipt: Mapping[str, Any], change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Returns the receipt document with its claims changed and its old signature kept.

    Args:
        receipt: A receipt document.
        change: Changes the claims of the exchange's token in place.
    """
    header, payload, signature = str(receipt["receipt"]).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    change(claims)
    forged = base64.urlsafe_b64encode(canonical(claims)).rstrip(b"=").decode("ascii")
    return {**receipt, "receipt": f"{header}.{forged}.{signature}"}


def _group(row: Mapping[str, object], keys: Sequence[str]) -> Group:
    return tuple(row[key] for key in keys)
