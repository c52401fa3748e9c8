"""The forms in which people and programs write a day, and how the engine reads them.

Years first (GB/T 7408.1-2023, ISO 8601-1), with points, slashes or 年月日, also in Chinese numerals
(GB/T 15835-2011: 二〇二四年三月五日; ○, 零 for 〇); days first; names of months (RFC 5322, Java,
Oracle); Minguo years; a spreadsheet's day numbers (ISO/IEC 29500-1, 18.17.4.1); seconds and
milliseconds since 1970. A time of day and a zone may follow and are left out: the day is the one
that is written.

What can be two days is none, and the release counts it: 03/07/1990 unless the policy says which
comes first, a year of two digits up to 31 (beyond, it is of the 20th century: days to come are not
in such tables), six digits (ISO 8601-1 forbids them, for 200503 can be a day of 2020).

A form is a pattern and how it is written anew, so that one chain of replacements and one reading
do for all of them; what no form fits has no mark at its beginning, and is none.
"""

from __future__ import annotations

from typing import Final

from desensitize.engines.stored_values import literal

_BEIJING_S: Final = 8 * 3_600
"""Instants that name no zone are read in the time of GB/T 7408.1: the day begins there."""
_LONG: Final = "([0-9]{4})"
_YEAR: Final = "([0-9]{4}|3[2-9]|[4-9][0-9])"
_MONTH: Final = "(0?[1-9]|1[0-2])"
_DAY: Final = "(0?[1-9]|[12][0-9]|3[01])"
_LATE: Final = "(1[3-9]|2[0-9]|3[01])"  # a day that is no month
_NAME: Final = (
    "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    "(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?[.]?"
)
_NTH: Final = f"{_DAY}(?:st|nd|rd|th)?"
_WEEKDAY: Final = "^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]? +"
_TIME: Final = (
    "[t ,]*(?:上午|下午)?[0-9]{1,2}[:时点](?:[0-9]{1,2}[:分]?)?(?:[0-9]{1,2}秒?(?:[.,][0-9]+)?)?"
    "(?: ?[ap][.]?m[.]?)?(?: ?(?:[a-z]{1,4}|[+-][0-9]{2}(?::?[0-9]{2})?))?$"
)
_CLOCK: Final = "[0-9]{2}:[0-9]{2}:[0-9]{2} (?:[a-z+0-9:]{3,9} )?"
_WIDE: Final = "０１２３４５６７８９－／．：　"
_ASCII: Final = "0123456789-/.: "
_USUAL: Final = "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_NUMBER: Final = r"[0-9]{5}(?:\.[0-9]*)?|(?:[0-9]{10}|[0-9]{12,13})(?:\.0*)?"
_MINGUO: Final = rf"(?:中[华華])?民[国國] ?([0-9]{{1,3}}) ?年 ?{_MONTH} ?月 ?{_DAY} ?日?"
_NUMERALS: Final = "〇○零一二三四五六七八九"
_DIGITS: Final = "000123456789"
_SPELT: Final = f"[{_NUMERALS}十廿卅元]"
_CHINESE: Final = (
    f"([0-9{_NUMERALS}]{{4}}) ?年 ?([0-9一二三四五六七八九十元]{{1,2}}) ?月"
    "(?: ?([0-9一二三四五六七八九十廿卅]{1,3}) ?[日号]?)?"
)

FORMS: Final = (
    (rf"{_YEAR}(?:[-/.]| ?年 ?){_MONTH}(?:[-/.]| ?月 ?){_DAY} ?[日号]?", r"=\1-\2-\3"),
    (rf"{_LONG}(0[1-9]|1[0-2])([0-2][0-9]|3[01])(?:[0-9]{{6}})?(?:\.0*)?", r"=\1-\2-\3"),
    (rf"{_LONG}(?:[-/.]| ?年 ?){_MONTH} ?月?", r"=\1-\2-1"),
    (rf"{_DAY}\.{_MONTH}\.{_YEAR}", r"=\3-\2-\1"),
    (rf"{_NTH}[-/ .]*{_NAME}[-/ ,]*{_YEAR}", r"=\3-\2-\1"),
    (rf"{_NAME}[-/ ]*{_NTH}[-/ ,]+{_YEAR}", r"=\3-\1-\2"),
    (rf"{_NAME} +{_DAY} {_CLOCK}{_LONG}", r"=\3-\1-\2"),
    (rf"{_NAME}[-/ ,]*{_LONG}", r"=\2-\1-1"),
)
DAY_FIRST: Final = rf"{_LATE}[-/ ]{_MONTH}[-/ ]{_YEAR}"
"""What tells of a column that its days come first; then that its months do."""
MONTH_FIRST: Final = rf"{_MONTH}[-/ ]{_LATE}[-/ ]{_YEAR}"


def day_of(text: str, *, day_first: bool | None = None) -> str:
    """Returns the expression of the day that a text says; NULL for what says none or several.

    Args:
        text: Expression of a VARCHAR.
        day_first: Whether 03/07/1990 is in July; None if nobody has said.
    """
    number = f"TRY_CAST({text} AS DOUBLE)"
    return (
        f"(CASE WHEN {_is(text, _USUAL)} THEN TRY_CAST({text} AS DATE) "
        f"WHEN {_is(text, _NUMBER)} THEN CASE "
        f"WHEN {number} BETWEEN 10000 AND 99999 "
        f"THEN DATE '1899-12-30' + floor({number})::INTEGER "
        # To 2030; in milliseconds from 1979 on. Beyond could be 2024030710, or 199003071030.
        f"WHEN {number} BETWEEN 1e9 AND 1.9e9 THEN {_instant(number)} "
        f"WHEN {number} BETWEEN 3e11 AND 1.9e12 THEN {_instant(f'({number} / 1000)')} END "
        f"WHEN {_is(text, _MINGUO)} THEN {_minguo(text)} "
        f"WHEN regexp_matches({text}, {literal(_SPELT)}) AND {_is(text, _CHINESE)} "
        f"THEN {_spelt(text)} "
        # Without a mark before it, 'infinity' would be a day of the engine's own.
        f"ELSE try_strptime('=' || {_rewritten(text, day_first)}, "
        "['==%Y-%m-%d', '==%Y-%b-%d'])::DATE END)"
    )


def instant_day(cell: str) -> str:
    """Returns the expression of the day of an instant (TIMESTAMP WITH TIME ZONE)."""
    # Not in the session's zone: the same table makes the same release everywhere.
    return f"make_timestamp(epoch_us({cell}) + {_BEIJING_S * 1_000_000})::DATE"


def _instant(seconds: str) -> str:
    return f"make_timestamp((floor({seconds})::BIGINT + {_BEIJING_S}) * 1000000)::DATE"


def _minguo(text: str) -> str:
    pattern = literal(f"^{_MINGUO}$")
    year = f"(TRY_CAST(regexp_extract({text}, {pattern}, 1) AS INTEGER) + 1911)::VARCHAR"
    rest = rf"regexp_replace({text}, {pattern}, '-\2-\3')"
    return f"try_strptime({year} || {rest}, '%Y-%m-%d')::DATE"


def _spelt(text: str) -> str:
    """Returns the day of a date in Chinese numerals; without a day it is the first of its month."""
    pattern = literal(f"^{_CHINESE}$")
    sql = rf"regexp_replace({text}, {pattern}, '\1-\2-\3')"
    sql = f"translate({sql}, {literal(_NUMERALS)}, {literal(_DIGITS)})"
    for pattern, made in (
        ("元", "1"), ("廿", "2十"), ("卅", "3十"),
        ("([0-9])十([0-9])", r"\1\2"), ("([0-9])十", r"\10"), ("十([0-9])", r"1\1"), ("十", "10"),
        ("-$", "-1"),
    ):  # fmt: skip
        sql = f"regexp_replace({sql}, {literal(pattern)}, {literal(made)}, 'g')"
    return f"TRY_CAST({sql} AS DATE)"


def _rewritten(text: str, day_first: bool | None) -> str:  # noqa: FBT001 - handed on
    numeric = [(DAY_FIRST, r"=\3-\2-\1"), (MONTH_FIRST, r"=\3-\1-\2")]
    if day_first is None:
        # 03/03/1990 is one day either way. Patterns know no "the same again".
        for months in (range(1, 7), range(7, 13)):
            pairs = "|".join(f"0?{m}[-/ ]0?({m})" for m in months)
            month = "".join(rf"\{group}" for group in range(1, 7))
            numeric.append((rf"(?:{pairs})[-/ ]{_YEAR}", rf"=\7-{month}-{month}"))
    else:
        made = r"=\3-\2-\1" if day_first else r"=\3-\1-\2"
        numeric.append((rf"{_MONTH}[-/ ]{_MONTH}[-/ ]{_YEAR}", made))
    sql = f"lower(trim(translate({text}, {literal(_WIDE)}, {literal(_ASCII)})))"
    sql = f"regexp_replace({sql}, {literal(f'{_WEEKDAY}|{_TIME}')}, '', 'g')"
    for pattern, made in (*FORMS, *numeric):
        sql = f"regexp_replace({sql}, {literal(f'^(?:{pattern})$')}, {literal(made)})"
    return rf"regexp_replace({sql}, '^=([0-9]{{2}})-', '=19\1-')"


def _is(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {literal(pattern)})"
