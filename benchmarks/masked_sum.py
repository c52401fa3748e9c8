"""masked_sum beside Flower's SecAgg+, on the same work in the same run.

    python -m benchmarks.masked_sum [--full-graph]

What is timed, for both alike: everything that parties and server compute, from the first message
to the opened total, in one process without a network, as processor time, so that other work on
the machine counts less. *Slowest party* is the sum over the rounds of the slowest party's time,
as when everybody has a machine of its own; *critical path* adds the server's time; *all work* is
everybody's time one after the other, as on one processor core.

What is not alike: ours is exact, its seeds have 256 bits, every party verifies every other's
signed keys and the signed survivor set, and at 100 parties each is masked with all 99 others.
Flower quantises, computes modulo 2**32, seeds a Mersenne Twister with 32 bits, signs nothing, and
is given its sparse graph of 24 neighbours and a threshold of 10 at 100 parties. ``--full-graph``
gives it our graph and threshold as well, which takes it more than three minutes.

Flower 1.41 lives in an environment of its own: ``FLOWER_PYTHON`` names its Python, otherwise
``benchmarks/.envs/flower`` is made with uv.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import summary
from compute_nodes.crypto import shamir
from compute_nodes.crypto.masks import expand
from compute_nodes.crypto.ring import Ring
from compute_nodes.crypto.seed import PartySeed
from compute_nodes.crypto.signatures import signer, verifier
from compute_nodes.protocols.base import Message, PartyInfo, Setup, Step, Vector
from compute_nodes.protocols.masked_sum import (
    MaskedSumCoordinator,
    MaskedSumParty,
    MaskedTotal,
    envelope_info,
    least_threshold,
    open_envelope,
)
from protos.signing import IdentityKey, SealingKey, seal

FLOWER: Final = "flwr==1.41.0"
HERE: Final = Path(__file__).parent
MASK: Final = 1_000_000
HOLDERS: Final = 100
THRESHOLD: Final = 66
LEAST_MASKS: Final = {"mask of 1 M, u64": 4.0, "mask of 1 M, u32": 8.0}
LEAST: Final = 8.0
HIGHEST_S: Final = {"10 x 1 M": 0.2, "100 x 100 k, 30 dropped": 1.5}  # critical path, u64


@dataclass(frozen=True)
class Case:
    """One aggregation; the first ``dropped`` parties leave before they send their vector."""

    name: str
    parties: int
    length: int
    dropped: int
    flower_shares: int
    flower_threshold: int


@dataclass(frozen=True)
class Times:
    """Seconds of one aggregation."""

    server_s: float
    slowest_s: float
    all_s: float

    @property
    def critical_s(self) -> float:
        """The time that passes when every party has its own machine."""
        return self.server_s + self.slowest_s


CASES: Final = (
    Case("10 x 1 M", 10, 1_000_000, 0, 10, 7),
    Case("100 x 100 k, 30 dropped", 100, 100_000, 30, 25, 10),
)
FULL_GRAPH: Final = Case(
    "100 x 100 k, 30 dropped, Flower with 99 neighbours", 100, 100_000, 30, 100, 67
)


def main(cases: Sequence[Case] = CASES) -> None:
    """Measures ours, the peer, ours again, and prints the ratios."""
    python = flower_python()
    before = _ours(cases)
    peer = _peer(python, cases)
    after = _ours(cases)

    print(f"{'':38}{'ours':>12}{'Flower':>12}{'ratio':>9}")
    for name in ("mask of 1 M, u64", "mask of 1 M, u32", "Shamir 66/100 share", "… rebuild"):
        ours = min(before[name], after[name])
        theirs = peer[{"m": "mask_s", "S": "share_s", "…": "rebuild_s"}[name[0]]]
        print(_line(name, ours, theirs))
        if name in LEAST_MASKS:
            summary.record(name, theirs / ours, "x Flower", least=LEAST_MASKS[name])
    for case, flower in zip(cases, peer["runs"], strict=True):
        theirs = Times(flower["server_s"], flower["slowest_s"], flower["all_s"])
        for bits in (64, 32):
            pair = [_pick(times, case, bits) for times in (before, after)]
            ours = min(pair, key=lambda times: times.all_s)
            print(f"\n{case.name}, u{bits} (Flower's mean is off by up to {flower['error']:.0e})")
            print(_line("  server", ours.server_s, theirs.server_s))
            print(_line("  slowest party", ours.slowest_s, theirs.slowest_s))
            print(_line("  critical path", ours.critical_s, theirs.critical_s))
            print(_line("  all work", ours.all_s, theirs.all_s))
            if case.name in HIGHEST_S:
                _record(case.name, bits, ours, theirs)


def _record(name: str, bits: int, ours: Times, theirs: Times) -> None:
    """Flower computes modulo 2**32, so the factor is wanted at 32 bits; 64 are twice the bytes."""
    if bits == 64:
        summary.record(f"{name}, critical path", ours.critical_s, "s", most=HIGHEST_S[name])
    least = LEAST if bits == 32 else 0.0
    for part, ratio in (
        ("critical path", theirs.critical_s / ours.critical_s),
        ("all work on one core", theirs.all_s / ours.all_s),
    ):
        summary.record(f"{name}, u{bits}, {part}", ratio, "x Flower", least=least)


def flower_python() -> Path:
    """Returns the Python that has Flower; makes its environment where there is none."""
    if named := os.environ.get("FLOWER_PYTHON"):
        return Path(named)
    folder = HERE / ".envs" / "flower"
    python = folder / "bin" / "python"
    if not python.exists():
        folder.parent.mkdir(exist_ok=True)
        (folder.parent / ".gitignore").write_text("*\n")
        for command in (
            ["uv", "venv", "--quiet", "--no-project", str(folder)],
            ["uv", "pip", "install", "--quiet", "--python", str(python), FLOWER],
        ):
            subprocess.run(command, check=True)  # noqa: S603 - fixed words and our own folder
    return python


def _peer(python: Path, cases: Sequence[Case]) -> dict[str, Any]:
    asked = {
        "mask": MASK,
        "holders": HOLDERS,
        "threshold": THRESHOLD,
        "runs": [
            {
                "clients": case.parties,
                "length": case.length,
                "dropped": case.dropped,
                "shares": case.flower_shares,
                "threshold": case.flower_threshold,
            }
            for case in cases
        ],
    }
    finished = subprocess.run(  # noqa: S603 - the peer's Python and our own script
        [str(python), str(HERE / "flower_peer.py")],
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    measured: dict[str, Any] = json.loads(finished.stdout)
    return measured


def _ours(cases: Sequence[Case]) -> dict[str, Any]:
    secret, coefficients = os.urandom(32), os.urandom(32 * (THRESHOLD - 1))
    shares = shamir.share(secret, THRESHOLD, HOLDERS, coefficients)[:THRESHOLD]
    rows = np.array([list(share) for share in shares], np.uint8)
    points = range(1, THRESHOLD + 1)
    return {
        "mask of 1 M, u64": _best(lambda: expand(secret, Ring(64), MASK), 15),
        "mask of 1 M, u32": _best(lambda: expand(secret, Ring(32), MASK), 15),
        "Shamir 66/100 share": _best(
            lambda: shamir.share(secret, THRESHOLD, HOLDERS, coefficients), 15
        ),
        "… rebuild": _best(lambda: shamir.rebuild(points, rows), 15),
        "runs": {(case.name, bits): _aggregate(case, bits) for case in cases for bits in (64, 32)},
    }


def _pick(measured: dict[str, Any], case: Case, bits: int) -> Times:
    times: Times = measured["runs"][case.name, bits]
    return times


def _aggregate(case: Case, bits: int) -> Times:
    """One run with real signatures and a sealed envelope; the total is checked."""
    keys = [IdentityKey.generate() for _ in range(case.parties)]
    verify = verifier([key.public for key in keys])
    analyst, ring = SealingKey.generate(), Ring(bits)
    setup = Setup(
        job="0" * 32,
        plan_hash="0" * 64,
        instance="main",
        parties=tuple(
            PartyInfo(me, f"dept{me}", key.public.fingerprint) for me, key in enumerate(keys)
        ),
        threshold=least_threshold(case.parties),
        bits=bits,
        length=case.length,
        envelope=analyst.public_hex,
    )
    clock = _Clock()

    def sealing(me: int) -> Callable[[bytes], bytes]:
        return lambda seed: seal(analyst.public_hex, seed, info=envelope_info(setup, me))

    parties = []
    for me, key in enumerate(keys):
        seed = PartySeed(os.urandom(32))
        with clock.party("advertise", me):
            parties.append(MaskedSumParty(setup, me, seed, signer(key), verify, sealing(me)))
    rows = [np.arange(case.length, dtype=np.int64) * (me - 4) for me in range(case.parties)]
    values = [ring.encode(row) for row in rows]
    coordinator = MaskedSumCoordinator(setup, verify)
    step = coordinator.start()
    while not step.done:
        replies = _answers(step, parties, values, case.dropped, clock)
        with clock.server():
            step = _collect(coordinator, replies)
    total = step.result
    if not isinstance(total, MaskedTotal):
        raise SystemExit("the run ended without a total")
    with clock.server():  # the analyst, who opens the envelope
        seeds = [
            analyst.open(sealed, info=envelope_info(setup, me))
            for me, sealed in total.sealed_seeds.items()
        ]
        opened = open_envelope(ring.from_bytes(total.vector, case.length), seeds, ring)
    if not np.array_equal(opened, ring.encode(np.sum(rows[case.dropped :], axis=0))):
        raise SystemExit("the total is wrong")
    return clock.times()


def _answers(
    step: Step,
    parties: Sequence[MaskedSumParty],
    values: Sequence[Vector],
    dropped: int,
    clock: _Clock,
) -> list[Message]:
    """Every party's answer in one round; the first ones have dropped out when vectors are due."""
    replies = []
    for me, request in step.send:
        if request.round == "masked" and me < dropped:
            continue
        with clock.party(request.round, me):
            value = values[me] if parties[me].needs_value(request) else None
            replies.append(parties[me].receive(request, value=value).send[0][1])
    return replies


