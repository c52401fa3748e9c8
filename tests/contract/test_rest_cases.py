"""Workflows over REST: each runs from its first step to its last, and says what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.certificates.decisions import read_decision_file
from catalog.certificates.grants import sign_request
from catalog.certificates.kinds import Registration
from catalog.certificates.office import Application
from catalog.workflows.all import WORKFLOWS
from catalog.workflows.events import unverified_event
from catalog.workflows.verifying import verify_all
from protos.signing import IdentityKey
from tests.catalog_world import HEALTH, POLICE
from tests.certificate_world import ALICE, ExactJob
from tests.datastore_world import make_public
from tests.workflow_world import SQL, World, workflows


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with workflows(tmp_path_factory.mktemp("flows") / "c") as made:
        yield made


# ---- demands ----------------------------------------------------------------------------------


def test_a_demand_is_answered_with_a_dataset(world: World) -> None:
    case = world.demand()
    shown = world.get("citizen", case)
    assert (shown["state"], shown["turn"], shown["overdue"]) == ("submitted", "department", False)
    assert [each["step"] for each in shown["steps"]] == ["withdraw"]
    assert shown["said"]["text"] == "各医院床位"
    world.act("steward", case, "accept")
    datasets = [{"source": "local", "identifier": "YL/1"}]
    done = world.act("steward", case, "answer", text="见目录", datasets=datasets)
    assert (done["state"], done["deadline"], done["steps"]) == ("answered", None, [])
    listed = world.get("steward", "demands", source="local", identifier="YL/1")
    assert case in {f"demands/{each['id']}" for each in listed["cases"]}


def test_a_demand_is_forwarded_and_then_another_department_s(world: World) -> None:
    case = world.demand(department=POLICE.code)
    assert world.code("steward", case, "accept") == (404, "case.unknown")
    done = world.act("police", case, "forward", department=HEALTH.code, reasons="属卫健委")
    assert done == {"id": case.partition("/")[2], "kind": "demands", "revision": 2}
    assert world.code("police", case, "accept") == (404, "case.unknown")
    assert world.get("steward", case)["department"] == HEALTH.code


def test_a_refusal_has_reasons_and_the_steward_s_own_signature(world: World) -> None:
    case = world.demand()
    assert world.code("steward", case, "refuse") == (422, "request.malformed")
    signed = world.decision(case, "steward", "refuse", reasons="含个人信息")
    done = world.act("steward", case, "refuse", decision=signed)
    assert done["state"] == "refused"
    last = world.get("citizen", f"{case}/events")["events"][-1]
    assert (last["document"], last["fields"]) == (signed, {"reasons": "含个人信息"})


def test_a_demand_that_is_sent_back_is_submitted_again(world: World) -> None:
    case = world.demand()
    world.act("steward", case, "return", reasons="请说明年份")
    assert world.get("citizen", case)["turn"] == "owner"
    done = world.act("citizen", case, "resubmit", title="床位 2025", text="2025 年")
    assert (done["state"], done["title"], done["said"]["text"]) == (
        "submitted", "床位 2025", "2025 年",
    )  # fmt: skip


# ---- requests for use -------------------------------------------------------------------------


def test_a_request_is_approved_by_two_officers_and_granted_by_the_node_s_key(world: World) -> None:
    case = world.approved()
    assert world.state(case) == "approved"
    answer = world.call("li", "GET", f"{case}/decisions")
    request = world.get("li", case)["said"]["statements"][0]["grant_request"]
    decisions = read_decision_file(answer.content)
    assert [(d.office, d.verdict) for d in decisions] == [
        ("steward", "approve"), ("chief", "approve"),
    ]  # fmt: skip
    assert all(decision.covers(request) for decision in decisions)
    done = world.act("li", case, "grant", grants=[world.grant(request)])
    assert (done["state"], done["turn"]) == ("granted", None)
    [grant] = world.get("li", f"{case}/circulations")["grants"]
    assert (grant["authorisation"], grant["circulations"]) == (None, [])


def test_the_results_of_a_grant_are_listed_by_their_certificates(tmp_path: Path) -> None:
    with workflows(tmp_path / "c") as world:
        job = ExactJob(IdentityKey.generate(), {"health": world.node}, at=world.clock.now)
        statement = {
            "sql": job.request.statement,
            "grant_request": sign_request(ALICE, job.request),
        }
        case = world.approved(statements=[statement], purpose="report")
        world.act("operator", case, "grant", grants=[job.grant("health")])
        visits = Registration("visits", "Visits", ("health",), "d" * 64, "L3")
        urn = world.office.issue(Application(visits)).urn
        grant = world.office.issue(Application.of_grant(job.grant("health"), (urn,)))
        assert world.get("li", f"{case}/circulations")["grants"][0]["circulations"] == []
        receipt = str(job.document()["receipt"])
        result = world.office.issue(Application.of_receipt(receipt, (urn,), (grant.urn,)))
        [shown] = world.get("li", f"{case}/circulations")["grants"]
        assert shown["authorisation"] == grant.urn
        assert [each["id"] for each in shown["circulations"]] == [result.urn]


def test_a_request_that_is_sent_back_needs_new_decisions(world: World) -> None:
    case = world.request()
    early = world.decision(case, "steward", "approve")
    signed = world.decision(case, "steward", "return", reasons="用途过宽")
    world.act("steward", case, "review-return", decision=signed)
    world.act("li", case, "resubmit", **world.asked(title="床位统计（改）"))
    assert world.code("steward", case, "review", decision=early) == (403, "case.decision")
    again = world.decision(case, "steward", "approve")
    assert world.act("steward", case, "review", decision=again)["state"] == "reviewed"


def test_a_refused_request_is_over(world: World) -> None:
    case = world.request()
    signed = world.decision(case, "steward", "refuse", reasons="不必要")
    world.act("steward", case, "review-refuse", decision=signed)
    status, code = world.code("li", case, "withdraw")
    assert (status, code) == (400, "case.step")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"columns": ["姓名"]}, "case.columns"),
        ({"until": "2026-11-25"}, "case.until"),
        ({"until": "2026-12-01"}, "case.statement"),  # the grants would last longer
        ({"purpose": "另一用途"}, "case.statement"),
        ({"datasets": [{"source": "local", "identifier": "YL/secret"}]}, "case.not_shared"),
        ({"datasets": [{"source": "local", "identifier": "YL/none"}]}, "catalog.unknown"),
        ({"datasets": [{"source": "local", "identifier": x} for x in ("YL/1", "GA/1")]},
         "case.departments"),
    ],
)  # fmt: skip
def test_a_request_is_about_what_is_there(
    world: World, change: dict[str, object], code: str
) -> None:
    answer = world.call("li", "POST", "requests", world.asked(**change))
    assert answer.json()["code"] == code


def test_a_statement_is_what_the_analyst_has_signed(world: World) -> None:
    for statement in (
        {"sql": "SELECT MAX(x) FROM visits", "grant_request": world.grant_request()},
        {"sql": SQL, "grant_request": "a.b.c"},
    ):
        answer = world.call("li", "POST", "requests", world.asked(statements=[statement]))
        assert answer.status_code in {400, 403}


# ---- assets -----------------------------------------------------------------------------------


def test_what_is_offered_is_what_would_be_accepted(world: World) -> None:
    case = world.asset("YL/2")
    offered = [step["step"] for step in world.get("steward", case)["steps"]]
    assert offered == ["withdraw"], "nothing is registered that could be kept"
    assert world.code("steward", case, "keep") == (400, "case.unregistered")
    world.act("admin", case, "accept")
    assert world.code("admin", case, "review") == (403, "case.four_eyes")
    assert "review" not in [step["step"] for step in world.get("admin", case)["steps"]]
    assert "review" in [step["step"] for step in world.get("admin2", case)["steps"]]
    world.act("steward", case, "withdraw")


def test_an_asset_is_registered_after_its_notice_and_certified(world: World) -> None:
    case = world.noticed("YL/2")
    assert world.get("", case)["state"] == "noticed"  # public notice
    world.act("citizen", case, "object", reasons="来源不明")
    assert world.state(case) == "objected"
    world.act("admin", case, "dismiss", reasons="已核实")
    assert world.code("admin", case, "register") == (400, "case.early")
    offered = [step["step"] for step in world.get("admin", case)["steps"]]
    assert ("register" in offered, "object" in offered) == (False, True)
    world.clock.days(15)
    offered = [step["step"] for step in world.get("admin", case)["steps"]]
    assert ("register" in offered, "object" in offered) == (True, False)
    done = world.act("admin", case, "register")
    assert done["state"] == "registered"
    first = world.get("", f"{case}/certificate")["certificate"]
    assert first["status"] == {"revocation": False, "suspension": False}
    # A change: the new certificate ends the old one. A change that is taken back ends nothing.
    changed = {"title": "床位数据（2026）", "text": "更新说明",
               "datasets": [{"source": "local", "identifier": "YL/2"}]}  # fmt: skip
    world.act("steward", case, "change", **changed)
    assert world.code("steward", case, "withdraw") == (400, "case.registered")
    assert world.act("steward", case, "keep")["title"] == "床位数据"
    world.act("steward", case, "change", **changed)
    world.act("admin", case, "accept")
    world.act("admin2", case, "review")
    world.clock.days(15)
    world.act("admin", case, "register")
    second = world.get("", f"{case}/certificate")["certificate"]
    assert second["id"] != first["id"]
    office = world.office
    assert office.state(office.find(first["id"]))["revocation"]
    world.act("steward", case, "cancel", reasons="不再持有")
    assert office.state(office.find(second["id"]))["revocation"]
    assert not [r for r in office.listed("VeilRegistration") if not office.state(r)["revocation"]]


def test_one_dataset_is_one_asset(world: World) -> None:
    world.asset("YL/1")
    said = {"title": "x", "text": "x", "datasets": [{"source": "local", "identifier": "YL/1"}]}
    assert world.call("steward", "POST", "assets", said).json()["code"] == "case.asset"
    other = said | {"datasets": [{"source": "local", "identifier": "GA/1"}]}
    assert world.call("steward", "POST", "assets", other).json()["code"] == "case.department"


def test_a_change_of_the_clocks_counts_at_once(world: World) -> None:
    """A file that was spoilt changes nothing, one that is gone gives the tables' days back."""
    case = world.demand()
    file = world.registry.directory / "clocks.toml"

    def days() -> int:
        shown = world.get("citizen", case)
        return int(shown["deadline"] - shown["since"]) // 86_400

    before = days()
    try:
        file.write_text("working_days = false\n[days.demands]\nsubmitted = 40\n", "utf-8")
        assert days() == 40
        file.write_text("[days.demands]\nsubmited = 1\n", "utf-8")
        assert days() == 40
        file.write_text("working_days = false\n[days.demands]\nsubmitted = 7\n", "utf-8")
        assert days() == 7
    finally:
        file.unlink()
    assert days() == before


