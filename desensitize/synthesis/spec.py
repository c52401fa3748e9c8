"""``[publish.synthesis]`` of a policy: what is synthesised, from which domains, at which price.

A domain is declared, or follows from public lists; nothing of it is ever read from the data, whose
least, greatest and distinct values are themselves facts about people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from desensitize.masking.dates import Unit
from desensitize.masking.district import Level
from desensitize.masking.numbers import Number, Positive
from protos.faults import InputError
from protos.language import Text
from protos.toml_file import refused

_STRICT: Final = ConfigDict(extra="forbid")
MOST_EPSILON: Final = 20.0
"""Beyond, the promise means next to nothing: a chance of 1 to 2 may become one of 1 to 10**9."""
MOST_DELTA: Final = 1e-5
"""A chance of delta per person is a chance of a person per 1 / delta."""
MOST_COLUMNS: Final = 100
"""Every pair of columns is counted, and every column takes its part of the budget."""
MOST_ROWS: Final = 100_000_000


@dataclass(frozen=True)
class Codes:
    """The column's ``codes`` in ``[columns]``; of a boolean, false and true."""


@dataclass(frozen=True)
class Bands:
    """Bands of a number within its ``bounds``; within a band, values are drawn evenly.

    Attributes:
        band: A width (bands begin at its multiples), or rising edges between the bounds.
    """

    __pydantic_config__: ClassVar = _STRICT

    band: Positive | Annotated[tuple[Number, ...], Field(min_length=1, max_length=1000)]

    def __post_init__(self) -> None:
        """Checks that edges rise."""
        if isinstance(self.band, tuple) and any(a >= b for a, b in pairwise(self.band)):
            raise ValueError(Text("edges must rise", "区间端点须递增"))


@dataclass(frozen=True)
class Days:
    """Units of a date within its ``bounds``; within a unit, days are drawn evenly.

    Attributes:
        date: The unit, as of the masking method.
    """

    __pydantic_config__: ClassVar = _STRICT

    date: Unit


@dataclass(frozen=True)
class Places:
    """All divisions (GB/T 2260) down to a level, by their full names.

    Attributes:
        district: The finest level.
    """

    __pydantic_config__: ClassVar = _STRICT

    district: Level


@dataclass(frozen=True)
class Labels:
    """The labels of one level of a hierarchy file, which must be public.

    Attributes:
        file: Beside the policy, as for ``publish.hierarchies``.
        level: 0 for the values themselves.
    """

    __pydantic_config__: ClassVar = _STRICT

    file: Annotated[str, Field(min_length=1)]
    level: Annotated[int, Field(ge=0, le=31)]


DomainRule = Codes | Bands | Days | Places | Labels
_KINDS: Final[Mapping[str, type[DomainRule]]] = {
    "band": Bands, "date": Days, "district": Places, "file": Labels,
}  # fmt: skip


@dataclass(frozen=True)
class SynthesisRules:
    """What a policy says about synthetic rows.

    Attributes:
        epsilon: Most that may be spent.
        delta: Of the same promise.
        domains: By column, in the order of the file.
        subject: Column that says whose row it is; empty if every row is another subject's.
        max_rows_per_subject: Rows that count of one subject; the first ones in the file.
        rows: How many are drawn; None for about as many as there are, by a noisy count.
    """

    epsilon: float
    delta: float
    domains: Mapping[str, DomainRule]
    subject: str = ""
    max_rows_per_subject: int = 1
    rows: int | None = None