def _collect(coordinator: MaskedSumCoordinator, replies: Sequence[Message]) -> Step:
    """The coordinator's side of one round."""
    for reply in replies:
        step = coordinator.receive(reply)
        if step.send or step.done:
            return step  # the last round needs the threshold only
    return coordinator.expire()


class _Clock:
    """Adds up who computed for how long."""

    def __init__(self) -> None:
        self._server_s = 0.0
        self._parties: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))

    def party(self, name: str, me: int) -> _Lap:
        return _Lap(partial(self._party, name, me))

    def server(self) -> _Lap:
        return _Lap(self._server)

    def times(self) -> Times:
        rounds = self._parties.values()
        return Times(
            self._server_s,
            sum(max(times.values()) for times in rounds),
            self._server_s + sum(sum(times.values()) for times in rounds),
        )

    def _party(self, name: str, me: int, took_s: float) -> None:
        self._parties[name][me] += took_s

    def _server(self, took_s: float) -> None:
        self._server_s += took_s


class _Lap:
    """Times one ``with`` block."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.process_time()

    def __exit__(self, *_: object) -> None:
        self._report(time.process_time() - self._started)


def _best(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def _line(name: str, ours: float, theirs: float) -> str:
    return f"{name:38}{1000 * ours:10,.2f}ms{1000 * theirs:10,.1f}ms{theirs / ours:8,.1f}x"


if __name__ == "__main__":
    main((*CASES, FULL_GRAPH) if "--full-graph" in sys.argv[1:] else CASES)
