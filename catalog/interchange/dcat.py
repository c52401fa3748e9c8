"""Records as DCAT (W3C, version 3) in JSON-LD and Turtle; `dcat_reading` reads them.

Standard properties carry what they can: DCAT, DCMI terms, FOAF, PROV, ADMS for versions, CSVW for
columns, the EU's authority tables for frequencies and access rights. What no standard has, such
as a sharing attribute or a grade, is in a vocabulary of our own under ``urn:veil:catalog#``.

The context is written into every document, so that no reader has to fetch it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote

import rdflib
from rdflib.namespace import DCAT, DCTERMS, FOAF, PROV

from catalog.registry.record import COUNTS, Department, Item, Record, Version

VEIL: Final = rdflib.Namespace("urn:veil:catalog#")
ADMS: Final = rdflib.Namespace("http://www.w3.org/ns/adms#")
CSVW: Final = rdflib.Namespace("http://www.w3.org/ns/csvw#")
FREQUENCY: Final = "http://publications.europa.eu/resource/authority/frequency/"
RIGHTS: Final = "http://publications.europa.eu/resource/authority/access-right/"
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
    "adms": str(ADMS), "csvw": str(CSVW), "veil": str(VEIL),
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}  # fmt: skip
# Texts of a record that have a property of their own.
_TEXTS: Final = {
    "abstract": "dct:description", "system": "veil:system", "kind": "veil:kind",
    "category": "veil:category",
}  # fmt: skip
ITEM_TEXTS: Final = {
    "type": "csvw:datatype", "name_en": "csvw:name", "description": "dct:description",
    "code_list": "dct:conformsTo", "subject": "veil:subject", "source": "veil:source",
}  # fmt: skip


# ---- writing -----------------------------------------------------------------------------------


def dataset_iri(source: str, identifier: str) -> str:
    """Returns the name of a dataset in graphs."""
    return f"{DATASET}{source}:{quote(identifier, safe='')}"


def to_jsonld(record: Record) -> dict[str, Any]:
    """Returns a record as a node of JSON-LD, to be read with `CONTEXT`."""
    node: dict[str, Any] = {
        "@id": dataset_iri(*record.key),
        "@type": "dcat:Dataset",
        "dct:identifier": record.identifier,
        "veil:catalog": record.source,
        "dct:title": [{"@value": record.name, "@language": "zh"}],
        "dct:publisher": _publisher(record.provider),
        "dct:spatial": {"@id": f"urn:veil:place:{record.place}"},
        "dct:accrualPeriodicity": {"@id": FREQUENCY + CYCLES[record.cycle]},
        "dct:accessRights": {"@id": RIGHTS + OPENING[record.opening.attribute]},
        "dcat:distribution": {
            "@type": "dcat:Distribution",
            "veil:format": record.format,
            **({"dct:format": record.format_type} if record.format_type else {}),
        },
        "veil:sharing": record.sharing.attribute,
        "veil:item": [_column(record, n, item) for n, item in enumerate(record.items)],
    }
    if record.name_en:
        node["dct:title"].append({"@value": record.name_en, "@language": "en"})
    node |= {name: text for field, name in _TEXTS.items() if (text := getattr(record, field))}
    return (
        node
        | _access(record)
        | _dates(record)
        | _tags(record)
        | _relations(record)
        | (_version(record.version))
    )


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
        node["dcat:theme"] = [{"@id": f"urn:veil:theme:{theme}"} for theme in record.themes]
        node["veil:themes"] = {"@list": list(record.themes)}
    return node


def _publisher(provider: Department) -> dict[str, Any]:
    names = [{"@value": provider.name, "@language": "zh"}]
    if provider.name_en:
        names.append({"@value": provider.name_en, "@language": "en"})
    return {
        "@id": f"urn:veil:department:{quote(provider.code, safe='')}",
        "@type": "foaf:Agent",
        "dct:identifier": provider.code,
        "foaf:name": names,
        "dct:spatial": {"@id": f"urn:veil:place:{provider.place}"},
    }


def _column(record: Record, number: int, item: Item) -> dict[str, Any]:
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
    for number, record in enumerate(records):
        graph = rdflib.Graph(bind_namespaces="none")
        for prefix, namespace in CONTEXT.items():
            graph.bind(prefix, namespace)
        document = {"@context": CONTEXT, **to_jsonld(record)}
        graph.parse(data=json.dumps(document, ensure_ascii=False), format="json-ld")
        lines = graph.serialize(format="turtle").splitlines(keepends=True)
        own = [line for line in lines if number == 0 or not line.startswith("@prefix ")]
        yield "".join(own)
