"""Plans queries, coordinates rounds, speaks for the analyst.

    from exchange import connect

    with connect() as veil:
        print(veil.sql("SELECT district, COUNT(*) AS n FROM visits GROUP BY district").to_pandas())

The name is imported when it is first used: `import exchange` alone stays light, and so does
``veil --help``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exchange.analyst.client import Job, Veil, connect

__all__ = ["Job", "Veil", "connect"]


def __getattr__(name: str) -> object:
    """Imports the SDK when one of its names is asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'exchange' has no attribute {name!r}")
    from exchange.analyst import client

    return getattr(client, name)


def __dir__() -> list[str]:
    """What there is, also before it is imported."""
    return sorted({*globals(), *__all__})
