"""The methods of the gRPC service: each takes a call apart and asks the hub."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from compute_nodes.rpc.wire import delivery as joined
from compute_nodes.rpc.wire import frames, whole_delivery
from exchange import wire
from exchange.ports import Delivery, Hub
from exchange.serving.admission import Access, Call
from protos.compact_jws import MAX_PAYLOAD_BYTES
from protos.faults import ProtocolError, TrustError
from protos.frames import MAX_MESSAGE_BYTES
from protos.language import Text
from protos.v1 import veil_pb2

MAX_PLAN_BYTES: Final = MAX_PAYLOAD_BYTES * 4 // 3 + 4096  # base64 and a signature


class Service:
    """Answers calls that were admitted.

    Args:
        hub: Jobs, rounds and rosters.
        clock: Unix seconds.
        monotonic: Monotonic seconds.
    """

    def __init__(
        self,
        hub: Hub,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._monotonic = monotonic

    def pull(self, call: Call, request: bytes) -> Iterator[Message]:
        """Waits for a department's next messages."""
        asked = wire.parse(veil_pb2.PullRequest, request)
        left_s = min(asked.wait_ms / 1000, call.limits.poll_s)
        end = self._monotonic() + left_s
        for _ in range(max(1, asked.messages)):
            delivery = self._hub.pull(call.caller, left_s, call.alive, call.session)
            if delivery is None:
                call.check()  # why the wait ended: the caller may have been revoked
                return
            yield from frames(delivery)
            left_s = end - self._monotonic()
            if left_s <= 0:
                return  # also with more at hand: the caller's deadline is near

    def push(self, call: Call, parts: Iterable[bytes]) -> Message:
        """Takes a department's answer."""
        delivery = _upload(call, parts, MAX_MESSAGE_BYTES)
        return veil_pb2.PushReply(repeated=self._hub.push(call.caller, delivery))

    def push_small(self, call: Call, request: bytes) -> Message:
        """Takes a department's answer in one piece."""
        whole = wire.parse(veil_pb2.Whole, request)
        _check_sender(call.caller.name, whole.header)
        return veil_pb2.PushReply(repeated=self._hub.push(call.caller, whole_delivery(whole)))

    def register(self, call: Call, request: bytes) -> Message:
        """Notes what a department offers."""
        registration = wire.registration(wire.parse(veil_pb2.RegisterRequest, request))
        call.check_card(registration.card)
        self._hub.register(call.caller, registration)
        return veil_pb2.RegisterReply(unix_s=int(self._clock()))

    def directory(self, call: Call, request: bytes) -> Message:
        """Returns who takes part and what there is."""
        wire.parse(veil_pb2.DirectoryRequest, request)
        return veil_pb2.DirectoryReply(directory=wire.json_bytes(self._hub.directory(call.caller)))

    def submit(self, call: Call, parts: Iterable[bytes]) -> Message:
        """Takes an analyst's plan."""
        delivery = _upload(call, parts, MAX_PLAN_BYTES)
        if delivery.kind != "plan":
            raise ProtocolError("Submit takes a plan", code="frame.kind")
        return veil_pb2.SubmitReply(job=self._hub.submit(call.caller, wire.text(delivery.body)))

    def watch(self, call: Call, request: bytes) -> Iterator[Message]:
        """Tells a job's progress until it has ended."""
        job = wire.parse(veil_pb2.WatchRequest, request).job
        for news in self._hub.watch(call.caller, job, call.alive):
            yield wire.events(news)
        call.check()

    def fetch(self, call: Call, request: bytes) -> Iterator[Message]:
        """Returns a job's outcome."""
        job = wire.parse(veil_pb2.FetchRequest, request).job
        outcome = self._hub.fetch(call.caller, job)
        yield from frames(Delivery(job, "", 1, "", call.caller.name, "outcome", outcome))

    def certificate(self, call: Call, request: bytes) -> Iterator[Message]:
        """Returns the certificate of a result, with all that proves it."""
        job = wire.parse(veil_pb2.CertificateRequest, request).job
        bundle = self._hub.certificate(call.caller, job)
        yield from frames(Delivery(job, "", 1, "", call.caller.name, "certificate", bundle))

    def cancel(self, call: Call, request: bytes) -> Message:
        """Gives up a job."""
        job = wire.parse(veil_pb2.CancelRequest, request).job
        return veil_pb2.CancelReply(cancelled=self._hub.cancel(call.caller, job))

    def request_grant(self, call: Call, request: bytes) -> Message:
        """Passes a grant request to the owners."""
        asked = wire.parse(veil_pb2.RequestGrantRequest, request)
        return veil_pb2.RequestGrantReply(
            id=self._hub.request_grant(call.caller, asked.request, asked.decisions)
        )

    def grants(self, call: Call, request: bytes) -> Message:
        """Returns what became of grant requests."""
        request_id = wire.parse(veil_pb2.GrantsRequest, request).id
        return veil_pb2.GrantsReply(
            grants=wire.json_bytes(self._hub.grants(call.caller, request_id))
        )


@dataclass(frozen=True)
class Method:
    """One line of the service's table.

    Attributes:
        access: Name, roles, limits.
        answer: Takes (service, call, request); the request is bytes, or their stream.
        streams: Whether the answer is a stream.
    """

    access: Access
    answer: Callable[[Service, Call, Any], Any]
    streams: bool = False


# Who may call what. A method that is not in this table does not exist.
METHODS: Final[tuple[Method, ...]] = (
    Method(Access("Pull", ("department",)), Service.pull, streams=True),
    Method(Access("Push", ("department",), uploads=True), Service.push),
    Method(Access("PushSmall", ("department",)), Service.push_small),
    Method(Access("Register", ("department",)), Service.register),
    Method(Access("Directory", ("department", "analyst", "auditor")), Service.directory),
    Method(Access("Submit", ("analyst",), uploads=True, metered=True), Service.submit),
    Method(Access("Watch", ("analyst",)), Service.watch, streams=True),
    Method(Access("Fetch", ("analyst",)), Service.fetch, streams=True),
    Method(Access("Certificate", ("analyst",)), Service.certificate, streams=True),
    Method(Access("Cancel", ("analyst",)), Service.cancel),
    Method(Access("RequestGrant", ("analyst",), metered=True), Service.request_grant),
    Method(Access("Grants", ("analyst",)), Service.grants),
)


def _upload(call: Call, parts: Iterable[bytes], limit: int) -> Delivery:
    """Puts a message together; a spoofed sender is refused at the header, before the body."""
    return joined(_own(call.caller.name, wire.parse_frames(parts)), limit)


def _own(name: str, parts: Iterable[veil_pb2.Frame]) -> Iterator[veil_pb2.Frame]:
    for part in parts:
        if part.WhichOneof("body") == "header":
            _check_sender(name, part.header)
        yield part


def _check_sender(name: str, header: veil_pb2.Header) -> None:
    if header.sender != name:
        raise TrustError(
            Text("the message names another sender than the certificate", "消息的发送者与证书不符"),
            remedy=Text(
                "use the directory that was enrolled under that name", "请使用以该名称注册的目录"
            ),
            code="sender.spoofed",
        )
