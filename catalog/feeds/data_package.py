"""A dataset as a Data Package (Frictionless Standards): its rows as CSV, and the attested file."""

from __future__ import annotations

import datetime as dt
from typing import Any

from catalog.datastore.convert_child import number_name
from catalog.feeds.places import CSV, PARQUET
from catalog.feeds.rows import Column, Rows
from catalog.interchange.ckan import slug_of
from catalog.registry.record import Record


def data_package(record: Record, rows: Rows, page: str) -> dict[str, Any]:
    """Returns a dataset's description, JSON types.

    Args:
        record: The dataset.
        rows: What of it is public.
        page: Where people read about it.
    """
    name, publication = slug_of(*record.key), rows.publication
    # What a dump begins with, then the file's own columns.
    number = number_name(column.name for column in rows.columns)
    fields = [Column(number, "integer", "行号"), *rows.columns]
    schema = {
        "fields": [
            {"name": column.name, "type": column.type}
            | ({"description": column.description} if column.description else {})
            for column in fields
        ]
    }
    made = dt.datetime.fromtimestamp(publication.published_at, dt.UTC)
    body: dict[str, Any] = {
        "name": name,
        "id": f"urn:veil:dataset:{record.source}:{record.identifier}",
        "title": record.name,
        "description": record.abstract,
        "homepage": page,
        "version": f"{publication.number}.0.0",
        "created": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "keywords": list(record.scenarios),
        "contributors": [{"title": record.provider.name, "role": "publisher"}],
        "resources": [
            {
                "name": "rows",
                "type": "table",
                "path": rows.csv,
                "scheme": "http" if rows.csv.startswith("http:") else "https",
                "format": "csv",
                "mediatype": CSV,
                "encoding": "utf-8",
                "schema": schema,
            },
            {
                "name": "attested-file",
                "path": rows.parquet,
                "format": "parquet",
                "mediatype": PARQUET,
                "bytes": publication.bytes,
                "hash": f"sha256:{publication.sha256}",
            },
        ],
    }
    return {name: value for name, value in body.items() if value not in ("", [])}
