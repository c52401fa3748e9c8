"""A dataset as schema.org has it, for the page's head: how search engines of the world find it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from catalog.datastore.resources import Resource
from catalog.portal.links import link
from catalog.registry import vocabulary as v
from catalog.registry.cities import place_title
from catalog.registry.entries import Entry
from protos.language import Language


def described(
    origin: str, language: Language, entry: Entry, public: Sequence[Resource]
) -> dict[str, Any]:
    """Returns a ``Dataset`` of schema.org, JSON types.

    Args:
        origin: Scheme and host of this site.
        language: Of the page that it stands in.
        entry: The dataset.
        public: What of it is public.
    """
    record = entry.record
    address = origin + link(language, "dataset", *record.key)
    body: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": address,
        "url": address,
        "name": record.name,
        "alternateName": record.name_en,
        "description": record.abstract or record.name,
        "identifier": record.identifier,
        "inLanguage": "zh-CN",
        "keywords": [*(v.THEMES.title(t).of(language) for t in record.themes), *record.scenarios],
        "spatialCoverage": {"@type": "Place", "name": place_title(record.place).of(language)},
        "datePublished": record.published.isoformat() if record.published else "",
        "dateModified": record.updated.isoformat() if record.updated else "",
        "isAccessibleForFree": record.opening.attribute == "unconditional",
        "conditionsOfAccess": record.opening.condition,
        "creator": {"@type": "GovernmentOrganization", "name": record.provider.name,
                    "identifier": record.provider.code},
        "variableMeasured": [
            {"@type": "PropertyValue", "name": item.name, "description": item.description}
            for item in record.items
        ],
        "version": str(entry.versions[0].number) if entry.versions else "",
        "distribution": [_download(origin, each) for each in public],
    }  # fmt: skip
    if entry.state == "withdrawn":
        body["creativeWorkStatus"] = "Withdrawn"
    return {name: value for name, value in body.items() if value not in ("", [])}


def _download(origin: str, resource: Resource) -> dict[str, Any]:
    """The file as it was attested."""
    file = resource.publication
    return {
        "@type": "DataDownload",
        "encodingFormat": "application/vnd.apache.parquet",
        "contentUrl": f"{origin}/datastore/dump/{resource.id}?format=parquet",
        "sha256": file.sha256,
        "contentSize": f"{file.bytes} B",
        "uploadDate": f"{dt.datetime.fromtimestamp(file.published_at, dt.UTC):%Y-%m-%d}",
    }
