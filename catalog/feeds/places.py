"""Addresses of what is served: made here only, every part of a path quoted."""

from __future__ import annotations

from urllib.parse import quote


def dataset(site: str, source: str, identifier: str, suffix: str = "") -> str:
    """Returns where a dataset is shown: without a suffix to people, else in that form."""
    return f"{site}/dataset/{quote(source, safe='')}/{quote(identifier, safe='/')}{suffix}"
