"""The pages in a real browser: WCAG AA by axe-core, the policy kept, phones, no scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from catalog.access.principal import Principal
from catalog.certificates.office_files import OfficeFiles
from catalog.certificates.open_office import OpenOffice
from catalog.registry.record import Item, Relation, Version
from catalog.web.app import create_app
from catalog.web.server import HttpServer
from catalog.web.services import Services
from catalog.workflows.cases import Wanted
from catalog.workflows.demands import DEMANDS
from tests.browser_world import CHROMIUM, Browser
from tests.catalog_world import ASK, HEALTH, LABOUR, citizen_item, record
from tests.certificate_world import Office
from tests.web_world import served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
PEOPLE = {
    "li": Principal("li", frozenset({"analyst"})),
    "wang": Principal("wang", frozenset({"steward", "analyst"}), HEALTH.code),
}
LONG = "https://very.long.example/" + "word" * 40
AXE = (Path(__file__).parent / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = ("/", "/search", "/search?q=医疗&theme=health", "/search?q=nothing-has-this", "/market",
         "/departments", f"/department/{HEALTH.code}", "/city/440100", "/dataset/local/A/1",
         "/dataset/local/gone/1", "/certificates", "/certificates/verify", "/developers",
         "/developers/api", "/about", "/nothing-here")  # fmt: skip


@dataclass(frozen=True)
class Served:
    """Two servers over one catalog: of the public, and of members (the header X-As says who)."""

    public: str
    members: str
    case: str
    certificate: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("catalog") / "c", people=PEOPLE) as (_, opened):
        fill(opened)
        office, certificate = chain(tmp_path_factory.mktemp("office"))
        found = replace(opened, office=office)
        said = {"title": "床位" * 40, "text": LONG, "department": HEALTH.code}
        case = found.cases.open(DEMANDS, PEOPLE["li"], Wanted(said))
        servers = [
            HttpServer(create_app(each), "127.0.0.1:0")
            for each in (replace(found, public=True), found)
        ]
        for server in servers:
            server.start()
        yield Served(servers[0].url, servers[1].url, case.id, certificate)
        for server in servers:
            server.stop()


def fill(services: Services) -> None:
    """Records with all that a page can show, long words among them."""
    services.registry.register([
        record(name_en="Hospitals", relations=(Relation("derived", "local", "A/2"),),
               abstract="全市医疗机构的登记信息，每月更新一次。" + LONG),
        record("A/2", "住房租赁备案" * 8, opening=ASK, themes=("housing",),
               items=(citizen_item(), Item("列" * 60, "text", description=LONG, grade=4))),
        record("S/1", "失业登记", provider=LABOUR, place="440300", themes=("social-security",)),
        record("gone/1", "旧版医疗机构名录"),
        *(record(f"N/{number}", f"第{number}号资源") for number in range(25)),
    ])  # fmt: skip
    again = record(name_en="Hospitals", version=Version("2025.7", "更正", 120, 20, 0, 3))
    services.registry.register([again])
    services.registry.withdraw("local", "gone/1", reason="已有新版", who="首席数据官")


def chain(directory: Path) -> tuple[OpenOffice, str]:
    """An office with certificates of each kind; returns the id of an authorisation, too."""
    world = Office(directory)
    files = OfficeFiles(directory / "o")
    files.create("hub", "hub.example/log", world.key)
    world.office = files.office(lambda: float(world.now))
    _, authorised, _ = world.chain()
    world.office.sign_lists()
    return OpenOffice(world.office, files), authorised[0].id


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as made:
        yield made


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_pages_are_accessible_and_fit(
    site: Served, browser: Browser, language: str, width: int
) -> None:
    pages = (*PAGES, f"/certificate/{site.certificate}")
    check(browser, [f"{site.public}/{language}{path}" for path in pages], width)


def test_pages_are_accessible_in_the_dark(site: Served, browser: Browser) -> None:
    scheme = {"name": "prefers-color-scheme", "value": "dark"}
    browser.call("Emulation.setEmulatedMedia", features=[scheme])
    pages = (*PAGES, f"/certificate/{site.certificate}")
    check(browser, [f"{site.public}/zh{path}" for path in pages], 1280)
    browser.call("Emulation.setEmulatedMedia", features=[])


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_of_members_are_accessible_and_fit(
    site: Served, browser: Browser, width: int
) -> None:
    paths = ["/zh/workbench", "/en/workbench/demands", f"/zh/workbench/demands/{site.case}",
             "/en/workbench/demands/new", "/zh/workbench/requests/new",
             "/login?next=/en/"]  # fmt: skip
    for who in ("wang", ""):
        browser.call("Network.setExtraHTTPHeaders", headers={"X-As": who} if who else {})
        check(browser, [f"{site.members}{path}" for path in paths], width)
    browser.call("Network.setExtraHTTPHeaders", headers={})


def check(browser: Browser, addresses: list[str], width: int) -> None:
    """Looks at pages as axe does, and at what the browser complains about."""
    browser.size(width)
    for path in addresses:
        browser.open(path)
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
        nav = "document.querySelector('.main-nav')"
        assert browser.run(f"{nav}.scrollWidth <= {nav}.clientWidth"), f"{path}: menu is cut"


def test_search_works_as_one_types_and_keeps_its_address(site: Served, browser: Browser) -> None:
    browser.size(1280)
    browser.open(f"{site.public}/zh/search?theme=health")
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


def test_a_filter_keeps_the_focus_and_tells_how_many_are_left(
    site: Served, browser: Browser
) -> None:
    browser.size(1280)
    browser.open(f"{site.public}/zh/search")
    chosen = browser.run(
        """new Promise(done => {
          document.addEventListener('htmx:afterSettle', () => setTimeout(() => done([
            location.search, document.activeElement.id,
            document.activeElement.getAttribute('aria-current'),
            document.querySelector('#count').innerText]), 50), {once: true});
          const link = document.querySelector('[id="theme-housing"]');
          link.focus(); link.click(); })"""
    )
    assert chosen[:3] == ["?theme=housing", "theme-housing", "true"]
    assert "1" in chosen[3]


def test_search_works_without_scripts(site: Served, browser: Browser) -> None:
    browser.scripts(on=False)
    try:
        browser.open(f"{site.public}/en/search?order=name")
        html = browser.call("DOM.getDocument", depth=-1)
        assert html
        next_page = browser.call(
            "DOM.querySelector", nodeId=html["root"]["nodeId"], selector="a[rel~=next]"
        )
        assert next_page["nodeId"] != 0
    finally:
        browser.scripts(on=True)
