"""A catalog with workflows, in this process: people, officers with keys, a node's key, a clock."""

from __future__ import annotations

import atexit
import datetime as dt
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.testclient import TestClient

from catalog.access.accounts import Account, Accounts
from catalog.access.principal import Principal
from catalog.certificates.decisions import Office, Verdict, decide
from catalog.certificates.grants import GrantRequest, issue_grant, read_granted, sign_request
from catalog.certificates.office import CertificateOffice
from catalog.certificates.office_files import OfficeFiles
from catalog.certificates.open_office import DIRECTORY, OpenOffice
from catalog.plan import Member
from catalog.publishing import signers
from catalog.registry.registry import Registry, create, opened
from catalog.web.app import create_app
from catalog.web.services import Services, services
from catalog.workflows.all import WORKFLOWS
from catalog.workflows.cases import Cases
from catalog.workflows.events import unverified_event
from catalog.workflows.node_pins import PINS
from catalog.workflows.signatures import matter_of
from protos.did_key import did_of
from protos.signing import IdentityKey, Pins
from tests.catalog_world import CLOSED, HEALTH, LABOUR, POLICE, record
from tests.certificate_world import COUNT
from tests.web_world import client_of

START: Final = int(
    dt.datetime(2026, 11, 26, 2, tzinfo=dt.UTC).timestamp()
)  # a Thursday, 10 o'clock
SQL: Final = "SELECT COUNT(*) FROM visits"
PEOPLE: Final[dict[str, Principal]] = {
    "li": Principal("li", frozenset({"analyst"})),
    "wu": Principal("wu", frozenset({"analyst"})),
    "citizen": Principal("citizen", subject="440103199001011234"),
    "other": Principal("other"),
    "steward": Principal("steward", frozenset({"steward"}), HEALTH.code),
    "steward2": Principal("steward2", frozenset({"steward"}), HEALTH.code),
    "chief": Principal("chief", frozenset({"chief"}), HEALTH.code),
    "operator": Principal("operator", frozenset({"operator"}), HEALTH.code),
    "police": Principal("police", frozenset({"steward", "chief"}), POLICE.code),
    # Officers who are analysts as well, elsewhere and here.
    "both": Principal("both", frozenset({"analyst", "steward", "chief"}), POLICE.code),
    "self": Principal("self", frozenset({"analyst", "steward", "chief"}), HEALTH.code),
    "narrow": Principal("steward", frozenset({"steward"}), HEALTH.code, frozenset({"demand.read"})),
    "broker": Principal("broker", frozenset({"broker"})),
    "broker2": Principal("broker2", frozenset({"broker"})),
    "admin": Principal("admin", frozenset({"administrator"})),
    "admin2": Principal("admin2", frozenset({"administrator"})),
    "auditor": Principal("auditor", frozenset({"auditor"})),
}
OFFICERS: Final[dict[str, tuple[str, str]]] = {
    "steward": (HEALTH.code, "steward"), "chief": (HEALTH.code, "chief"),
    "police": (POLICE.code, "steward"),
}  # fmt: skip


