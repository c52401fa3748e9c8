"""Flower's secure aggregation on the work of `benchmarks.masked_sum`; run by Flower's Python.

Server (`SecAggPlusWorkflow`, with as many neighbours as the case says) and client
(`secaggplus_mod`) are Flower's own code as released. Only the network is ours: a grid that hands
messages over in the process and keeps the time of every client in every stage. Copying a message
for its way is not counted. Seconds are processor time. Reads the cases as JSON from standard
input, writes JSON.
"""

from __future__ import annotations

import copy
import json
import logging
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.client.mod.secure_aggregation.secaggplus_mod import secaggplus_mod
from flwr.common import (
    Code,
    FitIns,
    FitRes,
    Parameters,
    Status,
    ndarrays_to_parameters,
    parameters_to_ndarrays,
)
from flwr.common.secure_aggregation.crypto.shamir import combine_shares, create_shares
from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS, Key, Stage
from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen
from flwr.compat.common import recorddict_compat as compat
from flwr.server.compat.legacy_context import LegacyContext
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD
from flwr.server.workflow.constant import Key as WorkflowKey
from flwr.server.workflow.secure_aggregation.secaggplus_workflow import SecAggPlusWorkflow
from flwr.supercore.task_identity import TaskIdentity


class Grid:
    """Calls the clients one after the other and times them.

    Attributes:
        stages: Seconds of each client by stage.
        outside_s: Seconds spent in this grid, clients and copying; not the server's.
    """

    def __init__(self, vectors: list[Any], dropped: int) -> None:
        self.stages: dict[str, list[float]] = defaultdict(list)
        self.outside_s = 0.0
        self._vectors = vectors
        self._dropped = dropped
        self._contexts = [_context(node) for node in range(len(vectors))]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Stands for the network; the first clients drop out before their vector is due."""
        del timeout
        started = time.process_time()
        replies = []
        for message in messages:
            node = message.metadata.dst_node_id - 1
            stage = str(message.content.config_records[RECORD_KEY_CONFIGS][Key.STAGE])
            if stage == Stage.COLLECT_MASKED_VECTORS and node < self._dropped:
                continue
            arrived = copy.copy(message)
            arrived.__dict__["_content"] = copy.deepcopy(message.content)
            fit = self._fit(node)
            entered = time.process_time()
            replies.append(secaggplus_mod(arrived, self._contexts[node], fit))
            self.stages[stage].append(time.process_time() - entered)
        self.outside_s += time.process_time() - started
        return replies

    def _fit(self, node: int) -> Callable[[Message, Context], Message]:
        result = FitRes(Status(Code.OK, ""), ndarrays_to_parameters([self._vectors[node]]), 1, {})
        content = compat.fitres_to_recorddict(result, keep_input=True)
        return lambda message, _context: Message(content, reply_to=message)


def aggregate(
    clients: int, length: int, dropped: int, shares: int, threshold: int
) -> dict[str, float]:
    """Runs one whole aggregation, in which every client has ``shares`` neighbours (and itself).

    Returns:
        Seconds of the server, of the slowest client summed over the stages, of all work; and the
        greatest error of the mean, in units where the inputs lie in [-8, 8].
    """
    rng = np.random.default_rng(clients)
    random.seed(clients)  # who is whose neighbour
    vectors = [rng.uniform(-7, 7, length).astype(np.float32) for _ in range(clients)]
    grid = Grid(vectors, dropped)
    strategy = _Strategy(clients)
    context = LegacyContext(
        _context(-1),
        strategy=strategy,
        client_manager=SimpleNamespace(num_available=lambda: clients),
    )
    context.state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({WorkflowKey.CURRENT_ROUND: 1})
    nothing = ndarrays_to_parameters([np.zeros(1, np.float32)])
    context.state.array_records[MAIN_PARAMS_RECORD] = compat.parameters_to_arrayrecord(
        nothing, keep_input=True
    )
    workflow = SecAggPlusWorkflow(shares, threshold, max_weight=1.0)
    started = time.process_time()
    workflow(grid, context)
    elapsed = time.process_time() - started
    mean = parameters_to_ndarrays(strategy.aggregated)[0]
    expected = np.mean([vector.astype(np.float64) for vector in vectors[dropped:]], axis=0)
    server = elapsed - grid.outside_s
    return {
        "server_s": server,
        "slowest_s": sum(max(times) for times in grid.stages.values()),
        "all_s": server + sum(sum(times) for times in grid.stages.values()),
        "error": float(np.abs(mean - expected).max()),
    }


class _Strategy:
    """Asks every client, and keeps the mean."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self.aggregated: Any = None

    def configure_fit(self, _round: int, parameters: Parameters, _manager: object) -> list[Any]:
        return [
            (SimpleNamespace(node_id=node + 1), FitIns(parameters, {}))
            for node in range(self._clients)
        ]

    def aggregate_fit(self, _round: int, results: list[Any], _failures: object) -> tuple[Any, Any]:
        self.aggregated = results[0][1].parameters
        return self.aggregated, {}


def _context(node: int) -> Context:
    return Context(1, node + 1, {}, RecordDict(), {}, 1)


def best(work: Callable[[], object], repeats: int) -> float:
    """Returns the shortest of some runs, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def main() -> None:
    """Measures what standard input asks for."""
    logging.disable(logging.CRITICAL)
    TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1
    cases = json.load(sys.stdin)
    length, holders, threshold = cases["mask"], cases["holders"], cases["threshold"]
    secret = os.urandom(32)
    shares = create_shares(secret, threshold, holders)[:threshold]
    measured = {
        "mask_s": best(lambda: pseudo_rand_gen(secret, 2**32, [(length,)]), 7),
        "share_s": best(lambda: create_shares(secret, threshold, holders), 2),
        "rebuild_s": best(lambda: combine_shares(shares), 2),
        "runs": [aggregate(**case) for case in cases["runs"]],
    }
    json.dump(measured, sys.stdout)


if __name__ == "__main__":
    main()