# ---- the market -------------------------------------------------------------------------------


def test_a_licensed_broker_lists_and_takes_an_order(world: World) -> None:
    said = {"title": "x", "text": "x", "price": "1",
            "datasets": [{"source": "local", "identifier": "YL/1"}]}  # fmt: skip
    unlicensed = world.call("broker", "POST", "products", said)
    assert unlicensed.json()["code"] == "case.unlicensed"
    world.licensed()
    closed = said | {"datasets": [{"source": "local", "identifier": "YL/closed"}]}
    assert world.call("broker", "POST", "products", closed).json()["code"] == "case.not_open"
    product = world.product()
    assert world.get("", product)["said"]["price"] == "面议"
    order = {"product": product.partition("/")[2], "purpose": "研究"}
    placed = f"orders/{world.open('li', 'orders', **order)}"
    assert world.call("broker", "POST", "orders", order).json()["code"] == "case.own_product"
    world.act("broker", placed, "accept")
    status, code = world.code("broker", placed, "deliver", circulation="urn:uuid:none")
    assert (status, code) == (400, "case.circulation")
    assert world.code("broker", placed, "deliver") == (400, "case.circulation_missing")
    public = make_public(world.registry, pa.table({"床位数": [1, 2, 3]}), "YL/1")
    world.act("broker", placed, "deliver")
    # What was delivered is what was public then, in the catalog's own signed words.
    make_public(world.registry, pa.table({"床位数": [4]}), "YL/1")
    said = unverified_event(world.get("li", f"{placed}/events")["events"][-1]["token"])
    [file] = said.fields["files"]
    assert (file["sha256"], file["version"], file["rows"]) == (public.sha256, 1, 3)
    content = world.client.get(file["path"]).content
    assert (len(content), sha256(content).hexdigest()) == (file["bytes"], public.sha256)
    assert world.call("wu", "GET", placed).status_code == 404
    world.act("admin", product, "ban", reasons="违规")
    assert world.call("li", "POST", "orders", order).json()["code"] == "case.product"


