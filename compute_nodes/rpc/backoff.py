"""How long to wait before the next try."""

from __future__ import annotations

from dataclasses import dataclass

_LARGEST_EXPONENT = 32  # 2.0 ** 32 is beyond any `most_s`; keeps the power small for ever


@dataclass(frozen=True)
class Backoff:
    """Exponential back-off with full jitter, so that a crowd does not come back at once.

    Attributes:
        first_s: Upper end of the first wait, seconds.
        most_s: Upper end of any wait, seconds.
        floor: Smallest wait as a share of the upper end, 0..1.
    """

    first_s: float = 0.1
    most_s: float = 5.0
    floor: float = 0.5

    def delay(self, failures: int, chance: float) -> float:
        """Returns seconds to wait after so many failures in a row.

        Args:
            failures: From 1.
            chance: Uniform in [0, 1).
        """
        top = min(self.most_s, self.first_s * 2.0 ** min(failures - 1, _LARGEST_EXPONENT))
        return top * (self.floor + (1.0 - self.floor) * chance)
