"""The node: dials the exchange, takes deliveries, answers them. It listens on nothing.

One thread pulls; each job has a worker of its own that answers its deliveries in order. Whatever
is answered is on disk first (`compute_nodes.jobs.job`), so the process may die at any moment and
take up its jobs again.
"""

from __future__ import annotations

import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from catalog.certificates.decisions import Decision
from catalog.codec import to_json
from catalog.config import load_dataset, load_policy
from catalog.dataset import Dataset
from catalog.declaration import declare, held_as
from catalog.policy import Policy
from compute_nodes.approval import answer_decisions
from compute_nodes.config import NodeConfig, load_node_config
from compute_nodes.guard import Guard
from compute_nodes.jobs.job import Job
from compute_nodes.jobs.machines import Keys
from compute_nodes.jobs.part import Source
from compute_nodes.jobs.requests import take_request
from compute_nodes.jobs.tools import JobTools
from compute_nodes.noise import draw_noise
from compute_nodes.rpc.delivery import Delivery
from compute_nodes.rpc.enrol import renew, renewal_due
from compute_nodes.rpc.link import UNREGISTERED, ExchangeLink
from compute_nodes.rpc.membership import Membership, TlsFiles
from compute_nodes.store import NodeStore
from desensitize.budget import rho_for
from desensitize.engines.snapshot import Snapshot, discard, load
from desensitize.engines.worker import QueryPool
from protos.cards import Pins
from protos.faults import UnavailableError, VeilError
from protos.identity import IdentityKey
from protos.sealing import SealingKey

LOG: Final = logging.getLogger("veil.node")
VERSION: Final = "1"
SWEEP_S: Final = 30.0
IDLE_JOB_S: Final = 120.0
SIGNING_S: Final = 300.0  # after its end a job is kept: who came in time still signs the receipt
STOP_S: Final = 5.0
CLOCK_WARNING_S: Final = 60.0
RENEW_EVERY_S: Final = 86_400.0
REGISTER_PATIENCE_S: Final = 3600.0
MIB: Final = 1 << 20


@dataclass(frozen=True)
class Holding:
    """One dataset as this node holds it."""

    dataset: Dataset
    policy: Policy
    snapshot: Snapshot


def load_holdings(directory: Path, config: NodeConfig, department: str) -> dict[str, Holding]:
    """Reads declarations, policies and data of a node; converts data that changed.

    Raises:
        InputError: A file is wrong: names file, line, column or key.
        UnavailableError: A file cannot be read, or a snapshot not written.
    """
    holdings = {}
    for source in config.data:
        dataset = load_dataset(source.dataset)
        policy = load_policy(source.policy, dataset, department)
        snapshot = load(
            source.file,
            policy.columns,
            subject=policy.subject,
            directory=directory / "snapshots" / dataset.name,
            max_rows=dataset.max_rows,
            max_rows_per_subject=policy.max_rows_per_subject,
        )
        discard(directory / "snapshots" / dataset.name, frozenset({snapshot.id}))
        holdings[dataset.name] = Holding(dataset, policy, snapshot)
    return holdings


