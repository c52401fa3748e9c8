"""Values of dataset and policy files, as columns hold them: scaled integers, days, texts.

Numbers are read as decimals, never as floats, so that a bound of 0.1 is exactly one tenth.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from catalog.typing_rules import EPOCH
from desensitize.column import Code, Column
from desensitize.written_policy import Written, read_day
from protos.faults import InputError
from protos.language import Text

# A scaled value fits a 64-bit integer, with a bit to spare for its negation and alignment.
MAX_ABS: Final = 2**62


def bounds_of(
    column: Column, written: tuple[Written, Written] | None, at: str
) -> tuple[int, int] | None:
    """Reads the bounds of a column.

    Args:
        column: Whose; type and decimals count.
        written: As they are written.
        at: The column's place in the file.

    Raises:
        InputError: The column has none, or they do not suit it.
    """
    if written is None:
        return None
    if column.type in {"string", "boolean"}:
        raise InputError(
            Text(
                f"{at}.bounds: a {column.type} column has no bounds",
                f"{at}.bounds：{column.type} 类型的列没有范围",
            )
        )
    low, high = (int(_scaled(column, v, f"{at}.bounds")) for v in written)
    if low > high:
        raise InputError(
            Text(f"{at}.bounds: the lower one is above the upper one", f"{at}.bounds：下限大于上限")
        )
    return (low, high)


def codes_of(
    column: Column, written: tuple[Written, ...] | None, at: str
) -> tuple[Code, ...] | None:
    """Reads the code list of a column; as `bounds_of`.

    Raises:
        InputError: It is empty, lists a code twice, or one does not suit the column.
    """
    if written is None:
        return None
    codes = tuple(_scaled(column, v, f"{at}.codes") for v in written)
    if not codes or len(set(codes)) < len(codes):
        raise InputError(
            Text(f"{at}.codes: is empty or lists a code twice", f"{at}.codes：为空，或有重复代码")
        )
    return codes


def _scaled(column: Column, value: Written, at: str) -> Code:
    """Returns ``value`` as the column holds it: scaled integer, days, text or truth value."""
    match column.type:
        case "string" if isinstance(value, str):
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "date":
            return (read_day(value, at) - EPOCH).days
        case "integer" | "decimal" if not isinstance(value, bool | str | date):
            scaled = Decimal(value).scaleb(column.decimals)
            if scaled != scaled.to_integral_value() or abs(scaled) > MAX_ABS:
                raise InputError(
                    Text(f"{at}: {value} does not fit", f"{at}：{value} 超出可表示范围"),
                    remedy=Text(
                        f"at most {column.decimals} decimals, and below 2**62 when scaled",
                        f"最多 {column.decimals} 位小数，按小数位放大后须小于 2**62",
                    ),
                )
            return int(scaled)
    raise InputError(
        Text(
            f"{at}: {value!r} does not suit a {column.type} column",
            f"{at}：{value!r} 不符合 {column.type} 类型的列",
        )
    )


def exact(value: object) -> Any:  # noqa: ANN401 - TOML values have no closer type
    """Turns floats into the decimals that people wrote, all the way down."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Mapping):
        return {k: exact(v) for k, v in value.items()}
    return [exact(v) for v in value] if isinstance(value, list | tuple) else value
