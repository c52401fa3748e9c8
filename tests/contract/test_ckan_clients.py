"""Clients of others, unmodified, against a real server: what they ask, and that they understand.

`ASKED` are the transcripts: whoever changes an address or a parameter that a client relies on sees
it here first.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_plus

import ckanapi
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from catalog.web.app import create_app
from catalog.web.server import HttpServer
from tests.catalog_world import CLOSED, LABOUR, record
from tests.datastore_world import make_public
from tests.web_world import served

TABLE = pa.table({"district": ["荔湾", "越秀", "海珠"] * 100, "beds": range(300)})
# What Jupyter-like stacks warn of; nothing of ours.
QUIET = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


class Written:
    """Writes down what is asked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = unquote_plus(scope["query_string"].decode())
        self.asked.append(f"{scope['method']} {scope['path']}{'?' if query else ''}{query}")
        await self._app(scope, receive, send)


class Server:
    """A catalog that is served: its address, and what was asked of it."""

    def __init__(self, url: str, written: Written) -> None:
        self.url = url
        self._written = written

    def transcript(self) -> list[str]:
        """What was asked since the last time; ids by what they are the ids of."""
        asked, self._written.asked = self._written.asked, []
        return asked


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("catalog") / "c"
    with served(directory) as (_, services):
        services.registry.register([
            record("H/1", "医疗机构基本信息"),
            record("H/2", "住房租赁备案", provider=LABOUR),
            record("X/1", "住房困难家庭名单", opening=CLOSED),
        ])  # fmt: skip
        make_public(services.registry, TABLE, "H/1")
        written = Written(create_app(services))
        http = HttpServer(written, "127.0.0.1:0")
        http.start()
        try:
            yield Server(http.url, written)
        finally:
            http.stop()


@QUIET
def test_ckanapi(server: Server) -> None:
    server.transcript()
    with ckanapi.RemoteCKAN(server.url, apikey="") as ckan:
        names = ckan.action.package_list()
        assert len(names) == 2
        found = ckan.action.package_search(q="医疗", fq="res_format:CSV", rows=1000)
        [package] = found["results"]
        rows = package["resources"][0]["id"]
        page = ckan.action.datastore_search(resource_id=rows, filters={"district": "越秀"}, limit=2)
        assert page["total"] == 100
        sql = f'SELECT sum(beds) AS n FROM "{rows}"'  # noqa: S608
        assert ckan.action.datastore_search_sql(sql=sql)["records"] == [{"n": 44850}]
        with pytest.raises(ckanapi.NotFound):
            ckan.action.package_show(id="local-x-1")
        with pytest.raises(ckanapi.ValidationError) as wrong:
            ckan.action.datastore_search(resource_id=rows, limit="many")
        assert "limit" in wrong.value.error_dict
        with pytest.raises(ckanapi.SearchQueryError):
            ckan.action.package_search(q="(")
    with (
        ckanapi.RemoteCKAN(server.url, apikey="veil_wrong", get_only=True) as stranger,
        pytest.raises(ckanapi.NotAuthorized),
    ):
        stranger.action.package_list()
    assert server.transcript() == [
        "POST /api/action/package_list", "POST /api/action/package_search",
        "POST /api/action/datastore_search", "POST /api/action/datastore_search_sql",
        "POST /api/action/package_show", "POST /api/action/datastore_search",
        "POST /api/action/package_search", "GET /api/action/package_list",
    ]  # fmt: skip


