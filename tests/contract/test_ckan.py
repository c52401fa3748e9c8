"""CKAN's Action API: envelope, errors, search language; and what a visitor must not learn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from catalog.access.principal import Principal
from catalog.ckan import solr
from catalog.ckan.actions import ACTIONS
from catalog.interchange.ckan import read_packages, slug_of
from catalog.registry.record import Relation
from catalog.web.services import Services
from protos.faults import InputError
from tests.catalog_world import ASK, CLOSED, LABOUR, POLICE, record
from tests.datastore_world import make_public
from tests.web_world import served

LI = Principal("li", frozenset({"analyst"}))
API = "/api/3/action"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Services]]:
    directory = tmp_path_factory.mktemp("catalog") / "c"
    with served(directory, people={"li": LI}) as (client, services):
        clock = iter(range(1_760_000_000, 1_760_900_000, 86_400))
        services.registry._clock = lambda: next(clock)
        for made in (
            record("H/1", "医疗机构基本信息", themes=("health",)),
            record("H/2", "住房租赁备案", provider=LABOUR, themes=("housing",), scenarios=("租房",),
                   relations=(Relation("related", "local", "X/1"),
                              Relation("related", "local", "H/1"))),
            record("H/3", "Hospital beds", provider=LABOUR, opening=ASK, themes=()),
            record("X/1", "住房困难家庭名单", provider=POLICE, opening=CLOSED,
                   scenarios=("救助",), themes=("safety",)),
        ):  # fmt: skip
            services.registry.register([made])
        make_public(services.registry, pa.table({"k": range(1, 251), "d": ["a", "b"] * 125}), "H/1")
        make_public(services.registry, pa.table({"secret": [1]}), "X/1")
        services.registry._clock = lambda: 1_770_000_000
        yield client, services


@pytest.fixture
def client(world: tuple[TestClient, Services]) -> TestClient:
    return world[0]


def result(client: TestClient, action: str, **asked: Any) -> Any:  # noqa: ANN401 - JSON
    answer = client.post(f"{API}/{action}", json=asked)
    body = answer.json()
    assert (answer.status_code, body["success"]) == (200, True), body
    assert body["help"].endswith(f"{API}/help_show?name={action}")
    return body["result"]


def names(client: TestClient, **asked: Any) -> list[str]:  # noqa: ANN401 - JSON
    found = result(client, "package_search", **asked)
    assert found["count"] >= len(found["results"])
    return [each["title"] for each in found["results"]]


def rows_id(client: TestClient) -> str:
    [found] = result(client, "package_search", fq="res_format:CSV")["results"]
    return str(found["resources"][0]["id"])


# ---- the envelope ------------------------------------------------------------------------------


def test_get_form_and_json_are_one_call(client: TestClient) -> None:
    name = slug_of("local", "H/1")
    answers = [
        client.get(f"{API}/package_show", params={"id": name, "nonsense": "ignored"}),
        client.get("/api/action/package_show", params={"id": name}),
        client.post(f"{API}/package_show", json={"id": name, "nonsense": {"a": [1]}}),
        client.post(f"{API}/package_show", data={"id": name}),
        client.post(f"{API}/package_show", files={"id": (None, name)}),
        client.post(f"{API}/package_show?id={name}"),
        client.post(f"{API}/package_show", content=json.dumps({"id": name}),
                    headers={"content-type": "application/x-www-form-urlencoded"}),
    ]  # fmt: skip
    first, *others = [answer.json() for answer in answers]
    for other in others:
        assert other["success"]
        assert other["result"] == first["result"]


@pytest.mark.parametrize(
    ("action", "asked", "status", "kind"),
    [
        ("package_show", {"id": "nothing"}, 404, "Not Found Error"),
        ("package_show", {}, 409, "Validation Error"),
        ("organization_show", {"id": "nothing"}, 404, "Not Found Error"),
        ("datastore_search", {"resource_id": "nothing"}, 404, "Not Found Error"),
        ("datastore_search", {"resource_id": "x", "limit": "many"}, 409, "Validation Error"),
        ("datastore_search_sql", {"sql": "DROP TABLE x"}, 409, "Validation Error"),
        ("package_search", {"q": "(a"}, 400, "Search Query Error"),
        ("package_search", {"sort": "nothing desc"}, 400, "Search Query Error"),
        ("package_search", {"fq": "metadata_modified:[yesterday TO *]"}, 400, "Search Query Error"),
        ("resource_search", {"query": "nothing"}, 409, "Validation Error"),
        ("group_list", {"sort": "colour"}, 409, "Validation Error"),
        ("help_show", {"name": "nothing"}, 404, "Not Found Error"),
    ],
)
def test_errors_are_ckans(
    client: TestClient, action: str, asked: dict[str, Any], status: int, kind: str
) -> None:
    for answer in (
        client.post(f"{API}/{action}", json=asked), client.get(f"{API}/{action}", params=asked),
    ):  # fmt: skip
        body = answer.json()
        assert (answer.status_code, body["success"]) == (status, False)
        assert body["error"]["__type"] == kind
        if kind == "Validation Error":
            lists = [value for value in body["error"].values() if isinstance(value, list)]
            assert lists
            assert all(isinstance(text, str) for text in lists[0])


def test_a_validation_error_names_the_parameter(client: TestClient) -> None:
    body = client.get(f"{API}/datastore_search", params={"limit": "x", "offset": "-1"}).json()
    assert {"resource_id", "limit", "offset"} <= body["error"].keys()
    name = rows_id(client)
    asked = {"resource_id": name, "filters": {"nothing": 1}}
    body = client.post(f"{API}/datastore_search", json=asked).json()
    assert body["error"]["filters"] == ["there is no column 'nothing'"]


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"{", "JSON Error"), (b"[1]", "list, not a dict"), (b"{" + b" " * (1 << 20), "too large")],
)
def test_what_is_no_call_is_a_bad_request(client: TestClient, body: bytes, said: str) -> None:
    answer = client.post(f"{API}/package_show", content=body)
    assert answer.status_code == 400
    assert said in answer.json()
    unknown = client.get(f"{API}/package_create")
    assert (unknown.status_code, unknown.json()) == (
        400, "Bad request - Action name not known: package_create",
    )  # fmt: skip


def test_both_headers_carry_a_key_and_a_wrong_one_is_refused(client: TestClient) -> None:
    for header in ("Authorization", "X-CKAN-API-Key"):
        answer = client.get(f"{API}/package_list", headers={header: "veil_nothing"})
        assert answer.status_code == 403
        assert answer.json()["error"]["__type"] == "Authorization Error"


# ---- datasets ----------------------------------------------------------------------------------


def test_a_package_is_whole_and_reads_back(client: TestClient) -> None:
    shown = result(client, "package_show", id=slug_of("local", "H/1"))
    assert shown == result(client, "package_show", id=shown["id"])
    assert (shown["num_resources"], shown["num_tags"], shown["isopen"]) == (2, 1, True)
    assert shown["organization"]["id"] == shown["owner_org"]
    assert shown["metadata_created"] == "2025-10-09T08:53:20.000000"
    rows, file = shown["resources"]
    assert (rows["format"], rows["datastore_active"]) == ("CSV", True)
    assert file["hash"].startswith("sha256:")
    assert client.get(rows["url"]).text.startswith("_id,k,d\r\n1,1,a\r\n")
    assert len(client.get(file["url"]).content) == file["size"]
    assert result(client, "resource_show", id=file["id"])["hash"] == file["hash"]
    # Another catalog that imports it gets the record back.
    [parsed] = list(read_packages(shown, "elsewhere"))
    assert parsed.record is not None
    assert (parsed.record.key, parsed.record.name) == (("local", "H/1"), "医疗机构基本信息")


def test_lists_are_in_order_and_by_offset(client: TestClient) -> None:
    every = result(client, "package_list")
    assert every == sorted(slug_of("local", f"H/{number}") for number in (1, 2, 3))
    assert result(client, "package_list", limit=1, offset=1) == every[1:2]
    shown = result(client, "current_package_list_with_resources", limit=2)
    assert [each["title"] for each in shown] == ["Hospital beds", "住房租赁备案"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["Hospital beds", "住房租赁备案", "医疗机构基本信息"]),
        ({"q": "*:*", "sort": "metadata_modified asc", "rows": 1}, ["医疗机构基本信息"]),
        ({"q": "医疗"}, ["医疗机构基本信息"]),
        ({"q": "机构 医疗"}, ["医疗机构基本信息"]),
        ({"q": "hospital OR 住房", "sort": "name asc"}, ["住房租赁备案", "Hospital beds"]),
        ({"q": "title:住房"}, ["住房租赁备案"]),
        ({"q": "organization:11440300000000003c"}, ["Hospital beds", "住房租赁备案"]),
        ({"fq": "organization:11440300000000003C -groups:housing"}, ["Hospital beds"]),
        ({"fq": "+groups:(health OR housing) AND NOT tags:租房"}, ["医疗机构基本信息"]),
        ({"fq": 'tags:"租房"'}, ["住房租赁备案"]),
        ({"fq": "res_format:csv"}, ["医疗机构基本信息"]),
        ({"fq": "res_format:PDF"}, []),
        ({"fq": "license_id:other-closed"}, ["Hospital beds"]),
        ({"fq": "metadata_modified:[2025-10-10T00:00:00Z TO *]"},
         ["Hospital beds", "住房租赁备案"]),
        ({"fq": "metadata_modified:[* TO 2025-10-10T00:00:00.123Z]"}, ["医疗机构基本信息"]),
        ({"fq": "metadata_modified:[NOW-1YEAR TO NOW]", "rows": 0}, []),
        ({"fq": "metadata_created:{2025-10-09T08:53:20Z TO 2025-10-11T08:53:20Z}"},
         ["住房租赁备案"]),
        ({"fq": f"name:{slug_of('local', 'H/2')}"}, ["住房租赁备案"]),
        ({"fq": "name:local-h-*", "start": 1, "rows": 1}, ["住房租赁备案"]),
        ({"fq_list": ["groups:health", "state:active"]}, ["医疗机构基本信息"]),
        ({"fq": "private:true"}, []),
        ({"fq": "capacity:public", "sort": "views_recent desc", "rows": 0}, []),
        ({"fq": "type:harvest"}, []),
        ({"fq": "nosuchfield:x"}, []),
        ({"fq": "organization:*", "sort": "title_string desc", "rows": 1}, ["住房租赁备案"]),
    ],
)  # fmt: skip
def test_the_search_language(client: TestClient, asked: dict[str, Any], found: list[str]) -> None:
    assert names(client, **asked) == found


def test_pages_of_a_thousand_by_id_bring_everything_once(client: TestClient) -> None:
    first = result(client, "package_search", rows=1000, sort="id asc")
    assert [each["id"] for each in first["results"]] == sorted(e["id"] for e in first["results"])
    one_by_one = [
        result(client, "package_search", rows=1, start=start, sort="id asc")["results"][0]["id"]
        for start in range(first["count"])
    ]
    assert one_by_one == [each["id"] for each in first["results"]]
    assert result(client, "package_search", rows=5000)["count"] == 3


def test_facets_count_with_titles(client: TestClient) -> None:
    asked = {"facet.field": '["organization", "tags", "groups", "license_id", "res_format"]'}
    found = result(client, "package_search", rows=0, **asked)
    assert found["facets"] == {
        "organization": {"11440300000000003c": 2, "11440100000000002b": 1},
        "tags": {"看病就医一件事": 2, "租房": 1},
        "groups": {"health": 1, "housing": 1},
        "license_id": {"other-open": 2, "other-closed": 1},
        "res_format": {"CSV": 1, "Parquet": 1},
    }
    items = found["search_facets"]["organization"]["items"]
    assert items[0] == {
        "name": "11440300000000003c", "display_name": "深圳市人力资源和社会保障局", "count": 2,
    }  # fmt: skip
    few = result(client, "package_search", rows=0, **asked, **{"facet.limit": 1})
    assert few["facets"]["tags"] == {"看病就医一件事": 2}
    only = result(client, "package_search", fl="name,title")["results"]
    assert [each.keys() for each in only] == [{"name", "title"}] * 3


# ---- departments, themes, scenarios, the site --------------------------------------------------


def test_groups_count_what_is_open(client: TestClient) -> None:
    assert result(client, "organization_list") == ["11440100000000002b", "11440300000000003c"]
    full = result(client, "organization_list", all_fields=True, sort="package_count desc")
    assert [(each["title"], each["package_count"]) for each in full] == [
        ("深圳市人力资源和社会保障局", 2), ("广州市卫生健康委员会", 1),
    ]  # fmt: skip
    shown = result(client, "organization_show", id=full[0]["id"], include_datasets=True)
    assert {each["title"] for each in shown["packages"]} == {"Hospital beds", "住房租赁备案"}
    assert result(client, "group_list") == ["health", "housing"]
    assert result(client, "group_show", id="health")["package_count"] == 1
    assert len(result(client, "group_package_show", id="housing")) == 1
    assert result(client, "tag_list") == ["看病就医一件事", "租房"]
    assert result(client, "tag_list", query="租") == ["租房"]
    assert result(client, "tag_show", id="租房", include_datasets=True)["packages"]


def test_the_site_says_what_it_is(client: TestClient) -> None:
    assert result(client, "site_read") is True
    assert result(client, "status_show")["ckan_version"].startswith("2.")
    licences = {each["id"] for each in result(client, "license_list")}
    for each in result(client, "package_search")["results"]:
        assert each["license_id"] in licences
    for name in ACTIONS:
        assert len(result(client, "help_show", name=name)) > 20


# ---- rows --------------------------------------------------------------------------------------


def test_rows_by_page_with_totals_and_links(client: TestClient) -> None:
    name = rows_id(client)
    seen: list[int] = []
    path = f"{API}/datastore_search?resource_id={name}&limit=100"
    for _ in range(3):
        body = client.get(path).json()["result"]
        seen += [row["k"] for row in body["records"]]
        path = body["_links"]["next"]
    assert seen == list(range(1, 251))
    assert (body["total"], body["include_total"], body["limit"]) == (250, True, 100)
    assert body["fields"] == [
        {"id": "_id", "type": "int8"}, {"id": "k", "type": "int8"}, {"id": "d", "type": "text"},
    ]  # fmt: skip
    assert not client.get(path).json()["result"]["records"]


def test_rows_by_filter_words_and_format(client: TestClient) -> None:
    name = rows_id(client)
    found = result(client, "datastore_search", resource_id=name, filters={"d": "a"}, limit=2,
                   sort="k desc", fields=["k"])  # fmt: skip
    assert (found["records"], found["total"]) == ([{"k": 249}, {"k": 247}], 125)
    asked: dict[str, Any] = {"resource_id": name, "filters": '{"k": [1, 2]}', "fields": "d, k"}
    lists = result(client, "datastore_search", records_format="lists", **asked)
    assert lists["records"] == [["a", 1], ["b", 2]]
    text = result(client, "datastore_search", records_format="csv", **asked)
    assert text["records"] == "a,1\r\nb,2\r\n"
    words = result(client, "datastore_search", resource_id=name, q={"k": "25"}, limit=5)
    assert [row["k"] for row in words["records"]] == [25, 125, 225, 250]
    unique = result(client, "datastore_search", resource_id=name, fields="d", distinct="true")
    assert (unique["records"], unique["total"]) == ([{"d": "a"}, {"d": "b"}], 2)
    none = result(client, "datastore_search", resource_id=name, limit=0, include_total=False)
    assert (none["records"], "total" in none) == ([], False)
    info = result(client, "datastore_info", id=name)
    assert info["meta"]["count"] == 250
    assert [each["id"] for each in info["fields"]] == ["k", "d"]


def test_rows_by_sql(client: TestClient) -> None:
    name = rows_id(client)
    sql = f'SELECT d, count(*) AS n, sum(k) AS s FROM "{name}" GROUP BY d ORDER BY d'  # noqa: S608
    found = result(client, "datastore_search_sql", sql=sql)
    assert found["records"] == [{"d": "a", "n": 125, "s": 15625}, {"d": "b", "n": 125, "s": 15750}]
    assert [each["id"] for each in found["fields"]] == ["d", "n", "s"]
    assert found["sql"] == sql
    plain = client.get("/api/sql", params={"sql": sql}).json()
    assert plain["records"] == found["records"]
    assert client.post("/api/sql", json={"sql": sql}).json() == plain


# ---- what a visitor must not learn -------------------------------------------------------------


def test_what_is_not_open_is_in_no_list_count_or_neighbour(client: TestClient) -> None:
    everything = {
        name: client.post(f"{API}/{name}", json=asked).text
        for name, asked in {
            "package_list": {"include_private": True}, "package_search": {
                "include_private": True, "rows": 1000,
                "facet.field": ["organization", "tags", "groups"], "q": "住房"},
            "current_package_list_with_resources": {}, "organization_list": {"all_fields": True},
            "group_list": {}, "tag_list": {}, "resource_search": {"query": "format:c"},
            "package_show": {"id": slug_of("local", "H/2")},
        }.items()
    }  # fmt: skip
    for name, text in everything.items():
        for secret in ("X/1", "困难", slug_of("local", "X/1"), POLICE.code.lower(), "救助",
                       "safety"):  # fmt: skip
            assert secret not in text, f"{name}: {secret}"
    assert '"source\\": \\"local\\", \\"identifier\\": \\"H/1' in everything["package_show"]
    closed = {"id": slug_of("local", "X/1")}
    hidden = client.get(f"{API}/package_show", params=closed)
    absent = client.get(f"{API}/package_show", params={"id": "absent"})
    assert hidden.status_code == absent.status_code == 404
    assert hidden.text.replace(closed["id"], "absent") == absent.text


def test_a_member_sees_it_where_it_asks_for_it(client: TestClient) -> None:
    mine = {"X-As": "li"}
    shown = client.get(f"{API}/package_show", params={"id": slug_of("local", "X/1")}, headers=mine)
    assert shown.json()["result"]["private"] is True
    for private, count in ((False, 3), (True, 4)):
        asked = {"include_private": private, "rows": 0}
        found = client.post(f"{API}/package_search", json=asked, headers=mine).json()["result"]
        assert found["count"] == count
    asked = {"include_private": True, "fq": "private:true"}
    found = client.post(f"{API}/package_search", json=asked, headers=mine).json()["result"]
    assert [each["title"] for each in found["results"]] == ["住房困难家庭名单"]


def test_it_is_up_to_date_after_every_change(world: tuple[TestClient, Services]) -> None:
    client, services = world
    services.registry.register([record("N/1", "新的数据", themes=())])
    assert names(client, q="新的数据") == ["新的数据"]
    shown = result(client, "package_show", id=slug_of("local", "N/1"))
    assert shown["metadata_created"] == "2026-02-02T02:40:00.000000"
    services.registry.register([record("N/1", "新的名称", themes=(), opening=CLOSED)])
    assert names(client, q="新的名称") == []
    services.registry.register([record("N/1", "又一名称", themes=())])
    services.registry.withdraw("local", "N/1", reason="重复", who="我")
    assert client.get(f"{API}/package_show", params={"id": shown["id"]}).status_code == 404
    assert len(result(client, "package_list")) == 3


# ---- the query language by itself --------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["(", ")", "a:(", "a:[1 TO", "a:[1]", "[1 TO 2]", "AND", "a OR", "NOT", '"open', "a:",
     "(" * 30 + "a" + ")" * 30, "-" * 30 + "a", "x " * 2001, "x" * 16_001, "\\", "a:{1 TO 2"],
)  # fmt: skip
def test_a_query_that_cannot_be_read(text: str) -> None:
    with pytest.raises(InputError) as caught:
        solr.parse(text)
    assert caught.value.code == "search.query"


def test_a_query_is_a_tree() -> None:
    term = solr.Term
    assert solr.parse("a b") == solr.All((term("", "a"), term("", "b")))
    assert solr.parse("a OR b c") == solr.Some(
        (term("", "a"), solr.All((term("", "b"), term("", "c"))))
    )
    assert solr.parse('x:"a\\"b" -y:(c d)') == solr.All(
        (term("x", 'a"b'), solr.Not(solr.All((term("y", "c"), term("y", "d")))))
    )
    assert solr.parse("") == solr.parse("*:*") == solr.parse("*") == solr.Everything()
    assert solr.words_of(solr.parse("a b")) == ("a", "b")
    assert solr.words_of(solr.parse("a x:b")) is None
