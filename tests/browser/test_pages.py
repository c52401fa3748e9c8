"""The pages in a real browser: WCAG AA by axe-core, the policy kept, phones, no scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.registry.record import Item, Relation, Version
from catalog.web.app import create_app
from catalog.web.server import HttpServer
from tests.browser_world import CHROMIUM, Browser
from tests.catalog_world import ASK, HEALTH, LABOUR, citizen_item, record
from tests.web_world import served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
AXE = (Path(__file__).parent / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = ("/", "/search", "/search?q=医疗&theme=health", "/search?q=nothing-has-this", "/market",
         "/departments", f"/department/{HEALTH.code}", "/city/440100", "/dataset/local/A/1",
         "/dataset/local/gone/1", "/certificates", "/certificates/verify", "/developers",
         "/developers/api", "/about", "/nothing-here")  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("catalog") / "c", public=True) as (_, found):
        long = "https://very.long.example/" + "word" * 40
        found.registry.register([
            record(name_en="Hospitals", relations=(Relation("derived", "local", "A/2"),),
                   abstract="全市医疗机构的登记信息，每月更新一次。" + long),
            record("A/2", "住房租赁备案" * 8, opening=ASK, themes=("housing",),
                   items=(citizen_item(), Item("列" * 60, "text", description=long, grade=4))),
            record("S/1", "失业登记", provider=LABOUR, place="440300", themes=("social-security",)),
            record("gone/1", "旧版医疗机构名录"),
            *(record(f"N/{number}", f"第{number}号资源") for number in range(25)),
        ])  # fmt: skip
        found.registry.register(
            [record(name_en="Hospitals", version=Version("2025.7", "更正", 120, 20, 0, 3))]
        )
        found.registry.withdraw("local", "gone/1", reason="已有新版", who="首席数据官")
        server = HttpServer(create_app(found), "127.0.0.1:0")
        server.start()
        yield server.url
        server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as made:
        yield made


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_pages_are_accessible_and_fit(
    site: str, browser: Browser, language: str, width: int
) -> None:
    for path in PAGES:
        browser.size(width)
        browser.open(f"{site}/{language}{path}")
        refused = [each for each in browser.complaints if "Failed to load resource" not in each]
        assert refused == [], f"{path}: the policy refused something, or a script failed"
        browser.run(AXE)
        found = browser.run(
            f"axe.run({{runOnly: {json.dumps(RULES)}}}).then(r => r.violations.map("
            "v => v.id + ': ' + v.nodes.map(n => n.target.join() + ' ' + n.failureSummary)))"
        )
        assert found == [], (path, width)
        wide = browser.run("document.documentElement.scrollWidth")
        assert wide <= width, f"{path} is {wide} wide"


def test_search_works_as_one_types_and_keeps_its_address(site: str, browser: Browser) -> None:
    browser.size(1280)
    browser.open(f"{site}/zh/search?theme=health")
    typed = browser.run(
        """new Promise(done => {
          document.addEventListener('htmx:afterSettle', () => done([location.search,
            document.querySelector('#found').innerText, document.title,
            document.querySelector('#count').innerText]), {once: true});
          const q = document.querySelector('#q'); q.value = '第7号';
          q.dispatchEvent(new Event('input', {bubbles: true})); })"""
    )
    assert "theme=health" in typed[0]
    assert "第7号资源" in typed[1]
    assert "失业登记" not in typed[1]
    assert typed[2].startswith("第7号")
    assert "1" in typed[3]
    assert browser.complaints == []


def test_search_works_without_scripts(site: str, browser: Browser) -> None:
    browser.scripts(on=False)
    try:
        browser.open(f"{site}/en/search?order=name")
        html = browser.call("DOM.getDocument", depth=-1)
        assert html
        next_page = browser.call(
            "DOM.querySelector", nodeId=html["root"]["nodeId"], selector="a[rel~=next]"
        )
        assert next_page["nodeId"] != 0
    finally:
        browser.scripts(on=True)