def test_ckanapis_command_line_dumps_everything(server: Server, tmp_path: Path) -> None:
    server.transcript()
    program = Path(sys.executable).with_name("ckanapi")
    out = tmp_path / "all.jsonl"
    done = subprocess.run(
        [program, "dump", "datasets", "--all", "-r", server.url, "-O", out, "--datastore-fields",
         "-p", "1"],
        capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": str(program.parent), "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert {line["title"] for line in lines} == {"医疗机构基本信息", "住房租赁备案"}
    [full] = [line for line in lines if line["resources"]]
    assert [f["id"] for f in full["resources"][0]["datastore_fields"]] == [
        "_id",
        "district",
        "beds",
    ]
    asked = server.transcript()
    assert asked[0] == "POST /api/action/package_list"
    assert asked.count("POST /api/action/package_show") == 2
    assert "POST /api/action/datastore_search" in asked


def test_pandas_by_address(server: Server) -> None:
    with ckanapi.RemoteCKAN(server.url) as ckan:
        package = ckan.action.package_search(fq="res_format:CSV")["results"][0]
    rows, file = package["resources"]
    server.transcript()
    frame = pd.read_csv(rows["url"], index_col="_id")
    assert frame["beds"].sum() == 44850
    assert list(frame.columns) == TABLE.column_names
    some = pd.read_csv(f"{rows['url']}?fields=beds&sort=beds desc&limit=2".replace(" ", "%20"))
    assert some["beds"].tolist() == [299, 298]
    lines = pd.read_json(f"{rows['url']}?format=ndjson", lines=True)
    assert lines["district"].nunique() == 3
    book = pd.read_excel(f"{rows['url']}?format=xlsx", engine="openpyxl")
    assert book["beds"].tolist() == list(range(300))
    attested = pd.read_parquet(file["url"])
    assert attested["beds"].sum() == 44850
    path = f"/datastore/dump/{rows['id']}"
    assert server.transcript() == [
        f"GET {path}", f"GET {path}?fields=beds&sort=beds desc&limit=2",
        f"GET {path}?format=ndjson", f"GET {path}?format=xlsx", f"GET {path}?format=parquet",
    ]  # fmt: skip


@QUIET
def test_frictionless(server: Server) -> None:
    import frictionless
    from frictionless import portals

    with ckanapi.RemoteCKAN(server.url) as ckan:
        [name] = [
            each["name"] for each in ckan.action.package_search(fq="res_format:CSV")["results"]
        ]
    server.transcript()
    package = frictionless.Package(f"{server.url}/dataset/{name}")
    assert package.title == "医疗机构基本信息"
    rows, file = package.resources
    assert file.hash is not None
    assert file.hash.startswith("sha256:")
    assert [row["beds"] for row in rows.read_rows()] == list(range(300))
    assert rows.validate().valid, rows.validate().to_summary()
    everything = frictionless.Catalog(
        control=portals.CkanControl(baseurl=server.url, num_packages=1000)
    )
    assert len(everything.datasets) == 2
    # A Data Package whose resources are dumps.
    descriptor = {"name": "rows", "path": rows.path, "format": "csv", "scheme": "http"}
    made = frictionless.Package.from_descriptor({"name": "beds", "resources": [descriptor]})
    assert made.validate().valid, made.validate().to_summary()
    asked = server.transcript()
    assert asked[0] == f"GET /api/3/action/package_show?id={name}"
    assert "GET /api/3/action/package_search?q=*:*&rows=1000" in asked


def test_parts_of_the_attested_file(server: Server) -> None:
    import httpx2

    with ckanapi.RemoteCKAN(server.url) as ckan:
        package = ckan.action.package_search(fq="res_format:CSV")["results"][0]
    url = package["resources"][1]["url"]
    with httpx2.Client() as http:
        whole = http.get(url)
        assert pq.read_table(io.BytesIO(whole.content)).equals(TABLE)
        size, tag = len(whole.content), whole.headers["etag"]
        assert whole.headers["accept-ranges"] == "bytes"
        for asked, part in (
            ("bytes=0-3", slice(0, 4)), ("bytes=-4", slice(-4, None)), ("bytes=4-", slice(4, None)),
            (f"bytes=0-{size * 9}", slice(None)), (f"bytes=-{size * 9}", slice(None)),
        ):  # fmt: skip
            some = http.get(url, headers={"Range": asked})
            assert (some.status_code, some.content) == (206, whole.content[part])
            assert int(some.headers["content-length"]) == len(some.content)
        for none in (f"bytes={size}-", "bytes=5-4", "bytes=-0"):
            assert http.get(url, headers={"Range": none}).status_code == 416
        for other in ("lines=1-2", "bytes=1-2,4-5", "bytes=-"):
            assert http.get(url, headers={"Range": other}).status_code in {200, 416}
        stale = {"Range": "bytes=0-3", "If-Range": '"something else"'}
        assert http.get(url, headers=stale).status_code == 200
        assert http.get(url, headers={"Range": "bytes=0-3", "If-Range": tag}).status_code == 206
        fresh = http.get(url, headers={"If-None-Match": tag})
        assert (fresh.status_code, fresh.content) == (304, b"")
        rows = package["resources"][0]["url"]
        one, two = http.get(rows), http.get(rows, params={"limit": 1})
        assert one.headers["etag"] != two.headers["etag"] != tag
        assert http.get(f"{url}&limit=1").status_code == 400
