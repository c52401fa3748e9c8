"""Attacks on the catalog by what is registered, imported and searched for."""

from __future__ import annotations

import http.server
import json
import signal
import socketserver
import sqlite3
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from catalog.interchange.exporting import export_file
from catalog.interchange.importing import import_file
from catalog.registry.registry import Registry, create, opened
from catalog.registry.rules import flaws
from catalog.search.find import Search
from catalog.search.index import rebuild
from catalog.search.query import LONGEST, MOST_WORDS, Query, read_place
from catalog.search.terms import asked
from catalog.workflows.fields import Field, read_fields
from desensitize.engines.rows_file import workbook_rows
from desensitize.engines.snapshot import LoadLimits
from protos.faults import InputError, UnavailableError, VeilError
from protos.language import Text
from protos.terminal import printable
from tests.catalog_world import HEALTH, citizen_item, record
from tests.web_world import fresh

QUERIES = [
    '"', "'", "医疗*", "医 NEAR 疗", "body:医疗", "医疗 OR 1=1", "a AND", "NOT", "(", "-医疗",
    "^医疗",
    "{body}:x", "'; DROP TABLE datasets; --", "医疗\x00", "%", "_", "\\", "a:*", "&|!<->", "'a':B",
]  # fmt: skip


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    directory = tmp_path_factory.mktemp("attacks") / "c"
    create(directory)
    with opened(directory) as registry:
        registry.register([record(), record("A/2", "甲%乙_丙", abstract="x OR y")])
        yield registry


@pytest.mark.parametrize("words", QUERIES)
def test_no_search_is_read_as_a_query_of_the_index(registry: Registry, words: str) -> None:
    page = Search(registry.database).find(Query(words))
    assert page.total <= 2
    assert registry.count() == 2


def test_operators_are_words_like_any_other(registry: Registry) -> None:
    search = Search(registry.database)
    assert search.find(Query("x OR y")).total == 1
    assert search.find(Query("基本 OR 甲")).total == 0
    assert search.find(Query("甲%乙")).total == 1
    assert search.find(Query("机_构")).total == 0


@given(st.text(max_size=12))
def test_what_reaches_the_index_is_letters_and_digits(words: str) -> None:
    for word in words.split():
        for piece in asked(word)[0]:
            assert piece.replace("_", "").isalnum()
            with sqlite3.connect(":memory:") as memory:
                memory.execute("CREATE VIRTUAL TABLE t USING fts5 (body, tokenize = 'ascii')")
                memory.execute("SELECT * FROM t WHERE t MATCH ?", (f'"{piece}" *',))
            memory.close()


def test_a_search_has_a_limit(registry: Registry) -> None:
    search = Search(registry.database)
    for words in ("a " * 500, "字" * (LONGEST + 1), " ".join(map(str, range(MOST_WORDS + 1)))):
        with pytest.raises(InputError, match="at most"):
            search.find(Query(words))
    for limit in (0, -1, 10**9):
        with pytest.raises(InputError, match="a page has"):
            search.find(Query("", limit=limit))


@pytest.mark.parametrize(
    "cursor", ["x", "====", "W10", "e30", "WyJhIiwxLDJd", "bnVsbA", "\u202e", "WyJ" * 999]
)
def test_a_made_up_cursor_is_refused(registry: Registry, cursor: str) -> None:
    with pytest.raises(InputError, match="no place in this search"):
        Search(registry.database).find(Query("医疗", cursor=cursor))


def test_a_cursor_of_another_search_is_refused(registry: Registry) -> None:
    search = Search(registry.database)
    cursor = search.find(Query("", limit=1)).cursor
    assert search.find(Query("", limit=1, cursor=cursor)).hits[0].identifier
    with pytest.raises(InputError, match="no place in this search"):
        search.find(Query("医疗", limit=1, cursor=cursor))
    with pytest.raises(InputError, match="no place in this search"):
        search.find(Query("", {"grade": ("1",)}, limit=1, cursor=cursor))


KILLED = """
import os, signal, sys
from pathlib import Path
from catalog.registry.registry import opened
from catalog.search import index
index._BATCH = 1
enter, entered = index._enter, []
def entering(connection, rows):
    enter(connection, rows)
    entered.append(rows)
    if len(entered) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
index._enter = entering
with opened(Path(sys.argv[1])) as found, found.database.write() as (connection, _):
    index.rebuild(connection)
"""


def test_killed_while_the_index_is_made_anew_everything_is_found(tmp_path: Path) -> None:
    fresh(tmp_path / "c")
    with opened(tmp_path / "c") as found:
        found.register([record(f"K/{n}") for n in range(4)])
    command = [sys.executable, "-c", KILLED, str(tmp_path / "c")]
    ended = subprocess.run(command, check=False, timeout=60, cwd=Path(__file__).parents[2])
    assert ended.returncode == -signal.SIGKILL
    with opened(tmp_path / "c") as found:
        assert len(Search(found.database).find(Query("医疗")).hits) == 4
        with found.database.write() as (connection, _):
            assert rebuild(connection) == 4
        assert len(Search(found.database).find(Query("医疗")).hits) == 4


@pytest.mark.parametrize(
    "evil",
    ["'; DROP TABLE datasets; --", "\x1b[2Jx", "a\r\nSet-Cookie: x", "\u202eabc",
     "<script>alert(1)", "{{7*7}}", "x" * 201, "\ud800"],
)  # fmt: skip
def test_texts_are_stored_as_they_are_or_refused(registry: Registry, evil: str) -> None:
    wanted = record("E/1", evil, abstract=evil)
    hidden = any(not c.isprintable() for c in evil) or len(evil) > 200
    if hidden:
        assert list(flaws(wanted))
        with pytest.raises(InputError):
            registry.register([wanted])
        return
    registry.register([wanted])
    assert registry.entry("local", "E/1").record.name == evil
    assert printable(evil) == evil
    with registry.database.write() as (connection, _):
        connection.execute(text("DELETE FROM datasets WHERE false"))  # the table is still there


