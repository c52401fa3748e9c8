"""What makes two data items the same datum: subject, property, jurisdiction.

After ISO/IEC 11179-3 (GB/T 18391.3): a data element concept is an object class and a property of
it; how a value is written (type, length, unit, code list) belongs to its representation and makes
no other datum. Law makes a department responsible within its territory, so the division is the
third part. See decision 0030.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from catalog.registry.record import Item, Record

_BRACKETS: Final = re.compile(r"[（(【\[〔][^）)】\]〕]*[）)】\]〕]")
# One property under several names, as forms and systems write it; the standard's name comes last.
_SAME: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "身份证号",
            "身份证号码",
            "居民身份证号",
            "居民身份证号码",
            "公民身份证号",
            "公民身份证号码",
        ),
        "公民身份号码",
    ),
    **dict.fromkeys(("社会信用代码", "统一信用代码", "信用代码"), "统一社会信用代码"),
    **dict.fromkeys(("出生年月日", "生日"), "出生日期"),
    **dict.fromkeys(("手机号", "手机", "移动电话"), "手机号码"),
    **dict.fromkeys(("户口地址", "户籍所在地", "户口所在地"), "户籍地址"),
    **dict.fromkeys(("企业名称", "单位名称", "法人名称", "市场主体名称"), "名称"),
}
_SUBJECTS: Final[dict[str, str]] = {
    **dict.fromkeys(("人", "个人", "居民", "公民", "人口"), "自然人"),
    **dict.fromkeys(("企业", "法人单位", "单位", "市场主体", "机构"), "法人"),
}


@dataclass(frozen=True, order=True)
class Datum:
    """The identity of a shared data item, normalised.

    Attributes:
        subject: Of what it is a property.
        name: Which property.
        place: Division within which one department answers for it.
    """

    subject: str
    name: str
    place: str

    @property
    def key(self) -> str:
        """One text for the database; no part can hold the separator."""
        return f"{self.place}|{self.subject}|{self.name}"


def datum_of(item: Item, record: Record) -> Datum | None:
    """Returns which datum an item is; None if it means nothing beyond its dataset."""
    if not item.subject:
        return None
    subject, name = plain(item.subject), plain(item.name)
    return Datum(_SUBJECTS.get(subject, subject), _SAME.get(name, name), record.provider.place)


@lru_cache(maxsize=65_536)
def plain(text: str) -> str:
    """Returns a name without what does not tell: width, case, blanks, marks, what is in brackets.

    A name that is nothing else stays as it is.
    """
    wide = unicodedata.normalize("NFKC", text).casefold()
    bare = "".join(c for c in _BRACKETS.sub("", wide) if c.isalnum())
    return bare or "".join(wide.split()).replace("|", "¦")
