"""Key agreement and boxes."""

import pytest

from compute_nodes.crypto.agreement import AgreementKey, check_public
from compute_nodes.crypto.boxes import OVERHEAD_BYTES, close_box, open_box
from protos.faults import TrustError

ALICE, BOB = AgreementKey(b"a" * 32), AgreementKey(b"b" * 32)

# All encodings of points of low order on Curve25519 that RFC 7748 implementations meet
# (Bernstein, "May the Fourth": orders 1, 2, 4, 8, and their non-canonical spellings).
LOW_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


def test_both_sides_agree_and_info_separates():
    assert ALICE.agree(BOB.public, b"x") == BOB.agree(ALICE.public, b"x")
    assert ALICE.agree(BOB.public, b"x") != ALICE.agree(BOB.public, b"y")
    assert len(ALICE.agree(BOB.public, b"x", 64)) == 64


@pytest.mark.parametrize("point", LOW_ORDER)
def test_points_of_low_order_are_refused(point: str):
    for use in (check_public, lambda public: ALICE.agree(public, b"x")):
        with pytest.raises(TrustError, match="low order"):
            use(bytes.fromhex(point))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_keys_of_other_lengths_are_refused(size: int):
    with pytest.raises(TrustError):
        check_public(bytes(size))


def test_a_good_key_passes():
    check_public(ALICE.public)


def test_secrets_stay_out_of_repr():
    assert "redacted" in repr(ALICE)
    assert (b"a" * 32).hex() not in repr(ALICE)


def test_a_box_opens_with_its_key_and_nothing_else():
    box = close_box(b"k" * 32, b"two shares")
    assert len(box) == len(b"two shares") + OVERHEAD_BYTES
    assert open_box(b"k" * 32, memoryview(box)) == b"two shares"
    for key, wrong in ((b"l" * 32, box), (b"k" * 32, box[:-1]), (b"k" * 32, b"")):
        with pytest.raises(TrustError, match="does not open"):
            open_box(key, wrong)


def test_every_flipped_bit_of_a_box_is_noticed():
    box = close_box(b"k" * 32, b"s")
    for bit in range(8 * len(box)):
        changed = bytearray(box)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TrustError):
            open_box(b"k" * 32, bytes(changed))
