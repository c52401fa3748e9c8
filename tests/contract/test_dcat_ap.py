"""The catalog as DCAT-AP 3.0.1: valid, paged, the same in each form, and only what one may see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import rdflib
from fastapi.testclient import TestClient
from rdflib.compare import isomorphic
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF

from catalog.access.principal import Principal
from catalog.interchange.dcat import HYDRA
from catalog.interchange.dcat_reading import graph_of, read_graph
from catalog.province.build import province
from catalog.registry.record import Record, Relation
from catalog.registry.registry import Registry
from catalog.web.app import create_app
from catalog.web.services import Services
from tests.catalog_world import CLOSED, record
from tests.dcat_ap_world import all_shapes, violations, violations_of
from tests.web_world import client_of, served

FORMS = {"ttl": "turtle", "jsonld": "json-ld", "xml": "xml"}
ODD = "\\\" <b>&amp;]]></b> ' ` {x} %3C 𠮷"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Services]]:
    directory = tmp_path_factory.mktemp("catalog") / "c"
    with served(directory, people={"li": Principal("li", frozenset({"analyst"}))}) as (made, found):
        found.registry.register([
            *(each for each in province(60, 1)),
            record("open/1", "公积金缴存", abstract="", relations=(
                Relation("related", "local", "closed/1"), Relation("derived", "local", "open/2"),
            )),
            record("closed/1", "困难家庭名单", opening=CLOSED),
            record("open/2", ODD, abstract=f"{ODD}\n第二行", name_en=ODD),
        ])  # fmt: skip
        yield made, found


def read(client: TestClient, path: str, form: str, **more: str) -> rdflib.Graph:
    answer = client.get(path, **more)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return graph_of(answer.text, FORMS[form])


@pytest.mark.parametrize("form", FORMS)
def test_a_page_of_the_catalog_is_valid(world: tuple[TestClient, Services], form: str) -> None:
    graph = read(world[0], f"/catalog.{form}?limit=20&after=45", form)
    assert len(set(graph.subjects(RDF.type, DCAT.Dataset))) > 5
    assert violations(graph) == []
    if form != "ttl":
        page = rdflib.URIRef(f"https://catalog.test/catalog.{form}?limit=20")
        other = read(world[0], "/catalog.ttl?limit=20&after=45", "ttl")
        graph.remove((page, None, None))
        other.remove((rdflib.URIRef("https://catalog.test/catalog.ttl?limit=20"), None, None))
        assert isomorphic(graph, other)


def test_the_table_of_constraints_finds_what_is_wrong(world: tuple[TestClient, Services]) -> None:
    graph = read(world[0], "/dataset/local/open/1.ttl", "ttl")
    assert violations(graph) == []
    [dataset] = graph.subjects(RDF.type, DCAT.Dataset)
    [agent] = graph.objects(dataset, DCTERMS.publisher)
    for broken in (
        (dataset, DCTERMS.title, None),  # one is wanted
        (agent, RDF.type, None),  # leads to what says that it is an agent
        (agent, FOAF.name, None),
        (None, DCAT.accessURL, None),
    ):
        less = rdflib.Graph()
        less += graph
        less.remove(broken)
        for shapes in all_shapes():
            assert violations_of(less, shapes), broken


def test_pages_lead_through_all_that_is_open(world: tuple[TestClient, Services]) -> None:
    client, services = world
    wanted = {r.key for r in services.registry.records() if r.opening.attribute != "none"}
    found: list[Record] = []
    following: str | None = "/catalog.ttl?limit=25"
    while following:
        graph = read(client, following, "ttl")
        [view] = graph.subjects(RDF.type, HYDRA.PartialCollectionView)
        assert graph.value(view, HYDRA.totalItems).toPython() == len(wanted)  # type: ignore[union-attr]
        found += [p.record for p in read_graph(graph, "x") if p.record is not None]
        link = graph.value(view, HYDRA.next)
        assert link == graph.value(view, HYDRA.nextPage)
        following = str(link).removeprefix("https://catalog.test") if link else None
    assert len(found) == len(wanted)
    assert {r.key for r in found} == wanted
    # A record comes back as it is, but for what it says of others that one may not see.
    kept = {r.key: r for r in services.registry.records()}
    for each in found:
        named = {(n.source, n.identifier) for n in each.relations}
        assert named <= wanted
        if each.relations == kept[each.key].relations:
            assert each == kept[each.key]


def test_what_is_closed_is_not_there(world: tuple[TestClient, Services]) -> None:
    client, _ = world
    for form in FORMS:
        closed = client.get(f"/dataset/local/closed/1.{form}")
        absent = client.get(f"/dataset/local/absent/1.{form}")
        assert closed.status_code == absent.status_code == 404
        assert closed.json()["title"].replace("closed", "absent") == absent.json()["title"]
        assert "closed" not in client.get(f"/dataset/local/open/1.{form}").text
    graph = read(client, "/dataset/local/open/1.ttl", "ttl")
    assert (None, DCTERMS.relation, None) not in graph
    member = client.get("/dataset/local/closed/1.ttl", headers={"X-As": "li"})
    assert member.status_code == 200
    assert member.headers["cache-control"].startswith("private")
    assert "closed" in client.get("/dataset/local/open/1.ttl", headers={"X-As": "li"}).text


def test_an_answer_that_one_has_is_not_sent_again(world: tuple[TestClient, Services]) -> None:
    client, services = world
    first = client.get("/catalog.jsonld?limit=5")
    tag = first.headers["etag"]
    assert client.get("/catalog.jsonld?limit=5", headers={"If-None-Match": tag}).status_code == 304
    assert client.get("/catalog.jsonld?limit=6", headers={"If-None-Match": tag}).status_code == 200
    registry = services.registry
    now = registry.now() + 100
    later = Registry(registry.database, registry._key_file, clock=lambda: now)
    client = client_of(create_app(replace(services, registry=later)))
    path = "/dataset/local/open/2.ttl"
    since = {"If-Modified-Since": client.get(path).headers["last-modified"]}
    assert client.get(path, headers=since).status_code == 304
    later.register([record("new/1", "新登记")])
    assert client.get(path, headers=since).status_code == 200
    # In the second of a change nothing is said about its time.
    assert "last-modified" not in client.get(path).headers
    assert client.get(path, headers={"If-Modified-Since": "nonsense"}).status_code == 200


@pytest.mark.parametrize(
    ("accept", "where"),
    [
        ("text/turtle", "/dataset/local/open/2.ttl"),
        ("application/rdf+xml;q=0.5, application/ld+json", "/dataset/local/open/2.jsonld"),
        ("text/html,application/xml;q=0.9,*/*;q=0.8", "/zh/dataset/local/open/2"),
        ("*/*", "/zh/dataset/local/open/2"),
        ("text/html;q=0, text/*", "/dataset/local/open/2.ttl"),
        ("nonsense;q=x,,", "/zh/dataset/local/open/2"),
    ],
)
def test_the_address_of_a_dataset_leads_on(
    world: tuple[TestClient, Services], accept: str, where: str
) -> None:
    headers = {"Accept": accept}
    answer = world[0].get("/dataset/local/open/2", headers=headers, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "https://catalog.test" + where)


def test_a_browser_in_english_and_a_host_that_is_none(world: tuple[TestClient, Services]) -> None:
    client, _ = world
    headers = {"Accept": "text/html", "Accept-Language": "en-GB,zh;q=0.5"}
    answer = client.get("/dataset/local/open/2", headers=headers, follow_redirects=False)
    assert answer.headers["location"] == "https://catalog.test/en/dataset/local/open/2"
    lied = client.get("/catalog.ttl", headers={"Host": 'evil.test"/><x>'})
    assert "evil" not in lied.text
