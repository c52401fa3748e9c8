"""Records as DCAT (W3C, version 3) in JSON-LD, Turtle and RDF/XML; `dcat_reading` reads them.

Standard properties carry what they can: DCAT, DCMI terms, FOAF, PROV, ADMS for versions, CSVW for
columns, the EU's authority tables for frequencies and access rights. What no standard has, such
as a sharing attribute or a grade, is in a vocabulary of our own under ``urn:veil:catalog#``.

The documents follow the application profile DCAT-AP 3.0.1: whatever a property leads to says in
the same document what it is (a concept, a statement of rights, a media type), so that nobody has
to fetch anything to check it. Datasets have names (``urn:veil:dataset:…``) that stay the same
wherever they are shown. The context is written into every document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import rdflib
from rdflib.namespace import DCAT, DCTERMS, FOAF, PROV, RDFS, SKOS

from catalog.interchange.rdf_text import turtle
from catalog.registry import vocabulary as v
from catalog.registry.record import COUNTS, Department, Item, Record, Version
from desensitize.divisions import divisions

VEIL: Final = rdflib.Namespace("urn:veil:catalog#")
ADMS: Final = rdflib.Namespace("http://www.w3.org/ns/adms#")
CSVW: Final = rdflib.Namespace("http://www.w3.org/ns/csvw#")
HYDRA: Final = rdflib.Namespace("http://www.w3.org/ns/hydra/core#")
SPDX: Final = rdflib.Namespace("http://spdx.org/rdf/terms#")
FREQUENCY: Final = "http://publications.europa.eu/resource/authority/frequency/"
RIGHTS: Final = "http://publications.europa.eu/resource/authority/access-right/"
FILE_TYPES: Final = "http://publications.europa.eu/resource/authority/file-type/"
MEDIA_TYPES: Final = "https://www.iana.org/assignments/media-types/"
CYCLES: Final = {
    "realtime": "UPDATE_CONT", "daily": "DAILY", "weekly": "WEEKLY", "monthly": "MONTHLY",
    "quarterly": "QUARTERLY", "half-yearly": "ANNUAL_2", "yearly": "ANNUAL", "irregular": "IRREG",
    "never": "NEVER",
}  # fmt: skip
OPENING: Final = {"unconditional": "PUBLIC", "conditional": "RESTRICTED", "none": "NON_PUBLIC"}
DATASET: Final = "urn:veil:dataset:"
RELATED: Final = {
    "related": DCTERMS.relation,
    "derived": PROV.wasDerivedFrom,
    "replaces": DCTERMS.replaces,
    "part": DCTERMS.isPartOf,
}
CONTEXT: Final[dict[str, Any]] = {
    "dcat": str(DCAT), "dct": str(DCTERMS), "foaf": str(FOAF), "prov": str(PROV),
    "adms": str(ADMS), "csvw": str(CSVW), "veil": str(VEIL), "skos": str(SKOS), "rdfs": str(RDFS),
    "hydra": str(HYDRA), "spdx": str(SPDX), "xsd": "http://www.w3.org/2001/XMLSchema#",
}  # fmt: skip
# Texts of a record that have a property of their own.
_TEXTS: Final = {"system": "veil:system", "kind": "veil:kind", "category": "veil:category"}
ITEM_TEXTS: Final = {
    "type": "csvw:datatype", "name_en": "csvw:name", "description": "dct:description",
    "code_list": "dct:conformsTo", "subject": "veil:subject", "source": "veil:source",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Download:
    """A file of a dataset that anybody may fetch.

    Attributes:
        url: Where it is.
        format: Name of its type in the EU's authority table, such as ``CSV``.
        media_type: Of IANA, such as ``text/csv``.
        bytes: Its size; None if it is made when it is asked for.
        sha256: Of its bytes, hexadecimal; empty if it is made when it is asked for.
    """

    url: str
    format: str
    media_type: str
    bytes: int | None = None
    sha256: str = ""


# ---- writing -----------------------------------------------------------------------------------


def dataset_iri(source: str, identifier: str) -> str:
    """Returns the name of a dataset in graphs."""
    return f"{DATASET}{source}:{quote(identifier, safe='')}"


def to_jsonld(
    record: Record,
    *,
    page: str = "",
    downloads: Sequence[Download] = (),
    departments: Mapping[str, Department] | None = None,
) -> dict[str, Any]:
    """Returns a record as a node of JSON-LD, to be read with `CONTEXT`.

    Args:
        record: The dataset.
        page: Address where people read about it; empty in a file that no server answers for,
            which lacks the one thing that DCAT-AP wants besides: where the data is asked for.
        downloads: Its files.
        departments: By code, those that data items name as their source: who reads the document
            may not know them.
    """
    node: dict[str, Any] = {
        "@id": dataset_iri(*record.key),
        "@type": "dcat:Dataset",
        "dct:identifier": record.identifier,
        "veil:catalog": record.source,
        "dct:title": _both(record.name, record.name_en),
        "dct:description": record.abstract or record.name,  # DCAT-AP wants one
        "dct:publisher": _publisher(record.provider),
        "dct:spatial": _place(record.place),
        "dct:accrualPeriodicity": {
            "@id": FREQUENCY + CYCLES[record.cycle], "@type": "dct:Frequency",
        },
        "dct:accessRights": {
            "@id": RIGHTS + OPENING[record.opening.attribute], "@type": "dct:RightsStatement",
        },
        "dcat:distribution": [
            _own_distribution(record, page),
            *(_distribution(download, page or download.url) for download in downloads),
        ],
        "veil:sharing": record.sharing.attribute,
        "veil:item": [
            _column(record, n, item, (departments or {}).get(item.source))
            for n, item in enumerate(record.items)
        ],
    }  # fmt: skip
    if not record.abstract:
        node["veil:abstract"] = ""
    if page:
        node["dcat:landingPage"] = {"@id": page, "@type": "foaf:Document"}
    node |= {name: text for field, name in _TEXTS.items() if (text := getattr(record, field))}
    return (
        node
        | _access(record)
        | _dates(record)
        | _tags(record)
        | _relations(record)
        | (_version(record.version))
    )


def _both(zh: str, en: str) -> list[dict[str, str]]:
    """A text in the languages in which there is one."""
    return [
        {"@value": text, "@language": language}
        for text, language in ((zh, "zh"), (en, "en"))
        if text
    ]


def _place(code: str) -> dict[str, Any]:
    node: dict[str, Any] = {"@id": f"urn:veil:place:{code}", "@type": "dct:Location"}
    if (division := divisions().get(code)) is not None:
        node["skos:prefLabel"] = _both(division.name, "")
    return node


def _own_distribution(record: Record, page: str) -> dict[str, Any]:
    """The data as the department has it: in what format, and on what condition it is opened."""
    node: dict[str, Any] = {"@type": "dcat:Distribution", "veil:format": record.format}
    if record.format_type:
        node["dct:format"] = {"@type": "dct:MediaTypeOrExtent", "rdfs:label": record.format_type}
    if record.opening.condition:
        label = _both(record.opening.condition, "")
        node["dct:rights"] = {"@type": "dct:RightsStatement", "rdfs:label": label}
    if page:
        node["dcat:accessURL"] = {"@id": page}
    return node


def _distribution(download: Download, page: str) -> dict[str, Any]:
    node: dict[str, Any] = {
        "@type": "dcat:Distribution",
        "dct:title": download.format,
        "dcat:accessURL": {"@id": page},
        "dcat:downloadURL": {"@id": download.url},
        "dct:format": {"@id": FILE_TYPES + download.format, "@type": "dct:MediaTypeOrExtent"},
        "dcat:mediaType": {"@id": MEDIA_TYPES + download.media_type, "@type": "dct:MediaType"},
    }
    if download.bytes is not None:
        node["dcat:byteSize"] = {
            "@value": str(download.bytes), "@type": "xsd:nonNegativeInteger",
        }  # fmt: skip
    if download.sha256:
        algorithm = {"@id": f"{SPDX}checksumAlgorithm_sha256", "@type": "spdx:ChecksumAlgorithm"}
        value = {"@value": download.sha256, "@type": "xsd:hexBinary"}
        node["spdx:checksum"] = {
            "@type": "spdx:Checksum", "spdx:algorithm": algorithm, "spdx:checksumValue": value,
        }  # fmt: skip
    return node


def _access(record: Record) -> dict[str, Any]:
    return {
        f"veil:{name}-{part}": text
        for name, access in (("sharing", record.sharing), ("opening", record.opening))
        for part in ("condition", "method")
        if (text := getattr(access, part))
    }


def _dates(record: Record) -> dict[str, Any]:
    return {
        name: {"@value": day.isoformat(), "@type": "xsd:date"}
        for name, day in (("dct:issued", record.published), ("dct:modified", record.updated))
        if day is not None
    }


def _tags(record: Record) -> dict[str, Any]:
    """The standard's properties, which have no order, and lists of our own, which do."""
    node: dict[str, Any] = {}
    if record.path:
        node["veil:path"] = {"@list": list(record.path)}
    if record.scenarios:
        node["dcat:keyword"] = list(record.scenarios)
        node["veil:scenarios"] = {"@list": list(record.scenarios)}
    if record.themes:
        node["dcat:theme"] = [_theme(theme) for theme in record.themes]
        node["veil:themes"] = {"@list": list(record.themes)}
    return node


