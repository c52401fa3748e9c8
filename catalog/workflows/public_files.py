"""Public files as a delivery: where they lie and what their bytes are, in the signed event itself.

Nothing leaves the exchange by such a delivery, so there is no circulation certificate to prove it.
What the buyer can hold against the broker, and against the catalog, are the digests: who downloads
later, and gets other bytes, sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from catalog.publishing.listing import publications
from catalog.publishing.names import file_path, publication_ids
from catalog.registry.entries import entry
from protos.faults import MissingError


def public_files(
    connection: Connection, datasets: Iterable[Mapping[str, str]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Returns the newest public file of each dataset, and the codes of those that have none.

    Args:
        connection: To read with.
        datasets: Source and identifier of each.
    """
    files, without = [], []
    for named in datasets:
        file = _newest(connection, named["source"], named["identifier"])
        if file is None:
            without.append(named["identifier"])
        else:
            files.append(file)
    return files, without


def _newest(connection: Connection, source: str, identifier: str) -> dict[str, Any] | None:
    try:
        found = entry(connection, source, identifier)
    except MissingError:
        return None
    if found.state != "registered" or found.record.opening.attribute == "none":
        return None
    public = [p for p in publications(connection, dataset=found.number) if p.state == "published"]
    if not public:
        return None
    last = public[-1]
    return {
        "source": source, "identifier": identifier, "version": last.number,
        "path": file_path(publication_ids(source, identifier, last.number)[1]),
        "sha256": last.sha256, "bytes": last.bytes, "rows": last.rows,
    }  # fmt: skip
