"""Atom and RSS: what is new, of any search, only what one may see, well-formed whatever it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from fastapi.testclient import TestClient

from catalog.feeds.news import ENTRIES, News, atom, rss
from catalog.feeds.shown import Shown
from catalog.registry.registry import Registry
from catalog.search.query import Query
from catalog.search.saved import save
from catalog.web.app import create_app
from catalog.web.services import Services
from tests.catalog_world import CLOSED, LABOUR, record
from tests.web_world import client_of, served

A = "{http://www.w3.org/2005/Atom}"
ODD = "<b>&amp;]]></b>'\"\x00\x08\x1b\ufffe\ud800"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[TestClient, Services]]:
    now = 1_700_000_000
    with served(tmp_path / "c") as (_, found):
        for step, each in enumerate([
            record("old/1", "公积金缴存", published=None, updated=None),
            record("closed/1", "困难家庭名单", opening=CLOSED),
            record("sz/1", "深圳就业", provider=LABOUR, place="440300", themes=("transport",)),
            record("new/1", "住房租赁"),
        ]):  # fmt: skip
            when = now + 100 * step
            Registry(
                found.registry.database, found.registry._key_file, clock=lambda at=when: at
            ).register([each])
        save(found.registry.database, "住房 & more", Query("住房"), now)
        with client_of(create_app(found)) as client:
            yield client, found


def entries(client: TestClient, path: str, **params: str) -> list[str]:
    answer = client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    root = ET.fromstring(answer.content)  # noqa: S314 - our own
    if path.endswith(".atom"):
        return [str(each.findtext(f"{A}title")) for each in root.iter(f"{A}entry")]
    return [str(each.findtext("title")) for each in root.iter("item")]


@pytest.mark.parametrize("form", ["atom", "rss"])
def test_the_newest_first_and_only_what_is_open(
    world: tuple[TestClient, Services], form: str
) -> None:
    client, services = world
    assert entries(client, f"/feed.{form}") == ["住房租赁", "深圳就业", "公积金缴存"]
    assert entries(client, f"/feed.{form}", theme="transport") == ["深圳就业"]
    assert entries(client, f"/feed.{form}", department=LABOUR.code) == ["深圳就业"]
    assert entries(client, f"/feed.{form}", place="深圳") == ["深圳就业"]
    assert entries(client, f"/feed.{form}", q="住房") == ["住房租赁"]
    assert entries(client, f"/feed.{form}", opening="none") == []
    # What changes comes to the front, however old its data are.
    kept = services.registry.entry("local", "old/1").record
    services.registry.register([replace(kept, abstract=form)])
    assert entries(client, f"/feed.{form}")[0] == "公积金缴存"
    assert client.get(f"/feed.{form}", params={"grade": "x"}).status_code == 400


def test_a_saved_search_is_followed_and_an_unknown_one_tells_nothing(
    world: tuple[TestClient, Services],
) -> None:
    client, _ = world
    assert entries(client, "/feed/saved/住房 & more.atom") == ["住房租赁"]
    assert entries(client, "/feed/saved/住房 & more.rss") == ["住房租赁"]
    missing = client.get("/feed/saved/none.atom")
    assert missing.status_code == 404
    assert "住房" not in missing.text


def test_addresses_are_the_sites_and_tags_confirm(world: tuple[TestClient, Services]) -> None:
    client, _ = world
    first = client.get("/feed.atom", params={"q": "住房"})
    root = ET.fromstring(first.content)  # noqa: S314 - our own
    links = {each.get("rel"): each.get("href") for each in root.findall(f"{A}link")}
    assert links["self"] == str(first.url) == root.findtext(f"{A}id")
    [entry] = root.iter(f"{A}entry")
    link = entry.find(f"{A}link")
    assert link is not None
    assert link.get("href") == "https://catalog.test/dataset/local/new/1"
    tag = {"If-None-Match": first.headers["etag"]}
    assert client.get("/feed.atom", params={"q": "住房"}, headers=tag).status_code == 304
    assert first.headers["cache-control"].startswith("public")
    since = {"If-Modified-Since": first.headers["last-modified"]}
    assert client.get("/feed.atom", params={"q": "住房"}, headers=since).status_code == 304


@pytest.mark.parametrize("write", [atom, rss])
def test_a_feed_is_well_formed_whatever_it_says(write: type) -> None:
    """Rules keep control characters out of records; a feed would be well-formed with them."""
    odd = record("odd/1", ODD, abstract=ODD, themes=(ODD,))
    odd = replace(odd, provider=replace(odd.provider, name=ODD))
    news = News(ODD, "https://a.test/", "https://a.test", [Shown(1, odd, 1, 2, {})] * ENTRIES)
    root = ET.fromstring(write(news))  # noqa: S314 - our own
    titles = [each.text for each in root.iter() if each.tag.endswith("title")]
    assert len(titles) == ENTRIES + 1
    assert set(titles) == {"<b>&amp;]]></b>'\"" + "\ufffd" * 5}
