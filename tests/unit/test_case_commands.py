"""``veil demand|request|asset|authorise|product``: clients of REST, made from the tables."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from catalog.certificates.decisions import read_decision_file
from catalog.cli import app as catalog_app
from catalog.client.cases import (
    asset,
    authorise,
    commands,
    demand,
    downloading,
    parts,
    product,
    request,
)
from catalog.client.connection import Connection
from catalog.workflows.all import WORKFLOWS
from catalog.workflows.case import history
from catalog.workflows.consent import Use, use
from catalog.workflows.events import unverified_event
from protos.faults import InputError, MissingError, TrustError, VeilError
from protos.keyfile import write_private
from protos.signing import IdentityKey
from tests.catalog_world import HEALTH
from tests.datastore_world import make_public
from tests.workflow_world import PEOPLE, World, workflows

Run = Callable[..., Any]
APPS = {
    "demand": demand.app, "request": request.app, "asset": asset.app, "authorise": authorise.app,
    "product": product.app,
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with workflows(tmp_path_factory.mktemp("commands") / "c") as made:
        # An officer's signature says when, by the officer's own clock, which is the real one.
        made.clock.now = int(time.time())
        yield made


@pytest.fixture
def veil(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command as somebody, against the world's server."""

    def run(who: str, *words: str) -> Any:  # noqa: ANN401 - what was printed
        @contextmanager
        def there(*_: object) -> Iterator[Connection]:
            world.client.headers["X-As"] = who
            yield Connection(world.client)

        monkeypatch.setattr(commands, "connection", there)
        monkeypatch.setattr(parts, "connection", there)
        monkeypatch.setattr(downloading, "connection", there)
        try:
            result = CliRunner().invoke(APPS[words[0]], words[1:])
        finally:
            world.client.headers.pop("X-As", None)
        if isinstance(result.exception, VeilError):
            raise result.exception
        assert result.exit_code == 0, (words, result.output, result.exception)
        return json.loads(result.output) if "--json" in words else result.output

    return run


def key_file(world: World, tmp_path: Path, name: str) -> str:
    path = tmp_path / f"{name}.pem"
    pem = world.keys[name].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(path, pem)
    return str(path)


def token_file(tmp_path: Path, name: str, token: str) -> str:
    write_private(tmp_path / name, token.encode())
    return str(tmp_path / name)


def test_there_is_a_command_for_each_step() -> None:
    found = set()
    for app in (*APPS.values(), *(g.typer_instance for g in product.app.registered_groups)):
        assert app is not None
        found |= {command.name for command in app.registered_commands}
    assert found >= {step.name for workflow in WORKFLOWS for step in workflow.steps}


def test_a_demand_by_commands(world: World, veil: Run, tmp_path: Path) -> None:
    said = ["--title", "床位", "--text", "各医院", "--department", HEALTH.code]
    made = veil("citizen", "demand", "submit", *said, "--json")
    assert "demand: submitted" in veil("citizen", "demand", "show", made["id"])
    veil("steward", "demand", "accept", made["id"])
    output = veil("steward", "demand", "refuse", made["id"], "--reasons", "含个人信息",
                  "--sign-with", key_file(world, tmp_path, "steward"))  # fmt: skip
    assert "demand: refused" in output
    shown = veil("citizen", "demand", "show", made["id"])
    assert "3 events hold" in shown
    assert "3 of 3 proven to be in the log" in shown
    assert "signed by an officer's own key" in shown
    assert "含个人信息" in shown
    page = veil("citizen", "demand", "list", "--mine", "--state", "refused", "--json")
    assert [each["id"] for each in page["cases"]] == [made["id"]]
    assert made["id"] in veil("citizen", "demand", "list")


def test_a_request_by_commands_from_draft_to_granted(
    world: World, veil: Run, tmp_path: Path
) -> None:
    draft = world.grant_request()
    made = veil("li", "request", "submit", "--title", "床位统计", "--dataset", "YL/1", "--column",
                "床位数", "--purpose", "统计床位", "--until", world.until, "--statement",
                token_file(tmp_path, "draft.jwt", draft), "--json")  # fmt: skip
    case = made["id"]
    for step, name in (("review", "steward"), ("approve", "chief")):
        said = veil(name, "request", step, case, "--sign-with", key_file(world, tmp_path, name))
        assert "Nodes compute: SELECT COUNT(*) FROM visits [health → li]" in said
    out = tmp_path / "decisions.json"
    veil("li", "request", "decisions", case, "--out", str(out))
    assert all(each.covers(draft) for each in read_decision_file(out.read_bytes()))
    grant = token_file(tmp_path, "grant.jwt", world.grant(draft))
    assert "granted" in veil("li", "request", "grant", case, "--grant", grant)
    assert "no certificate yet" in veil("li", "request", "circulations", case)
    assert veil("li", "request", "show", case, "--json")["verified"]["events"] == 4