@pytest.mark.parametrize(
    "unseen",
    ["\u3164", "广州市公安局\uffa0", "a\u2028b", "a\u2029b", "\u2800", "a\u034fb",
     "a" + "\u0300\u0489" * 5, "#N/A", "#REF!"],
)  # fmt: skip
def test_a_name_that_looks_like_another_like_none_or_covers_others_is_refused(unseen: str) -> None:
    # `isprintable` says that most of them are.
    wanted = record("E/1", unseen, abstract=unseen, provider=replace(HEALTH, name=unseen))
    assert {flaw.field for flaw in flaws(wanted)} == {"name", "abstract", "provider.name"}
    case = Field("title", "line", Text("Title", "标题"))
    if not unseen.startswith("#"):
        with pytest.raises(InputError):
            read_fields([case], {"title": unseen})
        with pytest.raises(InputError):
            read_fields([replace(case, form="text")], {"title": unseen})


@pytest.mark.parametrize(
    "name", ["Việt Nam", "e\u0301", "葛\U000e0100城", "हिन्दी", "བོད་ཡིག", "한국"]
)
def test_names_of_people_s_own_scripts_are_names(name: str) -> None:
    assert not list(flaws(record("E/1", name)))


def test_fields_are_bounded(registry: Registry) -> None:
    for wanted in (
        record(abstract="x" * 4001),
        record(items=tuple(citizen_item(name=f"i{n}") for n in range(2001))),
        record(scenarios=tuple(f"s{n}" for n in range(51))),
        record(identifier="x" * 129),
    ):
        with pytest.raises(InputError):
            registry.register([wanted])


# ---- files ------------------------------------------------------------------------------------


def test_a_workbook_that_unpacks_to_more_than_a_machine_has_ends_its_reader_only(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bomb.xlsx"
    row = b'<row><c t="inlineStr"><is><t>' + b"A" * 1000 + b"</t></is></c></row>"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

    def relation(target: str, kind: str) -> str:
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        one = f'<Relationship Id="r1" Target="{target}" Type="{office}/{kind}"/>'
        return f'<Relationships xmlns="{package}">{one}</Relationships>'

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("_rels/.rels", relation("xl/workbook.xml", "officeDocument"))
        file.writestr("xl/_rels/workbook.xml.rels", relation("worksheets/s.xml", "worksheet"))
        file.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
            '<sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        with file.open("xl/worksheets/s.xml", "w") as sheet:
            sheet.write(f'<worksheet xmlns="{main}"><sheetData>'.encode())
            for _ in range(300):
                sheet.write(row * 1000)  # 300 MB in all
            sheet.write(b"</sheetData></worksheet>")
    assert path.stat().st_size < 8_000_000
    limits = LoadLimits(memory_bytes=256 << 20, disk_bytes=1 << 30, cpu_s=30, deadline_s=60.0)
    with pytest.raises(UnavailableError), workbook_rows(path, limits=limits):
        pass


def test_a_document_cannot_make_this_machine_call(registry: Registry, tmp_path: Path) -> None:
    calls = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with socketserver.TCPServer(("127.0.0.1", 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/context"
        try:
            for body in (
                {"@context": url, "@id": "x"},
                {"@context": [url, {}], "@id": "x"},
                {"@context": {"@import": url}},
                {"@context": {"a": {"@id": "urn:a", "@context": url}}, "a": {"b": 1}},
                {"@graph": [{"@context": url, "@type": "x"}]},
            ):
                path = tmp_path / "x.jsonld"
                path.write_text(json.dumps(body))
                with pytest.raises(InputError, match="by its address"):
                    import_file(registry, path)
            path = tmp_path / "x.ttl"
            path.write_text(
                f"<{url}> a <http://www.w3.org/ns/dcat#Dataset> ; "
                f"<http://www.w3.org/2002/07/owl#imports> <{url}> ; "
                f"<http://purl.org/dc/terms/publisher> <{url}> ."
            )
            import_file(registry, path)
        finally:
            server.shutdown()
            thread.join()
    assert calls == []


def test_a_list_without_an_end_and_a_deep_document_are_errors(
    registry: Registry, tmp_path: Path
) -> None:
    path = tmp_path / "loop.ttl"
    path.write_text(
        "@prefix v: <urn:veil:catalog#> .\n"
        "@prefix r: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .\n"
        "<urn:d> a <http://www.w3.org/ns/dcat#Dataset> ; v:path _:a ;\n"
        "<http://purl.org/dc/terms/publisher> <urn:p> .\n_:a r:first 'x' ; r:rest _:a ."
    )
    report = import_file(registry, path)
    assert (report.bad, report.written) == (1, False)
    deep = tmp_path / "deep.jsonld"
    deep.write_text('{"@context": {}, "urn:a": ' + "[" * 50_000 + "]" * 50_000 + "}")
    with pytest.raises(VeilError):
        import_file(registry, deep)


def test_codes_lead_to_no_other_path(registry: Registry, tmp_path: Path) -> None:
    for code in ("../x", "/etc/passwd", "a/../../b", "C:\\x", "a\x00b", "~root"):
        assert list(flaws(record(identifier=code)))
    with pytest.raises(VeilError):
        export_file([], tmp_path / "no" / "such" / "x.csv")


def test_a_place_is_a_place() -> None:
    assert read_place("广州") == "440100"
    for name in ("", "440199'", "白云区", "不存在"):
        with pytest.raises(InputError):
            read_place(name)
