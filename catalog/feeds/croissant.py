"""A dataset as Croissant 1.1 (MLCommons): its attested file, and its columns as fields."""

from __future__ import annotations

from typing import Any, Final

from catalog.feeds.rows import Rows, Type
from catalog.registry import vocabulary as v
from catalog.registry.record import Record

CONTEXT: Final[dict[str, Any]] = {
    "@language": "zh", "@vocab": "https://schema.org/", "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/", "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/", "prov": "http://www.w3.org/ns/prov#",
    "arrayShape": "cr:arrayShape", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "containedIn": "cr:containedIn",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileObject": "cr:fileObject", "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet", "format": "cr:format", "includes": "cr:includes",
    "isArray": "cr:isArray", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path",
    "recordSet": "cr:recordSet", "references": "cr:references", "regex": "cr:regex",
    "repeated": "cr:repeated", "replace": "cr:replace", "samplingRate": "cr:samplingRate",
    "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField",
    "transform": "cr:transform",
}  # fmt: skip
"""As the specification has it; written into every document, so that nobody has to fetch it."""
_PARQUET: Final = "application/x-parquet"  # what MLCommons' own library reads
_TYPES: Final[dict[Type, str]] = {
    "string": "sc:Text", "integer": "sc:Integer", "number": "sc:Float", "boolean": "sc:Boolean",
    "date": "sc:Date", "datetime": "sc:DateTime",
}  # fmt: skip


def croissant(record: Record, rows: Rows, page: str) -> dict[str, Any]:
    """Returns a dataset's description, JSON types.

    Args:
        record: The dataset.
        rows: What of it is public.
        page: Where people read about it.
    """
    file = f"{rows.publication.number}.parquet"
    body: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "@id": page,
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": record.name,
        "alternateName": record.name_en,
        "description": record.abstract or record.name,
        "url": page,
        "identifier": record.identifier,
        "version": f"{rows.publication.number}.0.0",
        "datePublished": record.published.isoformat() if record.published else "",
        "dateModified": record.updated.isoformat() if record.updated else "",
        "inLanguage": "zh",
        "keywords": [*(v.THEMES.title(theme).zh for theme in record.themes), *record.scenarios],
        "creator": {"@type": "sc:Organization", "name": record.provider.name},
        "publisher": {"@type": "sc:Organization", "name": record.provider.name},
        "conditionsOfAccess": record.opening.condition,
        "citeAs": f"{record.provider.name}：{record.name}，版本 {rows.publication.number}，{page}",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file,
                "name": file,
                "contentUrl": rows.parquet,
                "encodingFormat": _PARQUET,
                "contentSize": f"{rows.publication.bytes} B",
                "sha256": rows.publication.sha256,
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "rows",
                "name": "rows",
                "field": [
                    {
                        "@type": "cr:Field",
                        "@id": f"rows/{number}",
                        "name": column.name,
                        "description": column.description or column.name,
                        "dataType": _TYPES[column.type],
                        "source": {
                            "fileObject": {"@id": file},
                            "extract": {"column": column.name},
                        },
                    }
                    for number, column in enumerate(rows.columns, 1)
                ],
            }
        ],
    }
    return {name: value for name, value in body.items() if value not in ("", [])}
