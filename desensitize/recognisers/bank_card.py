"""Bank card number.

ISO/IEC 7812-1: issuer's prefix, account, Luhn digit (annex B). Luhn alone lets one number of ten
through, and 10.5 % of Guangdong's resident ids too; so the length must also be one that cards
under that prefix have, and resident ids come first where both hold. Prefixes: ISO/IEC 7812-1 and
the schemes' public rules; 9558 is ICBC's, older than UnionPay's 62.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from desensitize.recognisers.base import Mask, Recogniser
from desensitize.recognisers.digits import digits, luhn, matrix, number
from protos.language import Text

RANGES: Final[tuple[tuple[int, int, tuple[int, ...]], ...]] = (
    (6200, 6299, (16, 17, 18, 19)),  # UnionPay
    (8100, 8171, (16, 17, 18, 19)),  # UnionPay, newer
    (9558, 9558, (19,)),  # ICBC
    (4000, 4999, (13, 16)),  # Visa
    (5100, 5599, (16,)),  # Mastercard
    (2221, 2720, (16,)),  # Mastercard, newer
    (3400, 3499, (15,)),  # American Express
    (3700, 3799, (15,)),
    (3528, 3589, (16,)),  # JCB
    (3000, 3059, (14,)),  # Diners Club
    (3600, 3699, (14,)),
    (6011, 6011, (16,)),  # Discover
    (6013, 6013, (16,)),  # Bank of China's older debit cards
    (6033, 6033, (16,)),
)
"""First four digits (from, to) and the lengths of numbers under them."""


def _lengths() -> Mask:
    table = np.zeros((10_000, 20), dtype=np.bool_)
    for first, last, lengths in RANGES:
        table[first : last + 1, list(lengths)] = True
    return table


_ALLOWED: Final = _lengths()


def check(values: pa.StringArray) -> Mask:
    """Which numbers pass Luhn and have a length that their prefix allows."""
    cells, lengths = matrix(values, 19)
    prefix = np.clip(number(cells, 0, 4), 0, 9999)
    allowed = _ALLOWED[prefix, np.clip(lengths, 0, 19)] & digits(cells[:, :4]).all(axis=1)
    return np.asarray(allowed & (lengths <= 19) & luhn(cells, lengths))


BANK_CARD: Final = Recogniser(
    name="bank_card",
    title=Text("bank card", "银行卡号"),
    role="direct",
    grade=4,
    pattern="[2-689][0-9]{12,18}|[2-689][0-9]{3}(?:[ -][0-9]{4}){3}(?:[ -][0-9]{1,3})?",
    headers=(
        "银行卡", "银行卡号", "卡号", "银行账号", "银行帐号", "收款账号", "账号", "帐号", "yhkh",
        "yhzh", "bankcard", "cardno", "cardnumber", "bankaccount", "accountno", "pan",
    ),
    context=("银行卡", "卡号", "账号", "尾号", "card"),
    check=check,
)  # fmt: skip
