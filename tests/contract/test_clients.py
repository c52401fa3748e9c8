"""Transcripts of outside clients (`make clients`): what they asked and understood is so today."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import frictionless
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from catalog.feeds.croissant import CONTEXT
from catalog.interchange.ckan import slug_of
from catalog.interchange.dcat import dataset_iri
from catalog.interchange.dcat_reading import graph_of
from catalog.web.server import HttpServer
from tests.clients.city import BASE, OPENED, TABLE, app, records
from tests.dcat_ap_world import violations

TRANSCRIPTS = Path(__file__).parents[1] / "clients" / "transcripts"
OPEN = {r.identifier: r for r in records() if r.opening.attribute != "none"}
CLOSED = next(r.identifier for r in records() if r.opening.attribute == "none")


def transcript(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((TRANSCRIPTS / f"{name}.json").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    with app(tmp_path_factory.mktemp("city") / "c") as made:
        yield made


@pytest.fixture(scope="module")
def client(city: FastAPI) -> TestClient:
    return TestClient(city, base_url=BASE)


@pytest.mark.parametrize("name", ["ckan", "croissant"])
def test_what_clients_asked_for_is_answered(client: TestClient, name: str) -> None:
    requests = transcript(name)["requests"]
    assert len(requests) > 1
    for each in requests:
        answer = client.request(each["method"], each["path"], headers={"Accept": each["accept"]})
        kind = answer.headers["content-type"].partition(";")[0]
        assert (answer.status_code, kind) == (each["status"], each["type"]), each


def test_ckans_parser_and_harvesters_took_everything_that_is_open() -> None:
    said = transcript("ckan")["said"]
    wanted = {dataset_iri(*r.key): r for r in OPEN.values()}
    for form, datasets in said["parser"].items():
        assert {each["uri"] for each in datasets} == wanted.keys(), form
        for each in datasets:
            record = wanted[each["uri"]]
            assert each["title"] in {record.name, record.name_en}
            assert each["notes"] == (record.abstract or record.name)
            assert each["identifier"] == record.identifier
            assert each["tags"] == sorted(record.scenarios)
            assert each["publisher_name"] in {record.provider.name, record.provider.name_en}
            assert len(each["resources"]) == (3 if record.identifier == OPENED else 1)
    assert {each["guid"] for each in said["dcat_harvester"]} == wanted.keys()
    titles = sorted(each["title"] for each in said["ckan_harvester"])
    assert titles == sorted(record.name for record in OPEN.values())


def test_mlcroissant_validated_and_read_all_rows() -> None:
    said = transcript("croissant")["said"]
    assert (said["errors"], said["rows"]) == ([], TABLE.num_rows)
    assert ["license" in warning for warning in said["warnings"]] == [True]  # nobody states one
    first = TABLE.slice(0, 1).to_pylist()[0]
    assert said["first"]["rows/1"] == first["district"]
    assert said["first"]["rows/4"].startswith(first["since"].isoformat())


def test_croissant_says_what_was_attested(client: TestClient) -> None:
    body = client.get(f"/dataset/local/{OPENED}.croissant.json").json()
    assert (body["@context"], body["name"]) == (CONTEXT, OPEN[OPENED].name)
    [file] = body["distribution"]
    whole = client.get(file["contentUrl"].removeprefix(BASE)).content
    assert file["contentSize"] == f"{len(whole)} B"
    [rows] = body["recordSet"]
    assert [field["name"] for field in rows["field"]] == TABLE.schema.names
    kinds = [field["dataType"] for field in rows["field"]]
    assert kinds == ["sc:Text", "sc:Integer", "sc:Float", "sc:Date"]


def test_dcat_leads_to_the_rows_and_stays_valid(client: TestClient) -> None:
    text = client.get(f"/dataset/local/{OPENED}.ttl").text
    assert violations(graph_of(text, "turtle")) == []
    assert "?format=parquet" in text
    assert "checksumAlgorithm_sha256" in text


@pytest.mark.parametrize("form", ["croissant.json", "datapackage.json"])
def test_what_has_no_public_rows_or_is_closed_has_no_description(
    client: TestClient, form: str
) -> None:
    other = next(identifier for identifier in OPEN if identifier != OPENED)
    assert client.get(f"/dataset/local/{other}.{form}").json()["code"] == "feeds.no_rows"
    closed = client.get(f"/dataset/local/{CLOSED}.{form}")
    absent = client.get(f"/dataset/local/absent/1.{form}")
    assert closed.status_code == absent.status_code == 404
    assert closed.json()["code"] == absent.json()["code"] == "catalog.unknown"


def test_frictionless_validates_the_package_and_its_rows(city: FastAPI) -> None:
    server = HttpServer(city, "127.0.0.1:0")
    server.start()
    try:
        address = f"{server.url}/dataset/local/{OPENED}.datapackage.json"
        package = frictionless.Package(address)
        assert package.name == slug_of("local", OPENED)
        report = frictionless.Package(resources=[package.get_resource("rows")]).validate()
        assert report.valid, report.to_summary()
        rows = package.get_resource("rows").read_rows()
        found = [row.to_dict() | {"share": float(row["share"])} for row in rows]
        wanted = [{"_id": number, **row} for number, row in enumerate(TABLE.to_pylist(), 1)]
        assert found == wanted
        assert str(package.get_resource("attested-file").hash).startswith("sha256:")
    finally:
        server.stop()
