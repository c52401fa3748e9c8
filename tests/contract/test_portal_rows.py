"""Public rows on a dataset's page: the first of them, downloads, examples, a store that lies."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from catalog.publishing.publish import publish
from catalog.publishing.unpublish import unpublish
from catalog.registry.registry import opened
from tests.publishing_world import World, clone
from tests.web_world import served

HTML = {"accept": "text/html"}
PAGE = "/zh/dataset/local/YL/001"


@pytest.fixture(scope="module")
def client(publishing: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    directory = clone(publishing, tmp_path_factory.mktemp("rows"))
    with opened(directory) as registry:
        publish(registry, publishing.release, "local", "YL/001")
    with served(directory, public=True) as (made, _):
        yield made


def test_the_first_rows_are_shown_and_all_can_be_had(client: TestClient) -> None:
    page = client.get(PAGE, headers=HTML).text
    assert "已公开数据" in page
    assert page.count("<tr><td>") == 10
    for column in ("birth", "sex", "income"):
        assert f">{column}</th>" in page
    links = re.findall(r'href="(/datastore/dump/[^"]*)"', page)
    assert len(links) == 5
    for link in links:
        answer = client.get(link.replace("&amp;", "&"))
        assert answer.status_code == 200, link
        assert answer.headers["content-disposition"].startswith("attachment")


def test_a_glance_at_the_columns_counts_what_is_public(client: TestClient) -> None:
    page = client.get(PAGE, headers=HTML).text
    glance = page[page.index('class="glances"') : page.rindex("Data Package")]
    shown = re.findall(r"<li><span>([^<]*)</span>.*?<span>([\d,]+)</span></li>", glance, re.DOTALL)
    assert ("女", "187") in shown
    assert ("男", "213") in shown
    assert "<script" not in glance


def test_the_first_page_names_what_has_rows(client: TestClient) -> None:
    page = client.get("/en/", headers=HTML).text
    assert 'href="/en/dataset/local/YL/001#data"' in page
    assert "400 rows" in page


def test_what_is_public_is_described_for_programs(client: TestClient) -> None:
    page = client.get(PAGE, headers=HTML).text
    for ending in ("datapackage.json", "croissant.json"):
        link = f"/dataset/local/YL/001.{ending}"
        assert page.count(f'href="{link}"') == 2, "for people and in the head"
        assert client.get(link).status_code == 200


def test_what_is_to_be_copied_works(client: TestClient) -> None:
    page = client.get(PAGE, headers=HTML).text
    for wanted in (r"https://[^\"&]*/datastore/dump/[0-9a-f-]{36}", r"https://\S*datastore_search[^\"]*",
                   r"https://[^\"&]*/api/data/[0-9a-f-]{36}/attestation"):  # fmt: skip
        found = re.search(wanted, page.replace("&amp;", "&").replace("&#34;", '"'))
        assert found is not None, wanted
        assert client.get(found[0]).status_code == 200, found[0]


def test_the_first_page_counts_public_rows(client: TestClient) -> None:
    page = client.get("/zh/", headers=HTML).text
    assert re.search(r"<dt>开放数据行</dt><dd>\d{3}</dd>", page)


def test_a_changed_store_spoils_the_preview_and_nothing_else(
    publishing: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = clone(publishing, tmp_path_factory.mktemp("altered"))
    with opened(directory) as registry:
        publish(registry, publishing.release, "local", "YL/001")
    [file] = (directory / "public").glob("*.parquet")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o600)
    file.write_bytes(content)
    with served(directory, public=True) as (client, _):
        answer = client.get(PAGE, headers=HTML)
    assert answer.status_code == 200
    assert "notice bad" in answer.text
    assert "<tr><td>" not in answer.text
    assert "信息项" in answer.text


def test_what_was_unpublished_leaves_a_tombstone_and_no_rows(
    publishing: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = clone(publishing, tmp_path_factory.mktemp("ended"))
    with opened(directory) as registry:
        publish(registry, publishing.release, "local", "YL/001")
        unpublish(registry, "local", "YL/001", 1, reason="口径有误", who="首席数据官")
    with served(directory, public=True) as (client, _):
        page = client.get(PAGE, headers=HTML).text
    assert "已撤下" in page
    assert "签署的撤下凭证" in page
    assert "/datastore/dump/" not in page
