"""A real exchange on free ports, with real certificates, and a hub that only remembers."""

from __future__ import annotations

import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from catalog.identity.registry import ExchangeIdentity
from catalog.web.doorkeeper import DoorLimits
from compute_nodes.rpc.backoff import Backoff
from compute_nodes.rpc.enrol import enroll
from compute_nodes.rpc.link import ExchangeLink
from compute_nodes.rpc.membership import TlsFiles
from exchange.analyst.transport import AnalystLink
from exchange.ports import Alive, Caller, Delivery, Hub, Progress, Registration
from exchange.serving.admission import Limits
from exchange.serving.enrolment import EnrolmentServer
from exchange.serving.inbox import Inbox
from exchange.serving.server import ExchangeServer
from protos.faults import JobError
from protos.names import Role

QUICK = Backoff(first_s=0.02, most_s=0.2)


@dataclass
class RememberingHub:
    """Implements `exchange.ports.Hub`: keeps what it is given, hands out what tests put."""

    inbox: Inbox = field(default_factory=Inbox)
    pushed: list[Delivery] = field(default_factory=list)
    registered: dict[str, Registration] = field(default_factory=dict)
    plans: dict[str, str] = field(default_factory=dict)
    events: list[Progress] = field(default_factory=list)
    outcome: bytes | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    mistake: bool = False
    watches: int = 0

    def pull(self, caller: Caller, wait_s: float, alive: Alive, session: str) -> Delivery | None:
        return self.inbox.take(caller.name, wait_s, alive, session)

    def push(self, caller: Caller, delivery: Delivery) -> bool:
        repeated = not self.inbox.settle(delivery.job, delivery.round, caller.name)
        self.pushed.append(delivery)
        return repeated

    def register(self, caller: Caller, registration: Registration) -> None:
        self.registered[caller.name] = registration

    def directory(self, caller: Caller) -> dict[str, Any]:
        if self.mistake:
            raise RuntimeError("row 17: Zhang San")
        return {"caller": f"{caller.role} {caller.name}"}

    def submit(self, caller: Caller, plan: str) -> str:
        self.plans[plan] = caller.name
        return "ab" * 16

    def watch(self, caller: Caller, job: str, alive: Alive) -> Iterator[list[Progress]]:
        self.watches += 1
        at = 0
        while alive():
            if news := self.events[at:]:
                at += len(news)
                yield news
            if self.ended.wait(0.02) and at == len(self.events):
                return

    def fetch(self, caller: Caller, job: str) -> bytes:
        if self.outcome is None:
            raise JobError("the job has no answer yet", code="job.running", detail="private")
        return self.outcome

    def cancel(self, caller: Caller, job: str) -> bool:
        return not self.ended.is_set()

    def certificate(self, caller: Caller, job: str) -> bytes:
        return self.outcome or b""

    def request_grant(self, caller: Caller, request: str, decisions: bytes = b"") -> str:
        return request[::-1]

    def grants(self, caller: Caller, request_id: str) -> list[dict[str, Any]]:
        return [{"id": request_id, "analyst": caller.name}]


_CHECKED: type[Hub] = RememberingHub  # mypy: the stand-in has every method


class World:
    """An exchange with its enrolment door; close it."""

    def __init__(
        self,
        directory: Path,
        *,
        limits: Limits | None = None,
        door: DoorLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.directory = directory
        self.hub = RememberingHub()
        self.identity = ExchangeIdentity(
            directory / "exchange", randomness=secrets.token_bytes, clock=clock
        )
        self.identity.create("province")
        self.server = ExchangeServer(self.hub, self.identity, limits=limits)
        self.server.start()
        self.door = EnrolmentServer(self.identity, lambda: self.server.address, limits=door)
        self.door.start()
        self._links: list[ExchangeLink | AnalystLink] = []

    def close(self) -> None:
        for link in self._links:
            link.close()
        self.hub.inbox.close()
        self.server.stop()
        self.door.stop()
        self.identity.close()

    def member(self, role: Role, name: str) -> Path:
        """Enrols a member and returns its directory."""
        home = self.directory / f"{role}-{name}"
        enroll(self.identity.invite(role, name, url=self.door.url), home, role)
        return home

    def link(self, home: Path) -> ExchangeLink:
        link = ExchangeLink(
            self.server.address,
            TlsFiles.within(home),
            session=lambda: secrets.token_hex(8),
            backoff=QUICK,
        )
        link.start()
        self._links.append(link)
        return link

    def department(self, name: str) -> ExchangeLink:
        return self.link(self.member("department", name))

    def analyst(self, name: str = "ana") -> AnalystLink:
        link = AnalystLink(
            self.server.address,
            TlsFiles.within(self.member("analyst", name)),
            backoff=QUICK,
            patience_s=5,
        )
        link.start()
        self._links.append(link)
        return link

    def channel(self, home: Path | None, *, ca: Path | None = None) -> grpc.Channel:
        """A bare channel, for callers that do not behave."""
        ca_pem = (ca or self.directory / "exchange" / "ca.crt").read_bytes()
        key = None if home is None else (home / "tls.key").read_bytes()
        chain = None if home is None else (home / "tls.crt").read_bytes()
        credentials = grpc.ssl_channel_credentials(ca_pem, key, chain)
        return grpc.secure_channel(
            self.server.address, credentials, options=(("grpc.use_local_subchannel_pool", 1),)
        )

    def tls(self, home: Path) -> ssl.SSLContext:
        """A client's TLS context with a member's certificate, for raw bytes."""
        context = ssl.create_default_context(cafile=str(home / "ca.crt"))
        context.load_cert_chain(home / "tls.crt", home / "tls.key")
        context.set_alpn_protocols(["h2"])
        return context


def message(
    recipient: str = "", *, sender: str = "", round_: str = "values/masked", body: bytes = b"x"
) -> Delivery:
    return Delivery("ab" * 16, round_, 1, sender, recipient, "message", body)


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether it comes true within the time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
