"""The noise of a plan, and the bound that is charged for it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from catalog.algebra import Aggregate, Arith, ColumnRef, Key, Measure
from catalog.calibration import LEAST_SIGMA, calibrate, distributed_rho
from catalog.dataset import Dataset
from catalog.plan import Member, Plan
from desensitize.budget import epsilon_for, rho_for
from desensitize.column import Column
from protos.faults import InputError

COST = ColumnRef("cost")
DATASET = Dataset(
    name="visits",
    title="Visits",
    columns={
        "cost": Column("cost", "decimal", decimals=2, bounds=(0, 5_000_000)),
        "city": Column("city", "string", codes=("a", "b", "c")),
    },
    members=("a", "b", "c", "d"),
    max_rows=1_000_000,
    subject="id",
    max_rows_per_subject=2,
    subjects_disjoint=True,
    delta=1e-6,
)


def plan(*measures: Measure, **changes: object) -> Plan:
    aggregate = Aggregate("visits", None, (Key(ColumnRef("city"), ("a", "b", "c")),), measures)
    whole = Plan(
        job="0" * 32, issued_at=0, expires_at=60, analyst="ana", analyst_fingerprint="",
        analyst_sealing_key="", project="p", purpose="", dataset="visits", dataset_digest="",
        statement="", aggregate=aggregate, mode="adhoc", protocol="masked_sum", bits=64,
        roster=tuple(Member(n, n * 64) for n in "abcd"), threshold=3, epsilon=0.5, delta=1e-6,
    )  # fmt: skip
    return replace(whole, **changes)


def test_one_count() -> None:
    found = calibrate(plan(Measure("rows")), DATASET)
    rho = rho_for(0.5, 1e-6)
    assert found.survivors_min == 3
    assert found.sigma_total == (pytest.approx(2 / math.sqrt(2 * rho)),)
    assert found.sigma_node == (pytest.approx(found.sigma_total[0] / math.sqrt(3)),)
    assert found.rho == pytest.approx(rho, rel=1e-9)


def test_measures_share_rho_and_scale_with_their_bounds() -> None:
    measures = (
        Measure("rows"),
        Measure("count", COST),
        Measure("sum", COST, 2_500_000),
        Measure("sum", COST),
        Measure("sum_squares", COST, 2_500_000),
    )
    found = calibrate(plan(*measures), DATASET)
    unit = found.sigma_total[0]
    assert found.sigma_total[1:] == (
        unit,
        pytest.approx(unit * 2_500_000),
        pytest.approx(unit * 5_000_000),
        pytest.approx(unit * 2_500_000**2),
    )
    assert unit == pytest.approx(2 * math.sqrt(5 / (2 * rho_for(0.5, 1e-6))))
    assert epsilon_for(found.rho, 1e-6) == pytest.approx(0.5, rel=1e-6)


def test_subjects_at_several_nodes_need_more_noise() -> None:
    apart = calibrate(plan(Measure("rows")), DATASET)
    shared = calibrate(plan(Measure("rows")), replace(DATASET, subjects_disjoint=False))
    assert shared.sigma_total[0] == pytest.approx(4 * apart.sigma_total[0])
    assert shared.rho == pytest.approx(apart.rho)


def test_colluders_and_lone_departments_get_no_help() -> None:
    honest = calibrate(plan(Measure("rows")), DATASET)
    suspicious = calibrate(plan(Measure("rows"), colluders=2), DATASET)
    assert suspicious.sigma_node[0] == pytest.approx(math.sqrt(3) * honest.sigma_node[0])
    lone = calibrate(
        plan(Measure("rows"), protocol="sealed", roster=(Member("a", "a" * 64),), threshold=1),
        DATASET,
    )
    assert lone.sigma_node == lone.sigma_total
    assert lone.rho == pytest.approx(rho_for(0.5, 1e-6), rel=1e-12)


@pytest.mark.parametrize("disjoint", [True, False])
def test_an_open_input_carries_the_full_noise_by_itself(disjoint: bool) -> None:
    dataset = replace(DATASET, subjects_disjoint=disjoint)
    masked = calibrate(plan(Measure("rows"), protocol="he_sum.bfv", threshold=4), dataset)
    found = calibrate(plan(Measure("rows"), protocol="he_sum.bfv.open", threshold=1), dataset)
    assert found.sigma_node == found.sigma_total == masked.sigma_total
    assert found.survivors_min == 1
    assert found.rho == pytest.approx(rho_for(0.5, 1e-6), rel=1e-12)
    assert masked.sigma_node[0] == pytest.approx(masked.sigma_total[0] / 2)


def test_noise_has_a_floor_and_then_costs_less() -> None:
    found = calibrate(plan(Measure("rows"), epsilon=20.0), DATASET)
    assert found.sigma_node == (LEAST_SIGMA,)
    assert found.rho < rho_for(20.0, 1e-6)


def test_noise_that_would_not_fit_is_refused() -> None:
    squares = Measure("sum_squares", Arith("*", COST, COST))
    with pytest.raises(InputError) as caught:
        calibrate(plan(squares), DATASET)
    assert caught.value.code == "noise.too_wide"


def test_exact_answers_carry_none() -> None:
    with pytest.raises(InputError):
        calibrate(plan(Measure("rows"), mode="exact", epsilon=0.0, delta=0.0), DATASET)


# --- the bound of Kairouz, Liu and Steinke against the distributions themselves


def _pmf(sigma: float, reach: int) -> np.ndarray:
    weights = np.exp(-(np.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
    return weights / weights.sum()


def _renyi(p: np.ndarray, q: np.ndarray, order: float) -> float:
    keep = (p > 1e-200) & (q > 1e-200)
    logs = order * np.log(p[keep]) + (1 - order) * np.log(q[keep])
    top = logs.max()
    return float((top + np.log(np.exp(logs - top).sum())) / (order - 1))


@pytest.mark.parametrize("honest", [1, 2, 3, 5])
@pytest.mark.parametrize("sigma", [0.5, 0.6, 0.8, 1.0, 2.0])
@pytest.mark.parametrize("moved", [1, 2, 3])
def test_charged_bound_holds_for_the_exact_distribution(
    honest: int, sigma: float, moved: int
) -> None:
    """Convolves the discrete Gaussians and compares Rényi divergences at many orders."""
    reach = 60
    total = np.ones(1)
    for _ in range(honest):
        total = np.convolve(total, _pmf(sigma, reach))
    shifted = np.concatenate([np.zeros(moved), total])
    plain = np.concatenate([total, np.zeros(moved)])
    rho = distributed_rho(moved, sigma, honest, 1)
    for order in (1.001, 1.01, 1.1, 1.5, 2.0, 3.0, 6.0, 12.0):
        assert _renyi(plain, shifted, order) <= order * rho + 1e-9
        assert _renyi(shifted, plain, order) <= order * rho + 1e-9


def test_bound_without_helpers_is_the_plain_discrete_gaussian() -> None:
    assert distributed_rho(3.0, 5.0, 1, 1000) == pytest.approx(9.0 / 50.0)


def test_what_the_sum_adds_is_negligible_at_the_floor() -> None:
    plain = 1.0 / (2 * 100 * LEAST_SIGMA**2)
    assert distributed_rho(1.0, LEAST_SIGMA, 100, 1) == pytest.approx(plain, abs=1e-14)
