"""Date of birth.

GB/T 7408.1-2023 (ISO 8601-1) forms, and those that people write: with points, slashes, Chinese
characters, one-digit months, or the day left out. A date alone may be any date: a header or a cue
tells a birth, so nothing is found without one.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from desensitize.recognisers.base import Mask, Recogniser
from desensitize.recognisers.digits import dates
from protos.language import Text

DATE: Final = (
    "(?:(?:19|20)[0-9]{2}(?:-[0-9]{1,2}(?:-[0-9]{1,2})?|/[0-9]{1,2}(?:/[0-9]{1,2})?|"
    "\\.[0-9]{1,2}(?:\\.[0-9]{1,2})?|年[0-9]{1,2}月(?:[0-9]{1,2}日)?)|"
    "(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]))"
)
_COMPACT: Final = re.compile("([0-9]{4})([0-9]{2})([0-9]{2})")


def check(values: pa.StringArray) -> Mask:
    """Which values are dates of the calendar between 1900 and 2099; a missing day is the first."""
    parts: NDArray[np.int64] = np.array([_parts(text) for text in values.to_pylist()])
    return dates(parts[:, 0], parts[:, 1], parts[:, 2])


def _parts(text: str) -> tuple[int, int, int]:
    text = re.split("[ T]", text, maxsplit=1)[0]
    if found := _COMPACT.fullmatch(text):
        return int(found[1]), int(found[2]), int(found[3])
    numbers = [int(n) for n in re.findall("[0-9]+", text)]
    return numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else 1


BIRTH_DATE: Final = Recogniser(
    name="birth_date",
    title=Text("date of birth", "出生日期"),
    role="quasi",
    grade=3,
    pattern=f"{DATE}(?:[ T]00:00(?::00(?:\\.0+)?)?)?",
    text=DATE,
    cue=(
        "(?:出生日期|出生年月日|出生年月|生日|出生于|出生|生于|"
        "(?i:birthday|date of birth|dob))[为是:： ]{0,3}"
    ),
    edges=("none", "digit"),
    headers=(
        "出生日期", "出生年月", "出生年月日", "生日", "出生时间", "csrq", "csny", "sr", "birthday",
        "birthdate", "dateofbirth", "dob", "birth",
    ),
    alone=2.0,
    context=("出生", "生日", "birth"),
    check=check,
)  # fmt: skip
