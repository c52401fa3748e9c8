"""Which of several forms a caller prefers (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def preferred(accept: str, offered: Sequence[tuple[str, T]]) -> T:
    """Returns the form that a caller likes best; the first of those liked alike.

    Args:
        accept: Its header; empty if it does not say.
        offered: Media types and what stands for them; the first if none is asked for.
    """
    ranges = [_range(part) for part in accept[:1000].split(",") if part.strip()]
    best, most = offered[0][1], 0.0
    for media_type, form in offered:
        if (quality := _quality(media_type, ranges)) > most:
            best, most = form, quality
    return best


def _range(part: str) -> tuple[str, float]:
    media_type, *parameters = (each.strip().lower() for each in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = min(max(float(value), 0.0), 1.0)
            except ValueError:
                quality = 0.0
    return media_type, quality


def _quality(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The most exact range counts: ``text/turtle;q=0`` beats ``text/*``."""
    kind = media_type.partition("/")[0]
    for wanted in (media_type, f"{kind}/*", "*/*"):
        found = [quality for name, quality in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0
