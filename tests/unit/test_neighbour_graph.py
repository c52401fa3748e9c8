"""The figures of docs/decisions/0016: how many neighbours a masked sum would need.

Instead of with everybody, each department would share its secrets and its masks with k others
drawn at random (Bell et al. 2020). How many of them collude, and how many stay, is then
hypergeometric. All sums here are of whole numbers; nothing is rounded before it is compared.
"""

from fractions import Fraction
from functools import cache
from math import comb
from pathlib import Path

import pytest

from compute_nodes.protocols.masked_sum import least_threshold

TEXT = Path(__file__).resolve().parents[2].joinpath(
    "docs", "decisions", "0016-full-graph-up-to-255-departments.md"
).read_text("utf-8")  # fmt: skip
SECRET = Fraction(1, 2**40)  # a coalition may open anybody's masks
FINISHED = Fraction(1, 2**20)  # a job that the full graph finishes may be lost


@cache
def at_least(others: int, marked: int, k: int, t: int) -> Fraction:
    """The probability that of ``k`` drawn from ``others`` at least ``t`` are ``marked``."""
    ways = sum(comb(marked, j) * comb(others - marked, k - j) for j in range(t, k + 1))
    return Fraction(ways, comb(others, k))


def opens_somebody(n: int, colluders: int, k: int, t: int) -> Fraction:
    """Bounds the chance that colluders hold ``t`` shares of some department's secret."""
    return min(Fraction(1), (n - colluders) * at_least(n - 1, colluders, k, t))


def loses_the_job(n: int, stay: int, k: int, t: int) -> Fraction:
    """Bounds the chance that of some department fewer than ``t`` share holders stay."""
    return min(Fraction(1), n * (1 - at_least(n - 1, stay - 1, k, t)))


def smallest(n: int, colluders: int, stay: int) -> tuple[int, int]:
    """The fewest neighbours for which some local threshold keeps both promises, and that one."""
    for k in range(1, n):
        for t in range(1, k + 1):  # the lowest threshold that keeps the secret loses fewest jobs
            if opens_somebody(n, colluders, k, t) <= SECRET:
                if loses_the_job(n, stay, k, t) <= FINISHED:
                    return k, t
                break
    raise AssertionError("not even all others are enough")


def not_cut_off(n: int, colluders: int) -> int:
    """The fewest neighbours that the exchange cannot all do without.

    It may leave out as many as may drop out, and knows the masks with those and with colluders.
    """
    return n - least_threshold(n) + colluders + 1


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of the decision."""
    section = TEXT.split(f"{heading}\n", 1)[1].split("\n\n")[1]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def shown(chance: Fraction) -> str:
    return f"{float(chance):.1g}"


NEEDED = rows("### What k must be")
AT_24 = rows("### What 24 neighbours give")


@pytest.mark.parametrize("row", NEEDED, ids=lambda row: str(row[0]))
def test_the_neighbours_that_a_graph_needs(row: list[str]) -> None:
    n = int(row[0])
    colluders, stay = (n - 1) // 3, least_threshold(n)
    assert row[1:3] == [str(colluders), str(stay)]
    cells = [smallest(n, colluders, stay), smallest(n, colluders, n - n // 10)]
    assert row[3:5] == [f"{k}, {t}" for k, t in cells]
    few = [max(smallest(n, c, stay)[0], not_cut_off(n, c)) for c in (3, 10)]
    assert row[5:] == [str(k) for k in few]


@pytest.mark.parametrize("row", AT_24, ids=lambda row: f"{row[0]}-{row[1]}")
def test_what_24_neighbours_give(row: list[str]) -> None:
    n, t = int(row[0]), int(row[1])
    colluders, stay = (n - 1) // 3, least_threshold(n)
    chances = (
        at_least(n - 1, colluders, 24, t),
        opens_somebody(n, colluders, 24, t),
        loses_the_job(n, stay, 24, t),
    )
    assert row[2:] == [shown(chance) for chance in chances]


def test_the_tables_are_there_and_the_sums_are_right() -> None:
    assert [row[0] for row in NEEDED] == ["50", "100", "150", "200", "255"]
    assert len(AT_24) == 6
    # Against counting: 2 of 5 others are marked, 3 are drawn.
    assert at_least(5, 2, 3, 2) == Fraction(3, 10)
    assert at_least(99, 33, 24, 0) == 1
    assert at_least(99, 33, 24, 25) == 0


def test_an_exchange_cuts_off_a_department_of_few_neighbours() -> None:
    """Whatever the draw: it says that all honest neighbours dropped out, which the rules allow."""
    first = min(n for n in range(2, 256) if not_cut_off(n, colluders=0) > 24)
    assert all(not_cut_off(n, colluders=0) > 24 for n in range(first, 256))
    assert f"From n ≥ {first} on" in TEXT
    # With everybody as a neighbour it cannot: at least one honest department stays.
    assert all(not_cut_off(n, (n - 1) // 3) <= n - 1 for n in range(2, 256))