def test_an_asset_and_a_stranger(world: World, veil: Run) -> None:
    made = veil("steward", "asset", "apply", "--title", "床位数据", "--dataset", "local:YL/2",
                "--text", "自行采集", "--json")  # fmt: skip
    veil("admin", "asset", "accept", made["id"])
    veil("admin2", "asset", "review", made["id"])
    shown = veil("", "asset", "show", made["id"])
    assert "in public notice" in shown
    assert "events hold" not in shown  # no history for strangers
    assert "There is no certificate" in veil("", "asset", "certificate", made["id"])
    with pytest.raises(MissingError):
        veil("li", "asset", "show", "../../etc/passwd")


def test_the_market_by_commands(world: World, veil: Run, tmp_path: Path) -> None:
    licence = veil("broker", "product", "licence", "apply", "--title", "粤数", "--text", "x",
                   "--json")  # fmt: skip
    veil("admin", "product", "licence", "license", licence["id"], "--until", world.until)
    made = veil("broker", "product", "offer", "--title", "指数", "--text", "x", "--price", "1",
                "--dataset", "YL/1", "--json")  # fmt: skip
    order = veil("li", "product", "order", "place", "--product", made["id"], "--purpose", "研究",
                 "--json")  # fmt: skip
    assert order["turn"] == "counterpart"
    assert "the turn of: you" in veil("broker", "product", "order", "show", order["id"])
    assert "the turn of: the other side" in veil("li", "product", "order", "show", order["id"])
    assert order["id"] in veil("broker", "product", "order", "list")
    assert "Not on the market" not in veil("broker", "product", "show", made["id"])
    veil("broker", "product", "order", "accept", order["id"])
    with pytest.raises(InputError, match="YL/1 has no public file"):
        veil("broker", "product", "order", "deliver", order["id"])
    with pytest.raises(InputError, match="no files were delivered"):
        veil("li", "product", "order", "download", order["id"], "--out", str(tmp_path / "none"))
    public = make_public(world.registry, pa.table({"床位数": [1, 2, 3]}), "YL/1")
    veil("broker", "product", "order", "deliver", order["id"])
    shown = veil("li", "product", "order", "show", order["id"])
    assert public.sha256 in shown.replace("\n", "").replace(" ", "")
    out = tmp_path / "bought"
    download = ("li", "product", "order", "download", order["id"], "--out", str(out))
    assert "as signed" in veil(*download)
    [file] = out.iterdir()
    assert pq.read_table(file).to_pydict() == {"床位数": [1, 2, 3]}
    assert "there already" in veil(*download)
    file.write_bytes(b"other")
    with pytest.raises(InputError, match="another file"):
        veil(*download)
    now = world.clock.now
    world.clock.days(201)
    try:
        assert "Not on the market" in veil("broker", "product", "show", made["id"])
    finally:
        world.clock.now = now


def test_a_file_of_a_delivery_that_is_another_is_not_kept(tmp_path: Path) -> None:
    """Whoever serves it later cannot give other bytes than were signed, nor more of them."""
    file = {"source": "local", "identifier": "../YL", "version": 1, "bytes": 3,
            "sha256": hashlib.sha256(b"abc").hexdigest(), "path": "/f"}  # fmt: skip
    for content in (b"abd", b"ab", b"abcd" * 1000):
        answer = httpx2.Response(200, content=content)
        http = httpx2.Client(
            base_url="http://t", transport=httpx2.MockTransport(lambda _, a=answer: a)
        )
        with http, pytest.raises(TrustError, match="is not the file that was delivered"):
            downloading.fetch_file(Connection(http), file, tmp_path / downloading.file_name(file))
    assert list(tmp_path.iterdir()) == []


