"""What a visitor has is not sent again; what changed is; what is one member's is not kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import Response

from catalog.access.principal import Principal
from catalog.portal.unchanged import KnownPages, UnchangedError, page_key
from catalog.web.services import Services
from tests.catalog_world import CLOSED, record
from tests.web_world import served

PAGES = ["/zh/", "/zh/search?q=医疗", "/en/market", "/zh/city/440100",
         "/zh/dataset/local/A/1", "/sitemap/0.xml"]  # fmt: skip
LI = {"X-As": "li"}
TAG = b'"%s"' % hashlib.sha256(b"page").hexdigest()[:32].encode()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Services]]:
    people = {"li": Principal("li", frozenset({"analyst"}))}
    with served(tmp_path_factory.mktemp("c") / "c", people=people) as (client, services):
        services.registry.register([record()])
        yield client, services


@pytest.mark.parametrize("page", PAGES)
def test_a_page_comes_once_and_again_when_it_has_changed(
    world: tuple[TestClient, Services], page: str
) -> None:
    client, services = world
    services.registry.register([record()])
    first = client.get(page)
    tag = {"If-None-Match": first.headers["etag"]}
    same = client.get(page, headers=tag)
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == first.headers["etag"]
    services.registry.register([record("hidden", opening=CLOSED)])  # the same page all the same
    assert client.get(page, headers=tag).status_code == 304
    found = f"A/{page.encode().hex()}"
    services.registry.register([record(found, "医疗新资源", abstract="新")])
    services.registry.register([record(name="医疗机构名称已改")])
    second = client.get(page, headers=tag)
    assert (second.status_code, second.content != first.content) == (200, True)


def test_each_address_has_a_tag_of_its_own(world: tuple[TestClient, Services]) -> None:
    client, _ = world
    tags = {client.get(page).headers["etag"] for page in PAGES}
    assert len(tags) == len(PAGES)
    elsewhere = client.get("/zh/", headers={"Host": "other.test"}).headers["etag"]
    assert elsewhere not in tags  # the page names its host


def test_nothing_is_drawn_for_who_has_the_page_and_a_day_later_it_is(
    world: tuple[TestClient, Services],
) -> None:
    _, services = world
    request = Request({"type": "http", "method": "GET", "path": "/zh/", "query_string": b"",
                       "headers": [(b"host", b"catalog.test"), (b"if-none-match", b"*, W/" + TAG)],
                       "scheme": "https", "server": ("catalog.test", 443)})  # fmt: skip
    known = KnownPages()
    today, tomorrow = (page_key(services, request, day) for day in ("2026-01-01", "2026-01-02"))
    known.check(request, today)  # nothing is known yet
    assert known.tagged(request, today, Response(b"page")).status_code == 304
    with pytest.raises(UnchangedError):
        known.check(request, today)
    known.check(request, tomorrow)


def test_a_member_s_page_has_no_tag_and_is_kept_by_nobody(
    world: tuple[TestClient, Services],
) -> None:
    client, _ = world
    tag = client.get("/zh/").headers["etag"]
    answer = client.get("/zh/", headers=LI | {"If-None-Match": tag})
    assert answer.status_code == 200
    assert "etag" not in answer.headers
    assert "no-store" in answer.headers["cache-control"]
    assert "Cookie" in client.get("/zh/").headers["vary"]


@pytest.mark.parametrize("page", ["/zh/nothing", "/zh/dataset/local/none"])
def test_what_is_not_there_has_no_tag(world: tuple[TestClient, Services], page: str) -> None:
    assert "etag" not in world[0].get(page).headers


def test_visitors_are_sent_less_and_members_what_nobody_can_measure(
    world: tuple[TestClient, Services],
) -> None:
    client, _ = world
    plain = client.get("/zh/", headers={"Accept-Encoding": "identity"})
    packed = client.get("/zh/", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    head = client.head("/zh/", headers={"Accept-Encoding": "gzip"})
    assert head.headers["content-length"] == packed.headers["content-length"]
    for personal in ({"Cookie": "__Host-veil=x"}, {"Authorization": "x"}):
        answer = client.get("/zh/", headers={"Accept-Encoding": "gzip"} | personal)
        assert "content-encoding" not in answer.headers


def test_a_feed_that_came_compressed_is_confirmed(world: tuple[TestClient, Services]) -> None:
    client, _ = world
    first = client.get("/catalog.ttl", headers={"Accept-Encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["etag"].startswith("W/")
    for coding in ("gzip", "identity"):
        headers = {"Accept-Encoding": coding, "If-None-Match": first.headers["etag"]}
        assert client.get("/catalog.ttl", headers=headers).status_code == 304
