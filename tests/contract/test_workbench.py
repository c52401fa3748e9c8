"""The workbench: what waits for whom, cases as pages, and steps as forms."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pyarrow as pa
import pytest

from catalog.web.callers import SESSION
from catalog.workflows.all import WORKFLOWS
from tests.catalog_world import HEALTH, POLICE
from tests.datastore_world import make_public
from tests.workflow_world import World, workflows

HTML = {"accept": "text/html"}
COOKIE = f"{SESSION}=abc"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with workflows(tmp_path_factory.mktemp("w") / "c") as made:
        yield made


def get(world: World, who: str, path: str) -> httpx.Response:
    headers = HTML | ({"x-as": who, "cookie": COOKIE} if who else {})
    return world.client.get(f"/zh/workbench{path}", headers=headers)


def post(world: World, who: str, path: str, page: str, **said: Any) -> httpx.Response:  # noqa: ANN401
    """Sends a form with the hidden fields that its page has."""
    csrf = re.search(r'name="csrf" value="([^"]*)"', page)
    revision = re.search(r'name="revision" value="([^"]*)"', page)
    hidden = {"csrf": csrf[1] if csrf else ""} | ({"revision": revision[1]} if revision else {})
    return world.client.post(
        f"/zh/workbench{path}", data=hidden | said, follow_redirects=False,
        headers=HTML | {"x-as": who, "cookie": COOKIE, "origin": "https://catalog.test"},
    )  # fmt: skip


def demanded(world: World, who: str = "citizen", **more: str) -> str:
    """Asks by a form; returns the address of the case, below the workbench."""
    page = get(world, who, f"/demands/new?department={HEALTH.code}").text
    assert f'value="{HEALTH.code}"' in page, "the address fills the form in"
    said = {"title": "床位", "text": "各医院\n床位", "department": HEALTH.code} | more
    answer = post(world, who, "/demands", page, **said)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).removeprefix("/zh/workbench")


def test_a_visitor_is_sent_to_log_in(world: World) -> None:
    for path in ("", "/demands", "/demands/new"):
        answer = get(world, "", path)
        assert answer.status_code == 401
        assert "/login?next=" in answer.text


def test_who_may_not_begin_something_is_told_so(world: World) -> None:
    answer = get(world, "li", "/assets/new")
    assert answer.status_code == 403
    assert "您无权访问" in answer.text
    assert "This is not open to you" in answer.text


def test_a_demand_goes_from_form_to_answer(world: World) -> None:
    case = demanded(world)
    assert "床位" in get(world, "citizen", "").text, "it is the citizen's own"
    assert case in get(world, "steward", "").text, "and waits for the department"
    seen = get(world, "steward", case).text
    assert "各医院\n床位" in seen
    taken = post(world, "steward", f"{case}/accept", seen)
    assert taken.status_code == 303, taken.text
    seen = get(world, "steward2", case).text
    answered = post(
        world, "steward2", f"{case}/answer", seen, text="见目录", datasets="local/YL/1\nlocal/YL/2"
    )
    assert answered.status_code == 303, answered.text
    shown = get(world, "citizen", case).text
    assert "/zh/dataset/local/YL/2" in shown
    assert "日志第" in shown
    assert "<dt>答复内容</dt>" in shown, "the words of the step, not of the demand"


def test_what_waits_is_found_however_old_it_is_and_counted(world: World) -> None:
    oldest = demanded(world, title="最早的")
    for _ in range(25):
        demanded(world)
    total = world.get("steward", "demands", waiting=True)["total"]
    assert total >= 26
    page = get(world, "steward", "").text
    assert f'待我办理 <span class="soft">{total}</span>' in page
    assert "demands?only=waiting" in page
    assert "全部" in page
    seen, path = "", "/demands?only=waiting"
    while path:
        text = get(world, "steward", path).text
        seen += text
        following = re.search(r'href="/zh/workbench(/demands[?][^"]*cursor=[^"]*)"', text)
        path = html.unescape(following[1]) if following else ""
    assert oldest in seen
    assert world.get("li", "demands", waiting=True)["total"] == 0


def test_what_an_officer_signs_has_a_command_and_no_form(world: World) -> None:
    case = demanded(world)
    page = get(world, "steward", case).text
    assert f"veil demand refuse {case.rpartition('/')[2]} --sign-with KEY.pem --reasons" in page
    assert f"{case}/refuse" not in page
    assert post(world, "steward", f"{case}/refuse", page).status_code in {404, 405}
    asked = get(world, "li", "/requests/new?datasets=local/YL/1&title=$(id);'x").text
    assert "veil request submit" in asked
    assert "--dataset local:YL/1" in asked
    said = re.search(r"<pre[^>]*><code>(.*?)</code>", asked)
    assert said is not None
    words = shlex.split(html.unescape(said[1]))
    assert words[words.index("--title") + 1] == "$(id);'x", "a shell takes it for one word"


def test_what_is_wrong_is_said_and_what_was_typed_stays(world: World) -> None:
    page = get(world, "citizen", "/demands/new").text
    answer = post(
        world, "citizen", "/demands", page, title="床位" * 200, text="为了统计", department="x y"
    )
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "为了统计" in answer.text
    case = demanded(world)
    page = get(world, "steward", case).text
    returned = post(world, "steward", f"{case}/return", page, reasons="   ")
    assert returned.status_code == 400
    assert "缺少此项" in returned.text


def test_a_page_that_is_out_of_date_changes_nothing(world: World) -> None:
    case = demanded(world)
    old = get(world, "steward", case).text
    assert post(world, "steward", f"{case}/accept", old).status_code == 303
    again = post(world, "steward2", f"{case}/return", old, reasons="重复")
    assert again.status_code == 409
    assert "本案已被他人更新" in again.text
    state = get(world, "citizen", case).text
    assert "已受理" in state


def test_a_revision_without_end_is_a_page_of_before(world: World) -> None:
    case = demanded(world)
    page = get(world, "steward", case).text
    odd = page.replace('name="revision" value="1"', f'name="revision" value="{"9" * 5000}"')
    assert odd != page
    assert post(world, "steward", f"{case}/accept", odd).status_code == 409


def test_another_s_case_looks_like_none(world: World) -> None:
    case = demanded(world)
    for who in ("other", "police", "broker"):
        assert get(world, who, case).status_code == 404
        assert case not in get(world, who, "").text
        assert case not in get(world, who, "/demands").text
        page = get(world, "citizen", case).text
        assert post(world, who, f"{case}/withdraw", page).status_code == 404
    assert get(world, "citizen", "/demands/0000000000000000").status_code == 404


def test_a_form_of_another_site_or_session_is_refused(world: World) -> None:
    case = demanded(world)
    page = get(world, "steward", case).text
    accept = f"{case}/accept"
    assert post(world, "steward", accept, "no token").status_code == 403
    wrong = page.replace('name="csrf" value="', 'name="csrf" value="0')
    assert post(world, "steward", accept, wrong).status_code == 403
    elsewhere = world.client.post(
        f"/zh/workbench{accept}", data={"revision": "1"},
        headers=HTML | {"x-as": "steward", "cookie": COOKIE, "origin": "https://evil.example"},
    )  # fmt: skip
    assert elsewhere.status_code == 403
    assert "已提交" in get(world, "steward", case).text


@pytest.mark.parametrize("payload", ["<script>zqx(1)</script>", "\"' onfocus=zqx(1) autofocus='"])
def test_texts_of_cases_are_texts(world: World, payload: str) -> None:
    case = demanded(world, title=payload, text=f"{payload}\n{payload}")
    for who in ("citizen", "steward"):
        for path in ("", "/demands", case):
            page = get(world, who, path).text
            assert payload not in page
            assert "<script>zqx" not in page
            assert not re.search(r"<[^>]*\sonfocus=zqx", page)
    assert payload not in get(world, "citizen", f"/demands/new?title={payload}").text


def test_every_kind_has_its_pages(world: World) -> None:
    for workflow in WORKFLOWS:
        for who in ("li", "steward", "admin", "broker"):
            listed = get(world, who, f"/{workflow.kind}").status_code
            assert listed in {200, 403}
    assert get(world, "steward", "/assets/new").status_code == 200
    assert POLICE.code not in get(world, "steward", "/requests").text
    assert get(world, "li", "/demands?state=nothing").status_code == 400


def test_a_product_is_found_on_the_market_ordered_and_offered_again(world: World) -> None:
    """Nobody need know its number; what its broker changes begins with what it says."""
    page = get(world, "broker", "/licences/new").text
    answer = post(world, "broker", "/licences", page, title="粤数", text="x")
    licence = str(answer.headers["location"]).removeprefix("/zh/workbench")
    seen = get(world, "admin", licence).text
    post(world, "admin", f"{licence}/license", seen, until=world.until)
    page = get(world, "broker", "/products/new").text
    said = {"title": "床位指数", "text": "按月<b>", "price": "免费", "datasets": "local/YL/1"}
    answer = post(world, "broker", "/products", page, **said)
    assert answer.status_code == 303, answer.text
    product = str(answer.headers["location"]).removeprefix("/zh/workbench")
    market = world.client.get("/zh/market", headers=HTML).text
    assert f'href="/zh/workbench{product}"' in market
    assert "按月&lt;b&gt;" in market
    shown = get(world, "li", product).text
    [order] = re.findall(r'href="/zh/workbench(/orders/new\?[^"]*)"', shown)
    assert f'value="{product.rpartition("/")[2]}"' in get(world, "li", order).text
    assert get(world, "", product).status_code == 200, "a visitor may look at an offer"
    assert get(world, "", "/assets?state=noticed").status_code == 200, "and at public notices"
    form = get(world, "li", order).text
    sold = post(world, "li", "/orders", form, product=product.rpartition("/")[2], purpose="研究")
    sold = str(sold.headers["location"]).removeprefix("/zh/workbench")
    post(world, "broker", f"{sold}/accept", get(world, "broker", sold).text)
    public = make_public(world.registry, pa.table({"床位数": [1]}), "YL/1")
    post(world, "broker", f"{sold}/deliver", get(world, "broker", sold).text)
    delivered = get(world, "li", sold).text
    assert public.sha256 in delivered
    [file] = re.findall(r'href="(/datastore/dump/[^"]*)"', delivered)
    assert world.client.get(file).status_code == 200
    again = get(world, "broker", product).text
    assert ">local/YL/1</textarea>" in again
    assert 'value="床位指数"' in again
    assert "/orders/new?" not in again, "it is the broker's own"
    post(world, "broker", f"{product}/delist", again)
    assert product not in world.client.get("/zh/market", headers=HTML).text
