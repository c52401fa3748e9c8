"""Which columns may be synthesised, and what must be declared of them first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from desensitize.column import FREE_TEXT
from desensitize.recognisers import by_name
from desensitize.synthesis.spec import Bands, Codes, Days, DomainRule, SynthesisRules
from protos.faults import InputError
from protos.language import Text

if TYPE_CHECKING:
    from desensitize.policy import PublishedColumn

MOST_VALUES: Final = 10_000
"""Values of one domain."""


def check_columns(
    rules: SynthesisRules, columns: Mapping[str, PublishedColumn], where: str
) -> None:
    """Refuses what must not be synthesised, and domains that nobody has declared.

    Args:
        rules: The section.
        columns: The policy's, by name.
        where: The section, for errors.

    Raises:
        InputError: As said.
    """
    for name in (*rules.domains, *filter(None, [rules.subject])):
        if name not in columns:
            raise InputError(
                Text(
                    f"{where}: [columns] declares no column {name!r}",
                    f"{where}：[columns] 中没有声明列“{name}”",
                ),
                remedy=Text(
                    f'write [columns."{name}"], or mend the name; declared: {", ".join(columns)}',
                    f'请写 [columns."{name}"]，或改正列名；已声明：{"、".join(columns)}',
                ),
                code="policy.column",
            )
    for name, rule in rules.domains.items():
        at = f'{where}.domains."{name}"'
        _check_kind(columns[name], rules, at)
        _check_domain(columns[name], rule, at)


def _check_kind(column: PublishedColumn, rules: SynthesisRules, at: str) -> None:
    known = by_name().get(column.type)
    direct = column.role == "direct" or (known is not None and known.role == "direct")
    if direct or column.type == FREE_TEXT or column.name == rules.subject:
        raise InputError(
            Text(
                f"{at}: direct identifiers, the subject and free text are never synthesised",
                f"{at}：直接标识符、主体列与自由文本不能合成",
            ),
            remedy=Text(
                "leave the column out: what is not named is not in the synthetic rows",
                "请删去该列：未写明的列不会出现在合成数据中",
            ),
            code="synthesis.column",
        )


def _check_domain(column: PublishedColumn, rule: DomainRule, at: str) -> None:
    if isinstance(rule, Codes):
        _check_codes(column, at)
    elif isinstance(rule, Bands):
        _check_bands(column, rule, at)
    elif isinstance(rule, Days) and not (column.bounds and isinstance(column.bounds[0], date)):
        raise _no_bounds(column, at, "[1900-01-01, 2030-12-31]")


def _check_codes(column: PublishedColumn, at: str) -> None:
    codes = (False, True) if column.codes is None and column.type == "boolean" else column.codes
    if not codes:
        raise InputError(
            Text(
                f"{at}: no codes are declared; values are never taken from the data",
                f"{at}：未声明 codes；取值不会从数据中读取",
            ),
            remedy=Text(
                f'write codes = ["…", "…"] under [columns."{column.name}"], from the code book',
                f'请按代码表在 [columns."{column.name}"] 下写 codes = ["…", "…"]',
            ),
            code="synthesis.codes",
        )
    texts = [str(code).strip() for code in codes]
    known = all(isinstance(code, str | int) for code in codes)
    if not known or not all(texts) or len(set(texts)) < len(texts) or len(texts) > MOST_VALUES:
        raise InputError(
            Text(
                f"{at}: codes must be texts, whole numbers or booleans, at most {MOST_VALUES:,}, "
                "none empty and none twice",
                f"{at}：codes 须为文本、整数或布尔值，最多 {MOST_VALUES:,} 个，不得为空或重复",
            ),
            remedy=Text(
                f'mend codes under [columns."{column.name}"]',
                f'请改正 [columns."{column.name}"] 下的 codes',
            ),
            code="synthesis.codes",
        )


def _check_bands(column: PublishedColumn, rule: Bands, at: str) -> None:
    if column.bounds is None or not isinstance(column.bounds[0], Decimal):
        raise _no_bounds(column, at, "[0, 120]")
    low, high = column.bounds
    edges = rule.band if isinstance(rule.band, tuple) else (rule.band,)
    whole = column.type == "integer"
    if isinstance(rule.band, tuple):
        fits = low < edges[0] and edges[-1] <= high
    else:
        fits = (high - low) / rule.band < MOST_VALUES - 1
    if not fits or (whole and any(edge != int(edge) for edge in (*edges, *column.bounds))):
        raise InputError(
            Text(
                f"{at}: edges must lie between the bounds, make at most {MOST_VALUES:,} bands, "
                "and be whole for whole numbers",
                f"{at}：端点须在 bounds 之间，最多 {MOST_VALUES:,} 段；整数列的端点须为整数",
            ),
            remedy=Text("choose a wider band, or other edges", "请加宽分段，或改用其他端点"),
            code="synthesis.bands",
        )


def _no_bounds(column: PublishedColumn, at: str, such_as: str) -> InputError:
    return InputError(
        Text(
            f"{at}: no bounds are declared; they are never taken from the data",
            f"{at}：未声明 bounds；取值范围不会从数据中读取",
        ),
        remedy=Text(
            f'write bounds = {such_as} under [columns."{column.name}"], from what is publicly '
            "known",
            f'请按公开常识在 [columns."{column.name}"] 下写 bounds = {such_as}',
        ),
        code="synthesis.bounds",
    )
