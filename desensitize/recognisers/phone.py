"""Mobile and landline numbers of mainland China.

- Mobile: 电信网编号计划 (MIIT, 2017 edition, section on public mobile networks): 11 digits, of
  which the first three are of a range that has been given out (13x to 19x, not all of them).
- Landline: trunk 0 and area code (10, 2x or three digits from 3 to 9), seven or eight digits that
  begin with 2 to 8, perhaps an extension. There is no check digit.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from desensitize.recognisers.base import Mask, Recogniser
from protos.language import Text

_RANGES: Final = "(?:3[0-9]|4[014-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])"
_AREA: Final = "(?:10|2[0-57-9]|[3-9][0-9]{2})"
_LOCAL: Final = "[2-8][0-9]{2,3}[ -]?[0-9]{4}"
_EXTENSION: Final = "(?:(?:-|转| ext\\.? ?)[0-9]{1,6})?"

_COMPACT_DATE: Final = "^20[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])$"


def no_date(values: pa.StringArray) -> Mask:
    """Which values are not dates without separators: 20230310 has the form of a local number."""
    dated = pc.match_substring_regex(values, _COMPACT_DATE)
    return ~np.asarray(dated.to_numpy(zero_copy_only=False), dtype=np.bool_)


MOBILE: Final = Recogniser(
    name="cn_mobile",
    title=Text("mobile number", "手机号"),
    role="direct",
    grade=3,
    pattern=f"(?:(?:\\+|00)?86[- ]?)?1{_RANGES}(?:[0-9]{{8}}|[ -][0-9]{{4}}[ -][0-9]{{4}})",
    headers=(
        "手机", "手机号", "手机号码", "移动电话", "联系电话", "联系方式", "电话", "电话号码", "sjh",
        "sjhm", "lxdh", "lxfs", "dh", "mobile", "mobileno", "phone", "phoneno", "phonenumber",
        "cellphone", "cell", "tel", "telephone", "contact",
    ),
    context=("手机", "电话", "联系", "mobile", "phone", "tel"),
)  # fmt: skip

LANDLINE: Final = Recogniser(
    name="cn_landline",
    title=Text("landline number", "固定电话"),
    role="direct",
    grade=3,
    pattern=f"(?:\\(?(?:\\+?86[- ]?)?0?{_AREA}[)）]?[- ]?)?{_LOCAL}{_EXTENSION}",
    text=f"(?:\\(0{_AREA}\\) ?|(?:\\+86[- ]?|0){_AREA}[- ]?){_LOCAL}{_EXTENSION}",
    headers=(
        "固定电话", "座机", "固话", "家庭电话", "办公电话", "单位电话", "联系电话", "电话", "传真",
        "gddh", "zj", "landline", "tel", "telephone", "phone", "fax", "homephone", "officephone",
    ),
    alone=0.8,
    context=("电话", "座机", "传真", "tel", "fax"),
    check=no_date,
)  # fmt: skip