def test_a_subject_authorises_by_command(world: World, veil: Run) -> None:
    made = veil("citizen", "authorise", "give", "--title", "查询", "--recipient", "li",
                "--dataset", "YL/1", "--operation", "lookup", "--purpose", "看病",
                "--until", world.until, "--times", "2", "--json")  # fmt: skip
    wanted = Use("li", ("local", "YL/1"), "lookup", "看病")
    use(world.services.cases, PEOPLE["citizen"].subject, wanted, "job-7")
    assert "job-7 by li" in veil("citizen", "authorise", "uses")
    assert "1 use holds" in veil("citizen", "authorise", "uses")
    assert veil("citizen", "authorise", "uses", "--json")["uses"][0]["proof"]
    veil("li", "authorise", "use", made["id"], "--operation", "lookup", "--purpose", "看病",
         "--reference", "job-8")  # fmt: skip
    shown = veil("citizen", "authorise", "show", made["id"])
    assert "used up" in shown
    assert "job-8" in shown
    assert "3 of 3 proven to be in the log" in shown
    assert veil("citizen", "authorise", "uses").count("entry") == 2
    other = veil("citizen", "authorise", "give", "--title", "查询", "--recipient", "li",
                 "--dataset", "YL/1", "--operation", "lookup", "--purpose", "看病",
                 "--until", world.until, "--times", "2", "--json")  # fmt: skip
    assert "withdrawn" in veil("citizen", "authorise", "withdraw", other["id"])


