"""Chinese personal name.

居民身份证法, article 3, and GA 214.1-2004 (常住人口管理信息规范, item 姓名): a surname of one or
two characters and a given name of one or two, three at most; names of minorities with ``·`` between
their parts. A name in a sentence has no form of its own, so free text needs a cue before it
(患者张三); a column of names shows in its surnames, its lengths and its variety.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from desensitize.names import (
    COMPOUND_SURNAMES,
    CUES,
    NOT_BEGINNINGS,
    NOT_LAST,
    NOT_NAMES,
    SURNAMES,
)
from desensitize.recognisers.base import Mask, Recogniser
from protos.language import Text

_H: Final = "[一-鿿]"
_COMPOUND: Final = "|".join(COMPOUND_SURNAMES)
_NAME: Final = f"(?:(?:{_COMPOUND}){_H}{{1,2}}|[{SURNAMES}]{_H}{{1,2}})"
_MINORITY: Final = f"{_H}{{2,10}}(?:[·•]{_H}{{2,10}}){{1,3}}"
_CUES: Final = "|".join(sorted(CUES, key=len, reverse=True))


@cache
def _listed(words: frozenset[str]) -> pa.StringArray:
    """Made when it is needed: the first array that is made of Python's values imports pandas."""
    return pa.array(sorted(words), pa.string())


def check(values: pa.StringArray) -> Mask:
    """Which values are no word of the lists, and begin and end like none."""
    words = pc.is_in(values, _listed(NOT_NAMES)).to_numpy(zero_copy_only=False)
    ends = pc.match_substring_regex(values, f"[{NOT_LAST}]$").to_numpy(zero_copy_only=False)
    begins = pc.is_in(pc.utf8_slice_codeunits(values, 0, 2), _listed(NOT_BEGINNINGS))
    return np.asarray(~words & ~ends & ~begins.to_numpy(zero_copy_only=False))


PERSON: Final = Recogniser(
    name="cn_person",
    title=Text("person's name", "姓名"),
    role="direct",
    grade=3,
    pattern=f"(?:{_MINORITY}|{_NAME})",
    cue=f"(?:{_CUES})(?:姓名|名字)?[为是:： ]{{0,3}}",
    gate=f"(?:{_CUES})(?:姓名|名字)?[为是:： ]{{0,3}}{_H}{{2}}",
    edges=("none", "none"),
    headers=(
        "姓名", "名字", "患者姓名", "客户姓名", "学生姓名", "联系人", "申请人", "户主", "法人",
        "法定代表人",
        "负责人", "经办人", "收件人", "收货人", "监护人", "乘客", "xm", "xingming", "name",
        "fullname",
        "realname", "personname", "username", "customername", "patientname", "contactname",
    ),
    alone=0.85,
    varied=0.2,
    context=("姓名", "联系人", "患者"),
    check=check,
)  # fmt: skip
