"""Methods on numbers: top_code and bottom_code, round, band."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, ClassVar, Final

from pydantic import Field, StringConstraints

from desensitize.engines.stored_values import literal
from desensitize.masking.base import Cell, Percentile, Workshop
from desensitize.masking.readings import as_number, one_zero
from protos.faults import InputError
from protos.language import Text

_Percentile = Annotated[str, StringConstraints(pattern=r"^p[0-9]{1,2}(\.[0-9]{1,3})?$")]
Number = Annotated[Decimal, Field(gt=Decimal("-1e15"), lt=Decimal("1e15"))]
Positive = Annotated[Decimal, Field(gt=0, lt=Decimal("1e15"))]
_NOTHING: Final = Text(
    "no value of the column {name!r} is a number, so it has no {asked}",
    "列“{name}”中没有数字，无法计算 {asked}",
)


@dataclass(frozen=True)
class _Coded:
    """A limit: a number, or a percentile of the column (``"p99.5"``)."""

    limit: Number | _Percentile

    title: ClassVar[Text]
    concludes: ClassVar[Text]

    def _limited(self, cell: Cell, shop: Workshop, choose: str) -> Cell:
        number = as_number(cell)
        if isinstance(self.limit, Decimal):
            limit = _written(self.limit, number)
        else:
            limit = self._percentile(number, shop)
        if limit.stored != number.stored:
            number = Cell(f"({number.sql})::DOUBLE", "DOUBLE")
        # `least` and `greatest` pass over NULL, so NULL is said.
        sql = f"CASE WHEN ({number.sql}) IS NOT NULL THEN {choose}({number.sql}, {limit.sql}) END"
        return Cell(sql, number.stored)

    def percentiles(self, cell: Cell) -> tuple[Percentile, ...]:
        """Returns the percentile that must be known before; none if the limit is a number."""
        return () if isinstance(self.limit, Decimal) else (self._asked(as_number(cell)),)

    def _asked(self, number: Cell) -> Percentile:
        return Percentile(f"({number.sql})", Decimal(str(self.limit)[1:]) / 100)

    def _percentile(self, number: Cell, shop: Workshop) -> Cell:
        found = shop.figures[self._asked(number)]
        if found is None:
            raise InputError(
                _NOTHING.format(name=shop.column, asked=self.limit),
                remedy=Text("drop the column, or give a number", "请删除该列，或直接写数字"),
                code="masking.no_numbers",
            )
        return Cell(f"{found!r}::{number.stored}", number.stored)


@dataclass(frozen=True)
class TopCode(_Coded):
    """Greater values become the limit.

    Conclusions: the exact value below the limit; above it only that it is at least the limit. A
    percentile is itself a value of somebody's, and the greatest that is published.
    """

    title: ClassVar = Text("top-coded", "上限截断")
    concludes: ClassVar = Text(
        "the value, unless it is among the greatest", "可知其值，但最大的一部分除外"
    )

    def apply(self, cell: Cell, shop: Workshop) -> Cell:
        """Returns at most the limit."""
        return self._limited(cell, shop, "least")


@dataclass(frozen=True)
class BottomCode(_Coded):
    """Smaller values become the limit; conclusions as for `TopCode`, at the other end."""

    title: ClassVar = Text("bottom-coded", "下限截断")
    concludes: ClassVar = Text(
        "the value, unless it is among the least", "可知其值，但最小的一部分除外"
    )

    def apply(self, cell: Cell, shop: Workshop) -> Cell:
        """Returns at least the limit."""
        return self._limited(cell, shop, "greatest")


@dataclass(frozen=True)
class Round:
    """Rounds to multiples of a base, halves away from zero.

    Conclusions: the value within half the base. A figure that is rare stays rare.

    Attributes:
        base: Multiples of it are left, such as 100 or 0.5.
    """

    base: Positive

    title: ClassVar = Text("rounded", "取整")
    concludes: ClassVar = Text("the value within half the base", "可知其值，误差为基数的一半")

    @property
    def conclusion(self) -> Text:
        """What this base leaves."""
        half = f"{(self.base / 2).normalize():f}"
        return Text(f"the value within {half}", f"可知其值，误差不超过 {half}")

    def apply(self, cell: Cell, shop: Workshop) -> Cell:  # noqa: ARG002 - one shape for all
        """Returns multiples."""
        number = as_number(cell)
        x = f"({number.sql})"
        if number.stored == "BIGINT" and self.base == int(self.base):
            # Whole numbers stay exact: half the base is added, then cut off, away from zero.
            base = int(self.base)
            cut = f"((abs({x}::HUGEINT) * 2 + {base}) // {2 * base}) * {base}"
            return Cell(f"TRY_CAST(sign({x}) * ({cut}) AS BIGINT)", "BIGINT")
        places = max(0, -int(self.base.normalize().as_tuple().exponent))
        base_text = f"{self.base:f}::DOUBLE"
        rounded = f"round(round({x}::DOUBLE / {base_text}) * {base_text}, {places})"
        return one_zero(Cell(rounded, "DOUBLE"))  # else -0.3 would show its sign


@dataclass(frozen=True)
class Band:
    """Numbers become the band that they are in, as text: ``[20,25)``, lower end included.

    Conclusions: the band. Bands of the same width hold many people in the middle and few at the
    ends; a list of edges makes the ends open: ``<18``, ``[18,60)``, ``>=60``.

    Attributes:
        edges: A width (bands then begin at multiples of it), or rising edges.
    """

    edges: Positive | tuple[Number, ...]

    title: ClassVar = Text("banded", "分段")
    concludes: ClassVar = Text("the band", "可知所在区间")

    @property
    def conclusion(self) -> Text:
        """What these bands leave."""
        if isinstance(self.edges, tuple):
            listed = ", ".join(f"{edge:f}" for edge in self.edges)
            return Text(f"between which of {listed} it lies", f"可知位于 {listed} 之间的哪一段")
        width = f"{self.edges:f}"
        return Text(f"in which band of {width} it lies", f"可知位于宽度为 {width} 的哪一区间")

    def __post_init__(self) -> None:
        """Checks that edges rise."""
        if isinstance(self.edges, tuple) and (
            not self.edges or any(a >= b for a, b in pairwise(self.edges))
        ):
            raise ValueError(Text("edges must rise", "区间端点须递增"))

    def apply(self, cell: Cell, shop: Workshop) -> Cell:  # noqa: ARG002 - one shape for all
        """Returns bands as text."""
        x = f"({as_number(cell).sql})"
        if isinstance(self.edges, tuple):
            return Cell(_between(x, self.edges), "VARCHAR")
        # Beyond, bands have no exact ends, and the engine no whole numbers for them.
        x = f"(CASE WHEN abs({x}) < 1e15 THEN {x} END)"
        width = f"{self.edges:f}"
        kind = "BIGINT" if self.edges == int(self.edges) else "DOUBLE"
        # An exact type for the ends: 0.1 * 3 in floating point would show too many digits.
        low = f"floor({x}::DOUBLE / {width})::{kind} * {width}"
        high = f"(floor({x}::DOUBLE / {width})::{kind} + 1) * {width}"
        if kind == "DOUBLE":
            places = max(0, -int(self.edges.normalize().as_tuple().exponent))
            low, high = f"round({low}, {places})", f"round({high}, {places})"
        return Cell(f"'[' || {low} || ',' || {high} || ')'", "VARCHAR")


def _between(x: str, edges: tuple[Decimal, ...]) -> str:
    first, last = edges[0], edges[-1]
    cases = [f"WHEN {x} < {first:f} THEN {literal(f'<{first:f}')}"]
    cases += [
        f"WHEN {x} < {high:f} THEN {literal(f'[{low:f},{high:f})')}"
        for low, high in pairwise(edges)
    ]
    return f"CASE {' '.join(cases)} WHEN {x} >= {last:f} THEN {literal(f'>={last:f}')} END"


def _written(limit: Decimal, number: Cell) -> Cell:
    if number.stored == "BIGINT" and limit == int(limit):
        return Cell(f"{int(limit)}::BIGINT", "BIGINT")
    return Cell(f"{limit:f}::DOUBLE", "DOUBLE")