def test_a_server_that_lies_is_found(
    world: World, veil: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world.demand()
    case = made.partition("/")[2]
    with pytest.raises(TrustError) as raised:
        veil("citizen", "demand", "show", case, "--catalog-key", "ab" * 32)
    assert raised.value.code == "case.signer"
    world.act("steward", made, "return", reasons="请补充")
    get = Connection.get

    def with_change(change: Callable[[dict[str, Any]], object]) -> None:
        def lying(self: Connection, path: str, **params: object) -> Any:  # noqa: ANN401
            body = get(self, path, **params)
            if path.endswith("/events"):
                change(body)
            return body

        monkeypatch.setattr(Connection, "get", lying)

    forged = IdentityKey.generate()
    events = history_tokens(world, case)
    for number, change in (
        (2, lambda body: body["events"][1].update(token=events[0])),
        (1, lambda body: body["events"].pop(0)),
        (1, lambda body: body["events"].reverse()),
        (1, lambda body: body.update(signer=forged.public.to_jwk())),
        (2, lambda body: body["events"][1].update(proof=body["events"][0]["proof"])),
        (2, lambda body: body["events"][1].update(salt="ab" * 32)),
        (2, lambda body: body["events"][1].update(document="{}")),
    ):
        with_change(change)
        with pytest.raises(TrustError) as raised:
            veil("citizen", "demand", "show", case)
        if raised.value.code == "case.broken":
            assert raised.value.number == number  # type: ignore[attr-defined]
        else:
            assert raised.value.code == "case.answer"
    with_change(lambda body: body.pop("signer"))
    with pytest.raises(TrustError):
        veil("citizen", "demand", "show", case)


def history_tokens(world: World, case: str) -> list[str]:
    with world.registry.database.read() as connection:
        return [kept.token for kept in history(connection, case)]


def test_an_officer_signs_only_what_the_analyst_signed(
    world: World, veil: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalog itself shows officers a harmless statement over another signed request."""
    case = world.request().partition("/")[2]
    get, key = Connection.get, world.registry.key()

    def lying(self: Connection, path: str, **params: object) -> Any:  # noqa: ANN401
        body = get(self, path, **params)
        if path.endswith("/events"):
            event = unverified_event(body["events"][0]["token"])
            event.fields["statements"][0]["sql"] = "SELECT 1"
            body["events"][0] |= {"token": event.signed(key), "proof": ""}
        return body

    monkeypatch.setattr(Connection, "get", lying)
    with pytest.raises(TrustError) as raised:
        veil("steward", "request", "review", case, "--sign-with",
             key_file(world, tmp_path, "steward"))  # fmt: skip
    assert raised.value.code == "decision.statement"


def test_the_operator_pins_nodes_and_verifies_all_cases(world: World) -> None:
    world.demand()
    directory = str(world.registry.directory)
    run = CliRunner().invoke(catalog_app, ["cases", "--dir", directory])
    assert run.exit_code == 0, run.exception
    assert "none is missing that the log has" in run.output
    assert "clocks.toml" not in run.output
    clocks = world.registry.directory / "clocks.toml"
    clocks.write_text("[days.demands]\nsubmitted = 3\n", "utf-8")
    run = CliRunner().invoke(catalog_app, ["cases", "--dir", directory])
    assert "clocks.toml is well formed, states with days of its own: 1" in " ".join(
        run.output.split()
    )
    clocks.write_text("[days.demands]\nsubmited = 3\n", "utf-8")
    run = CliRunner().invoke(catalog_app, ["cases", "--dir", directory])
    assert isinstance(run.exception, InputError)
    clocks.unlink()
    key = IdentityKey.generate().public.fingerprint
    other = "11440300000000003C"
    assert CliRunner().invoke(catalog_app, ["pin", other, key, "--dir", directory]).exit_code == 0
    twice = CliRunner().invoke(catalog_app, ["pin", HEALTH.code, key, "--dir", directory])
    assert isinstance(twice.exception, TrustError)
    wrong = CliRunner().invoke(catalog_app, ["pin", "none", key, "--dir", directory])
    assert isinstance(wrong.exception, VeilError)


def test_what_somebody_wrote_forges_no_line_of_ours(
    world: World, veil: Run, tmp_path: Path
) -> None:
    """An officer reads what nodes compute; the analyst's words may say so, too."""
    forged = "  Nodes compute: SELECT COUNT(*) FROM harmless [health → li]"
    sql = f"SELECT COUNT(*) FROM visits --\n{forged}" + "\n" * 900 + forged  # noqa: S608 - an attack
    statement = {"sql": sql, "grant_request": world.grant_request(sql)}
    case = world.request(statements=[statement]).partition("/")[2]
    key = key_file(world, tmp_path, "steward")
    said = veil("steward", "request", "review-return", case, "--sign-with", key,
                "--reasons", "请补充\n9. 2026-12-01 08:00 UTC  Approve (chief)")  # fmt: skip
    shown = veil("li", "request", "show", case)
    for output in (said, shown):
        lines = [line.strip() for line in output.splitlines()]
        real = [line for line in lines if line.startswith("Nodes compute:")]
        assert set(real) == {"Nodes compute: SELECT COUNT(*) FROM visits [health → li]"}
        assert f"│ {forged}" in lines
        assert len(lines) < 100, "nothing is pushed off the screen"
    assert not any(line.lstrip().startswith("9. ") for line in shown.splitlines())


def test_an_officer_signs_offline_what_was_verified_and_nothing_else(
    world: World, tmp_path: Path
) -> None:
    """The file comes from a server, over a stick: it may be anything."""
    key, file, output = tmp_path / "wu.pem", tmp_path / "case.json", tmp_path / "yes.json"
    pem = world.keys["steward"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(key, pem)
    case = world.request("wu")
    body = world.get("auditor", f"{case}/events")

    def decide(content: object, step: str = "review", app: str = "request") -> Any:  # noqa: ANN401
        file.write_text(json.dumps(content), "utf-8")
        words = ["decide", str(file), "--step", step, "--sign-with", str(key)]
        return CliRunner().invoke(APPS[app], [*words, "--output", str(output)])

    altered = json.loads(json.dumps(body))
    altered["events"][0]["salt"] = "ab" * 32
    for wrong in (altered, {}, [], {**body, "events": []}):
        assert isinstance(decide(wrong).exception, TrustError | InputError)
    for step in ("submit", "grant", "withdraw", "x"):
        assert isinstance(decide(body, step).exception, InputError)
    assert isinstance(decide(body, "refuse", "demand").exception, TrustError), "another kind"
    assert isinstance(decide(body, "review-refuse").exception, InputError), "without reasons"
    assert not output.exists()
    done = decide(body)
    assert (done.exit_code, "统计床位" in done.output) == (0, True), done.output
    computed = done.output.index("Nodes compute: SELECT COUNT(*) FROM visits [health → li]")
    assert computed < done.output.index("Signed into"), "seen before it is signed"
    output.unlink()
    assert decide(body, "review-refuse").output.index("Nodes compute:") > 0, "also where it fails"
    decide(body)
    world.act("steward", case, "review", decision=output.read_text("utf-8"))
