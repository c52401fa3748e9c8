"""Methods that leave a value, a part of it, or nothing: keep, drop, redact, keep_first/keep_last.

Masks are what people know best and what protects least: of the usual 6 + 8 stars + 4 mask of a
resident id 2,999 candidates are left, with the birth month beside it 3. The attacks on a release
count them; this module only does what it is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from desensitize.engines.stored_values import literal
from desensitize.masking.base import Cell, Workshop
from desensitize.masking.readings import as_text
from protos.language import Text


@dataclass(frozen=True)
class Keep:
    """The value as it is. Never of a direct identifier: policies that say so are refused.

    Conclusions: everything that the column says.
    """

    title: ClassVar = Text("kept as it is", "原样保留")
    concludes: ClassVar = Text("the exact value", "可知其准确值")

    def apply(self, cell: Cell, shop: Workshop) -> Cell:  # noqa: ARG002 - one shape for all
        """Returns the cell itself."""
        return cell


@dataclass(frozen=True)
class Drop:
    """No column. Conclusions: none from it."""

    title: ClassVar = Text("dropped", "删除该列")
    concludes: ClassVar = Text("nothing", "无")

    def apply(self, cell: Cell, shop: Workshop) -> Cell:  # noqa: ARG002 - one shape for all
        """Is never asked: a dropped column does not get into the statement."""
        raise AssertionError("a dropped column has no cells")


@dataclass(frozen=True)
class Redact:
    """One text in the place of every value.

    Conclusions: whether there was a value; nothing else, also not its length.

    Attributes:
        text: What stands there.
    """

    text: Annotated[str, Field(min_length=1, max_length=64)] = "***"

    title: ClassVar = Text("redacted", "整体遮蔽")
    concludes: ClassVar = Text("whether there was a value", "仅知是否有值")

    def apply(self, cell: Cell, shop: Workshop) -> Cell:  # noqa: ARG002 - one shape for all
        """Returns the text where there is a value."""
        sql = f"CASE WHEN {as_text(cell).sql} <> '' THEN {literal(self.text)} END"
        return Cell(sql, "VARCHAR")


@dataclass(frozen=True)
class Ends:
    """The first and last characters; a mark for each character between them.

    A value that is not longer than what would be kept is masked whole: otherwise the short ones
    would be published as they are.

    Conclusions: the characters that are kept and the length; whoever knows how values of the
    type are made (division, birth, check digit) enumerates what is missing.

    Attributes:
        first: Characters kept at the beginning.
        last: … and at the end.
        mark: Stands for one hidden character.
    """

    first: Annotated[int, Field(ge=0, le=64)] = 0
    last: Annotated[int, Field(ge=0, le=64)] = 0
    mark: Annotated[str, Field(min_length=1, max_length=1)] = "*"

    def __post_init__(self) -> None:
        """Checks the mark."""
        if self.mark.isnumeric():
            raise ValueError(Text("a digit is no mark: it would look like the value's own",
                                  "数字不能作为遮蔽符号：会与原值混淆"))  # fmt: skip

    title: ClassVar = Text("ends kept, middle masked", "保留首尾，中间遮蔽")
    concludes: ClassVar = Text(
        "the characters kept and the length; the rest by enumeration, if there are few candidates",
        "可知保留的字符和长度；候选值较少时，其余部分可被枚举",
    )

    def apply(self, cell: Cell, shop: Workshop) -> Cell:  # noqa: ARG002 - one shape for all
        """Returns ends and marks."""
        text = as_text(cell).sql
        kept, mark = self.first + self.last, literal(self.mark)
        begin = f"left({text}, {self.first})" if self.first else "''"
        end = f"right({text}, {self.last})" if self.last else "''"
        sql = (
            f"CASE WHEN {text} = '' THEN NULL WHEN length({text}) <= {kept} "
            f"THEN repeat({mark}, length({text})) "
            f"ELSE {begin} || repeat({mark}, length({text}) - {kept}) || {end} END"
        )
        return Cell(sql, "VARCHAR")
