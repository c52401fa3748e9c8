"""Dates: to a coarser unit, and shifted by days that a subject's key decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from desensitize.masking.base import Cell, Domain, Workshop
from desensitize.masking.readings import as_date, as_text
from desensitize.masking.token import hmac_sha256
from protos.language import Text

Unit = Literal["day", "week", "month", "quarter", "year", "5y", "10y"]


_LEFT: Final[dict[Unit, Text]] = {
    "day": Text("the day", "可知具体日期"),
    "week": Text("the week, and so the day within seven", "可知所在的周（误差七天内）"),
    "month": Text("the month, with the year", "可知年份和月份"),
    "quarter": Text("the quarter, with the year", "可知年份和季度"),
    "year": Text("the year", "可知年份"),
    "5y": Text("which five years it is in", "可知所在的五年区间"),
    "10y": Text("which ten years it is in", "可知所在的十年区间"),
}


@dataclass(frozen=True)
class DateTo:
    """A date becomes its week (ISO 8601), month, quarter, year, or five or ten years, as text.

    Conclusions: the unit. Month and year of birth beside sex and district single out people in
    small districts.

    Attributes:
        unit: What is left.
    """

    unit: Unit

    reads_days: ClassVar = True
    title: ClassVar = Text("date made coarser", "日期泛化")
    concludes: ClassVar = Text("the week, month or years that are left", "可知所保留的时间单位")

    @property
    def conclusion(self) -> Text:
        """What this unit leaves."""
        return _LEFT[self.unit]

    def apply(self, cell: Cell, shop: Workshop) -> Cell:  # noqa: ARG002 - one shape for all
        """Returns the unit as text, such as 1990-03 or 1990–1994."""
        return Cell(in_unit(as_date(cell).sql, self.unit), "VARCHAR")


def in_unit(date: str, unit: Unit) -> str:
    """Returns the SQL that writes a date in a unit."""
    match unit:
        case "day":
            return f"strftime({date}, '%Y-%m-%d')"
        case "week":
            return f"strftime({date}, '%G-W%V')"
        case "month":
            return f"strftime({date}, '%Y-%m')"
        case "quarter":
            return f"strftime({date}, '%Y') || '-Q' || quarter({date})"
        case "year":
            return f"strftime({date}, '%Y')"
        case "5y" | "10y":
            years = int(unit[:-1])
            # With a dash, not a hyphen: 0200-0209 is the form of a landline number.
            first = f"(year({date}) // {years}) * {years}"
            return f"printf('%04d–%04d', {first}, {first} + {years - 1})"


@dataclass(frozen=True)
class DateShift:
    """All dates of one person move by the same number of days, which a key decides.

    The days are HMAC-SHA-256 of the subject under the domain's key, modulo 2 x days + 1, less
    ``days``: every shift from -days to days is as likely. Tables with the same domain shift a
    person alike, so what lies between two dates of a person stays as it was.

    Conclusions: the date within ``days``; intervals exactly. Whoever knows one true date of a
    person knows all; weekly rhythms and public events can give a shift away.

    Attributes:
        domain: Names the key.
        subject: Column that says whose date it is.
        days: Greatest shift, days.
    """

    domain: Domain
    subject: Annotated[str, Field(min_length=1)]
    days: Annotated[int, Field(ge=1, le=36_500)] = 30

    reads_days: ClassVar = True
    title: ClassVar = Text("shifted by days of the person's own", "按人平移日期")
    concludes: ClassVar = Text(
        "the date within the greatest shift, and what lies between two dates of a person",
        "可知日期的大致范围，以及同一人两个日期之间的间隔",
    )

    @property
    def needs(self) -> tuple[str, ...]:
        """Other columns that it looks at."""
        return (self.subject,)

    def apply(self, cell: Cell, shop: Workshop) -> Cell:
        """Returns shifted dates; NULL without a subject."""
        key = shop.secrets.subkey(self.domain, "date-shift")
        subject = f"nullif(trim({as_text(shop.columns[self.subject]).sql}), '')"
        number = f"('0x' || left({hmac_sha256(subject, key, shop)}, 15))::BIGINT"
        shift = f"({number} % {2 * self.days + 1} - {self.days})::INTEGER"
        return Cell(f"({as_date(cell).sql}) + {shift}", "DATE")
