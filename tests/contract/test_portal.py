"""The portal's pages: what they show, in which language, to whom, and where they lead."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest
from fastapi.testclient import TestClient

from catalog.access.principal import Principal
from catalog.portal.errors import wants_html
from catalog.portal.languages import preferred
from catalog.registry.record import Relation
from catalog.registry.scenarios import scenario_title
from catalog.web.site import FILE
from protos.language import Text
from tests.catalog_world import ASK, CLOSED, LABOUR, POLICE, citizen_item, record
from tests.web_world import served

HTML = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
SITE = """title = { en = "Open Data of T", zh = "测试开放平台" }
contact = "mailto:security@t.example"
url = "https://data.t.example"
"""
OPEN = ("/", "/search", "/market", "/departments", "/about", "/developers", "/developers/api",
        "/dataset/local/A/1", "/department/11440100000000002B", "/city/440100",
        "/search?q=医疗&theme=health&order=name")  # fmt: skip


class Links(HTMLParser):
    """All that a page leads to, and what it says about itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.inline: list[str] = []
        self.lang = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.lang = found.get("lang", "")
        self.links += [found[name] for name in ("href", "src", "action", "hx-get") if name in found]
        self.ids += [found["id"]] if "id" in found else []
        self.inline += [name for name in found if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in found
                              and found.get("type") != "application/ld+json"):  # fmt: skip
            self.inline.append(tag)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    directory: Path = tmp_path_factory.mktemp("catalog") / "c"
    people = {"li": Principal("li", frozenset({"analyst"}))}
    with served(directory, people=people) as (made, found):
        first = record(name_en="Hospitals", abstract="全市医疗机构的登记信息，每月更新一次。",
                       scenarios=("看病就医一件事",),
                       relations=(Relation("related", "local", "closed/1"),
                                  Relation("derived", "local", "A/2")))  # fmt: skip
        found.registry.register([
            first,
            record("A/2", "住房租赁备案", opening=ASK, themes=("housing",),
                   items=(citizen_item(),)),
            record("closed/1", "住房困难家庭名单", opening=CLOSED, provider=POLICE),
            record("S/1", "失业登记", provider=LABOUR, place="440300", themes=("social-security",)),
            record("gone/1", "旧版医疗机构名录"),
        ])  # fmt: skip
        found.registry.register([replace(first, abstract="全市医疗机构的登记信息，每周更新一次。")])
        found.registry.withdraw("local", "gone/1", reason="已有新版", who="首席数据官")
        yield made


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("path", OPEN)
def test_every_page_is_whole_in_both_languages(
    client: TestClient, language: str, path: str
) -> None:
    answer = client.get(f"/{language}{path}", headers=HTML)
    assert answer.status_code == 200, answer.text[:500]
    page = Links(answer.text)
    assert page.lang == {"zh": "zh-CN", "en": "en"}[language]
    assert page.inline == [], "the policy forbids inline scripts and styles"
    assert len(page.ids) == len(set(page.ids)), "an id names one thing"
    assert 'hreflang="zh-CN"' in answer.text
    assert 'hreflang="en"' in answer.text
    for link in page.links:
        assert link.startswith(("/", "#", "https://", "http://")), link
        assert not link.startswith("//")


def test_no_link_is_dead(client: TestClient) -> None:
    seen: set[str] = set()
    waiting = ["/zh/", "/en/"]
    while waiting and len(seen) < 400:
        path = waiting.pop(0)
        seen.add(path)
        answer = client.get(path, headers=HTML)
        if answer.status_code == 401 and "/workbench" in path:
            continue  # a visitor may log in there
        assert answer.status_code in {200, 303, 410}, path
        if "html" not in answer.headers["content-type"] or "/search?" in path:
            continue
        for link in Links(answer.text).links:
            there = urljoin(f"https://catalog.test{path}", link).partition("#")[0]
            there = there.removeprefix("https://catalog.test")
            if there.startswith("/") and there not in seen and there not in waiting:
                waiting.append(there)
    assert len(seen) > 60


