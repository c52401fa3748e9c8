"""Resident identity number, 18 digits and the older 15.

GB 11643-1999, 公民身份号码, section 4: six digits of division (GB/T 2260), eight of date of birth
(GB/T 7408), three of sequence, and a check character by ISO 7064 MOD 11-2 (section 4.5). The
15-digit form of GB 11643-1989 has two digits of year, no check character, and was withdrawn in
2013; it lives on in old files. Residence permits of Hong Kong, Macao and Taiwan residents (since
2018) have the same form under 810000, 820000 and 830000.

The division is checked by its first four digits, against all that have ever been assigned: a
stricter test (python-stdnum's, say) loses people whose county did not exist in their year of birth.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from desensitize.divisions import known_prefectures
from desensitize.recognisers.base import Mask, Recogniser
from desensitize.recognisers.digits import Bytes, dates, digits, matrix, number, weighted
from protos.language import Text

WEIGHTS: Final = 2 ** np.arange(17, 0, -1, dtype=np.int64) % 11
CHECK: Final = np.frombuffer(b"10X98765432", dtype=np.uint8)
"""Check character by the weighted sum modulo 11."""

_MONTH_DAY: Final = "(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
LONG: Final = f"[1-8][0-9]{{5}}[ -]?(?:19|20)[0-9]{{2}}{_MONTH_DAY}[ -]?[0-9]{{3}}[0-9Xx]"
SHORT: Final = f"[1-8][0-9]{{7}}{_MONTH_DAY}[0-9]{{3}}"


def check(values: pa.StringArray) -> Mask:
    """Which values have a division, a date and, with 18 digits, the right check character."""
    cells, lengths = matrix(values, 18)
    long = lengths == 18
    return np.asarray(np.where(long, _long(cells), (lengths == 15) & _short(cells)))


def _long(cells: Bytes) -> Mask:
    total, numeric = weighted(cells, WEIGHTS, "0123456789")
    born = dates(number(cells, 6, 10), number(cells, 10, 12), number(cells, 12, 14))
    right = cells[:, 17] == CHECK[np.where(numeric, total, 0) % 11]
    return np.asarray(numeric & right & born & _division(cells))


def _short(cells: Bytes) -> Mask:
    numeric = digits(cells[:, :15]).all(axis=1)
    born = dates(1900 + number(cells, 6, 8), number(cells, 8, 10), number(cells, 10, 12))
    return np.asarray(numeric & born & _division(cells))


def _division(cells: Bytes) -> Mask:
    return np.asarray(known_prefectures()[np.clip(number(cells, 0, 4), 0, 9999)])


RESIDENT_ID: Final = Recogniser(
    name="cn_resident_id",
    title=Text("resident id", "身份证号"),
    role="direct",
    grade=4,
    pattern=f"{LONG}|{SHORT}",
    headers=(
        "身份证", "身份证号", "身份证号码", "公民身份号码", "证件号", "证件号码", "居民身份证",
        "sfzh", "sfz", "sfzhm", "zjhm", "zjh", "idcard", "idno", "idnumber", "idcardno",
        "identity", "identityno", "citizenid", "residentid",
    ),
    edges=("digit", "digit"),
    context=("身份证", "证件号", "公民身份号码", "id card"),
    check=check,
)  # fmt: skip
