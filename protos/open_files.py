"""How many files and connections a server may have open at once."""

from __future__ import annotations

import resource
from typing import Final

_MOST: Final = 1 << 16


def allow_files(most: int = _MOST) -> int:
    """Raises this process's limit as far as the system lets it, and returns what it is now.

    Shells and services mostly begin with 1,024 and may have far more: with so few, a thousand
    connections of strangers leave none for the database.

    Args:
        most: How many are enough.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
