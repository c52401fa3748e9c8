"""Addresses of what is served: made here only, every part of a path quoted."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from catalog.datastore.resources import Resource
from catalog.interchange.dcat import Download

CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"


def dataset(site: str, source: str, identifier: str, suffix: str = "") -> str:
    """Returns where a dataset is shown: without a suffix to people, else in that form."""
    return f"{site}/dataset/{quote(source, safe='')}/{quote(identifier, safe='/')}{suffix}"


def rows(site: str, resource: Resource) -> str:
    """Returns where the rows of a publication are written as CSV."""
    return f"{site}/datastore/dump/{resource.id}"


def file(site: str, resource: Resource) -> str:
    """Returns where the attested file of a publication is, byte by byte."""
    return f"{site}/datastore/dump/{resource.file_id}?format=parquet"


def downloads(site: str, resources: Sequence[Resource]) -> list[Download]:
    """Returns what anybody may fetch of a dataset: its newest version, as rows and as it is."""
    return [
        download
        for each in resources[:1]
        for download in (
            Download(rows(site, each), "CSV", CSV),
            Download(
                file(site, each), "PARQUET", PARQUET,
                each.publication.bytes, each.publication.sha256,
            ),
        )
    ]  # fmt: skip
