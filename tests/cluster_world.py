"""A real cluster for tests: its processes, its ledgers, its sockets, seen from outside."""

from __future__ import annotations

import os
import re
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from catalog.sample_files import write_cluster
from compute_nodes.approval import approve
from compute_nodes.ledger import Spent
from compute_nodes.rpc.link import ExchangeLink
from compute_nodes.rpc.membership import TlsFiles
from compute_nodes.store import NodeStore
from exchange.analyst.client import Options, Veil, connect
from exchange.analyst.federation import Federation
from exchange.cluster.cluster import Cluster
from exchange.cluster.config import load_cluster_config
from exchange.cluster.processes import Process, alive, save, spawn, stop, wait_for
from exchange.ports import Progress
from exchange.serving.serve import read_addresses
from protos.faults import VeilError

if TYPE_CHECKING:
    import pandas as pd

    from exchange.analyst.answer import Answer

ROWS = 500
LISTEN = "0A"  # TCP_LISTEN, include/net/tcp_states.h
ROUNDS = ("main/advertise", "main/shares", "main/masked", "main/consistency", "main/unmask")
COUNT = "SELECT sex, COUNT(*) AS n FROM visits GROUP BY sex ORDER BY sex"


class TestCluster:
    """One cluster in one directory, with four analysts and a small project beside the large."""

    __test__ = False  # pytest: not a class of tests

    def __init__(self, directory: Path, *, rows: int = ROWS) -> None:
        self.directory = directory
        self.cluster = Cluster(directory / "cluster")
        self.config = write_cluster(directory / "sample", rows=rows)
        self._presences: dict[str, Presence] = {}
        for file, old, new in (
            ("cluster.toml", '["analyst"]', _ANALYSTS),
            *((f"policies/{name}.toml", *change) for name in self.names for change in _LAW),
        ):
            path = directory / "sample" / file
            text = path.read_text("utf-8")
            assert text.count(old) == 1, (file, old)
            path.write_text(text.replace(old, new), "utf-8")

    # --- up and down

    def up(self) -> None:
        self.cluster.up(load_cluster_config(self.config), lambda _: None)

    def down(self) -> None:
        if (self.cluster.directory / "cluster.json").exists():
            self.resume(*(process.name for process in self.cluster.processes()))
            self.cluster.down()

    @cached_property
    def names(self) -> tuple[str, ...]:
        found = re.findall(r'^name = "(\w+)"', self.config.read_text("utf-8"), re.MULTILINE)
        return tuple(found)

    def node(self, name: str) -> Path:
        return self.cluster.directory / "nodes" / name

    def process(self, name: str) -> Process:
        return next(p for p in self.cluster.processes() if p.name == name)

    # --- breaking

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until it is gone."""
        self._leave(name)
        process = self.process(name)
        os.kill(process.pid, signal.SIGKILL)
        assert eventually(lambda: not alive(process))
        stop(process)  # only takes its exit code

    def stop_exchange(self) -> None:
        """SIGTERM, as an operator stops it."""
        stop(self.process("exchange"))

    def start(self, name: str) -> None:
        self.cluster.start_node(name)

    def hold(self, *names: str) -> None:
        """The nodes' machines hang: to the exchange they are connected, and silent."""
        for name in names:
            os.kill(self.process(name).pid, signal.SIGSTOP)
            self._presences[name] = Presence(self, name)

    def resume(self, *names: str) -> None:
        for name in names:
            self._leave(name)
            process = self.process(name)
            if alive(process):
                os.kill(process.pid, signal.SIGCONT)

    def _leave(self, name: str) -> None:
        presence = self._presences.pop(name, None)
        if presence is not None:
            presence.end()

    def heal(self) -> None:
        """Everything runs again, and the exchange knows it."""
        for process in self.cluster.processes():
            if alive(process):
                self.resume(process.name)
            elif process.name == "exchange":
                self.start_exchange()
            else:
                self.start(process.name)
        with self.connect() as veil:
            assert eventually(lambda: self._whole(veil.federation()))

    def _whole(self, federation: Federation) -> bool:
        offered = federation.policies.get("visits", {})
        return federation.online == set(self.names) == set(offered)

    def start_exchange(self) -> None:
        """Starts the exchange again where it was."""
        old = self.process("exchange")
        directory = Path(old.directory)
        (directory / "ready.json").unlink(missing_ok=True)
        port = self.address.rpartition(":")[2]
        arguments = ["exchange", "serve", "--dir", str(directory), "--address", f"127.0.0.1:{port}"]
        again = spawn("exchange", arguments, directory, Path(old.log))
        others = [p for p in self.cluster.processes() if p.name != "exchange"]
        save(self.cluster.directory / "cluster.json", [again, *others])
        wait_for(lambda: read_addresses(directory) is not None, [again], "starting", 60)

    @cached_property
    def address(self) -> str:
        addresses = read_addresses(self.cluster.directory / "exchange")
        assert addresses is not None
        return addresses.grpc

    # --- asking

    def profile(self, analyst: str = "analyst") -> Path:
        return self.cluster.directory / f"{analyst}.toml"

    def connect(self, analyst: str = "analyst") -> Veil:
        return connect(self.profile(analyst))

    def veil(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "exchange.cli", *(str(a) for a in arguments)]

    def run(self, *arguments: str | Path, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:  # fmt: skip # noqa: E501
        return subprocess.run(
            self.veil(*arguments), capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def grant(self, veil: Veil, sql: str, *, purpose: str = "test") -> None:
        """Requests a grant, and has every owner approve it."""
        request = veil.request_grant(sql, purpose)
        for name in self.names:
            assert eventually(lambda name=name: self._asked(name, sql))  # type: ignore[misc]
            identifier = self._asked(name, sql)
            assert identifier is not None
            approve(self.node(name), identifier, override=True)
        answers = veil.grants(request)[0]["answers"]
        assert {a["state"] for a in answers} == {"granted"}

    def _asked(self, name: str, sql: str) -> str | None:
        with self.store(name) as store:
            found = [row.id for row in store.requests() if row.state == "waiting"]
        return found[0] if found else None

    # --- looking

    @contextmanager
    def store(self, name: str) -> Iterator[NodeStore]:
        store = NodeStore(self.node(name) / "store.sqlite")
        store.open()
        try:
            yield store
        finally:
            store.close()

    def budget(self, name: str, job: str) -> Spent | None:
        with self.store(name) as store, store.db.read() as db:
            return next((row for row in store.budget.rows(db, 10_000) if row.job == job), None)

    def left(self, name: str, job: str) -> dict[str, int]:
        """Bytes that left the node in a job, by step, from its egress ledger."""
        with self.store(name) as store, store.db.read() as db:
            store.egress.verify(db)
            return {row["step"]: row["bytes"] for row in store.egress.rows(db, job)}

    def last_job(self) -> str:
        """The job that was submitted last, from the exchange's own record; "" before the first."""
        path = self.cluster.directory / "exchange" / "jobs.sqlite"
        with sqlite3.connect(path) as db:
            row = db.execute("SELECT job FROM job ORDER BY rowid DESC LIMIT 1").fetchone()
        db.close()
        return str(row[0]) if row else ""

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The union of all departments' files."""
        import pandas as pd
        import pyarrow.csv as pacsv
        import pyarrow.parquet as pq

        frames = []
        for file in sorted((self.directory / "sample" / "data").iterdir()):
            table = pacsv.read_csv(file) if file.suffix == ".csv" else pq.read_table(file)
            frame = table.to_pandas()
            frame["district"] = frame["district"].astype(str)
            frame["cost"] = frame["cost"].astype(float)
            frame["city"] = file.stem.removeprefix("visits-")
            frames.append(frame)
        union: pd.DataFrame = pd.concat(frames, ignore_index=True)
        return union


class Presence:
    """Pulls in a node's name and answers nothing: a hanging machine's connection, kept up."""

    def __init__(self, cluster: TestCluster, name: str) -> None:
        self._ended = threading.Event()
        self._link = ExchangeLink(
            cluster.address,
            TlsFiles.within(cluster.node(name)),
            session=lambda: secrets.token_hex(16),
        )
        self._link.start()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._link.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._link.pull()
            except VeilError:
                if not self._ended.wait(0.1):
                    continue


class Asking:
    """A question asked in a thread of its own, with its progress; ended by `answer`."""

    def __init__(self, cluster: TestCluster, sql: str = COUNT, *, analyst: str = "analyst", **options: Any) -> None:  # fmt: skip # noqa: ANN401, E501
        self._cluster = cluster
        self._analyst = analyst
        self._sql = sql
        # Named, because the planner takes he_sum, which waits, when a department is away.
        chosen: dict[str, Any] = {"fresh": True, "protocol": "masked_sum", **options}
        self._options = cast("Options", chosen)
        self._result: Answer | None = None
        self.error: Exception | None = None
        self.seen: list[Progress] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def until(self, what: str, department: str = "", text: str | None = None) -> None:
        """Waits for one step of the job."""

        def arrived() -> bool:
            return self.error is not None or any(
                p.what == what and p.department == department and text in (None, p.text)
                for p in self.seen
            )

        with self._changed:
            assert self._changed.wait_for(arrived, 30), [(p.what, p.text) for p in self.seen]
        if self.error is not None:
            raise self.error

    def dropped(self) -> set[str]:
        return {p.department for p in self.seen if p.what == "dropped"}

    @property
    def job(self) -> str:
        return self._cluster.last_job()

    def answer(self, seconds: float = 60) -> Answer:
        self._thread.join(seconds)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        assert self._result is not None
        return self._result

    def _run(self) -> None:
        try:
            with self._cluster.connect(self._analyst) as veil:
                self._result = veil.sql(self._sql, watch=self._note, **self._options)
        except Exception as error:  # noqa: BLE001 - handed to the test's own thread
            with self._changed:
                self.error = error
                self._changed.notify_all()

    def _note(self, progress: Progress) -> None:
        with self._changed:
            self.seen.append(progress)
            self._changed.notify_all()


def held_in(cluster: TestCluster, round_: str, names: set[str], **options: Any) -> Asking:  # noqa: ANN401
    """A question that stands in a round, because these nodes hang before they answer in it.

    The round before must not end until they hang, so another node holds it open; and so on, in
    turns, from the first round.
    """
    other = {next(name for name in cluster.names if name not in names)}
    last = ROUNDS.index(round_)
    turns = [names if (last - turn) % 2 == 0 else other for turn in range(last + 1)]
    cluster.hold(*turns[0])
    asking = Asking(cluster, **options)
    for before, opened, turn in zip(ROUNDS, ROUNDS[1:], range(1, last + 1), strict=False):
        for name in turns[turn]:
            asking.until("answered", name, before)
        cluster.hold(*turns[turn])
        cluster.resume(*turns[turn - 1])
        asking.until("round", text=opened)
    asking.until("round", text=round_)
    return asking


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> bool:
    """Whether it comes true within the time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


# --- processes and sockets, from /proc


def family(pid: int) -> set[int]:
    """A process and all its descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text("utf-8")
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rsplit(")", 1)[1].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def running(pids: set[int]) -> set[int]:
    """Those that still run (a zombie does not)."""
    found = set()
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
        except OSError:
            continue
        if stat.rsplit(")", 1)[1].split()[0] != "Z":
            found.add(pid)
    return found


def listening(pids: set[int]) -> set[int]:
    """TCP ports, and -1 for each listening UNIX socket, on which these processes listen."""
    inodes = set()
    for pid in pids:
        try:
            links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        inodes |= {link[8:-1] for link in links if link.startswith("socket:[")}
    ports = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text("ascii").splitlines()[1:]:
            fields = line.split()
            # A bound UDP socket takes packets; its state is always 07.
            if fields[9] in inodes and (fields[3] == LISTEN or table.startswith("udp")):
                ports.add(int(fields[1].rpartition(":")[2], 16))
    for line in Path("/proc/net/unix").read_text("utf-8").splitlines()[1:]:
        fields = line.split()
        if fields[6] in inodes and int(fields[3], 16) & 0x10000:  # __SO_ACCEPTCON
            ports.add(-1)
    return ports


# Many questions by one analyst, and a project with too little budget for a second question.
_ANALYSTS = '["analyst", "second", "leaving", "insider"]\naffiliations = { insider = "guangzhou" }'
_LAW = (
    ('"he_sum", ', '"he_sum", "he_sum.open", '),
    ("epsilon = 20.0", "epsilon = 200.0"),
    ("in_flight = 4", "in_flight = 50"),
    ("default = 1.0", "default = 0.9\nsmall = 0.00008"),
)
