"""One text that is hostile to every format, in all fields that people fill, read at all addresses.

An answer is read as its reader would read it: HTML as a browser, XML, JSON, Turtle and CSV by
parsers that forgive nothing, cells as a spreadsheet.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest
import rdflib
from fastapi import APIRouter
from httpx2 import Response

from catalog.ckan.router import router as ckan
from catalog.web.app import MEMBERS, PUBLIC
from tests.attacks.test_portal import MARK, Elements, hostile
from tests.catalog_world import HEALTH
from tests.datastore_world import make_public
from tests.workflow_world import SQL, World, workflows

EVIL = (
    f'=HYPERLINK("//{MARK}")\'"><img src=x onerror={MARK}(1)></script></title>]]>-->'
    f"{MARK}{{{{7*7}}}}{{% {MARK} %}}${{7*7}}\\\\ javascript:{MARK} &lt%0d%0a"
)
STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")
CELLS = [EVIL, *(f"{start}{MARK}" for start in STARTS), f"a\r\n={MARK}", f"\u202e{MARK}\x1b[2J"]
QUERIES: dict[str, tuple[str, ...]] = {
    "/datastore/dump/{id}": ("format=csv", "format=tsv", "format=json", "format=xml", "bom=1"),
    "/{language:language}/search": (f"q={MARK}", "q="),
    "/catalog": ("page=1",),
}  # fmt: skip


class Marked:
    """A catalog in which everything says `EVIL`, and what addresses may name."""

    def __init__(self, world: World) -> None:
        self.world = world
        registry = world.registry
        one, two = hostile("H/1", EVIL), hostile("H/2", EVIL)
        ours = replace(one, identifier="H/3", provider=HEALTH)
        registry.register([one, two, ours])
        registry.register([replace(one, abstract=EVIL, name=f"{EVIL}!")])
        registry.withdraw("local", "H/2", reason=EVIL, who=EVIL)
        rows = pa.table({EVIL: CELLS, "x": CELLS, "": CELLS, '"; DROP TABLE data; --': CELLS})
        make_public(registry, rows, "H/1")
        [self.rows] = [each.id for each in world.services.datastore.resources.all("all")]
        self.packages = world.client.get("/api/3/action/package_list").json()["result"]
        self.cases = dict(self._cases())

    def _cases(self) -> Iterator[tuple[str, str]]:
        world, datasets = self.world, [{"source": "local", "identifier": "H/3"}]
        demand = world.demand(title=EVIL, text=EVIL)
        world.act("steward", demand, "accept")
        world.act("steward", demand, "answer", text=EVIL, datasets=datasets)
        yield "demands", demand
        asset = world.open("steward", "assets", title=EVIL, text=EVIL, datasets=datasets)
        world.act("admin", f"assets/{asset}", "accept")
        world.act("admin2", f"assets/{asset}", "review")
        yield "assets", f"assets/{asset}"
        statement = {"sql": SQL, "grant_request": world.grant_request(purpose=EVIL)}
        yield "requests", world.request(title=EVIL, purpose=EVIL, statements=[statement])
        licence = world.open("broker", "licences", title=EVIL, text=EVIL)
        world.act("admin", f"licences/{licence}", "license", until=world.until)
        yield "licences", f"licences/{licence}"
        product = world.open("broker", "products", title=EVIL, text=EVIL, price=EVIL,
                             datasets=datasets)  # fmt: skip
        yield "products", f"products/{product}"
        order = world.open("li", "orders", product=product, purpose=EVIL)
        yield "orders", f"orders/{order}"

    def addresses(self, routers: tuple[APIRouter, ...]) -> Iterator[str]:
        """Every address that is read, with all that its places may name."""
        for router in routers:
            for route in router.routes:
                path = str(getattr(route, "path", ""))
                if "GET" not in getattr(route, "methods", ()) or path.startswith("/api/action"):
                    continue
                for filled in self._filled(path):
                    for query in QUERIES.get(path, ("",)):
                        yield f"{filled}?{query}" if query else filled
                    if router is ckan:
                        for name in (*self.packages, self.rows, "11440100000000009X"):
                            yield f"{filled}?id={name}&resource_id={name}&q={MARK}"
                            yield f"{filled}?resource_id={name}&records_format=csv"
                        yield f"{filled}?all_fields=1&include_private=1&sort=name"

    def _filled(self, path: str) -> Iterator[str]:
        kind = next((kind for kind in self.cases if f"/{kind}/" in path), "")
        case = self.cases.get(kind, "/1").partition("/")[2]
        plain = {"source": "local", "language": "en", "case": case, "id": self.rows,
                 "number": "1", "provider": "1", "level": "0", "name": "000"}  # fmt: skip
        for identifier, code in (("H/1", "11440100000000009X"), ("H/2", "440100"),
                                 ("H/3", HEALTH.code)):  # fmt: skip
            named = {**plain, "identifier": identifier, "code": code}
            yield re.sub(r"\{(\w+):\w+\}", r"{\1}", path).format(**named)
            if not re.search(r"\{(identifier|code)\b", path):
                return


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marked]:
    with workflows(tmp_path_factory.mktemp("marked") / "c") as world:
        yield Marked(world)


def wrong(answer: Response) -> str:
    """What a reader of an answer would stumble over; empty if nothing."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if answer.headers.get("x-content-type-options") != "nosniff":
        return "sniffed"
    for name, value in answer.headers.items():
        if re.search(r"[\r\n\x00]", value) or (name == "content-disposition" and not re.fullmatch(
            r'(inline|attachment); filename="[\w.-]+"', value, re.ASCII
        )):  # fmt: skip
            return f"{name}: {value}"
    if f"{MARK}49" in answer.text:
        return "a template of a text"
    try:
        return _misread(kind, answer)
    except (ValueError, ET.ParseError) as error:
        return f"{kind}: {error}"


