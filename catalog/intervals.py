"""Interval arithmetic on inclusive ranges of integers (Moore 1966, chapter 2)."""

from __future__ import annotations

from collections.abc import Sequence

Interval = tuple[int, int]


def add(a: Interval, b: Interval) -> Interval:
    """Returns the range of x + y."""
    return (a[0] + b[0], a[1] + b[1])


def subtract(a: Interval, b: Interval) -> Interval:
    """Returns the range of x - y."""
    return (a[0] - b[1], a[1] - b[0])


def multiply(a: Interval, b: Interval) -> Interval:
    """Returns the range of x * y."""
    corners = [x * y for x in a for y in b]
    return (min(corners), max(corners))


def absolute(a: Interval) -> Interval:
    """Returns the range of abs(x)."""
    low, high = a
    least = 0 if low <= 0 <= high else min(abs(low), abs(high))
    return (least, max(abs(low), abs(high)))


def hull(intervals: Sequence[Interval | None]) -> Interval | None:
    """Returns the smallest range that holds all of ``intervals``; None if one is unknown."""
    known = [i for i in intervals if i is not None]
    if len(known) < len(intervals):
        return None
    return (min(low for low, _ in known), max(high for _, high in known))
