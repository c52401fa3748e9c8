"""Takes the self masks and the drop-outs' pairwise masks off a masked total.

The coordinator runs it (Bonawitz et al. 2017, figure 4, round 4). For each survivor the shares
rebuild its self-mask seed, for each drop-out its mask key, and never both for one party.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from compute_nodes.crypto import shamir
from compute_nodes.crypto.agreement import AgreementKey
from compute_nodes.crypto.masks import apply_masks
from compute_nodes.crypto.ring import Ring, Vector
from compute_nodes.crypto.seed import SEED_BYTES
from compute_nodes.protocols.masked_sum.keys import Roster, commitment, pairwise_seed
from protos.faults import JobError
from protos.language import Text


def remove_masks(
    total: Vector,
    roster: Roster,
    sharers: Sequence[int],
    survivors: Sequence[int],
    shares: Mapping[int, bytes],
) -> None:
    """Unmasks in place.

    Args:
        total: Sum of the survivors' masked vectors; changed.
        roster: Who advertised keys (U1).
        sharers: Who shared secrets (U2), ascending; all of them are in the survivors' masks.
        survivors: Whose vector is in the total (U3), ascending.
        shares: Answer of each party of U5: its 32-byte shares of the survivors' seeds in
            ascending order, then those of the drop-outs' mask keys. At least the threshold.

    Raises:
        JobError: The shares rebuild something else than was advertised; ``total`` is as before.
    """
    dropped = [party for party in sharers if party not in survivors]
    holders = sorted(shares)[: roster.setup.threshold]
    rows = np.stack([np.frombuffer(shares[holder], np.uint8) for holder in holders])
    rebuilt = shamir.rebuild([holder + 1 for holder in holders], rows).tobytes()
    secrets = [rebuilt[at : at + SEED_BYTES] for at in range(0, len(rebuilt), SEED_BYTES)]

    masks: list[tuple[bytes, int]] = []
    for party, seed in zip(survivors, secrets, strict=False):
        if commitment(seed) != roster.of(party).commitment:
            raise _wrong_shares(roster, party)
        masks.append((seed, -1))
    for party, secret in zip(dropped, secrets[len(survivors) :], strict=True):
        key = AgreementKey(secret)
        if key.public != roster.of(party).mask_key:
            raise _wrong_shares(roster, party)
        # The drop-out would have added ``sign``; every survivor added the opposite.
        masks += [pairwise_seed(key, party, roster, survivor) for survivor in survivors]
    apply_masks(total, masks, Ring(roster.setup.bits))


def _wrong_shares(roster: Roster, party: int) -> JobError:
    return JobError(
        Text(
            f"the shares of {roster.setup.name(party)}'s secret do not rebuild what it advertised:"
            " a department sent wrong ones",
            f"{roster.setup.name(party)} 的密钥份额无法还原其公布的密钥：有部门发送了错误份额",
        ),
        remedy=Text(
            "submit the query again; if it happens again, compare the versions of the nodes",
            "请重新提交；若再次出现，请核对各节点的版本",
        ),
        code="job.wrong_shares",
    )
