"""How much noise a plan needs: derived from the plan and the declaration, never from data.

Each of the departments adds its share, a discrete Gaussian; the sum of the shares of the least
number of honest survivors already protects as promised. Bound charged: Kairouz, Liu and Steinke
2021, "The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure
Aggregation", theorem 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from catalog.dataset import Dataset
from catalog.plan import Plan
from catalog.typing_rules import value_bound
from desensitize.budget import rho_for
from protos.faults import InputError
from protos.language import Text

LEAST_SIGMA: Final = 2.0  # below it, a sum of discrete Gaussians is not close enough to one
MOST_SIGMA: Final = 2.0**58  # above it, opendp's 64-bit samples would be cut off


@dataclass(frozen=True)
class Calibration:
    """The noise of one plan.

    Attributes:
        rho: zCDP that every department is charged.
        sigma_total: Per measure: standard deviation that the promise needs.
        sigma_node: Per measure: standard deviation of what each department adds.
        survivors_min: Honest survivors whose noise is counted on (h).
    """

    rho: float
    sigma_total: tuple[float, ...]
    sigma_node: tuple[float, ...]
    survivors_min: int


def calibrate(plan: Plan, dataset: Dataset) -> Calibration:
    """Derives the noise of an ad hoc plan.

    One subject changes at most ``max_rows_per_subject`` rows at a department, in the worst case
    all in one cell, so measure j moves by at most Δ_j in L2. Its rho is shared equally among the
    measures: σ_j = Δ_j √(J / 2ρ).

    Raises:
        InputError: The plan is not ad hoc, or epsilon or delta are out of range.
    """
    if plan.mode != "adhoc":
        raise InputError("only ad hoc answers carry noise")
    measures = plan.aggregate.measures
    rho = rho_for(plan.epsilon, plan.delta)
    nodes = 1 if dataset.subjects_disjoint else len(plan.roster)
    alone = plan.protocol == "sealed" or plan.is_open  # its noise is all that hides an input
    honest = 1 if alone else max(1, plan.threshold - plan.colluders)
    charged = 0.0
    total, each = [], []
    for measure in measures:
        moved = value_bound(measure, dataset.columns) * dataset.max_rows_per_subject * nodes
        sigma = moved * math.sqrt(len(measures) / (2.0 * rho))
        share = max(LEAST_SIGMA, sigma / math.sqrt(honest))
        if share > MOST_SIGMA:
            raise InputError(
                Text("the noise of this sum would not fit 64 bits", "此求和所需的噪声超出 64 位"),
                remedy=Text(
                    "sum values with tighter bounds or fewer decimals, or a larger epsilon",
                    "请对范围更窄或小数位更少的值求和，或使用更大的 epsilon",
                ),
                code="noise.too_wide",
            )
        charged += distributed_rho(moved, share, honest, plan.aggregate.cells)
        total.append(sigma)
        each.append(share)
    return Calibration(charged, tuple(total), tuple(each), honest)


def distributed_rho(sensitivity: float, sigma: float, honest: int, cells: int) -> float:
    """Returns the zCDP of a sum of ``honest`` discrete Gaussians, each of parameter ``sigma``.

    Kairouz, Liu and Steinke 2021, proposition 14: for every order α >= 1 the Rényi divergence is
    at most the least of α/2 · Δ²/(nσ²) + τd and α/2 · (Δ/(√n σ) + τ√d)², with
    τ = 10 · sum over k < n of exp(-2π²σ² k/(k+1)). A divergence of at most α/2 · ε² is ½ε²-zCDP.
    The first form is charged as ε² = Δ²/(nσ²) + 2τd, which holds at every α and is never below
    the τd/2 of theorem 1. With σ >= 2 all of this adds less than 10**-15 per cell.

    Args:
        sensitivity: L2, of the vector of ``cells`` integers.
        sigma: Of each summand, at least `LEAST_SIGMA`.
        honest: Number of summands, at least 1.
        cells: Length of the vector.
    """
    tau = 10.0 * sum(math.exp(-2.0 * math.pi**2 * sigma**2 * k / (k + 1)) for k in range(1, honest))
    moved = sensitivity / (math.sqrt(honest) * sigma)
    epsilon = min(
        math.sqrt(moved**2 + 2.0 * tau * cells),
        moved + tau * math.sqrt(cells),
    )
    return epsilon**2 / 2.0
