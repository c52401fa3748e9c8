"""Finds, grades and masks what is personal in a table; usable alone.

    import desensitize

    report = desensitize.scan("people.csv")
    print(report["备注"].evidence)
    desensitize.run("people.csv", policy="policy.toml", out="release")

A name is imported when it is first used: `import desensitize` alone stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from desensitize.verbs import (
        alternatives,
        attack,
        gate,
        plan,
        report,
        revoke,
        risk,
        run,
        scan,
        synthesise,
        utility,
        verify,
    )

__all__ = [
    "alternatives", "attack", "gate", "plan", "report", "revoke", "risk", "run", "scan",
    "synthesise", "utility", "verify",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Imports the verb when it is asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'desensitize' has no attribute {name!r}")
    from desensitize import verbs

    return getattr(verbs, name)


def __dir__() -> list[str]:
    """What there is, also before it is imported."""
    return sorted({*globals(), *__all__})
