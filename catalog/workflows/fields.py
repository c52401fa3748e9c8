"""What is said with a step: which fields, of which form, how long.

Texts are kept as they were written, but for what no text needs: control characters, which could
forge lines in logs and terminals, and marks that turn the direction of writing round. Whoever shows
them escapes them for the place where they are shown.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from catalog.registry.unseen import unseen
from protos.faults import InputError
from protos.language import Text

Form = Literal[
    "line", "text", "day", "number", "code", "names", "datasets", "statements", "tokens", "files"
]
"""``line``: one line of words. ``text``: several. ``day``: an ISO date. ``number``: a count.
``code``: letters, digits and ``._:/-``. ``names``: several lines. ``datasets``: source and
identifier of each. ``statements``: SQL and the analyst's signed request of each. ``tokens``: signed
documents. ``files``: public files as `public_files` says them; the catalog's own word only."""

LONGEST: Final[dict[Form, int]] = {"line": 200, "text": 5000, "code": 128}
MOST: Final[dict[Form, int]] = {"names": 500, "datasets": 50, "statements": 20, "tokens": 20}
LONGEST_SQL: Final = 20_000
LONGEST_TOKEN: Final = 256 << 10
MOST_NUMBER: Final = 400  # below `cases.MOST_EVENTS`: each time is an event
CODE: Final = r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}"
_CODE: Final = re.compile(CODE, re.ASCII)
# Bidirectional embeddings, overrides and isolates (Unicode 16, UAX 9, table 4).
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Field:
    """One field.

    Attributes:
        name: As in JSON.
        form: What it looks like.
        title: For people.
        required: Whether it must be there.
    """

    name: str
    form: Form
    title: Text
    required: bool = True


def read_fields(wanted: Sequence[Field], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what was said, in JSON types; fields that are left out or empty are not there.

    Raises:
        InputError: Something is missing, unknown or malformed; says which field.
    """
    known = {field.name for field in wanted}
    if unknown := sorted(given.keys() - known):
        raise _flaw(unknown[0], Text("is not asked for", "不是所需字段"))
    said = {}
    for field in wanted:
        value = given.get(field.name)
        if value is None or value in ("", [], ()):
            if field.required:
                raise _flaw(field.name, Text("is missing", "缺少此项"))
            continue
        said[field.name] = _READERS[field.form](field, value)
    return said


def _line(field: Field, value: object) -> str:
    text = _words(field, value).strip()
    if not text or len(text) > LONGEST["line"] or not text.isprintable():
        raise _flaw(field.name, Text(f"is one line of at most {LONGEST['line']} characters",
                                     f"须为一行，不超过 {LONGEST['line']} 字"))  # fmt: skip
    return text


def _text(field: Field, value: object) -> str:
    text = _words(field, value).replace("\r\n", "\n").replace("\r", "\n").strip()
    plain = text.replace("\n", "").replace("\t", "")
    controls = any(unicodedata.category(each) in {"Cc", "Cs"} for each in plain)
    if not text or len(text) > LONGEST["text"] or controls:
        raise _flaw(field.name, Text(f"is a text of at most {LONGEST['text']:,} characters",
                                     f"须为文本，不超过 {LONGEST['text']:,} 字"))  # fmt: skip
    return text


def _day(field: Field, value: object) -> str:
    try:
        day = value if isinstance(value, dt.date) else dt.date.fromisoformat(_words(field, value))
    except ValueError:
        raise _flaw(field.name, Text("is a day, 2026-12-31", "须为日期，如 2026-12-31")) from None
    return day.isoformat()


def _number(field: Field, value: object) -> int:
    if type(value) is not int or not 1 <= value <= MOST_NUMBER:
        raise _flaw(field.name, Text(f"is a number from 1 to {MOST_NUMBER:,}",
                                     f"须为 1 到 {MOST_NUMBER:,} 的整数"))  # fmt: skip
    return value


def _code(field: Field, value: object) -> str:
    text = _words(field, value)
    if not _CODE.fullmatch(text):
        raise _flaw(field.name, Text("is a code of letters, digits and . _ : / -",
                                     "须为字母、数字和 . _ : / - 组成的代码"))  # fmt: skip
    return text


def _names(field: Field, value: object) -> list[str]:
    names = [_line(field, each) for each in _several(field, value)]
    if len(set(names)) < len(names):
        raise _flaw(field.name, Text("names something twice", "有重复项"))
    return names


def _datasets(field: Field, value: object) -> list[dict[str, str]]:
    found = []
    for each in _several(field, value):
        if not isinstance(each, Mapping) or each.keys() != {"source", "identifier"}:
            raise _flaw(field.name, Text("names source and identifier of each dataset",
                                         "每个数据资源须给出 source 和 identifier"))  # fmt: skip
        one = {name: _line(field, each[name]) for name in ("source", "identifier")}
        if one in found:
            raise _flaw(field.name, Text("names a dataset twice", "数据资源重复"))
        found.append(one)
    return found


def _statements(field: Field, value: object) -> list[dict[str, str]]:
    found = []
    for each in _several(field, value):
        if not isinstance(each, Mapping) or each.keys() != {"sql", "grant_request"}:
            raise _flaw(field.name, Text("has sql and grant_request of each statement",
                                         "每条语句须给出 sql 和 grant_request"))  # fmt: skip
        sql = _words(field, each["sql"])
        if not sql.strip() or len(sql) > LONGEST_SQL:
            raise _flaw(field.name, Text(f"has statements of at most {LONGEST_SQL:,} characters",
                                         f"语句不超过 {LONGEST_SQL:,} 字"))  # fmt: skip
        found.append({"sql": sql, "grant_request": _token(field, each["grant_request"])})
    return found


def _tokens(field: Field, value: object) -> list[str]:
    return [_token(field, each) for each in _several(field, value)]


def _token(field: Field, value: object) -> str:
    text = _words(field, value)
    if not text or len(text) > LONGEST_TOKEN or not text.isascii() or not text.isprintable():
        raise _flaw(field.name, Text("holds signed documents (compact JWS)",
                                     "须为签名文件（紧凑 JWS）"))  # fmt: skip
    return text


def _several(field: Field, value: object) -> Sequence[object]:
    if not isinstance(value, list | tuple) or len(value) > MOST[field.form]:
        raise _flaw(field.name, Text(f"is a list of at most {MOST[field.form]}",
                                     f"须为列表，不超过 {MOST[field.form]} 项"))  # fmt: skip
    return value


def _words(field: Field, value: object) -> str:
    if not isinstance(value, str) or _TURNING & set(value) or unseen(value):
        raise _flaw(field.name, Text("is text without marks of direction and invisible letters",
                                     "须为不含书写方向控制符和不可见字符的文本"))  # fmt: skip
    return value


def _flaw(name: str, said: Text) -> InputError:
    return InputError(
        Text(f"{name[:40]} {said.en}", f"{name[:40]}：{said.zh}"),
        remedy=Text("mend that field", "请改正该字段"),
        code="case.field",
    )


_READERS: Final = {
    "line": _line, "text": _text, "day": _day, "number": _number, "code": _code, "names": _names,
    "datasets": _datasets, "statements": _statements, "tokens": _tokens,
}  # fmt: skip
