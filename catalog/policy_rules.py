"""What one department's policy says to a plan; a refusal names the column and what would pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, get_args

from catalog.algebra import Scalar
from catalog.plan import Plan, Protocol
from catalog.policy import Policy
from catalog.refusal import Refusal
from catalog.typing_rules import EPOCH
from catalog.uses import named_values, uses_of
from desensitize.column import Column, Use
from protos.language import Text, Words, both


def _audience(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    if "*" not in policy.audience and plan.analyst not in policy.audience:
        yield _no(
            "audience",
            Text(
                f"{plan.analyst!r} is not in the audience", f"{plan.analyst!r} 不在允许的使用者之列"
            ),
        )


def _column_uses(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    for name, uses in uses_of(plan.aggregate).items():
        column = policy.columns.get(name)
        if column is None:
            may = tuple(n for n, c in policy.columns.items() if uses <= c.uses)
            yield _no(
                "uses",
                Text(f"column {name!r} may not be used", f"列 {name!r} 不可使用"),
                name,
                *_instead(may, Text("columns that allow this: ", "可作此用途的列：")),
            )
            continue
        for use in sorted(uses - column.uses):
            may = tuple(n for n, c in policy.columns.items() if use in c.uses)
            allowed = ", ".join(sorted(column.uses)) or "nothing"
            yield _no(
                "uses",
                Text(
                    f"column {name!r} may not be used to {use} (allowed: {allowed})",
                    f"列 {name!r} 不可用于{_USES[use]}（允许："
                    f"{'、'.join(_USES[u] for u in sorted(column.uses)) or '无'}）",
                ),
                name,
                *_instead(may, Text(f"to {use}, use ", f"可用于{_USES[use]}的列：")),
            )


def _instead(columns: tuple[str, ...], what: Text) -> tuple[Text, ...]:
    if not columns:
        return ()
    return (Text(what.en + ", ".join(columns), what.zh + "、".join(columns)),)


def _narrower(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    """Values that a narrower policy leaves out may be neither grouped by nor asked for."""
    for name, values in named_values(plan.aggregate, policy.columns).items():
        column = policy.columns[name]
        if not (refused := [v for v in values if not _within(column, v)]):
            continue
        yield _no(
            "values",
            Text(
                f"column {name!r} may not be asked for {_listed(column, refused).en}",
                f"列 {name!r} 不允许查询取值 {_listed(column, refused).zh}",
            ),
            name,
            Text(
                f"add a WHERE that keeps {name} to {_range(column).en}",
                f"请加 WHERE，将 {name} 限定为 {_range(column).zh}",
            ),
        )


def _within(column: Column, value: Scalar) -> bool:
    if column.codes is not None and value not in column.codes:
        return False
    if column.bounds is not None and isinstance(value, int):
        return column.bounds[0] <= value <= column.bounds[1]
    return True


def _cells(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    cells, measures = plan.aggregate.cells, len(plan.aggregate.measures)
    if cells * measures > policy.max_cells:
        yield _no(
            "max_cells",
            Text(
                f"{cells} cells x {measures} measures are more than {policy.max_cells}",
                f"{cells} 个分组 × {measures} 个度量，超过上限 {policy.max_cells}",
            ),
            "",
            Text(
                "group by fewer keys or wider bands, or narrow them in WHERE",
                "请减少分组键、放宽分段，或用 WHERE 缩小范围",
            ),
        )


def _epsilon(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    if plan.mode == "adhoc" and plan.epsilon > policy.budget.ceiling:
        yield _no(
            "epsilon",
            Text(
                f"epsilon {plan.epsilon:g} is above the ceiling {policy.budget.ceiling:g}",
                f"epsilon {plan.epsilon:g} 超过单次上限 {policy.budget.ceiling:g}",
            ),
            "",
            Text(
                f"ask for epsilon {policy.budget.ceiling:g} or less",
                f"请使用不超过 {policy.budget.ceiling:g} 的 epsilon",
            ),
        )
    if plan.mode == "adhoc" and plan.epsilon < policy.budget.least:
        yield _no(
            "epsilon",
            Text(
                f"epsilon {plan.epsilon:g} is below the least of one query, "
                f"{policy.budget.least:g}",
                f"epsilon {plan.epsilon:g} 低于单次下限 {policy.budget.least:g}",
            ),
            "",
            Text(
                f"ask for epsilon {policy.budget.least:g} or more",
                f"请使用不低于 {policy.budget.least:g} 的 epsilon",
            ),
        )
    if plan.project not in policy.budget.projects:
        known = ", ".join(policy.budget.projects) or "none"
        yield _no(
            "project",
            Text(f"project {plan.project!r} is unknown", f"没有名为 {plan.project!r} 的项目"),
            "",
            Text(f"projects: {known}", f"项目：{'、'.join(policy.budget.projects) or '无'}"),
        )


def _protocol(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    if not policy.takes_part_in(plan.protocol):
        alone = len(plan.roster) == 1
        usable = [
            p for p in get_args(Protocol) if policy.takes_part_in(p) and (p == "sealed") == alone
        ]
        yield _no(
            "protocol",
            Text(
                f"the protocol {plan.protocol} is not taken part in", f"不参与协议 {plan.protocol}"
            ),
            "",
            Text(
                f"use {', '.join(usable) or 'no protocol: ask the owner'}",
                f"可用协议：{'、'.join(usable) or '无，请联系数据方'}",
            ),
        )
    # A department that answers alone, or openly, adds all of the noise itself. The analyst's own
    # department knows its share of the noise, and is taken to tell.
    withstand = policy.colluders + plan.own
    if plan.protocol != "sealed" and not plan.is_open and plan.colluders < withstand:
        yield _no(
            "colluders",
            Text(
                f"the noise must withstand {withstand} colluding departments"
                f"{_beside(plan, 'with').en}, the plan says {plan.colluders}",
                f"噪声须能抵御 {withstand} 个部门合谋{_beside(plan, 'with').zh}，"
                f"而计划为 {plan.colluders}",
            ),
        )


def _parties(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    # An owner that lists "sealed" has agreed to answer alone; there is nobody to hide among.
    if plan.protocol != "sealed" and plan.threshold - plan.own < policy.min_parties:
        yield _no(
            "min_parties",
            Text(
                f"an answer needs {policy.min_parties} departments{_beside(plan, 'without').en}, "
                f"this one could come from {plan.threshold - plan.own}",
                f"结果至少须来自 {policy.min_parties} 个部门{_beside(plan, 'without').zh}，"
                f"而此计划可能只有 {plan.threshold - plan.own} 个",
            ),
            "",
            Text("raise the threshold", "请提高门限")
            if len(plan.roster) - plan.own >= policy.min_parties
            else Text("ask over more departments", "请向更多部门查询"),
        )


def _beside(plan: Plan, how: Literal["with", "without"]) -> Text:
    """Words for the analyst's own department, where it is asked."""
    if not plan.own:
        return Text("", "")
    chinese = {"with": "含", "without": "不含"}[how]
    return Text(
        f" ({how} {plan.affiliation}, the analyst's own)",
        f"（{chinese}分析员所属的 {plan.affiliation}）",
    )


