"""An analyst's link to the exchange."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from compute_nodes.rpc import wire as node_wire
from compute_nodes.rpc.backoff import Backoff
from compute_nodes.rpc.connection import Connection, Surroundings
from compute_nodes.rpc.link import CALL_DEADLINE_S, SYSTEM
from compute_nodes.rpc.membership import TlsFiles
from exchange import wire
from exchange.ports import Delivery, Progress
from protos.faults import ProtocolError, UnavailableError
from protos.v1 import veil_pb2

PATIENCE_S: Final = 10.0
JOB_PATIENCE_S: Final = 60.0  # for a job under way, which goes on when the exchange is back
_FETCH_DEADLINE_S: Final = 600.0  # 256 MiB over a slow line


class AnalystLink:
    """What an analyst says to the exchange; safe for any number of threads.

    Args:
        address: ``host:port``.
        files: Certificate, key and CA; see `TlsFiles.within`.
        surroundings: Clocks, sleep and chance.
        backoff: Waits between tries.
        patience_s: How long a call is tried again while the exchange is away, seconds.
        job_patience_s: The same for the watch of a job under way, and for its outcome.
    """

    def __init__(
        self,
        address: str,
        files: TlsFiles,
        *,
        surroundings: Surroundings = SYSTEM,
        backoff: Backoff | None = None,
        patience_s: float = PATIENCE_S,
        job_patience_s: float = JOB_PATIENCE_S,
    ) -> None:
        self._connection = Connection(address, files, surroundings, backoff)
        self._patience_s = patience_s
        self._job_patience_s = job_patience_s

    def start(self) -> None:
        """Opens the link; see `Connection.start`."""
        self._connection.start()

    def close(self) -> None:
        """Ends all calls, from any thread."""
        self._connection.close()

    @property
    def name(self) -> str:
        """The analyst's name, as certified."""
        return self._connection.name

    def directory(self) -> dict[str, Any]:
        """Returns who takes part and what there is (JSON value); compare cards with pins."""
        reply = self._connection.patiently(
            lambda stub: stub.Directory(veil_pb2.DirectoryRequest(), timeout=CALL_DEADLINE_S),
            self._patience_s,
        )
        return wire.json_object(reply.directory)

    def submit(self, plan: str, *, job: str = "") -> str:
        """Hands in a signed plan and returns its job.

        Args:
            plan: ``veil-plan+jwt``.
            job: As in the plan, for the exchange's log only.

        Raises:
            VeilError: The exchange refuses it or cannot be reached.
        """
        delivery = Delivery(job, "", 1, self.name, "", "plan", plan.encode("ascii"))
        reply = self._connection.patiently(
            lambda stub: stub.Submit(node_wire.frames(delivery), timeout=CALL_DEADLINE_S),
            self._patience_s,
        )
        return str(reply.job)

    def watch(self, job: str) -> Iterator[Progress]:
        """Yields the job's progress until it has ended, across broken connections.

        Raises:
            VeilError: The exchange refuses it, or stays away longer than our patience.
        """
        around, backoff = self._connection.surroundings, self._connection.backoff
        seen = failures = 0
        lost_at = 0.0
        while True:
            try:
                # A watch begins with the first event again; what was seen is skipped.
                for number, event in enumerate(self._watch_once(job)):
                    failures = 0
                    if number >= seen:
                        seen = number + 1
                        yield event
            except UnavailableError:
                now = around.monotonic()
                lost_at = lost_at if failures else now
                failures += 1
                if now - lost_at > self._job_patience_s or not self._connection.is_open:
                    raise
            else:
                return
            around.sleep(backoff.delay(failures, around.chance()))

    def fetch(self, job: str) -> bytes:
        """Returns the sealed outcome of a job.

        Raises:
            JobError: It has none (yet).
        """
        delivery = self._connection.patiently(
            lambda stub: node_wire.delivery(
                stub.Fetch(veil_pb2.FetchRequest(job=job), timeout=_FETCH_DEADLINE_S)
            ),
            self._job_patience_s,
        )
        if delivery.kind != "outcome" or delivery.job != job:
            raise ProtocolError("the exchange sent another outcome", code="frame.kind")
        return delivery.body

    def cancel(self, job: str) -> bool:
        """Gives up a job; false when it had ended already."""
        reply = self._connection.patiently(
            lambda stub: stub.Cancel(veil_pb2.CancelRequest(job=job), timeout=CALL_DEADLINE_S),
            self._patience_s,
        )
        return bool(reply.cancelled)

    def certificate(self, job: str) -> bytes:
        """Returns the bundle of the certificate of a result; b"" while none is issued."""
        delivery = self._connection.patiently(
            lambda stub: node_wire.delivery(
                stub.Certificate(veil_pb2.CertificateRequest(job=job), timeout=CALL_DEADLINE_S)
            ),
            self._patience_s,
        )
        if delivery.kind != "certificate" or delivery.job != job:
            raise ProtocolError("the exchange sent another certificate", code="frame.kind")
        return delivery.body

    def request_grant(self, request: str, decisions: bytes = b"") -> str:
        """Asks the owners to grant one exact statement; returns the request's id.

        Args:
            request: ``veil-grant-request+jwt``.
            decisions: A file of their officers' decisions on it, or b"".
        """
        message = veil_pb2.RequestGrantRequest(request=request, decisions=decisions)
        reply = self._connection.patiently(
            lambda stub: stub.RequestGrant(message, timeout=CALL_DEADLINE_S), self._patience_s
        )
        return str(reply.id)

    def grants(self, request_id: str = "") -> list[dict[str, Any]]:
        """Returns the state of one request, or of all of ours (JSON values)."""
        message = veil_pb2.GrantsRequest(id=request_id)
        reply = self._connection.patiently(
            lambda stub: stub.Grants(message, timeout=CALL_DEADLINE_S), self._patience_s
        )
        return wire.json_objects(reply.grants)

    def _watch_once(self, job: str) -> Iterator[Progress]:
        events = self._connection.stream(lambda stub: stub.Watch(veil_pb2.WatchRequest(job=job)))
        for news in events:
            yield from map(wire.progress, news.events)