class NodeDaemon:
    """One department's node.

    Args:
        directory: Enrolled, with ``node.toml``.
        ready: Called whenever the exchange has taken note that this node is there.
        failed: Called when the exchange does not accept this node (any more).
    """

    def __init__(
        self, directory: Path, ready: Callable[[], None], failed: Callable[[VeilError], None]
    ) -> None:
        self._directory = directory
        self._ready = ready
        self._failed = failed
        self._config = load_node_config(directory)
        self._member = Membership.load(directory)
        self._store = NodeStore(directory / "store.sqlite")
        self._link = ExchangeLink(
            self._config.exchange,
            TlsFiles.within(directory),
            session=lambda: secrets.token_hex(16),
        )
        limits = self._config.limits
        self._pool = QueryPool(
            limits.query_memory_mb * MIB, limits.query_cpu_s, spare=limits.spare_workers
        )
        self._tools: JobTools | None = None
        self._holdings: dict[str, Holding] = {}
        self._workers: dict[str, _Worker] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._puller = threading.Thread(target=self._pull, name="node-pull", daemon=True)
        self._keeper = threading.Thread(target=self._keep_house, name="node-keeper", daemon=True)

    def start(self) -> None:
        """Loads data and policies, starts the query workers, and begins to pull.

        Raises:
            VeilError: Something in the directory is wrong; nothing has been started.
        """
        name = self._member.name
        self._holdings = load_holdings(self._directory, self._config, name)
        self._store.open()
        # Before gRPC starts: the workers' parent must be a process without its threads.
        self._pool.start()
        self._tools = JobTools(
            department=name,
            keys=Keys(
                IdentityKey.load(self._directory / "identity.key"),
                SealingKey.load(self._directory / "sealing.key"),
            ),
            guard=Guard(
                name,
                {key: held.policy for key, held in self._holdings.items()},
                {key: held.dataset for key, held in self._holdings.items()},
                Pins.watched(self._directory / "pins.toml"),
                time.time,
            ),
            store=self._store,
            sources={
                key: Source(held.snapshot, self._pool, self._config.limits.query_deadline_s)
                for key, held in self._holdings.items()
            },
            clock=time.time,
            monotonic=time.monotonic,
            sleep=lambda seconds: (self._stopping.wait(seconds), None)[1],
            randomness=secrets.token_bytes,
            log=_log,
        )
        self._link.start()
        self._puller.start()
        self._keeper.start()

    def stop(self) -> None:
        """Stops pulling, lets answers under way end, closes everything."""
        self._stopping.set()
        self._link.close()
        self._puller.join(STOP_S)
        with self._lock:
            workers = list(self._workers.values())
        for worker in workers:
            worker.stop()
        self._pool.close()
        self._store.close()

    # --- inside

    def _pull(self) -> None:
        try:
            self._register()
            for delivery in self._link.deliveries(
                self._stopping.is_set,
                wait_s=self._config.limits.poll_wait_s,
                trouble=self._trouble,
            ):
                try:
                    self._dispatch(delivery)
                except UnavailableError as error:  # unanswered, so it is offered again
                    LOG.warning("%s; %s %s", error.message, error.remedy, error.detail)
        except VeilError as error:
            if not self._stopping.is_set():
                LOG.warning("the node stops: %s; %s", error.message, error.remedy)
                self._failed(error)

    def _trouble(self, error: VeilError | None) -> None:
        if error is None:
            LOG.info("the exchange is back")
        elif error.code == UNREGISTERED:
            self._register()
        else:
            LOG.warning("%s; %s", error.message, error.remedy)

    def _register(self) -> None:
        policies = [to_json(held.policy) for held in self._holdings.values()]
        snapshots: list[dict[str, Any]] = [
            {"dataset": name, "snapshot": held.snapshot.id} for name, held in self._holdings.items()
        ]
        card = (self._directory / "card.jwt").read_text("ascii")
        ahead = self._link.register(
            card, policies, snapshots, VERSION, self._declaration(), patience_s=REGISTER_PATIENCE_S
        )
        if abs(ahead) > CLOCK_WARNING_S:
            LOG.warning("this machine's clock differs from the exchange's by %.0f s", ahead)
        self._ready()

    def _declaration(self) -> str:
        """What this node holds, for the catalog; signed anew, as a policy may have changed."""
        key = IdentityKey.load(self._directory / "identity.key")
        holds = [held_as(each.dataset, each.policy) for each in self._holdings.values()]
        return declare(key, self._member.name, holds, int(time.time()))

    def _dispatch(self, delivery: Delivery) -> None:
        tools = self._tools
        assert tools is not None  # noqa: S101 - set by start
        if not delivery.job:
            reply = take_request(
                delivery, self._store, tools.department, int(time.time()), self._weigh
            )
            self._push(reply)
            return
        with self._lock:
            worker = self._workers.get(delivery.job)
            if worker is None or not worker.give(delivery):
                worker = _Worker(Job(delivery.job, tools), self._push)
                self._workers[delivery.job] = worker
                worker.start()
                worker.give(delivery)

    def _weigh(self, request: str, decisions: Sequence[Decision]) -> tuple[str, str] | None:
        name = self._member.name
        return answer_decisions(self._directory, self._store, name, request, decisions)

    def _push(self, delivery: Delivery) -> None:
        try:
            self._link.push(delivery)
        except VeilError as error:
            # The answer is stored: the exchange will offer the delivery again and get it.
            LOG.warning("could not send round %s: %s", delivery.round, error.message)

    def _keep_house(self) -> None:
        """Warms up, then looks after ended jobs and the certificate until the node stops."""
        self._warm_up()
        renewed = 0.0
        while not self._stopping.wait(SWEEP_S):
            try:
                self._sweep()
            except UnavailableError as error:  # a full disk; the next sweep may find room
                LOG.warning("%s; %s %s", error.message, error.remedy, error.detail)
            if time.monotonic() - renewed > RENEW_EVERY_S:
                self._renew()
                renewed = time.monotonic()

    def _warm_up(self) -> None:
        """Does once what the first question would otherwise wait for: imports, conversions."""
        for held in self._holdings.values():
            budget, delta = held.policy.budget, held.dataset.delta
            for epsilon in (budget.epsilon, budget.default):
                rho_for(epsilon, delta)
        draw_noise((2.0,), 1)

    def _sweep(self) -> None:
        """Forgets workers of ended jobs, and ends jobs whose time is over."""
        tools = self._tools
        assert tools is not None  # noqa: S101 - set by start
        with self._lock:
            gone = [job for job, worker in self._workers.items() if worker.idle]
            stopped = [self._workers.pop(job) for job in gone]
            running = set(self._workers)
        for worker in stopped:
            worker.stop()
        for job in self._store.expired(int(time.time() - SIGNING_S)):
            if job not in running:
                Job(job, tools).cancel()
        self._store.db.settle()

    def _renew(self) -> None:
        """Gets a new certificate in good time, and takes it up."""
        try:
            if renewal_due(self._directory, time.time()):
                renew(self._directory)
                self._link.start()
                LOG.info("certificate renewed")
        except VeilError as error:
            LOG.warning("certificate not renewed: %s; %s", error.message, error.remedy)


class _Worker:
    """Answers one job's deliveries in order, in a thread of its own."""

    def __init__(self, job: Job, push: Callable[[Delivery], None]) -> None:
        self._job = job
        self._push = push
        self._inbox: queue.Queue[Delivery | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="node-job", daemon=True)
        self._touched = time.monotonic()
        self._closed = False

    @property
    def idle(self) -> bool:
        """Whether nothing was heard for so long that the thread can go."""
        quiet = time.monotonic() - self._touched
        return quiet > (SWEEP_S if self._job.ended else IDLE_JOB_S)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def give(self, delivery: Delivery) -> bool:
        """Hands over a delivery; false once the worker has stopped."""
        if self._closed:
            return False
        self._touched = time.monotonic()
        self._inbox.put(delivery)
        return True

    def stop(self) -> None:
        """Lets the thread end after what it has in hand."""
        self._closed = True
        self._inbox.put(None)
        self._thread.join(STOP_S)

    def _run(self) -> None:
        while (delivery := self._inbox.get()) is not None:
            reply = self._job.answer(delivery)
            if reply is not None:
                self._push(reply)


def _log(message: str, detail: str) -> None:
    LOG.info("%s %s", message, detail)