def _no(rule: str, message: Words, column: str = "", *rewrites: Words) -> Refusal:
    return Refusal("", rule, column, message, rewrites)


def _listed(column: Column, values: Sequence[Scalar]) -> Text:
    shown = ", ".join(written(column, v) for v in values[:5])
    more = len(values) - 5
    return (
        Text(f"{shown} and {more} more", f"{shown} 等另外 {more} 个") if more > 0 else both(shown)
    )


def _range(column: Column) -> Text:
    if column.codes is not None:
        codes = _listed(column, column.codes)
        return Text(f"({codes.en})", f"（{codes.zh}）")
    low, high = (written(column, end) for end in column.bounds or (0, 0))
    return Text(f"{low} to {high}", f"{low} 至 {high}")


def written(column: Column, value: Scalar) -> str:
    """Writes a column's value as people do: dates and decimals as such, texts in quotes."""
    if isinstance(value, int) and column.type == "date":
        return str(EPOCH.fromordinal(EPOCH.toordinal() + value))
    if isinstance(value, int) and column.type == "decimal":
        return f"{value / 10**column.decimals:.{column.decimals}f}"
    return repr(value)


_USES: Final[dict[Use, str]] = {
    "join": "连接",
    "filter": "筛选",
    "group": "分组",
    "aggregate": "汇总",
}


POLICY_RULES: Final[tuple[Callable[[Plan, Policy], Iterator[Refusal]], ...]] = (
    _audience,
    _column_uses,
    _narrower,
    _cells,
    _epsilon,
    _protocol,
    _parties,
)
