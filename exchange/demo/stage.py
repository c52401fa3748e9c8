"""Where the demo plays: a sample cluster in one directory, and one analyst's connection to it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exchange.cluster.cluster import Cluster, Running, Say
from exchange.demo.province import Province
from protos.faults import UnavailableError
from protos.language import Text

if TYPE_CHECKING:
    from exchange.analyst.answer import Answer
    from exchange.analyst.client import Veil

REQUEST_S: Final = 20.0  # how long a grant request may take to every owner


class Stage:
    """One cluster with generated data.

    Args:
        directory: Where everything lies.
        rows: Rows per city.
    """

    def __init__(self, directory: Path, rows: int) -> None:
        self.directory = directory
        self.province = Province(rows)
        self.cluster = Cluster(directory)
        self._veil: Veil | None = None

    @property
    def veil(self) -> Veil:
        """The analyst's connection."""
        if self._veil is None:
            raise UnavailableError(Text("the demo's cluster does not run", "演示的集群没有运行"))
        return self._veil

    def node(self, name: str) -> Path:
        """A department's directory."""
        return self.cluster.directory / "nodes" / name

    def start(self, say: Say) -> list[Running]:
        """Writes the data, starts every process and connects the analyst."""
        from catalog.sample_files import write_cluster
        from exchange.analyst.client import connect
        from exchange.cluster.config import load_cluster_config

        say(
            Text(
                "Making up 5 × {rows:,} visits of people who do not exist",
                "生成 5 × {rows:,} 条虚构就诊记录",
            ).format(rows=self.province.rows)
        )
        config = write_cluster(self.directory / "sample", rows=self.province.rows)
        running = self.cluster.up(load_cluster_config(config), say)
        self._veil = connect(self.cluster.profile)
        return running

    def stop(self) -> None:
        """Ends the connection and every process; may be called at any time."""
        if self._veil is not None:
            self._veil.close()
            self._veil = None
        if self.cluster.processes():
            self.cluster.down()

    def approve(self, request: str, name: str) -> None:
        """Signs a grant as one department's owner would, once the request has arrived there."""
        from compute_nodes.approval import approve
        from compute_nodes.store import NodeStore

        end = time.monotonic() + REQUEST_S
        store = NodeStore(self.node(name) / "store.sqlite")
        store.open()
        try:
            while not any(row.id == request for row in store.requests()):
                if time.monotonic() > end:
                    raise UnavailableError(
                        Text(f"the request has not reached {name}", f"申请尚未送达 {name}")
                    )
                time.sleep(0.05)
        finally:
            store.close()
        approve(self.node(name), request)

    def submit_unjudged(self, statement: str, epsilon: float) -> Text | None:
        """Signs and submits a plan without asking the policies first, as a dishonest client would.

        Returns:
            What the first department that refused said; None if they answered.
        """
        from catalog.certificates.receipts import PLAN_TYPE
        from catalog.codec import to_json
        from compute_nodes.rpc.membership import TlsFiles
        from exchange.analyst.client import Question
        from exchange.analyst.transport import AnalystLink
        from exchange.submission import Submission
        from protos.faults import VeilError

        question = Question(statement, epsilon=epsilon, protocol="masked_sum")
        plan = self.veil.prepare(question).plan
        profile = self.veil.profile
        token = profile.identity.sign(PLAN_TYPE, to_json(plan))
        link = AnalystLink(profile.exchange, TlsFiles.within(profile.directory))
        link.start()
        try:
            job = link.submit(Submission(token).encode(), job=plan.job)
            refused = [step for step in link.watch(job) if step.what == "refused"]
            if refused:
                link.fetch(job)
        except VeilError as error:
            return error.said
        finally:
            link.close()
        return None

    def save(self, answer: Answer, name: str) -> tuple[bytes, dict[str, Any]]:
        """Writes an answer's table and the receipt that is bound to it; returns both."""
        from exchange.analyst.saving import save

        table = self.directory / f"{name}.csv"
        document = save(
            answer, self.veil.profile.identity, table, self.directory / f"{name}-receipt.json"
        )
        return table.read_bytes(), document