def _misread(kind: str, answer: Response) -> str:
    if kind == "text/html":
        return " ".join(Elements(answer.text).bad)
    if kind.endswith("json"):
        told = json.loads(answer.text, parse_constant=pytest.fail)
        if isinstance(told, dict) and isinstance(told.get("result"), dict):
            records = told["result"].get("records")
            return _formulas(records, ",") if isinstance(records, str) else ""
    elif kind.endswith("xml"):
        ET.fromstring(answer.content)  # noqa: S314 - our own answer
    elif kind == "text/turtle":
        rdflib.Graph().parse(data=answer.text, format="turtle")
    elif kind in {"text/csv", "text/tab-separated-values"}:
        return _formulas(answer.text.removeprefix("\ufeff"), "," if kind == "text/csv" else "\t")
    return ""


def _formulas(text: str, between: str) -> str:
    cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=between)
             for cell in row]  # fmt: skip
    return next((f"formula {cell!r}" for cell in cells if cell.startswith(STARTS)), "")


@pytest.mark.parametrize(
    ("who", "routers", "least"),
    [("", PUBLIC, 42), ("self", MEMBERS, 15), ("admin", MEMBERS, 20), ("broker", MEMBERS, 10)],
    ids=["visitor", "officer", "administrator", "broker"],
)
def test_a_hostile_text_is_a_text_at_every_address(
    marked: Marked,
    who: str,
    routers: tuple[APIRouter, ...],
    least: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    found, shown = [], set()
    client = marked.world.client
    client.follow_redirects = False
    with caplog.at_level(logging.WARNING):
        for address in marked.addresses(routers):
            accept = "text/html" if re.match(r"/(en|zh|login)", address) else "*/*"
            answer = client.get(address, headers={"X-As": who, "accept": accept})
            if answer.status_code >= 500 and answer.status_code != 503:
                found.append((address, answer.status_code, answer.text[:200]))
            elif stumbled := wrong(answer):
                found.append((address, answer.status_code, stumbled[:200]))
            if answer.status_code == 200 and MARK in answer.text:
                shown.add(address.partition("?")[0])
    assert found == []
    assert [line for line in caplog.messages if "\n" in line or "\x1b" in line] == []
    assert len(shown) >= least, "the texts are there"
