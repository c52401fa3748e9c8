"""Commands that speak to a server raise what the server said."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from catalog.access.principal import Principal
from catalog.client.connection import Connection
from catalog.web.server import HttpServer
from protos.faults import InputError, MissingError, UnavailableError
from tests.web_world import served


def test_answers_and_problems(tmp_path: Path) -> None:
    with served(tmp_path / "c", people={"li": Principal("li")}) as (client, _):
        catalog = Connection(client)
        assert catalog.get("/api/catalog/datasets", q="住房", theme=[])["total"] == 0
        with pytest.raises(MissingError, match="no dataset") as raised:
            catalog.get("/api/catalog/datasets/local/x")
        assert raised.value.said.zh.startswith("没有")
        with pytest.raises(InputError) as raised_input:
            catalog.get("/api/catalog/datasets", limit=0)
        assert "limit" in raised_input.value.remedy


@pytest.mark.parametrize("status", [200, 418, 500])
def test_what_is_no_catalog_is_said_to_be_none(status: int) -> None:
    def page(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, text="<html>")

    http = httpx2.Client(base_url="https://other.test", transport=httpx2.MockTransport(page))
    with pytest.raises((UnavailableError, InputError), match="no answer of a catalog"):
        Connection(http).get("/api/catalog/datasets")


def test_a_server_that_is_not_there() -> None:
    http = httpx2.Client(base_url="http://127.0.0.1:9", trust_env=False)
    with pytest.raises(UnavailableError, match="cannot be reached"):
        Connection(http).get("/api/catalog/datasets")


def test_a_number_that_is_no_port_is_said_to_be_none() -> None:
    with pytest.raises(InputError, match="99999 is no port"):
        HttpServer(FastAPI(), "127.0.0.1:99999").start()
