"""he_sum: one encrypted message a department, added by the exchange, opened by the analyst.

Masked (default): the roster is fixed in the plan and pairwise masks hide every input even from
analyst and exchange together; one missing department means no answer. Open (by policy): each
department adds its full noise and any ``threshold`` of them answer.

=============  ===========================================================================
machine        run by
=============  ===========================================================================
`HeSumParty`   the department's node: mask, encrypt, sign
coordinator    the exchange (`HeSumCoordinator`): verify, check, add; holds no key
analyst        `generate_bfv_key` / `generate_paillier_key`, `decrypt_total`
=============  ===========================================================================
"""

from compute_nodes.crypto.bfv import BfvSecretKey, generate_bfv_key
from compute_nodes.crypto.paillier import PaillierSecretKey, generate_paillier_key
from compute_nodes.protocols.he_sum.analyst import decrypt_total
from compute_nodes.protocols.he_sum.coordinator import HeSumCoordinator
from compute_nodes.protocols.he_sum.masking import pair_seed_from
from compute_nodes.protocols.he_sum.party import HeSumParty
from compute_nodes.protocols.he_sum.setup import HeSetup
from compute_nodes.protocols.he_sum.sizes import predicted_sizes, request_size
from compute_nodes.protocols.he_sum.total import HeTotal

__all__ = [
    "BfvSecretKey",
    "HeSetup",
    "HeSumCoordinator",
    "HeSumParty",
    "HeTotal",
    "PaillierSecretKey",
    "decrypt_total",
    "generate_bfv_key",
    "generate_paillier_key",
    "pair_seed_from",
    "predicted_sizes",
    "request_size",
]
