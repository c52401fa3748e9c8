"""The secrets of one party, and what binds every derived key to its place.

Two X25519 keys a party and job: the *cipher* key closes the boxes in which shares travel, the
*mask* key makes the pairwise masks. They are apart because the mask key is itself shared out, and
rebuilt by the coordinator if its owner drops out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from compute_nodes.crypto import shamir
from compute_nodes.crypto.agreement import KEY_BYTES, AgreementKey
from compute_nodes.crypto.masks import keystream
from compute_nodes.crypto.seed import SEED_BYTES, PartySeed, derive
from compute_nodes.protocols.base import Setup
from protos.canonical import digest

SHARE_BYTES: Final = SEED_BYTES + KEY_BYTES  # of the self-mask seed, then of the mask key
_PREFIX: Final = "veil/v1/masked_sum"


@dataclass(frozen=True)
class Advertisement:
    """What one party tells the others, under its signature.

    Attributes:
        party: Its number.
        cipher_key: X25519 public key for boxes.
        mask_key: X25519 public key for pairwise masks.
        commitment: To the self-mask seed; shows the coordinator whether shares of it were right.
    """

    party: int
    cipher_key: bytes
    mask_key: bytes
    commitment: bytes


@dataclass(frozen=True)
class Roster:
    """Who advertised keys (U1 in the paper), as one party was told.

    Attributes:
        setup: Of the run.
        keys: Advertisements in ascending order of party.
    """

    setup: Setup
    keys: tuple[Advertisement, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of setup and all keys; in the info of every key that peers agree on."""
        rows = [
            [key.party, key.cipher_key.hex(), key.mask_key.hex(), key.commitment.hex()]
            for key in self.keys
        ]
        return digest({"setup": self.setup.digest, "keys": rows})

    @cached_property
    def parties(self) -> tuple[int, ...]:
        """The numbers of those who advertised."""
        return tuple(key.party for key in self.keys)

    def of(self, party: int) -> Advertisement:
        """Returns one party's keys."""
        return self._by_party[party]

    @cached_property
    def _by_party(self) -> dict[int, Advertisement]:
        return {key.party: key for key in self.keys}


class PartySecrets:
    """Everything secret of one party in one run, derived from its seed; redacted in ``repr``."""

    def __init__(self, setup: Setup, me: int, seed: PartySeed) -> None:
        context = f"{setup.digest}/{me}"
        self._setup = setup
        self.me = me
        self.cipher = AgreementKey(seed.derive("masked_sum/cipher-key", context))
        self._mask_secret = seed.derive("masked_sum/mask-key", context)
        self.mask = AgreementKey(self._mask_secret)
        self.self_seed = seed.derive("masked_sum/self-mask", context)
        self.envelope_seed = seed.derive("masked_sum/envelope", context)
        self._share_seed = seed.derive("masked_sum/shares", context)

    def __repr__(self) -> str:
        """Shows nothing secret."""
        return f"PartySecrets(<redacted>, me={self.me})"

    @property
    def advertisement(self) -> Advertisement:
        """The public half."""
        return Advertisement(
            self.me, self.cipher.public, self.mask.public, commitment(self.self_seed)
        )

    @cached_property
    def shares(self) -> list[bytes]:
        """The pair of shares for every party of the setup, in order."""
        secret = self.self_seed + self._mask_secret
        degree = self._setup.threshold - 1
        coefficients = keystream(self._share_seed, degree * len(secret))
        return shamir.share(secret, self._setup.threshold, self._setup.n, coefficients)

    def box_keys(self, roster: Roster, peer: int) -> tuple[bytes, bytes]:
        """Returns the key of the box to ``peer`` and that of the box from it.

        Raises:
            TrustError: The peer's key is of low order.
        """
        low, high = sorted((self.me, peer))
        info = f"{_PREFIX}/box/{roster.digest}/{low}/{high}".encode()
        keys = self.cipher.agree(roster.of(peer).cipher_key, info, 2 * KEY_BYTES)
        upward, downward = keys[:KEY_BYTES], keys[KEY_BYTES:]
        return (upward, downward) if self.me == low else (downward, upward)

    def pairwise_mask(self, roster: Roster, peer: int) -> tuple[bytes, int]:
        """Returns what `pairwise_seed` does, for this party."""
        return pairwise_seed(self.mask, self.me, roster, peer)


def commitment(self_seed: bytes) -> bytes:
    """Commits to a uniform 32-byte seed: hiding and binding as HKDF-SHA-256 is."""
    return derive(self_seed, f"{_PREFIX}/commitment".encode())


def pairwise_seed(mine: AgreementKey, me: int, roster: Roster, peer: int) -> tuple[bytes, int]:
    """Returns the mask seed of a pair and the sign with which ``me`` adds it.

    The lower number adds, the higher subtracts, so the two cancel (Bonawitz et al. 2017,
    section 4.1).

    Raises:
        TrustError: The peer's key is of low order.
    """
    low, high = sorted((me, peer))
    info = f"{_PREFIX}/mask/{roster.digest}/{low}/{high}".encode()
    return mine.agree(roster.of(peer).mask_key, info), 1 if me == low else -1
