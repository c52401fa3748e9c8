"""Number plate and driving licence.

- GA 36-2018, 中华人民共和国机动车号牌, section 5 and annex: province, letter of the issuing office,
  five characters without I and O; new-energy plates
  have six, small ones with a letter first, large ones with a letter last (D, A, B, C, E electric;
  F, G, H, J, K not only). Police, trailers, learners, Hong Kong and Macao have a Chinese last one.
- GA 482-2012, 中华人民共和国机动车驾驶证件: the licence number is the resident id; the file number
  (档案编号) has 12 digits. Both need a header or a cue to be told from other numbers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from desensitize.recognisers import resident_id
from desensitize.recognisers.base import Mask, Recogniser
from protos.language import Text

_PROVINCE: Final = "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]"
_L: Final = "A-HJ-NP-Z"
_SERIAL: Final = (
    f"(?:[A-HJK][{_L}0-9][0-9]{{4}}|[0-9]{{5}}[A-HJK]|[{_L}0-9]{{4}}[{_L}0-9挂学警港澳领])"
)


def check_plate(values: pa.StringArray) -> Mask:
    """Which plates have at least two digits in their serial: words in capitals have none."""
    return np.asarray(
        pc.match_substring_regex(values, "[0-9].*[0-9]").to_numpy(zero_copy_only=False)
    )


def check_licence(values: pa.StringArray) -> Mask:
    """Which values are a file number, or a resident id that holds."""
    lengths = pc.utf8_length(values).to_numpy(zero_copy_only=False)
    return np.asarray((lengths == 12) | resident_id.check(values))


PLATE: Final = Recogniser(
    name="cn_plate",
    title=Text("number plate", "车牌号"),
    role="direct",
    grade=3,
    pattern=f"{_PROVINCE}[{_L}][·•\\- ]?{_SERIAL}",
    edges=("none", "alnum"),
    headers=(
        "车牌", "车牌号", "车牌号码", "号牌", "号牌号码", "车号", "cph", "hphm", "plate", "plateno",
        "licenseplate", "licenceplate", "numberplate",
    ),
    context=("车牌", "号牌"),
    check=check_plate,
)  # fmt: skip

DRIVING_LICENCE: Final = Recogniser(
    name="cn_driving_licence",
    title=Text("driving licence", "驾驶证号"),
    role="direct",
    grade=4,
    pattern=f"{resident_id.LONG}|[0-9]{{12}}",
    cue="(?:驾驶证|驾照)(?:档案)?(?:编号|号码|号)?[为是:： ]{0,3}",
    headers=(
        "驾驶证", "驾驶证号", "驾照", "驾照号", "档案编号", "jszh", "driverlicense",
        "drivinglicence", "drivinglicense", "driverslicense",
    ),
    alone=2.0,
    context=("驾驶证", "驾照"),
    check=check_licence,
)  # fmt: skip