class Clock:
    """Stands still unless somebody moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def days(self, count: int) -> None:
        self.now += count * 86_400


@dataclass
class World:
    """A served catalog and everybody's keys."""

    client: TestClient
    services: Services
    clock: Clock
    keys: dict[str, Ed25519PrivateKey]
    node: IdentityKey
    analyst: IdentityKey

    @property
    def until(self) -> str:
        """A last day that is still to come."""
        return dt.datetime.fromtimestamp(self.clock.now + 200 * 86_400, dt.UTC).date().isoformat()

    @property
    def office(self) -> CertificateOffice:
        assert self.services.office is not None
        assert self.services.office.issuing is not None
        return self.services.office.issuing

    @property
    def registry(self) -> Registry:
        return self.services.registry

    def call(self, who: str, method: str, path: str, body: Any = None, **params: Any) -> Any:  # noqa: ANN401
        headers = {"X-As": who} if who else {}
        return self.client.request(
            method, f"/api/{path}", json=body, params=params, headers=headers
        )

    def get(self, who: str, path: str, **params: Any) -> Any:  # noqa: ANN401
        answer = self.call(who, "GET", path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def open(self, who: str, kind: str, **said: Any) -> str:  # noqa: ANN401
        answer = self.call(who, "POST", kind, said)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def try_(self, who: str, case: str, step: str, **said: Any) -> Any:  # noqa: ANN401
        """Takes a step at the revision at which the case is, whatever comes of it."""
        said = {"revision": self.revision(case), **said}
        return self.call(who, "POST", f"{case}/{step}", said)

    def act(self, who: str, case: str, step: str, **said: Any) -> dict[str, Any]:  # noqa: ANN401
        answer = self.try_(who, case, step, **said)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def code(self, who: str, case: str, step: str, **said: Any) -> tuple[int, str]:  # noqa: ANN401
        """Status and code of the problem that a step meets."""
        answer = self.try_(who, case, step, **said)
        return answer.status_code, answer.json().get("code", "")

    def revision(self, case: str) -> int:
        with self.registry.database.read() as connection:
            from catalog.workflows.case import find_case

            kind, _, identifier = case.partition("/")
            found = find_case(connection, kind, identifier)
        return found.revision if found else 1

    def state(self, case: str) -> str:
        return str(self.get("auditor", case)["state"])

    # ---- signatures ----------------------------------------------------------------------------

    def decision(
        self,
        case: str,
        office: Office,
        verdict: Verdict,
        *,
        by: str = "",
        who: str = "auditor",
        **more: Any,  # noqa: ANN401 - department, reasons, valid_days, now
    ) -> str:
        """What an officer signs, having looked at the case."""
        events = [unverified_event(e["token"]) for e in self.get(who, f"{case}/events")["events"]]
        matter = matter_of(case, events[events[-1].asked - 1])
        now = more.pop("now", dt.datetime.fromtimestamp(self.clock.now, dt.UTC))
        department = more.pop("department", HEALTH.code)
        return decide(matter, department, office, verdict, self.keys[by or office], now=now, **more)

    def grant_request(self, sql: str = SQL, **more: Any) -> str:  # noqa: ANN401
        plain = GrantRequest(
            id=f"{abs(hash((sql, self.clock.now, len(more)))):032x}"[-32:],
            issued_at=self.clock.now, expires_at=self.clock.now + 30 * 86_400, analyst="li",
            recipient=self.analyst.public.fingerprint, dataset="visits", dataset_digest="d" * 64,
            statement=sql, aggregate=COUNT, purpose="统计床位",
            members=(Member("health", self.node.public.fingerprint),),
        )  # fmt: skip
        return sign_request(self.analyst, replace(plain, **more))

    def grant(self, request: str, key: IdentityKey | None = None) -> str:
        node = key or self.node
        asked = read_granted(request)
        if key is not None:
            asked = replace(asked, members=(Member("health", key.public.fingerprint),))
        return issue_grant(node, "health", asked, now=self.clock.now)

    # ---- cases ---------------------------------------------------------------------------------

    def demand(self, who: str = "citizen", department: str = HEALTH.code, **more: Any) -> str:  # noqa: ANN401
        said = {"title": "床位", "text": "各医院床位", "department": department}
        return f"demands/{self.open(who, 'demands', **said | more)}"

    def asked(self, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        return {
            "title": "床位统计", "datasets": [{"source": "local", "identifier": "YL/1"}],
            "columns": ["床位数"], "purpose": "统计床位", "until": self.until,
            "statements": [{"sql": SQL, "grant_request": self.grant_request()}],
        } | more  # fmt: skip

    def request(self, who: str = "li", **more: Any) -> str:  # noqa: ANN401
        return f"requests/{self.open(who, 'requests', **self.asked(**more))}"

    def approved(self, **more: Any) -> str:  # noqa: ANN401
        case = self.request(**more)
        self.act("steward", case, "review", decision=self.decision(case, "steward", "approve"))
        self.act("chief", case, "approve", decision=self.decision(case, "chief", "approve"))
        return case

    def asset(self, identifier: str = "YL/1") -> str:
        said = {"title": "床位数据", "text": "自行采集",
                "datasets": [{"source": "local", "identifier": identifier}]}  # fmt: skip
        return f"assets/{self.open('steward', 'assets', **said)}"

    def noticed(self, identifier: str = "YL/1") -> str:
        case = self.asset(identifier)
        self.act("admin", case, "accept")
        self.act("admin2", case, "review")
        return case

    def licensed(self, who: str = "broker") -> None:
        licence = self.open(who, "licences", title="粤数经纪", text="三名数据工程师")
        self.act("admin", f"licences/{licence}", "license", until=self.until)

    def product(self, who: str = "broker") -> str:
        said = {"title": "床位指数", "text": "每月", "price": "面议",
                "datasets": [{"source": "local", "identifier": "YL/1"}]}  # fmt: skip
        return f"products/{self.open(who, 'products', **said)}"


@contextmanager
def issuing(directory: Path) -> Iterator[OpenOffice | None]:
    """The office in a catalog's directory as the exchange has it: with its keys."""
    files = OfficeFiles(directory / DIRECTORY)
    if not files.exists():
        yield None
        return
    book = files.office(time.time)
    try:
        yield OpenOffice(book, files)
    finally:
        book.close()


@cache
def _template() -> tuple[Path, dict[str, Ed25519PrivateKey], IdentityKey]:
    """A catalog with datasets, officers and a node's pin, made once; and their keys."""
    folder = tempfile.TemporaryDirectory(prefix="veil-workflows-")
    atexit.register(folder.cleanup)
    directory = Path(folder.name) / "c"
    create(directory)
    OfficeFiles(directory / DIRECTORY).create("hub", "hub.example/log")
    keys = {name: Ed25519PrivateKey.generate() for name in (*OFFICERS, "stranger")}
    node, pins = IdentityKey.generate(), Pins()
    with opened(directory) as found:
        registry = Registry(found.database, directory / "identity.pem", clock=lambda: START)
        registry.register([
            record("YL/1"), record("YL/2"), record("YL/closed", opening=CLOSED),
            record("YL/secret", sharing=CLOSED, opening=CLOSED), record("GA/1", provider=POLICE),
            record("RS/1", provider=LABOUR),
        ])  # fmt: skip
        for name, (department, role) in OFFICERS.items():
            did = did_of(keys[name].public_key())
            signers.enrol(registry, department, did, role=role, name=name, by="数据局", days=7200)
        accounts = Accounts(found.database, lambda: START)
        accounts.add(Account("citizen", subject=PEOPLE["citizen"].subject))
    pins.add("department", HEALTH.code, node.public.fingerprint)
    pins.save(directory / PINS)
    return directory, keys, node


@contextmanager
def workflows(directory: Path) -> Iterator[World]:
    """Serves a catalog with datasets, officers and a node's pin."""
    made, keys, node = _template()
    shutil.copytree(made, directory)
    with (
        issuing(directory) as certificates,
        services(directory, public=False, office=certificates) as served,
    ):
        clock = Clock()
        registry = Registry(served.registry.database, directory / "identity.pem", clock=clock)
        found = replace(
            served, registry=registry, cases=Cases(registry, served.office, WORKFLOWS),
            authenticators=(lambda request: PEOPLE.get(request.headers.get("x-as", "")),),
        )  # fmt: skip
        with client_of(create_app(found)) as client:
            yield World(client, found, clock, keys, node, IdentityKey.generate())