def _theme(code: str) -> dict[str, Any]:
    title = v.THEMES.title(code)
    return {
        "@id": f"urn:veil:theme:{code}",
        "@type": "skos:Concept",
        "skos:prefLabel": _both(title.zh, title.en),
    }


def _publisher(provider: Department) -> dict[str, Any]:
    return {
        "@id": f"urn:veil:department:{quote(provider.code, safe='')}",
        "@type": "foaf:Agent",
        "dct:identifier": provider.code,
        "foaf:name": _both(provider.name, provider.name_en),
        "dct:spatial": _place(provider.place),
    }


def _column(
    record: Record, number: int, item: Item, responsible: Department | None
) -> dict[str, Any]:
    node: dict[str, Any] = {
        "@id": f"{dataset_iri(*record.key)}#item-{number + 1}",
        "@type": "csvw:Column",
        "veil:position": number + 1,
        "csvw:title": item.name,
        "veil:grade": item.grade,
    }
    node |= {name: text for field, name in ITEM_TEXTS.items() if (text := getattr(item, field))}
    if item.length is not None:
        node["veil:length"] = item.length
    if responsible is not None:
        node["veil:responsible"] = _publisher(responsible)
    if item.uses:
        node["veil:use"] = sorted(item.uses)
    return node


def _relations(record: Record) -> dict[str, Any]:
    """The standard's properties, which have no order, and the same once more in order."""
    found: dict[str, Any] = {}
    for relation in record.relations:
        iri = {"@id": dataset_iri(relation.source, relation.identifier)}
        found.setdefault(_compact(RELATED[relation.kind]), []).append(iri)
    if found:
        found["veil:relations"] = {
            "@list": [f"{r.kind} {r.source} {r.identifier}" for r in record.relations]
        }
    return found