def test_the_first_page_is_in_the_reader_s_language(client: TestClient) -> None:
    for asked, lead in (("en-GB,en;q=0.8", "/en/"), ("zh-CN", "/zh/"), ("fr", "/zh/"),
                        ("de, zh;q=0.3, en;q=0.7", "/en/"), ("en;q=x", "/zh/")):  # fmt: skip
        answer = client.get("/", headers={"accept-language": asked}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (302, lead)
    assert client.get("/zh", follow_redirects=False).headers["location"] == "/zh/"
    assert callable(preferred)


@pytest.mark.parametrize("guess", ["/api", "/docs"])
def test_who_guesses_where_interfaces_are_described_is_led_there(
    client: TestClient, guess: str
) -> None:
    answer = client.get(guess, headers={"Accept-Language": "en"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, "/en/developers")


def test_pages_say_what_is_so_on_this_site(client: TestClient) -> None:
    """Known scenarios have English names; no certificates or witnesses are told of without any."""
    for path in ("/en/", "/en/market", "/en/dataset/local/A/1", "/en/search"):
        text = client.get(path, headers=HTML).text
        assert re.search("seeing a doctor in one go", text, re.IGNORECASE), path
    assert scenario_title("自家事") == Text("自家事", "自家事")
    assert "witness" not in client.get("/en/", headers=HTML).text
    doors = client.get("/en/developers", headers=HTML).text
    assert "veil verify" not in doors
    assert "curl --cacert ca.crt" in doors, "an exchange is its own authority"


def test_a_visitor_learns_nothing_of_what_is_closed(client: TestClient) -> None:
    for path in ("/zh/", "/zh/search", "/zh/market", "/zh/departments", "/zh/dataset/local/A/1",
                 "/zh/city/440100", "/sitemap/0.xml", "/zh/search?opening=none"):  # fmt: skip
        page = client.get(path, headers=HTML).text
        assert "住房困难家庭名单" not in page
        assert "closed/1" not in page
    closed = client.get("/zh/dataset/local/closed/1", headers=HTML)
    absent = client.get("/zh/dataset/local/absent/1", headers=HTML)
    assert closed.status_code == absent.status_code == 404
    assert closed.text.replace("closed", "absent") == absent.text
    # The department has nothing else: it is not there, and is not counted.
    assert client.get(f"/zh/department/{POLICE.code}", headers=HTML).status_code == 404
    assert POLICE.name not in client.get("/zh/departments?q=公安", headers=HTML).text
    # Who may, sees it.
    as_li = HTML | {"x-as": "li"}
    assert client.get("/zh/dataset/local/closed/1", headers=as_li).status_code == 200
    assert "住房困难家庭名单" in client.get("/zh/search", headers=as_li).text
    assert "closed/1" in client.get("/zh/dataset/local/A/1", headers=as_li).text


def test_what_a_member_sees_is_kept_by_nobody(client: TestClient) -> None:
    ours = client.get("/zh/search", headers=HTML | {"x-as": "li"})
    assert ours.headers["cache-control"] == "private, no-store"
    assert client.get("/zh/search", headers=HTML).headers["cache-control"] == "no-cache"


def test_search_narrows_sorts_and_goes_on(client: TestClient) -> None:
    page = client.get("/zh/search", params={"q": "医疗", "theme": "health"}, headers=HTML).text
    assert "医疗机构基本信息" in page
    assert "失业登记" not in page
    assert 'name="theme" value="health"' in page, "another word keeps the filter"
    found = Links(page).links
    assert any("order=name" in link and "theme=health" in link for link in found)
    # By the name that people write, too; and what is no value of a facet is said to be so.
    assert "医疗机构基本信息" in client.get("/zh/search?theme=医疗卫生", headers=HTML).text
    assert client.get("/zh/search?grade=L9", headers=HTML).status_code == 400
    assert client.get("/zh/search?order=oldest", headers=HTML).status_code == 422


def test_pages_of_a_search_neither_repeat_nor_pass_over(tmp_path: Path) -> None:
    with served(tmp_path / "c", public=True) as (client, found):
        names = [f"第{number}号资源" for number in range(45)]
        found.registry.register([record(f"N/{number}", name) for number, name in enumerate(names)])
        path, seen = "/zh/search?order=name", []
        for _ in range(3):
            page = client.get(path, headers=HTML).text
            seen += re.findall(r'<h2 class="hit-name"><a href="[^"]*">([^<]*)', page)
            following = re.findall(r'rel="next nofollow" href="([^"]*)"', page)
            path = following[0].replace("&amp;", "&") if following else ""
        assert path == ""
        assert sorted(seen) == sorted(names)


def test_a_city_has_what_its_districts_have(tmp_path: Path) -> None:
    with served(tmp_path / "c", public=True) as (client, found):
        found.registry.register([record("A/1"), record("A/2", "天河区医院", place="440106")])
        page = client.get("/zh/search", headers=HTML).text
        place = page.partition("<h2>区域</h2>")[2].partition("</details>")[0]
        assert "广州市" in place
        assert 'facet-count">2<' in place
        assert "天河区" not in place, "a district is shown once its city is chosen"
        city = client.get("/zh/search?place=440100", headers=HTML).text
        assert "广州市天河区" in city
        assert client.get("/zh/city/440106", headers=HTML).status_code == 200
        assert "尚无登记" in client.get("/zh/city/440300", headers=HTML).text
        assert client.get("/zh/city/999999", headers=HTML).status_code == 404


def test_a_dataset_s_page_shows_all_of_its_record(client: TestClient) -> None:
    page = client.get("/zh/dataset/local/A/1", headers=HTML).text
    for said in ("医疗机构基本信息", "Hospitals", "机构名称", "org_name", "登记的名称", "汇总",
                 "L1 公开", "任何人均可直接获取", "看病就医一件事", "广州市卫生健康委员会",
                 "版本 2", "信息资源摘要", "每月", "元数据质量", "加工自",
                 "住房租赁备案"):  # fmt: skip
        assert said in page, said
    other = client.get("/en/dataset/local/A/2", headers=HTML).text
    assert "Source of" in other, "lineage is shown both ways"
    assert '<span lang="zh-CN">住房租赁备案</span>' in other, "Chinese is said to be Chinese"
    assert "Open on conditions" in other
    english = client.get("/en/dataset/local/A/1", headers=HTML).text
    assert 'org_name <small class="soft" lang="zh-CN">机构名称</small>' in english
    assert ">Hospitals</a> <code>A/1</code>" in other, "a neighbour's English name, too"
    assert "经审核同意" in other


def test_a_dataset_tells_search_engines_what_it_is(client: TestClient) -> None:
    page = client.get("/zh/dataset/local/A/1", headers=HTML).text
    block = re.search(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    assert block is not None
    body = json.loads(block[1])
    assert (body["@type"], body["name"]) == ("Dataset", "医疗机构基本信息")
    assert body["url"].endswith("/zh/dataset/local/A/1")
    for kind in ("text/turtle", "application/ld+json", "application/rdf+xml"):
        found = re.search(rf'<link rel="alternate" type="{re.escape(kind)}" href="([^"]*)"', page)
        assert found is not None
        assert client.get(found[1]).status_code == 200


def test_a_withdrawn_dataset_shows_its_tombstone(client: TestClient) -> None:
    answer = client.get("/zh/dataset/local/gone/1", headers=HTML)
    assert answer.status_code == 410
    assert "已有新版" in answer.text
    assert "首席数据官" in answer.text
    assert "gone/1" not in client.get("/sitemap/0.xml").text


def test_errors_are_pages_for_people_and_problems_for_programs(client: TestClient) -> None:
    page = client.get("/en/nothing/here", headers=HTML)
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "There is nothing here" in page.text
    assert "页面不存在" in page.text, "the other language is there, too"
    for accept in ("application/json", "*/*", "application/json, text/html", ""):
        answer = client.get("/en/nothing/here", headers={"accept": accept})
        assert answer.headers["content-type"] == "application/problem+json"
    assert wants_html("text/html")
    assert client.post("/zh/search", headers=HTML).status_code == 405


def test_a_mistake_of_ours_is_a_page_with_all_headers(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("catalog.portal.home.published", broken)
    answer = client.get("/zh/", headers=HTML)
    assert answer.status_code == 500
    assert "服务器内部错误" in answer.text
    assert "secret" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_files_are_looked_up_by_name_and_kept_for_a_year(client: TestClient) -> None:
    page = client.get("/zh/search", headers=HTML).text
    style = re.search(r'href="(/static/veil\.css\?v=[0-9a-f]{12})"', page)
    assert style is not None
    answer = client.get(style[1])
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/css")
    assert 'integrity="sha384-' in page
    for name in ("htmx.LICENSE", "..%2Fcli.py", "%2e%2e/cli.py", "README.md", "x"):
        assert client.get(f"/static/{name}").status_code == 404


def test_head_is_get_without_the_body(client: TestClient) -> None:
    for path in ("/zh/", "/zh/search?q=医疗", "/sitemap.xml", "/api/catalog/datasets", "/zh/none"):
        got, asked = client.get(path, headers=HTML), client.head(path, headers=HTML)
        assert asked.status_code == got.status_code
        assert asked.content == b""
        assert asked.headers["content-length"] == got.headers["content-length"]
        assert "content-security-policy" in asked.headers
    assert client.head("/zh/certificates/verify").status_code == 200
    assert client.head("/zh/workbench").status_code == 401


def test_crawlers_find_their_way(tmp_path: Path) -> None:
    directory = tmp_path / "c"
    with served(directory) as (_, found):
        found.registry.register([record()])
    assert client_of(directory, "/.well-known/security.txt").status_code == 404
    (directory / FILE).write_text(SITE, "utf-8")
    security = client_of(directory, "/.well-known/security.txt").text
    assert re.search(r"^Contact: mailto:security@t\.example$", security, re.MULTILINE)
    assert re.search(r"^Expires: \d{4}-\d\d-\d\dT00:00:00Z$", security, re.MULTILINE)
    assert "Sitemap: https://data.t.example/sitemap.xml" in client_of(directory, "/robots.txt").text
    assert "https://data.t.example/sitemap/0.xml" in client_of(directory, "/sitemap.xml").text
    piece = client_of(directory, "/sitemap/0.xml").text
    assert "<loc>https://data.t.example/en/dataset/local/A/1</loc>" in piece
    assert "测试开放平台" in client_of(directory, "/zh/").text


def client_of(directory: Path, path: str):  # type: ignore[no-untyped-def]
    with served(directory, public=True) as (client, _):
        return client.get(path, headers=HTML)
