"""A department's link to the exchange: long-poll `pull`, idempotent `push`."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from compute_nodes.rpc import wire
from compute_nodes.rpc.backoff import Backoff
from compute_nodes.rpc.connection import Connection, Surroundings
from compute_nodes.rpc.delivery import Delivery
from compute_nodes.rpc.membership import TlsFiles
from protos.faults import ProtocolError, UnavailableError, VeilError
from protos.frames import SMALL_BYTES
from protos.v1 import veil_pb2, veil_pb2_grpc

SESSION_KEY: Final = "veil-session"
UNREGISTERED: Final = "pull.unregistered"  # the exchange was restarted: `register` again
CALL_DEADLINE_S: Final = 20.0
MESSAGES_A_PULL: Final = 256
UPLOADS_AT_ONCE: Final = 4  # more wait here; the exchange bounds them too, and would refuse
_PULL_MARGIN_S: Final = 10.0  # the exchange may need this longer than the wait asked for
_PUSH_BYTES_PER_S: Final = 512 * 1024  # the slowest line on which a large answer still arrives

SYSTEM: Final = Surroundings(
    clock=time.time,
    monotonic=time.monotonic,
    sleep=time.sleep,
    chance=random.random,
)


class ExchangeLink:
    """What a node says to its exchange; safe for any number of threads.

    Args:
        address: ``host:port``.
        files: Certificate, key and CA; see `TlsFiles.within`.
        session: Returns a fresh random name each time; a new one tells the exchange that
            something may have been lost, so that it offers again what is unanswered.
        surroundings: Clocks, sleep and chance.
        backoff: Waits between tries.
    """

    def __init__(
        self,
        address: str,
        files: TlsFiles,
        *,
        session: Callable[[], str],
        surroundings: Surroundings = SYSTEM,
        backoff: Backoff | None = None,
    ) -> None:
        self._connection = Connection(address, files, surroundings, backoff)
        self._new_session = session
        self._session = ""
        self._lock = threading.Lock()
        self._uploads = threading.BoundedSemaphore(UPLOADS_AT_ONCE)

    def start(self) -> None:
        """Opens the link, or opens it anew with a renewed certificate; see `Connection.start`."""
        self._connection.start()
        self._rotate(self._session)

    def close(self) -> None:
        """Ends all calls, from any thread."""
        self._connection.close()

    @property
    def name(self) -> str:
        """The department's name, as certified."""
        return self._connection.name

    def pull(self, wait_s: float = 20.0) -> Delivery | None:
        """Waits for one message; one try.

        Args:
            wait_s: Longest wait, seconds.

        Returns:
            The message, or None when nothing came.

        Raises:
            VeilError: Any failure; the next pull then offers again what may have been lost.
        """
        found = list(self._messages(wait_s, 1))
        return found[0] if found else None

    def deliveries(
        self,
        stopped: Callable[[], bool],
        *,
        wait_s: float = 20.0,
        trouble: Callable[[VeilError | None], None] = lambda _error: None,
    ) -> Iterator[Delivery]:
        """Yields messages until ``stopped``, reconnecting for ever with back-off.

        Args:
            stopped: Asked between polls. To end a running poll too, `close` the link.
            wait_s: Longest single poll, seconds.
            trouble: Told each failure of the connection, and None when it is well again.

        Raises:
            TrustError: The exchange does not accept us (any more); waiting cannot help.
        """
        failures = 0
        while not stopped():
            try:
                for found in self._messages(wait_s, MESSAGES_A_PULL):
                    if failures:
                        failures = 0
                        trouble(None)
                    yield found
            except (UnavailableError, ProtocolError) as error:
                if stopped():
                    return
                # Being asked to register means that the exchange is back: no long wait then.
                failures = 1 if error.code == UNREGISTERED else failures + 1
                trouble(error)
                chance = self._connection.surroundings.chance()
                self._connection.surroundings.sleep(
                    self._connection.backoff.delay(failures, chance)
                )
                continue
            if failures:
                failures = 0
                trouble(None)

    def push(self, delivery: Delivery, *, patience_s: float = 120.0) -> bool:
        """Sends an answer; tries again while the exchange is away.

        Args:
            delivery: ``sender`` must be this department.
            patience_s: No new try begins later than this.

        Returns:
            Whether the exchange had these very bytes already.

        Raises:
            VeilError: The exchange refuses it.
            UnavailableError: The time is over. What we should have answered is offered again.
        """
        deadline = CALL_DEADLINE_S + len(delivery.body) / _PUSH_BYTES_PER_S
        session = self._session

        def send(stub: veil_pb2_grpc.ExchangeStub) -> veil_pb2.PushReply:
            with self._uploads:
                if len(delivery.body) <= SMALL_BYTES:
                    return stub.PushSmall(wire.whole(delivery), timeout=deadline)
                return stub.Push(wire.frames(delivery), timeout=deadline)

        try:
            return bool(self._connection.patiently(send, patience_s).repeated)
        except UnavailableError:
            self._rotate(session)
            raise

    def register(
        self,
        card: str,
        policies: list[dict[str, Any]],
        snapshots: list[dict[str, Any]],
        version: str,
        declaration: str = "",
        *,
        patience_s: float = 0.0,
    ) -> float:
        """Says what this department offers.

        Args:
            card: Our own card.
            policies: Public part of the policies (JSON values).
            snapshots: Per dataset, snapshot id and declared size bucket (JSON values).
            version: Of this software.
            declaration: ``veil-declaration+jwt`` for the catalog, or "".
            patience_s: How long to try again while the exchange is away, seconds.

        Returns:
            Seconds by which our clock is ahead of the exchange's (negative: behind).

        Raises:
            VeilError: The exchange refuses it or cannot be reached.
        """
        request = wire.register_request(card, policies, snapshots, version, declaration)
        reply = self._connection.patiently(
            lambda stub: stub.Register(request, timeout=CALL_DEADLINE_S), patience_s
        )
        return self._connection.surroundings.clock() - float(reply.unix_s)

    def directory(self, *, patience_s: float = 0.0) -> dict[str, Any]:
        """Returns who takes part and what there is (JSON value); compare cards with pins."""
        reply = self._connection.patiently(
            lambda stub: stub.Directory(veil_pb2.DirectoryRequest(), timeout=CALL_DEADLINE_S),
            patience_s,
        )
        return wire.json_object(reply.directory)

    def _messages(self, wait_s: float, most: int) -> Iterator[Delivery]:
        """Yields messages of one call, at most so many, each when it is there."""
        session = self._session
        request = veil_pb2.PullRequest(wait_ms=int(wait_s * 1000), messages=most)
        try:
            yield from wire.deliveries(
                self._connection.stream(
                    lambda stub: stub.Pull(
                        request,
                        timeout=wait_s + _PULL_MARGIN_S,
                        metadata=((SESSION_KEY, session),),
                    )
                )
            )
        except VeilError:
            self._rotate(session)
            raise

    def _rotate(self, failed: str) -> None:
        """Begins a new session unless another thread has done so since ``failed`` began."""
        with self._lock:
            if self._session == failed:
                self._session = self._new_session()
