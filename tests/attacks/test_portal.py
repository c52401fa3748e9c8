"""Hostile texts on the portal's pages: in records, in addresses, in headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from markupsafe import escape

from catalog.registry.record import Access, Department, Item, Record, Relation, Version
from catalog.web.site import Site
from tests.catalog_world import record
from tests.web_world import client_of, served

HTML = {"accept": "text/html"}
MARK = "zqx"
PAYLOADS = (
    f"<script>{MARK}(1)</script>",
    f'"><img src=x onerror={MARK}(2)>',
    f"' onmouseover='{MARK}(3)",
    f"javascript:{MARK}(4)",
    f"</script><svg/onload={MARK}(5)>",
    f"</title></textarea><iframe srcdoc='{MARK}(6)'>",
    f"{{{{ {MARK}.__class__ }}}}{{% raise {MARK} %}}",
    f"--><base href=//{MARK}.example/>",
)
PAGES = ("/", "/search", "/market", "/departments", "/city/440100", "/dataset/local/H/1",
         "/dataset/local/H/2", "/department/{provider}")  # fmt: skip


class Elements(HTMLParser):
    """What a browser would make of a page: elements, attributes, and texts of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.bad: list[str] = []
        self._script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._script = tag == "script"
        if tag in {"iframe", "img", "base", "object", "embed"}:
            found = dict(attrs)
            if tag != "img" or not str(found.get("src")).startswith(("/static/", "data:image/")):
                self.bad.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.bad.append(f"{tag} {name}")
            scheme = re.sub(r"[\x00-\x20]", "", value or "").lower()
            if name in {"href", "src", "action"} and re.match(r"(javascript|data:text|//)", scheme):
                self.bad.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if self._script and MARK in data and re.search(r"[<>&]", data):
            self.bad.append("script text")


def hostile(identifier: str, payload: str) -> Record:
    """A record that says one thing in every field that may hold any text."""
    item = Item(payload, "string", 3, payload, payload, payload, 1, frozenset(), payload)
    return replace(
        record(identifier),
        name=payload,
        name_en=payload,
        abstract=payload * 2,
        provider=Department("11440100000000009X", payload, "440100", payload),
        items=(item,),
        sharing=Access("conditional", payload, payload),
        opening=Access("conditional", payload, payload),
        path=(payload, payload),
        format_type=payload,
        system=payload,
        scenarios=(payload,),
        relations=(Relation("related", "local", "H/2"),),
        version=Version(payload, payload, 5),
    )


@pytest.fixture(scope="module", params=range(len(PAYLOADS)))
def attacked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TestClient, str]]:
    payload = PAYLOADS[request.param]
    with served(tmp_path_factory.mktemp("hostile") / "c", public=True) as (client, found):
        one, two = hostile("H/1", payload), hostile("H/2", payload)
        found.registry.register([one, two])
        found.registry.register([replace(one, abstract=payload, name=f"{payload}!")])
        found.registry.withdraw("local", "H/2", reason=payload, who=payload)
        yield client, payload


def test_no_text_of_a_record_becomes_markup(attacked: tuple[TestClient, str]) -> None:
    client, payload = attacked
    shown = 0
    for language in ("zh", "en"):
        for path in PAGES:
            address = f"/{language}{path.format(provider='11440100000000009X')}"
            answer = client.get(address, headers=HTML)
            assert answer.status_code in {200, 410}, address
            assert Elements(answer.text).bad == [], address
            shown += str(escape(payload)) in answer.text
    assert shown > 8, "the texts are there, as texts"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with served(tmp_path_factory.mktemp("plain") / "c", public=True) as (made, found):
        found.registry.register([record()])
        yield made


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_address_becomes_markup(client: TestClient, payload: str) -> None:
    for path, params in (
        ("/zh/search", {"q": payload}), ("/en/search", {"scenario": payload}),
        ("/zh/search", {"theme": payload}), ("/zh/search", {"department": payload}),
        ("/zh/search", {"cursor": payload}), ("/zh/search", {"place": payload}),
        ("/zh/departments", {"q": payload, "place": payload}),
        ("/zh/search", {payload: payload}), (f"/zh/dataset/local/{payload}", {}),
        (f"/zh/department/{payload}", {}), (f"/zh/{payload}", {}), (f"/{payload}", {}),
    ):  # fmt: skip
        answer = client.get(path, params=params, headers=HTML)
        assert answer.status_code in {200, 400, 404, 422}, path
        assert Elements(answer.text).bad == [], (path, params)


def test_what_follows_a_question_mark_has_an_end(client: TestClient) -> None:
    for path in ("/en/search", "/zh/", "/api/datasets", "/api/3/action/package_search",
                 "/catalog.ttl", "/nothing", "/static/veil.css"):  # fmt: skip
        for query, status in (("&".join(["theme=x"] * 501), 400), ("q=" + "x" * (24 << 10), 414)):
            for headers in (HTML, {}):
                answer = client.get(f"{path}?{query}", headers=headers)
                assert answer.status_code == status, path
                assert len(answer.content) < 20_000, path
                assert "default-src 'none'" in answer.headers["content-security-policy"]
    told = client.get("/zh/search?" + "a&" * 15_000)
    assert told.headers["content-type"] == "application/problem+json"
    assert told.status_code == 414
    many = client.get("/en/search?" + "&".join(["theme=x"] * 500), headers=HTML)
    assert many.status_code in {200, 400}
    assert len(many.content) < 100_000


HOSTS = ("evil.example/path", 'evil.example"><script>', "a b", "user@evil.example", "[::1]evil",
         "evil.example?x", "evil.example#x", "x" * 300, "evil.example:99999999")  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_is_no_host_s_name_stands_nowhere(client: TestClient, host: str) -> None:
    for path in ("/zh/", "/zh/dataset/local/A/1", "/sitemap.xml", "/robots.txt", "/zh", "/"):
        answer = client.get(path, headers=HTML | {"host": host}, follow_redirects=False)
        assert host not in answer.text
        assert host not in str(answer.headers)


def test_a_site_that_says_where_it_is_believes_no_host(tmp_path: Path) -> None:
    with served(tmp_path / "c", public=True) as (client, found):
        found.registry.register([record()])
        app = client.app
        app.state.services = replace(found, site=Site(url="https://data.t.example"))  # type: ignore[attr-defined]
        for path in ("/zh/", "/zh/dataset/local/A/1", "/sitemap.xml", "/robots.txt"):
            page = client_of(app).get(path, headers=HTML | {"host": "evil.example"}).text  # type: ignore[arg-type]
            assert "evil.example" not in page
            assert "https://data.t.example" in page


@pytest.mark.parametrize(
    "path",
    ["//evil.example/", "/zh//evil.example", "/%2F%2Fevil.example/", "/\\evil.example",
     "/zh/..//evil.example", "/zh/%0d%0aSet-Cookie:%20x=1",
     "/zh?x=%0d%0aLocation:%20//evil.example", "/zh/search/", "/en/dataset/"],
)  # fmt: skip
def test_nothing_leads_elsewhere_and_no_header_is_put_in(client: TestClient, path: str) -> None:
    answer = client.get(f"https://catalog.test{path}", headers=HTML, follow_redirects=False)
    location = answer.headers.get("location", "/")
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert "set-cookie" not in answer.headers


def test_a_language_switch_keeps_to_this_site(client: TestClient) -> None:
    page = client.get("/zh/search?q=x&next=//evil.example", headers=HTML).text
    others = re.findall(r'class="switch" href="([^"]*)"', page)
    assert len(others) == 1
    assert others[0].startswith("/en/search?")
