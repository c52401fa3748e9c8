"""Sums of masked vectors that survive drop-outs (Bonawitz et al. 2017, active server).

Five rounds: advertise → shares → masked → consistency → unmask. Broken only by a coalition that
holds ``threshold`` shares: the coordinator together with as many departments can rebuild anybody's
masks. With fewer than n/3 of them it learns the total of one survivor set and nothing else.
"""

from compute_nodes.protocols.masked_sum.coordinator import MaskedSumCoordinator
from compute_nodes.protocols.masked_sum.envelope import envelope_info, open_envelope
from compute_nodes.protocols.masked_sum.messages import ROUNDS
from compute_nodes.protocols.masked_sum.party import MaskedSumParty
from compute_nodes.protocols.masked_sum.sizes import predicted_sizes
from compute_nodes.protocols.masked_sum.threshold import least_threshold
from compute_nodes.protocols.masked_sum.total import MaskedTotal, check_total

__all__ = [
    "ROUNDS",
    "MaskedSumCoordinator",
    "MaskedSumParty",
    "MaskedTotal",
    "check_total",
    "envelope_info",
    "least_threshold",
    "open_envelope",
    "predicted_sizes",
]
