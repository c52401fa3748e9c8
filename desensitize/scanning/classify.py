"""From what was seen in a column to its type, role and grade, with the reasons.

A header says what a column is meant to hold, values say what it holds. A type needs valid values
for its name: enough to stand alone, or fewer under its header. Where several qualify, those that
the header names come first, then the greater share, then the order of the recognisers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from desensitize.column import Role
from desensitize.recognisers import by_name, recognisers
from desensitize.recognisers.base import Recogniser
from desensitize.recognisers.birth import BIRTH_DATE
from desensitize.scanning.attributes import ATTRIBUTES, attribute
from desensitize.scanning.days import DATED, NO_DAYS, Days
from desensitize.scanning.findings import ColumnFinding, Count
from desensitize.scanning.headers import match
from protos.language import Text

UNDER_HEADER: Final = 0.3
"""Share of valid values that a type needs under its own header."""
FORM_UNDER_HEADER: Final = 0.6
"""… or of values of its form whose check fails: made-up, mistyped or damaged, but still ids."""
FORM_ALONE: Final = 0.9
"""… and without a header, where the values are also known to be rounded."""
FEW: Final = 5
"""With fewer values a share of different ones says nothing."""
TEXT_VARIES: Final = 0.2
"""Share of different values from which long text is free text, and no code list."""
LONG_TEXT: Final = 20
"""Mean characters from which text of many forms is free text."""
UNKNOWN_GRADE: Final = 2
"""Of what nothing is known. That something is public (1) is for a person to say, not for a scan."""
HEADER: Final = Text("header", "列名")
FREE_TEXT: Final = Text("free text", "自由文本")
CODES_ALONE: Final = 0.95
"""Share of codes or names of divisions that a column needs without a header that says so."""
CODES_FEW: Final = 20
"""With fewer values codes could be chance."""
_AMOUNTS: Final = {"amount", "income"}
CODES: Final = Text("codes", "代码")
FEW_NUMBERS: Final = Text("a few small whole numbers, so no amounts", "仅少数几个小整数，并非金额")
DIVISION_CODES: Final = Text(
    "codes or names of divisions (GB/T 2260)", "行政区划代码或名称（GB/T 2260）"
)


@dataclass(frozen=True)
class Seen:
    """What a pass over a column saw.

    Attributes:
        name: The column.
        stored: Type in which it is stored.
        values: Cells that are neither NULL nor empty.
        counts: By recogniser.
        distinct: Share of different values in the sample, 0 to 1.
        mean_length: Mean characters in the sample.
        damaged: Values of the sample that spreadsheets have rounded (4.40106E+17).
        examples: Masked values.
        divisions: Share of codes and names of administrative divisions at the beginning, 0 to 1.
        unclear: Values at the beginning that name several divisions.
        days: What values at the beginning are as days, where the header promises days.
        coded: Whether values at the beginning are a few small whole numbers.
    """

    name: str
    stored: str
    values: int
    counts: Mapping[str, Count]
    distinct: float
    mean_length: float
    damaged: float
    examples: tuple[str, ...]
    divisions: float = 0.0
    unclear: int = 0
    days: Days = NO_DAYS
    coded: bool = False


def classify(seen: Seen) -> ColumnFinding:
    """Decides about one column."""
    about, length = attribute(seen.name)
    own = likely(seen)
    if own is not None and not _explains(own, seen, length):
        own = None
    codes: tuple[Text, ...] = ()
    leaks = {
        name: count
        for name, count in seen.counts.items()
        if count.whole + count.inside and (own is None or name != own.name)
    }
    if own is not None:
        name, title, role, grade = own.name, own.title, own.role, own.grade
    elif about is not None:
        name, title, role, grade = about.name, about.title, about.role, about.grade
        if seen.coded and name in _AMOUNTS:  # PAY_0 is whether somebody paid
            name, title, codes = "", CODES, (HEADER, FEW_NUMBERS)
    elif seen.divisions >= CODES_ALONE and seen.values >= CODES_FEW:
        # Of a million numbers of six digits, seven thousand are such codes.
        about = next(each for each in ATTRIBUTES if each.name == "division")
        name, title, role, grade = about.name, about.title, about.role, about.grade
        codes = (DIVISION_CODES,)
    elif _is_text(seen, leaks):
        name, title, role, grade = "free_text", FREE_TEXT, "other", 2
    else:
        name, title, role, grade = "", Text("", ""), "other", UNKNOWN_GRADE
    for leak in leaks:
        found = by_name()[leak]
        grade = max(grade, found.grade)
        role = _stronger(role, found.role)
    by_header = own is None and about is not None and not codes
    reasons = codes or ((HEADER,) if by_header else _reasons(seen, own))
    evidence = (*reasons, *_unclear(seen, name), *_undated(seen, name), *_leak_reasons(leaks))
    return ColumnFinding(
        seen.name, seen.stored, name, title, role, grade, seen.values, dict(seen.counts),
        evidence, seen.examples if name or leaks else (),
    )  # fmt: skip


def likely(seen: Seen) -> Recogniser | None:
    """Returns the recogniser whose type the column has, or None."""
    best: tuple[int, float, int] | None = None
    chosen = None
    for order, each in enumerate(recognisers()):
        named = match(seen.name, each.headers)
        share = _share(seen, each)
        count = seen.counts.get(each.name, Count())
        form = (count.whole + count.invalid) / max(seen.values, 1)
        if named:
            fits = share >= UNDER_HEADER or max(form, seen.damaged) >= FORM_UNDER_HEADER
            fits = fits or seen.values == 0  # an empty column is what its header says
            # However days are written.
            fits = fits or (each is BIRTH_DATE and seen.days.read >= UNDER_HEADER)
        else:
            fits = share >= each.alone and seen.values > 0
            if each.check is not None and each.alone <= 1 and seen.damaged >= FORM_UNDER_HEADER:
                fits = fits or form >= FORM_ALONE
            if each.varied:
                fits = fits and seen.distinct >= each.varied and seen.values >= FEW
        if fits and (best is None or (named, share, -order) > best):
            best, chosen = (named, share, -order), each
    return chosen


def _share(seen: Seen, each: Recogniser) -> float:
    return seen.counts.get(each.name, Count()).whole / max(seen.values, 1)


def _explains(chosen: Recogniser, seen: Seen, length: int) -> bool:
    """Whether the recogniser says more about the header than the attribute does."""
    return match(seen.name, chosen.headers) >= length or _share(seen, chosen) >= chosen.alone


def _is_text(seen: Seen, leaks: Mapping[str, Count]) -> bool:
    """Whether cells are sentences: long and varied, or with finds within other words."""
    long = seen.mean_length >= LONG_TEXT and seen.distinct > TEXT_VARIES
    return long or any(count.inside for count in leaks.values())


def _stronger(role: Role, other: Role) -> Role:
    order: tuple[Role, ...] = ("direct", "sensitive", "quasi", "other")
    return min(role, other, key=order.index)


def _reasons(seen: Seen, chosen: Recogniser | None) -> tuple[Text, ...]:
    if chosen is None:
        return ()
    reasons = []
    if match(seen.name, chosen.headers):
        reasons.append(HEADER)
    if seen.values == 0:
        reasons.append(Text("no values", "无数据"))
    count = seen.counts.get(chosen.name, Count())
    if count.whole:
        share = count.whole / seen.values
        checked = chosen.check is not None
        reasons.append(
            Text(f"{share:.1%} valid" if checked else f"{share:.1%} of the form",
                 f"{share:.1%} 校验通过" if checked else f"{share:.1%} 符合格式")
        )  # fmt: skip
    if count.invalid:
        reasons.append(Text(f"{count.invalid:,} fail the check", f"{count.invalid:,} 个未通过校验"))
    if seen.damaged >= FORM_UNDER_HEADER:
        reasons.append(
            Text("stored as rounded numbers: last digits lost", "以浮点数存储：末位数字已丢失")
        )
    return tuple(reasons)


def _unclear(seen: Seen, name: str) -> tuple[Text, ...]:
    if name != "division" or not seen.unclear:
        return ()
    return (
        Text(
            f"{seen.unclear:,} of the first values are names of several divisions",
            f"开头的值中有 {seen.unclear:,} 个为多地同名的区划",
        ),
    )


def _undated(seen: Seen, name: str) -> Iterator[Text]:
    if name not in DATED:
        return
    if lost := seen.days.unread:
        yield Text(
            f"{lost:,} of the first values say no day that can be read",
            f"开头的值中有 {lost:,} 个不是可识别的日期",
        )
    if (either := seen.days.either) and seen.days.day_first is None:
        yield Text(
            f"{either:,} of the first values could be two days (03/07/1990)",
            f"开头的值中有 {either:,} 个可作两种日期理解（03/07/1990）",
        )


def _leak_reasons(leaks: Mapping[str, Count]) -> tuple[Text, ...]:
    reasons = []
    for each in recognisers():
        if (count := leaks.get(each.name)) is not None:
            cells = count.whole + count.inside
            reasons.append(
                Text(
                    f"{each.title.en} in {cells:,} cell{'' if cells == 1 else 's'}",
                    f"{cells:,} 个单元格含{each.title.zh}",
                )
            )
    return tuple(reasons)