# ---- all of them ------------------------------------------------------------------------------


def test_a_list_has_filters_and_pages(world: World) -> None:
    made = [world.demand(who="other", title=f"第{n}项") for n in range(3)]
    page = world.get("other", "demands", mine=True, limit=2)
    assert (page["total"], [each["title"] for each in page["cases"]]) == (3, ["第2项", "第1项"])
    rest = world.get("other", "demands", mine=True, limit=2, cursor=page["cursor"])
    assert ([each["title"] for each in rest["cases"]], rest["cursor"]) == (["第0项"], "")
    world.act("steward", made[0], "accept")
    accepted = world.get("other", "demands", state="accepted", mine=True)
    assert accepted["total"] == 1
    wrong = world.call("other", "GET", "demands", state="none")
    assert wrong.json()["code"] == "request.malformed"
    assert world.call("other", "GET", "demands", cursor="0" * 16).json()["code"] == "case.cursor"


def test_what_is_late_is_listed_as_overdue(tmp_path: Path) -> None:
    with workflows(tmp_path / "c") as world:
        late_is_late(world)


def late_is_late(world: World) -> None:
    case = world.demand(title="会逾期")
    assert world.get("steward", "demands", overdue=True, mine=False)["total"] == 0
    world.clock.days(7)
    assert not world.get("citizen", case)["overdue"]  # five working days end with Thursday
    world.clock.days(1)
    assert world.get("citizen", case)["overdue"]
    late = world.get("citizen", "demands", overdue=True)
    assert case in {f"demands/{each['id']}" for each in late["cases"]}
    world.act("steward", case, "accept")  # late is better than never
    assert not world.get("citizen", case)["overdue"]


