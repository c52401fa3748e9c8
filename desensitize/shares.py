"""Shares of a whole, as people read them."""

from __future__ import annotations


def share(value: float) -> str:
    """Writes a share, 0 to 1, in percent; two digits after the point near 0 and 1."""
    if value in {0, 1}:
        return f"{value:.0%}"
    if value >= 0.9995:  # all but a few are not all
        return f"{min(value, 0.9999):.2%}"
    return f"{value:.2%}" if value < 0.1 else f"{value:.1%}"
