"""Judges a plan against policies: a pure function, the same at the analyst and at each node.

The analyst runs it over every department's public policy to learn early what would be refused;
a node runs it over its own policy file, and only that run counts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from catalog.algebra import Scalar
from catalog.codec import dataset_digest
from catalog.dataset import Dataset
from catalog.exact_rules import exact_refusals
from catalog.plan import Plan, Protocol
from catalog.policy import Policy
from catalog.refusal import Refusal, spoken
from catalog.typing_rules import EPOCH, bits_needed, check_aggregate, magnitude
from catalog.uses import named_values, uses_of
from desensitize.column import Column, Use
from protos.faults import InputError, PolicyError
from protos.language import Text, Words, both, joined

SKEW_S: Final = 60
OPEN_BFV_BITS: Final = 47  # without masks a total must fit one slot: sums of limbs show carries
_HEX: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True)
class Verdict:
    """What the policies say to a plan; allowed if nothing refuses.

    Attributes:
        refusals: Every rule that says no.
        departments: Whose policies were asked.
    """

    refusals: tuple[Refusal, ...]
    departments: tuple[str, ...] = field(default=(), compare=False)

    @property
    def allowed(self) -> bool:
        """Whether no rule refuses."""
        return not self.refusals

    def enforce(self) -> None:
        """Raises PolicyError with every refusal, unless the plan is allowed."""
        if self.allowed:
            return
        first = self.refusals[0]
        raise PolicyError(
            joined(spoken(self.refusals, self.departments)),
            remedy=joined(dict.fromkeys(w for r in self.refusals for w in r.advice)),
            code=f"policy.{first.rule}",
        )


def judge(plan: Plan, dataset: Dataset, policies: Mapping[str, Policy], *, now: int) -> Verdict:
    """Judges ``plan`` under ``dataset`` and the policies of the named departments.

    Signatures, pins, grants' contents and what is left of the budget are the guard's to check.

    Args:
        plan: The plan as signed.
        dataset: This party's own copy of the declaration.
        policies: Policy by department; a node passes only its own.
        now: Unix seconds.
    """
    try:
        check_aggregate(plan.aggregate, dataset.columns)
        needed = bits_needed(plan, dataset)
    except InputError as error:
        rewrites = (error.advice,) if error.remedy else ()
        return Verdict((Refusal("", "plan", "", error.said, rewrites),))
    found = [r for rule in PLAN_RULES for r in rule(plan, dataset, now)]
    if plan.bits < needed:
        found.append(
            Refusal(
                "",
                "bits",
                "",
                Text(
                    f"{plan.bits} bits can overflow, {needed} are needed",
                    f"{plan.bits} 位可能溢出，需要 {needed} 位",
                ),
            )
        )
    for department, policy in policies.items():
        for rule in POLICY_RULES:
            found.extend(
                Refusal(department, r.rule, r.column, r.said, r.advice) for r in rule(plan, policy)
            )
    return Verdict(tuple(found), tuple(policies))


def _times(plan: Plan, _: Dataset, now: int) -> Iterator[Refusal]:
    if plan.expires_at <= plan.issued_at:
        yield Refusal(
            "", "time", "", Text("the plan ends before it begins", "计划的截止时间早于开始时间")
        )
    if now < plan.issued_at - SKEW_S:
        yield Refusal(
            "",
            "time",
            "",
            Text(
                f"the plan was issued {plan.issued_at - now} s in the future",
                f"计划的签发时间比本机晚 {plan.issued_at - now} 秒",
            ),
            (Text("set the clocks of both machines", "请校准两台机器的时钟"),),
        )
    elif now > plan.expires_at:
        yield Refusal(
            "",
            "time",
            "",
            Text(
                f"the plan has expired {now - plan.expires_at} s ago",
                f"计划已过期 {now - plan.expires_at} 秒",
            ),
            (
                Text(
                    "submit it again; if it is new, set the clocks of both machines",
                    "请重新提交；若是新计划，请校准两台机器的时钟",
                ),
            ),
        )


def _same_dataset(plan: Plan, dataset: Dataset, _: int) -> Iterator[Refusal]:
    if not plan.dataset == plan.aggregate.dataset == dataset.name:
        yield Refusal(
            "",
            "dataset",
            "",
            Text(f"the plan is not about {dataset.name!r}", f"计划不是针对 {dataset.name!r} 的"),
        )
    elif plan.dataset_digest != dataset_digest(dataset):
        yield Refusal(
            "",
            "dataset",
            "",
            Text(
                f"the plan was made for another version of {dataset.name!r}",
                f"计划针对的是 {dataset.name!r} 的另一版本",
            ),
            (Text("fetch the directory again and plan anew", "请重新获取目录后再作计划"),),
        )
    if not _HEX.fullmatch(plan.job):
        yield Refusal(
            "",
            "job",
            "",
            Text(
                "the job's number must be 32 lower-case hex digits",
                "任务编号须为 32 位小写十六进制数",
            ),
        )


def _roster(plan: Plan, dataset: Dataset, _: int) -> Iterator[Refusal]:
    names = [member.name for member in plan.roster]
    keys = {member.fingerprint for member in plan.roster}
    if len(set(names)) < len(names) or len(keys) < len(names) or not names:
        yield Refusal(
            "",
            "roster",
            "",
            Text("the roster is empty or names a department twice", "参与名单为空，或有部门重复"),
        )
    for name in sorted(set(names) - set(dataset.members)):
        yield Refusal(
            "",
            "roster",
            "",
            Text(
                f"{name!r} holds no rows of {dataset.name!r}",
                f"{name!r} 没有 {dataset.name!r} 的数据",
            ),
        )
    n = len(names)
    fewest = _fewest(plan, n)
    if not fewest <= plan.threshold <= n:
        yield Refusal(
            "", "threshold", "",
            Text(f"{plan.protocol} over {n} departments needs a threshold of {fewest} to {n}, "
            f"not {plan.threshold}", f"{n} 个部门使用 {plan.protocol} 时门限须为 {fewest} 到 "
            f"{n}，而不是 {plan.threshold}"),
        )  # fmt: skip
    if (plan.protocol == "sealed") != (n == 1):
        yield Refusal(
            "",
            "protocol",
            "",
            Text("one department alone answers sealed", "只有一个部门时须使用 sealed")
            if n == 1
            else Text("sealed is for one department", "sealed 只适用于一个部门"),
        )
    if not 0 <= plan.colluders < plan.threshold:
        yield Refusal(
            "",
            "colluders",
            "",
            Text(
                "colluders must be at least 0 and below the threshold",
                "colluders 须不小于 0 且小于门限",
            ),
        )


def _fewest(plan: Plan, n: int) -> int:
    """Fewest survivors that the protocol itself is safe with; policies may ask for more."""
    if plan.is_open:  # each input stands alone
        return 1
    return n if plan.protocol.startswith("he_sum") else 2 * n // 3 + 1


def _open(plan: Plan, dataset: Dataset, _: int) -> Iterator[Refusal]:
    """What may travel without masks: analyst and exchange together see each single input."""
    if not plan.is_open:
        return
    if plan.mode == "exact":
        yield Refusal(
            "", "open", "",
            Text(
                "exact figures need masks: in an open sum analyst and exchange together would read "
                "every department's own, and no noise would protect it",
                "精确结果需要掩码：在无掩码求和中，分析员与交换平台合谋可读出每个部门自己的数值，"
                "且没有噪声保护",
            ),
            (
                Text(
                    f"use {plan.protocol.removesuffix('.open')} or masked_sum",
                    f"请使用 {plan.protocol.removesuffix('.open')} 或 masked_sum",
                ),
                Text("ask in ad hoc mode", "改为即席查询"),
            ),
        )  # fmt: skip
    width = magnitude(plan, dataset).bit_length() + 1  # and one for the sign
    if plan.protocol.startswith("he_sum.bfv") and width > OPEN_BFV_BITS:
        yield Refusal(
            "", "open", "",
            Text(
                f"an open BFV sum carries totals of up to {OPEN_BFV_BITS} bits, these may have "
                f"{width}",
                f"无掩码 BFV 求和的合计最多 {OPEN_BFV_BITS} 位，此处可能有 {width} 位",
            ),
            (
                Text(
                    "use he_sum.paillier.open, he_sum.bfv or tighter bounds",
                    "请使用 he_sum.paillier.open、he_sum.bfv，或收紧取值范围",
                ),
            ),
        )  # fmt: skip


def _privacy(plan: Plan, dataset: Dataset, _: int) -> Iterator[Refusal]:
    if plan.mode == "exact":
        yield from exact_refusals(plan.aggregate, dataset.columns)
        if plan.epsilon != 0 or plan.delta != 0:
            yield Refusal(
                "",
                "epsilon",
                "",
                Text(
                    "an exact answer has epsilon 0 and delta 0",
                    "精确结果的 epsilon 与 delta 均为 0",
                ),
            )
        if len(plan.grants) < len(plan.roster):
            yield Refusal(
                "",
                "grants",
                "",
                Text(
                    f"an exact answer needs a grant of each owner: {len(plan.grants)} of "
                    f"{len(plan.roster)} are here",
                    f"精确结果需要每个数据方的授权：现有 "
                    f"{len(plan.grants)} 份，需要 {len(plan.roster)} 份",
                ),
                (
                    Text("request grants for this statement", "请为此语句申请授权"),
                    Text("ask in ad hoc mode", "请改用带噪查询"),
                ),
            )
    elif not (math.isfinite(plan.epsilon) and plan.epsilon > 0 and plan.delta == dataset.delta):
        yield Refusal(
            "",
            "epsilon",
            "",
            Text(
                f"an ad hoc answer needs epsilon above 0 and the dataset's delta {dataset.delta:g}",
                f"带噪查询的 epsilon 须大于 0，delta 须为数据集的 {dataset.delta:g}",
            ),
        )


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
    shown = ", ".join(_written(column, v) for v in values[:5])
    more = len(values) - 5
    return (
        Text(f"{shown} and {more} more", f"{shown} 等另外 {more} 个") if more > 0 else both(shown)
    )


def _range(column: Column) -> Text:
    if column.codes is not None:
        codes = _listed(column, column.codes)
        return Text(f"({codes.en})", f"（{codes.zh}）")
    low, high = (_written(column, end) for end in column.bounds or (0, 0))
    return Text(f"{low} to {high}", f"{low} 至 {high}")


def _written(column: Column, value: Scalar) -> str:
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
PLAN_RULES: Final[tuple[Callable[[Plan, Dataset, int], Iterator[Refusal]], ...]] = (
    _same_dataset,
    _times,
    _roster,
    _open,
    _privacy,
)
POLICY_RULES: Final[tuple[Callable[[Plan, Policy], Iterator[Refusal]], ...]] = (
    _audience,
    _column_uses,
    _narrower,
    _cells,
    _epsilon,
    _protocol,
    _parties,
)