def test_every_event_is_in_the_log_and_all_of_them_hold(world: World) -> None:
    case = world.demand()
    body = world.get("citizen", f"{case}/events")
    [event] = body["events"]
    assert event["entry"] is not None
    assert event["proof"].startswith("c2sp.org/tlog-proof")
    assert verify_all(world.registry, world.office, WORKFLOWS) > 20


def test_the_description_names_every_step_with_its_fields(world: World) -> None:
    document = world.client.get("/api/openapi.json").json()
    for workflow in WORKFLOWS:
        for step in workflow.steps:
            path = f"/api/{workflow.kind}" + (f"/{{case}}/{step.name}" if step.before else "")
            body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
            schema = document["components"]["schemas"][body["schema"]["$ref"].split("/")[-1]]
            names = {field.name for field in step.fields} | ({"revision"} if step.before else set())
            assert schema["properties"].keys() == names | ({"decision"} if step.office else set())


def test_a_request_ends_on_its_last_day(world: World) -> None:
    case = world.request()
    world.clock.days(366)
    signed = world.decision(case, "steward", "approve")
    assert world.code("steward", case, "review", decision=signed) == (400, "case.until")


def test_an_address_names_all_of_its_methods(world: World) -> None:
    answer = world.client.delete("/api/demands")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
