"""Datasets over REST: search, show, and what a visitor must not learn of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from catalog.registry.record import Relation
from tests.catalog_world import CLOSED, record
from tests.web_world import served


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    directory: Path = tmp_path_factory.mktemp("catalog") / "c"
    with served(directory) as (made, found):
        found.registry.register([
            record("open/1", "住房公积金缴存情况"),
            record("closed/1", "住房困难家庭名单", opening=CLOSED),
            record("open/2", "住房租赁备案", relations=(Relation("related", "local", "closed/1"),)),
        ])  # fmt: skip
        yield made


def test_a_search_finds_and_counts_what_is_open(client: TestClient) -> None:
    body = client.get("/api/catalog/datasets", params={"q": "住房"}).json()
    assert {hit["identifier"] for hit in body["hits"]} == {"open/1", "open/2"}
    assert body["total"] == 2
    assert "none" not in body["facets"]["opening"]
    # A facet that is filtered by counts what others leave: of the closed ones not even that.
    params = {"q": "住房", "opening": "unconditional"}
    assert (
        "none" not in client.get("/api/catalog/datasets", params=params).json()["facets"]["opening"]
    )
    none = client.get("/api/catalog/datasets", params={"opening": "none"}).json()
    assert none["total"] == 0


def test_a_closed_dataset_is_not_there_for_a_visitor(client: TestClient) -> None:
    closed = client.get("/api/catalog/datasets/local/closed/1")
    absent = client.get("/api/catalog/datasets/local/absent/1")
    assert closed.status_code == absent.status_code == 404
    assert closed.json()["title"].replace("closed", "absent") == absent.json()["title"]
    shown = client.get("/api/catalog/datasets/local/open/2")
    assert shown.status_code == 200
    assert "closed/1" not in shown.text


def test_errors_are_problems_in_both_languages(client: TestClient) -> None:
    answer = client.get("/api/catalog/datasets", params={"grade": "L9"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["code"], body["status"]) == ("search.grade", 400)
    assert body["title_zh"]
    assert client.get("/api/catalog/datasets", params={"limit": 0}).status_code == 422
    assert client.get("/api/none").json()["code"] == "http.404"
    assert client.post("/api/catalog/datasets").status_code == 405


def test_every_answer_closes_the_browsers_doors(client: TestClient) -> None:
    for path in ("/api/catalog/datasets", "/api/none", "/api/openapi.json"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
