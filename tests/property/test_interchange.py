"""Any record comes back from every format as it was."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib.compare import isomorphic
from rdflib.namespace import DCAT, RDF

from catalog.interchange.cells import harmless, plain
from catalog.interchange.ckan import package, read_packages, slug_of
from catalog.interchange.dcat import CONTEXT, jsonld_lines, to_jsonld, turtle_lines
from catalog.interchange.dcat_reading import graph_of, read_graph
from catalog.interchange.form_files import read_form, write_csv, write_workbook
from catalog.interchange.problems import Parsed
from catalog.interchange.rdf_text import rdf_xml
from catalog.registry.record import Record
from catalog.registry.record_json import digest, from_dict, to_dict
from catalog.registry.rules import flaws
from tests.catalog_world import records

LIBRARY = st.lists(records(), min_size=1, max_size=2, unique_by=lambda r: r.key)


def read(found: Iterable[Parsed]) -> dict[tuple[str, str], Record]:
    parsed = list(found)
    assert [p.problems for p in parsed if p.problems] == []
    return {p.record.key: p.record for p in parsed if p.record is not None}


def by_key(wanted: list[Record]) -> dict[tuple[str, str], Record]:
    return {record.key: record for record in wanted}


@given(records())
def test_json_and_ckan(record: Record) -> None:
    assert list(flaws(record)) == []  # the records of these tests are sound
    again = from_dict(json.loads(json.dumps(to_dict(record))))
    assert again == record
    assert digest(again) == digest(record)
    body = json.loads(json.dumps(package(record)))
    assert read(read_packages(body, "x")) == by_key([record])
    assert 2 <= len(slug_of(*record.key)) <= 100


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
@settings(max_examples=15)
@given(wanted=LIBRARY)
def test_csv(tmp_path_factory: pytest.TempPathFactory, encoding: str, wanted: list[Record]) -> None:
    # A form says one source; codes are unique within it.
    wanted = list({r.identifier: r for r in wanted}.values())
    path = tmp_path_factory.mktemp("form") / "form.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        write_csv(wanted, file)
    assert read(read_form(path, "x")) == by_key(wanted)


@settings(max_examples=20)
@given(wanted=LIBRARY)
def test_dcat(wanted: list[Record]) -> None:
    wanted = _one_spelling_of_each_department(wanted)
    graph = graph_of("".join(turtle_lines(wanted)), "turtle")
    assert read(read_graph(graph, "x")) == by_key(wanted)
    # The three ways to write a catalog say the same, triple by triple.
    others = {
        "json-ld": jsonld_lines(wanted),
        "xml": rdf_xml(map(to_jsonld, wanted), CONTEXT),
    }
    for format_, lines in others.items():
        other = graph_of("".join(lines), format_)
        other.remove((None, RDF.type, DCAT.Catalog))  # only the file in JSON-LD says that it is one
        assert isomorphic(graph, other), format_


def _one_spelling_of_each_department(wanted: list[Record]) -> list[Record]:
    """A graph has one node for a department, as the registry has one row."""
    first: dict[str, Record] = {}
    return [replace(r, provider=first.setdefault(r.provider.code, r).provider) for r in wanted]


def test_a_workbook(tmp_path: Path) -> None:
    wanted: list[Record] = []
    given_: set[str] = set()

    @settings(max_examples=20)
    @given(records())
    def collect(record: Record) -> None:
        if record.identifier not in given_:
            given_.add(record.identifier)
            wanted.append(record)

    collect()
    path = tmp_path / "form.xlsx"
    write_workbook(wanted, path)
    assert read(read_form(path, "x")) == by_key(wanted)


@given(st.text(max_size=6), st.text("'=+-@＝\t", max_size=4))
def test_cells(end: str, begin: str) -> None:
    text = (begin + end).strip().replace("\r\n", "\n")
    cell = harmless(text)
    assert cell[:1] not in set("=+-@＝＋－＠\t\r\n")
    assert plain(cell) == text


def test_cells_of_a_file_are_harmless() -> None:
    file = io.StringIO(newline="")
    from tests.catalog_world import record

    write_csv([record(abstract="=cmd|' /C calc'!A0", name="+1")], file)
    text = file.getvalue()
    assert "'=cmd|" in text
    assert ",'+1," in text
