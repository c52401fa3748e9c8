"""When an answer that depends on data may leave: on a coarse grid, so that its time tells little.

How long a query took depends on the rows. The answer leaves at the next multiple of 50 ms after
the plan arrived; what remains visible is which multiple that is.
"""

from __future__ import annotations

import math
from typing import Final

REPLY_STEP_S: Final = 0.05


def wait_before_reply(arrived: float, now: float) -> float:
    """Seconds to wait until the next grid point.

    Args:
        arrived: Monotonic seconds at which the plan arrived.
        now: Monotonic seconds.
    """
    elapsed = max(0.0, now - arrived)
    return math.ceil(elapsed / REPLY_STEP_S) * REPLY_STEP_S - elapsed
