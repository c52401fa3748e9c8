"""How many numbers of other types fit a mask: mobile numbers, bank cards, number plates.

Each counts over distinct patterns only; patterns that differ just in which digits are shown have
the same count, and are counted once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from math import comb
from typing import Final

import numpy as np

from desensitize.recognisers.bank_card import RANGES
from desensitize.recognisers.digits import Ints
from desensitize.recognisers.phone import MOBILE
from protos.language import Text

HIDDEN: Final = "*"
_ENERGY: Final = 10  # letters A to H, J, K
_LETTERS: Final = 24  # without I and O
_PROVINCES: Final = 31


@cache
def _ranges() -> tuple[str, ...]:
    pattern = re.compile(MOBILE.pattern)
    return tuple(p for p in map(str, range(100, 200)) if pattern.fullmatch(p + "0" * 8))


def _power(base: int, exponent: int) -> int:
    """A whole power, as the type checker sees it."""
    return int(base**exponent)


def _fits(value: str, pattern: str) -> bool:
    return all(shown in {HIDDEN, digit} for shown, digit in zip(pattern, value, strict=True))


def mobile(mask: str) -> int | None:
    """Counts mobile numbers: given-out ranges, any eight digits behind them."""
    if len(mask) != 11:
        return None
    return sum(_fits(p, mask[:3]) for p in _ranges()) * _power(10, mask[3:].count(HIDDEN))


def card(mask: str) -> int | None:
    """Counts card numbers: prefixes and lengths of ISO/IEC 7812-1, the right Luhn digit."""
    if not 13 <= len(mask) <= 19:
        return None
    prefixes = [
        str(prefix)
        for first, last, lengths in RANGES
        if len(mask) in lengths
        for prefix in range(first, last + 1)
        if _fits(str(prefix), mask[:4])
    ]
    if hidden := mask[4:].count(HIDDEN):
        # Of the ten values of any one digit, just one makes the sum right.
        return len(prefixes) * _power(10, hidden - 1)
    return sum(_luhn(prefix + mask[4:]) for prefix in prefixes)


def _luhn(number: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def plate(mask: str) -> int | None:
    """Counts number plates of GA 36: five characters with two digits or more, or new-energy."""
    if len(mask) not in {7, 8}:
        return None
    head = (_PROVINCES if mask[0] == HIDDEN else 1) * (_LETTERS if mask[1] == HIDDEN else 1)
    serial = mask[2:]
    if len(serial) == 5:
        hidden, digits = serial.count(HIDDEN), sum(map(str.isdigit, serial))
        fewest = max(0, 2 - digits)
        ways = sum(comb(hidden, n) * _power(10, n) * _power(_LETTERS, hidden - n)
                   for n in range(fewest, hidden + 1))  # fmt: skip
        return head * ways
    alnum, digit, energy = "0A", "0", "A"
    small = _form(serial, (energy, alnum, digit, digit, digit, digit))
    large = _form(serial, (digit, digit, digit, digit, digit, energy))
    return head * (small + large)


def _form(serial: str, kinds: tuple[str, ...]) -> int:
    """Ways to fill one form: of each place, ``0`` a digit, ``A`` one of ten letters, or both."""
    ways = 1
    for shown, kind in zip(serial, kinds, strict=True):
        if shown == HIDDEN:
            ways *= {"0": 10, "A": _ENERGY, "0A": _LETTERS + 10}[kind]
        elif ("0" if shown.isdigit() else "A") not in kind:
            return 0
    return ways


SPACES: Final[dict[str, Callable[[str], int | None]]] = {
    "cn_mobile": mobile,
    "bank_card": card,
    "cn_plate": plate,
}
ASSUMED: Final[dict[str, Text]] = {
    "cn_mobile": Text(
        "all number ranges that have been given out, every number in them equally likely",
        "所有已放号的号段，段内号码等可能",
    ),
    "bank_card": Text(
        "prefixes and lengths of ISO/IEC 7812-1 with the right check digit, equally likely",
        "ISO/IEC 7812-1 的卡号前缀与长度，校验位正确，等可能",
    ),
    "cn_plate": Text(
        "all plates of the forms of GA 36, equally likely", "GA 36 规定的全部号牌形式，等可能"
    ),
}


def count(kind: str, masks: list[str]) -> Ints:
    """Counts for each mask; -1 where a mask is of no length that the type has."""
    space = SPACES[kind]
    known: dict[str, int] = {}
    result = np.empty(len(masks), dtype=np.int64)
    for place, mask in enumerate(masks):
        key = _alike(kind, mask)
        if key not in known:
            found = space(key)
            known[key] = -1 if found is None else found
        result[place] = known[key]
    return result


def _alike(kind: str, mask: str) -> str:
    """A mask with the same count; few differ."""
    if kind == "cn_mobile":
        return mask[:3] + re.sub("[0-9]", "0", mask[3:])
    if kind == "bank_card" and HIDDEN in mask[4:]:
        return mask[:4] + re.sub("[0-9]", "0", mask[4:])
    if kind == "cn_plate":
        return re.sub("[0-9]", "0", re.sub("[A-Z]", "A", mask))
    return mask