def _compact(iri: rdflib.URIRef) -> str:
    for prefix, namespace in CONTEXT.items():
        if iri.startswith(namespace):
            return f"{prefix}:{iri[len(namespace) :]}"
    return str(iri)


def _version(version: Version) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if version.label:
        found["dcat:version"] = version.label
    if version.notes:
        found["adms:versionNotes"] = version.notes
    for name in COUNTS:
        count = getattr(version, name)
        if count is not None:
            # As text: JSON-LD makes large numbers floats.
            found[f"veil:{name}"] = {"@value": str(count), "@type": "xsd:integer"}
    return found


def jsonld_lines(records: Iterable[Record]) -> Iterator[str]:
    """Yields the lines of a JSON-LD document: a catalog of these datasets."""
    yield f'{{"@context": {json.dumps(CONTEXT)},\n "@graph": [\n'
    yield '  {"@id": "urn:veil:catalog", "@type": "dcat:Catalog"}'
    for record in records:
        yield ",\n  " + json.dumps(to_jsonld(record), ensure_ascii=False)
    yield "\n]}\n"


def turtle_lines(records: Iterable[Record]) -> Iterator[str]:
    """Yields the parts of a Turtle document; prefixes come first, once."""
    return turtle(map(to_jsonld, records), CONTEXT)
