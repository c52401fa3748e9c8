"""SHACL shapes of DCAT-AP 3.0.1, made of the table of its constraints."""

from __future__ import annotations

import csv
import os
from functools import cache
from pathlib import Path

import pyshacl
import rdflib
from rdflib.namespace import RDF, RDFS, SH, XSD

TABLE = Path(__file__).parent / "vectors/dcat-ap-3.0.1/constraints.csv"
OWN = "DCAT_AP_SHAPES"
"""Names a file of shapes to be checked besides, such as SEMIC's own."""
PREFIXES = {
    "adms": "http://www.w3.org/ns/adms#", "dcat": "http://www.w3.org/ns/dcat#",
    "dcatap": "http://data.europa.eu/r5r/", "dct": "http://purl.org/dc/terms/",
    "eli": "http://data.europa.eu/eli/ontology#", "foaf": "http://xmlns.com/foaf/0.1/",
    "locn": "http://www.w3.org/ns/locn#", "odrl": "http://www.w3.org/ns/odrl/2/",
    "prov": "http://www.w3.org/ns/prov#", "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#", "time": "http://www.w3.org/2006/time#",
    "vcard": "http://www.w3.org/2006/vcard/ns#", "xsd": str(XSD),
}  # fmt: skip


def violations(graph: rdflib.Graph) -> list[str]:
    """Returns what a graph does against the profile, by whichever shapes."""
    return [line for shapes in all_shapes() for line in violations_of(graph, shapes)]


def violations_of(graph: rdflib.Graph, shapes: rdflib.Graph) -> list[str]:
    """Returns what a graph does against some shapes."""
    _, report, _ = pyshacl.validate(graph, shacl_graph=shapes)
    assert isinstance(report, rdflib.Graph)
    facts = (SH.focusNode, SH.resultPath, SH.value, SH.resultMessage)
    return [
        " | ".join(str(report.value(result, fact)) for fact in facts)
        for result in report.subjects(RDF.type, SH.ValidationResult)
    ]


@cache
def all_shapes() -> tuple[rdflib.Graph, ...]:
    own = os.environ.get(OWN)
    return (_shapes(), _read(own)) if own else (_shapes(),)


def _read(file: str) -> rdflib.Graph:
    graph = rdflib.Graph().parse(file)
    # Everything is one (RDF Schema 1.1, section 2.1), whether it says so or not.
    graph.remove((None, SH["class"], RDFS.Resource))
    return graph


def _shapes() -> rdflib.Graph:
    graph = rdflib.Graph()
    with TABLE.open(newline="") as file:
        for row in csv.DictReader(file):
            shape = rdflib.URIRef(f"urn:shape:{row['class']}")
            constraint = rdflib.BNode()
            graph.add((shape, RDF.type, SH.NodeShape))
            graph.add((shape, SH.targetClass, _iri(row["class"])))
            graph.add((shape, SH.property, constraint))
            graph.add((constraint, SH.path, _iri(row["property"])))
            kind = SH.Literal if row["kind"] == "literal" else SH.BlankNodeOrIRI
            graph.add((constraint, SH.nodeKind, kind))
            if leads_to := row["leads_to"]:
                what = SH.datatype if leads_to.startswith("xsd:") else SH["class"]
                graph.add((constraint, what, _iri(leads_to)))
            for column, bound in (("least", SH.minCount), ("most", SH.maxCount)):
                if row[column]:
                    graph.add((constraint, bound, rdflib.Literal(int(row[column]))))
    return graph


def _iri(name: str) -> rdflib.URIRef:
    prefix, _, local = name.partition(":")
    return rdflib.URIRef(PREFIXES[prefix] + local)
