"""A policy file (TOML) as both of its readers know it: one file for one dataset of a department.

The pipeline reads ``[columns]`` and ``[publish]`` (`desensitize.policy_file`), the department's
node ``[columns]`` and ``[query]`` (`catalog.config`). Which keys there are stands here, once: what
is none of them is refused by both, and neither looks into the other's section.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from desensitize.column import DATA_TYPES, FREE_TEXT, Role, Use
from protos.faults import InputError
from protos.language import Text

DatasetName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Written = Decimal | int | bool | date | str
"""A value as TOML has it; numbers with a point are decimals, never floats."""
Section = dict[str, Any]
"""A section of the other reader, left alone."""


class Strict(BaseModel):
    """A table of a file; a key that it does not have is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class WrittenColumn(Strict):
    """``[columns.NAME]``.

    Attributes:
        type: A data type (``integer``), a type of the scan (``cn_resident_id``), or empty.
        role: How it identifies its subject.
        grade: Sensitivity, 1 (public) to 4 (core); None if nobody has said.
        bounds: Least and greatest value, both included, in written units.
        decimals: Digits after the point.
        codes: The values that there are.
        nullable: Of the pipeline: whether a row may have no value; a node goes by the dataset.
        within: Of the pipeline: column that names the division in which this one's lie.
        day_first: Of the pipeline: whether 03/07/1990 is in July.
        same: Of the pipeline: texts that mean the same, in groups.
        uses: Of the node: what a query may do with it.
    """

    type: str = ""
    role: Role = "other"
    grade: Annotated[int, Field(ge=1, le=4)] | None = None
    bounds: tuple[Written, Written] | None = None
    decimals: Annotated[int, Field(ge=0, le=9)] | None = None
    codes: tuple[Written, ...] | None = None
    nullable: bool = True
    within: str = ""
    day_first: bool | None = None
    same: tuple[Annotated[tuple[str, ...], Field(min_length=2)], ...] = ()
    uses: frozenset[Use] = frozenset()


class WrittenPolicy(Strict):
    """What both read; each adds its own section, and the other's as a `Section`."""

    dataset: DatasetName
    open: Literal["unconditional", "conditional"] = "conditional"
    columns: Annotated[dict[str, WrittenColumn], Field(min_length=1)]


def check_type(kind: str, at: str) -> None:
    """Refuses a type of a column that nobody knows.

    Args:
        kind: As it is written; empty says nothing.
        at: The column's place in the file.

    Raises:
        InputError: As said.
    """
    if kind in {*DATA_TYPES, FREE_TEXT, ""}:
        return
    # A node whose policy names no type of the scan needs no recogniser.
    from desensitize.recognisers import by_name
    from desensitize.scanning.attributes import ATTRIBUTES

    known = {*by_name(), *(a.name for a in ATTRIBUTES), FREE_TEXT, *DATA_TYPES}
    if kind not in known:
        listed = ", ".join(sorted(known))
        raise InputError(
            Text(f"{at}.type: {kind!r} is no type", f"{at}.type：没有类型 {kind!r}"),
            remedy=Text(f"types: {listed}; or leave it out", f"类型：{listed}；也可省略"),
            code="policy.type",
        )


def read_day(value: Written, at: str) -> date:
    """Reads a day, as TOML has it or as text.

    Args:
        value: As it is written.
        at: Its place in the file.

    Raises:
        InputError: It is none.
    """
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise InputError(
                Text(
                    f"{at}: {value!r} is not a date YYYY-MM-DD",
                    f"{at}：{value!r} 不是 YYYY-MM-DD 形式的日期",
                )
            ) from error
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise InputError(
        Text(f"{at}: {value!r} is not a date", f"{at}：{value!r} 不是日期"),
        remedy=Text("write it as 2025-01-31", "请写成 2025-01-31 的形式"),
    )
