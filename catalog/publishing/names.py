"""Under which ids programs know what is public; they follow from catalog, code and version."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import Final

SPACE: Final = uuid.UUID("5e3b0f0c-8f43-5c1e-9d0a-6b1d2f6f9a54")
"""Of the ids that Veil's catalogs give (RFC 9562, version 5)."""


@lru_cache(maxsize=200_000)
def dataset_id(source: str, identifier: str) -> str:
    """Returns the id of a dataset."""
    return str(uuid.uuid5(SPACE, f"{source}\n{identifier}"))


@lru_cache(maxsize=50_000)
def publication_ids(source: str, identifier: str, number: int) -> tuple[str, str]:
    """Returns the ids of a publication's rows, and of its file, byte by byte as attested."""
    base = f"{source}\n{identifier}\n{number}"
    return str(uuid.uuid5(SPACE, base)), str(uuid.uuid5(SPACE, f"{base}\nfile"))


def file_path(file_id: str) -> str:
    """Returns where a catalog's server gives out the attested file."""
    return f"/datastore/dump/{file_id}?format=parquet"
