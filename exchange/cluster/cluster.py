"""A whole federation on this machine: real processes, real certificates, free ports.

Everything lies in one directory::

    exchange/  nodes/NAME/  analysts/NAME/  catalog/  people/  logs/  analyst.toml  cluster.json
    earlier/TIME/   what stood there before

The parts are what an operator would start by hand; `veil up` only does it in one command, and pins
everybody's fingerprint for everybody, which people would do over the telephone.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.identity.files import create_directory
from catalog.identity.registry import ExchangeIdentity
from catalog.sample_catalog import Filling
from compute_nodes.rpc.enrol import enroll
from exchange.cluster.check import check_cluster
from exchange.cluster.config import ClusterConfig, ClusterDepartment
from exchange.cluster.processes import (
    Process,
    alive,
    held_back,
    load,
    save,
    spawn,
    stop,
    stop_all,
    wait_for,
)
from exchange.serving.serve import Addresses, read_addresses
from exchange.serving.shelf import DatasetShelf
from protos.cards import Pins, read_card
from protos.faults import InputError, UnavailableError
from protos.language import Text
from protos.names import Role, check_name

TABLE: Final = "cluster.json"
PROFILE: Final = "analyst.toml"
READY: Final = "ready.json"
EXCHANGE: Final = "exchange"
CATALOG: Final = "catalog"
PEOPLE: Final = "people"
EARLIER: Final = "earlier"
_PARTS: Final = (EXCHANGE, "nodes", "analysts", "logs", CATALOG, PEOPLE)
START_S: Final = 120.0
Say = Callable[[Text], None]


@dataclass(frozen=True)
class Running:
    """One running part.

    Attributes:
        process: The process.
        title: For people.
        address: Where it listens, or "".
        catalog: Where it serves the catalog, or "".
    """

    process: Process
    title: str
    address: str
    catalog: str = ""


class Cluster:
    """One federation in one directory.

    Args:
        directory: Where everything lies.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()

    @property
    def profile(self) -> Path:
        """The first analyst's profile."""
        return self.directory / PROFILE

    def make_room(self, *, fresh: bool = False) -> Path | None:
        """Moves what an earlier cluster has left into a folder of its own, or removes it.

        Args:
            fresh: Remove it: keys, ledgers, accounts, publications, cases.

        Returns:
            The folder; None if there was nothing, or it was removed.

        Raises:
            InputError: A cluster is running in the directory.
        """
        self.check_free()
        left = [name for name in _PARTS if (self.directory / name).exists()]
        if fresh:
            for name in left:
                shutil.rmtree(self.directory / name)
        if fresh or not left:
            return None
        now = dt.datetime.now(dt.UTC)
        aside = self.directory / EARLIER / f"{now:%Y-%m-%dT%H%M%S.%fZ}"
        aside.parent.mkdir(mode=0o700, exist_ok=True)
        aside.mkdir(mode=0o700)
        for name in left:
            (self.directory / name).rename(aside / name)
        return aside

    def begin_catalog(self, fill: Callable[[Path], Filling]) -> Filling:
        """Begins to fill a catalog, which `up` then serves beside the exchange.

        Args:
            fill: Makes one in a new directory, and returns at once.

        Raises:
            InputError: A cluster is running in the directory.
        """
        self.make_room()
        create_directory(self.directory)
        return fill(self.directory / CATALOG)

    def up(self, config: ClusterConfig, say: Say, filling: Filling | None = None) -> list[Running]:
        """Brings everything up; on any failure, everything that was started is stopped again.

        Args:
            config: Departments, data, policies.
            say: Told what happens.
            filling: A catalog that `begin_catalog` has begun; None serves none.

        Raises:
            InputError: The directory is in use, or a file in the configuration is wrong.
            UnavailableError: A process did not become ready; shows the end of its log.
        """
        self.check_free()
        check_cluster(config)
        if filling is None:
            self.make_room()
        create_directory(self.directory)
        started: list[Process] = []
        try:
            say(Text("Making keys and certificates", "生成密钥和证书"))
            self._make_exchange(config)
            if filling is not None:
                say(Text("Filling the catalog", "生成目录"))
                filling.wait()
            addresses = self._start_exchange(config, started)
            self._enrol_all(config, addresses)
            say(
                Text(
                    f"Starting {len(config.department)} nodes and loading their data",
                    f"启动 {len(config.department)} 个节点并加载数据",
                )
            )
            self._start_nodes(config, addresses, started, say)
            self._write_profiles(config)
        except BaseException:
            for process in reversed(started):
                stop(process)
            (self.directory / TABLE).unlink(missing_ok=True)
            raise
        return self.status()

    def check_free(self) -> None:
        """Refuses a directory in which a cluster is running.

        Raises:
            InputError: One is.
        """
        running = [process for process in load(self.directory / TABLE) if alive(process)]
        if running:
            raise InputError(
                Text(
                    f"a cluster is running in {self.directory}",
                    f"{self.directory} 中已有集群在运行",
                ),
                remedy=Text(
                    f"veil down --dir {self.directory}, or choose another --dir",
                    f"请先运行 veil down --dir {self.directory}，或换一个 --dir",
                ),
                code="cluster.running",
            )

    def down(self) -> int:
        """Stops every process; returns how many ran."""
        processes = load(self.directory / TABLE)
        if not processes and not (self.directory / TABLE).exists():
            raise InputError(
                Text(f"there is no cluster in {self.directory}", f"{self.directory} 中没有集群"),
                remedy=Text("name its directory with --dir", "请用 --dir 指定其目录"),
                code="cluster.none",
            )
        running = [process for process in processes if alive(process)]
        stop_all([process for process in running if process.name != EXCHANGE])
        stop_all(running)
        (self.directory / TABLE).unlink(missing_ok=True)
        return len(running)

    def status(self) -> list[Running]:
        """Every process of the cluster, running or not."""
        found = []
        for process in load(self.directory / TABLE):
            address = catalog = ""
            if process.name == EXCHANGE and alive(process):
                addresses = read_addresses(Path(process.directory))
                if addresses is not None:
                    address, catalog = addresses.grpc, addresses.catalog
            found.append(Running(process, "", address, catalog))
        return found

    def processes(self) -> list[Process]:
        """The process table as last written."""
        return load(self.directory / TABLE)

    def stop_node(self, name: str) -> None:
        """Stops one department's node, as if its machine were switched off."""
        stop(self._process(name))

    def start_node(self, name: str) -> None:
        """Starts one department's node again and waits until the exchange knows it."""
        processes = [p for p in self.processes() if p.name != name]
        with held_back():
            again = self._spawn_node(name)
            save(self.directory / TABLE, [*processes, again])
        self._wait_ready([again])

    def _process(self, name: str) -> Process:
        for process in self.processes():
            if process.name == name:
                return process
        raise InputError(
            Text(
                f"no process of this cluster is called {name!r}", f"本集群没有名为 {name!r} 的进程"
            ),
            code="cluster.unknown",
        )

    def _make_exchange(self, config: ClusterConfig) -> None:
        directory = self.directory / "exchange"
        identity = ExchangeIdentity(directory, randomness=secrets.token_bytes)
        identity.create("exchange", (config.host, "localhost"))
        identity.close()
        shelf = DatasetShelf(directory / "datasets")
        for file in config.datasets:
            shelf.add(file)

    def _start_exchange(self, config: ClusterConfig, started: list[Process]) -> Addresses:
        directory = self.directory / "exchange"
        arguments = [
            *("exchange", "serve", "--dir", str(directory)),
            *("--address", f"{config.host}:{config.port}"),
        ]
        if (self.directory / CATALOG).is_dir():
            arguments += ["--catalog", str(self.directory / CATALOG)]
            arguments += ["--http", f"{config.host}:{config.catalog_port}"]
        log = self.directory / "logs/exchange.log"
        with held_back():
            started.append(spawn("exchange", arguments, directory, log))
        wait_for(
            lambda: read_addresses(directory) is not None,
            started,
            Text("starting the exchange", "启动交换中心"),
            START_S,
        )
        addresses = read_addresses(directory)
        if addresses is None:
            raise UnavailableError(
                Text("the exchange stopped as soon as it was ready", "交换中心刚就绪便已停止")
            )
        return addresses

    def _enrol_all(self, config: ClusterConfig, addresses: Addresses) -> None:
        identity = ExchangeIdentity(self.directory / "exchange", randomness=secrets.token_bytes)
        identity.open()
        try:
            for role, name, directory in self._members(config):
                token = identity.invite(role, name, url=addresses.enrolment)
                enroll(token, directory, role)
        finally:
            identity.close()
        self._pin_all(config)

    def _pin_all(self, config: ClusterConfig) -> None:
        members = self._members(config)
        pins = Pins()
        directories = [self.directory / "exchange", *(directory for _, _, directory in members)]
        for directory in directories:
            card = read_card((directory / "card.jwt").read_text("ascii"))
            belongs = config.affiliations.get(card.name, "") if card.role == "analyst" else ""
            pins.add(card.role, card.name, card.identity.fingerprint, belongs)
        for _, _, directory in members:
            pins.save(directory / "pins.toml")
        catalog = self.directory / CATALOG
        if catalog.is_dir():
            self._pin_in_catalog(config, catalog, pins)

    def _pin_in_catalog(self, config: ClusterConfig, catalog: Path, pins: Pins) -> None:
        """Confirms the nodes' keys, as a catalog's operator would with ``veil catalog pin``."""
        from catalog.interchange.declared import Node, read_nodes
        from catalog.workflows.node_pins import PINS

        nodes, confirmed = read_nodes(catalog), Pins()
        for each in config.department:
            code = nodes.get(each.name, Node()).code or each.name
            confirmed.add("department", code, pins.fingerprint_of("department", each.name))
        confirmed.save(catalog / PINS)

    def _members(self, config: ClusterConfig) -> list[tuple[Role, str, Path]]:
        nodes: list[tuple[Role, str, Path]] = [
            ("department", check_name(d.name), self.directory / "nodes" / d.name)
            for d in config.department
        ]
        analysts: list[tuple[Role, str, Path]] = [
            ("analyst", check_name(name), self.directory / "analysts" / name)
            for name in config.analysts
        ]
        return [*nodes, *analysts]

    def _start_nodes(
        self, config: ClusterConfig, addresses: Addresses, started: list[Process], say: Say
    ) -> None:
        shelf = self.directory / "exchange" / "datasets"
        for department in config.department:
            directory = self.directory / "nodes" / department.name
            _write_node(directory, department, addresses.grpc, config, shelf)
        nodes = []
        for department in config.department:
            with held_back():
                process = self._spawn_node(department.name)
                started.append(process)
            nodes.append(process)
            save(self.directory / TABLE, started)
        self._wait_ready(nodes, say)

    def _spawn_node(self, name: str) -> Process:
        directory = self.directory / "nodes" / name
        (directory / READY).unlink(missing_ok=True)
        arguments = ["node", "serve", "--dir", str(directory)]
        return spawn(name, arguments, directory, self.directory / "logs" / f"{name}.log")

    def _wait_ready(self, nodes: Sequence[Process], say: Say = lambda _: None) -> None:
        told = 0

        def ready() -> bool:
            nonlocal told
            up = sum((Path(node.directory) / READY).exists() for node in nodes)
            if told < up < len(nodes):
                said = Text(
                    f"{up} of {len(nodes)} nodes have loaded their data",
                    f"{len(nodes)} 个节点中有 {up} 个已加载数据",
                )
                say(said)
            told = up
            return up == len(nodes)

        wait_for(ready, list(nodes), Text("starting the nodes", "启动节点"), START_S)

    def _write_profiles(self, config: ClusterConfig) -> None:
        for number, name in enumerate(config.analysts):
            file = self.profile if number == 0 else self.directory / f"{name}.toml"
            text = (
                "# Written by `veil up`. Use it with --profile, or set VEIL_PROFILE.\n"
                f'directory = "analysts/{name}"\nproject = "default"\n'
            )
            file.write_text(text, "utf-8")


def _write_node(
    directory: Path,
    department: ClusterDepartment,
    address: str,
    config: ClusterConfig,
    shelf: Path,
) -> None:
    """Writes ``node.toml`` and the department's copies of declarations and policies."""
    lines = [f"exchange = {json.dumps(address)}", ""]
    (directory / "policies").mkdir(exist_ok=True)
    (directory / "datasets").mkdir(exist_ok=True)
    for held in department.data:
        declared = shelf / f"{held.dataset}.toml"
        shutil.copyfile(declared, directory / "datasets" / declared.name)
        shutil.copyfile(held.policy, directory / "policies" / f"{held.dataset}.toml")
        lines += [
            "[[data]]",
            f'dataset = "datasets/{held.dataset}.toml"',
            f"file = {json.dumps(str(held.file))}",
            f'policy = "policies/{held.dataset}.toml"',
            "",
        ]
    limits = config.limits.model_dump()
    lines += ["[limits]", *(f"{name} = {value}" for name, value in limits.items()), ""]
    file = directory / "node.toml"
    file.write_text("\n".join(lines), "utf-8")
    file.chmod(0o600)