class WrittenSynthesis(BaseModel):
    """``[publish.synthesis]`` as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epsilon: Annotated[float, Field(gt=0, le=MOST_EPSILON)]
    delta: Annotated[float, Field(gt=0, le=MOST_DELTA)] = 1e-6
    subject: Annotated[str, Field(min_length=1)] | None = None
    row_is_subject: bool = False
    max_rows_per_subject: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    rows: Annotated[int, Field(ge=1, le=MOST_ROWS)] | None = None
    domains: Annotated[dict[str, str | dict[str, Any]], Field(min_length=1)]


def read_rules(written: WrittenSynthesis, where: str) -> SynthesisRules:
    """Checks the section in itself; whether the columns allow it, `check_columns` says.

    Args:
        written: What Pydantic has accepted.
        where: The section, for errors.

    Raises:
        InputError: It does not say whose rows they are, or a domain is written wrongly.
    """
    _check_subject(written, where)
    if len(written.domains) > MOST_COLUMNS:
        raise InputError(
            Text(
                f"{where}.domains: {len(written.domains)} columns, and at most {MOST_COLUMNS} "
                "share a budget",
                f"{where}.domains：有 {len(written.domains)} 列，最多 {MOST_COLUMNS} 列共用预算",
            ),
            remedy=Text("name the columns that a reader needs", "请只写读者需要的列"),
            code="synthesis.columns",
        )
    domains = {
        name: _domain(how, f'{where}.domains."{name}"') for name, how in written.domains.items()
    }
    return SynthesisRules(
        written.epsilon,
        written.delta,
        domains,
        written.subject or "",
        written.max_rows_per_subject or 1,
        written.rows,
    )


def _check_subject(written: WrittenSynthesis, where: str) -> None:
    if (written.subject is not None) == written.row_is_subject:
        raise InputError(
            Text(f"{where}: whose rows are they?", f"{where}：未说明每行属于谁"),
            remedy=Text(
                'write either subject = "COLUMN" and max_rows_per_subject, or '
                "row_is_subject = true if nobody has two rows",
                '请写 subject = "列名" 与 max_rows_per_subject；若每人只有一行，'
                "请改写 row_is_subject = true",
            ),
            code="synthesis.subject",
        )
    if (written.subject is None) != (written.max_rows_per_subject is None):
        raise InputError(
            Text(
                f"{where}: subject and max_rows_per_subject belong together",
                f"{where}：subject 与 max_rows_per_subject 须同时填写",
            ),
            remedy=Text(
                "say how many rows of one subject count; more of them are left out",
                "请说明每个主体最多计入多少行，超出的行不计入",
            ),
            code="synthesis.subject",
        )


def _domain(written: str | dict[str, Any], where: str) -> DomainRule:
    if written == "codes":
        return Codes()
    key = next(iter(written)) if isinstance(written, dict) and written else ""
    if key not in _KINDS or not isinstance(written, dict):
        raise InputError(
            Text(f"{where}: {written!r} is no domain", f"{where}：{written!r} 不是取值范围"),
            remedy=Text(
                'domains: "codes", { band = 5 }, { date = "month" }, { district = "city" }, '
                '{ file = "levels.csv", level = 1 }',
                '可写："codes"、{ band = 5 }、{ date = "month" }、{ district = "city" }、'
                '{ file = "levels.csv", level = 1 }',
            ),
            code="synthesis.domain",
        )
    try:
        rule: DomainRule = TypeAdapter(_KINDS[key]).validate_python(written)
    except ValidationError as error:
        raise refused(error, where) from error
    return rule


def asked(
    rules: SynthesisRules | None, epsilon: float | None, delta: float | None, rows: int | None
) -> SynthesisRules:
    """Returns what one run does: the policy's word, or less of it.

    Args:
        rules: The policy's section.
        epsilon: To spend less; None for the policy's.
        delta: The same.
        rows: To draw another number of rows, which costs nothing.

    Raises:
        InputError: The policy does not speak of synthetic rows, or would be exceeded.
    """
    if rules is None:
        raise InputError(
            Text("the policy has no [publish.synthesis]", "策略中没有 [publish.synthesis]"),
            remedy=Text(
                "say there what may be spent, whose rows they are, and each column's domain",
                "请在其中写明可用的隐私预算、每行属于谁，以及各列的取值范围",
            ),
            code="synthesis.missing",
        )
    for name, given, most in (("epsilon", epsilon, rules.epsilon), ("delta", delta, rules.delta)):
        if given is not None and not 0.0 < given <= most:
            raise InputError(
                Text(
                    f"{name} must be above 0 and at most the policy's {most:g}",
                    f"{name} 须大于 0，且不超过策略中的 {most:g}",
                ),
                remedy=Text(
                    "spend less, or change the policy, which is its owner's to decide",
                    "请减小该值；如需提高，应由数据所有者修改策略",
                ),
                code="synthesis.budget",
            )
    if rows is not None and not 1 <= rows <= MOST_ROWS:
        raise InputError(
            Text(f"rows must be 1 to {MOST_ROWS:,}", f"rows 须在 1 到 {MOST_ROWS:,} 之间"),
            remedy=Text("leave it out for about as many as there are", "可省略，行数与原表相近"),
            code="synthesis.rows",
        )
    return replace(
        rules,
        epsilon=rules.epsilon if epsilon is None else epsilon,
        delta=rules.delta if delta is None else delta,
        rows=rules.rows if rows is None else rows,
    )
