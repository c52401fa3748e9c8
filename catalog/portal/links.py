"""Addresses of pages: made here only, every part quoted: no text becomes more than a part."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlencode

from protos.language import Language

Value = str | int | Iterable[str]


def link(language: Language, *parts: str, **query: Value) -> str:
    """Returns the address of a page on this site.

    Args:
        language: Of the page.
        *parts: Of the path; an identifier's slashes stay.
        **query: Parameters; several values of a name stand one behind the other, empty ones not.
    """
    path = "/".join((f"/{language}", *(quote(part, safe="/") for part in parts)))
    return with_query(path if parts else f"{path}/", query)


def with_query(path: str, query: dict[str, Value]) -> str:
    """Puts parameters behind a path."""
    pairs = [
        (name, each)
        for name, value in query.items()
        for each in ([str(value)] if isinstance(value, str | int) else value)
        if each
    ]
    return f"{path}?{urlencode(pairs)}" if pairs else path
