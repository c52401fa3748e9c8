"""Whole jobs in any weather, through hub, session, journal and the departments' own jobs.

460 runs beside the 1,000 of the bare machines: these sign, seal, judge and keep ledgers as the
product does, at 30 ms a run of masked_sum and 150 ms of BFV, whose keys are large. Many more are
behind ``slow``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.session_storm import ENDS, FAULTS, Place, simulate

MEMORY = Path("/dev/shm")  # noqa: S108 - no power cut is played here, so nothing need reach a disk


RUNS_AT_ONE_PLACE = 100  # ledgers grow with every run


@pytest.fixture
def directory() -> Iterator[Path]:
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        yield Path(directory)


def play(directory: Path, protocol: str, numbers: range) -> Counter[str]:
    """How runs ended, and which faults struck."""
    found: Counter[str] = Counter()
    for first in range(numbers.start, numbers.stop, RUNS_AT_ONE_PLACE):
        place = Place(directory / str(first))
        for number in range(first, min(first + RUNS_AT_ONE_PLACE, numbers.stop)):
            try:
                seen = simulate(place, number, protocol)
            except AssertionError as error:
                raise AssertionError(f"{protocol}, run {number}: {error}") from error
            found[seen.ended] += 1
            found.update(seen.struck.keys())
            found["refused"] += len(seen.refused)
        place.close()
    return found


def test_masked_sum_ends_with_the_right_total_or_a_clear_error(directory: Path) -> None:
    found = play(directory, "masked_sum", range(400))
    assert found["answer"] > 200
    assert found["without some"] > 20
    assert found["job.too_few"] > 50
    assert found["refused"] > 50
    assert all(found[fault] > 50 for fault in (*FAULTS, "crash"))


@pytest.mark.parametrize(("protocol", "runs"), [("he_sum.bfv", 40), ("he_sum.paillier", 20)])
def test_he_sum_ends_with_the_right_total_or_a_clear_error(
    directory: Path, protocol: str, runs: int
) -> None:
    found = play(directory, protocol, range(runs))
    assert found["answer"] > runs // 2
    assert found["answer"] + found["without some"] + sum(found[code] for code in ENDS) == runs
    assert all(found[fault] for fault in (*FAULTS, "crash"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("protocol", "runs"), [("masked_sum", 20_000), ("he_sum.bfv", 5000)])
def test_many_more_runs(directory: Path, protocol: str, runs: int) -> None:
    play(directory, protocol, range(1000, 1000 + runs))
