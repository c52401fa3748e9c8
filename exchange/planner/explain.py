"""EXPLAIN: says in plain words what a plan would do, before anybody is asked anything.

Everything here follows from declarations, the plan and the policies; no row is looked at, so two
data sets with the same declarations give the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from catalog.dataset import Dataset
from catalog.judge import Verdict, judge
from catalog.plan import Plan
from catalog.policy import Policy, family_of
from catalog.refusal import spoken, with_who
from exchange.planner.bound import Bound
from exchange.planner.expected_noise import column_names, expected_noise
from exchange.planner.partial import partial_answers
from exchange.step_names import step_name
from protos.language import Language, Text, both

if TYPE_CHECKING:
    from catalog.calibration import Calibration

PredictBytes = Callable[[Plan], Mapping[str, int]]


@dataclass(frozen=True)
class Section:
    """One heading and its lines."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """What EXPLAIN prints.

    Attributes:
        sections: In reading order.
        bytes_out: Predicted bytes that leave each node, by protocol step.
        verdict: What the policies say.
    """

    sections: tuple[Section, ...]
    bytes_out: Mapping[str, int]
    verdict: Verdict

    def text(self) -> str:
        """Returns everything as plain text."""
        return "\n\n".join(
            "\n".join([s.heading, *(f"  {line}" for line in s.lines)]) for s in self.sections
        )


def explain(
    plan: Plan,
    bound: Bound,
    dataset: Dataset,
    policies: Mapping[str, Policy],
    language: Language,
    *,
    predicted_bytes: PredictBytes | None = None,
    calibration: Calibration | None = None,
    spent: Mapping[str, float] | None = None,
) -> Explanation:
    """Explains a drafted plan; nothing is signed or sent.

    Args:
        plan: From ``draft``.
        bound: From ``bind``.
        dataset: The declaration.
        policies: Public policy by department.
        language: ``en`` or ``zh``.
        predicted_bytes: The protocol's size model: bytes that leave one node, by step.
        calibration: The noise of an ad hoc plan, if it is to be shown.
        spent: Epsilon already spent per department, where it is known.
    """
    bytes_out = dict(predicted_bytes(plan)) if predicted_bytes else {}
    verdict = judge(plan, dataset, policies, now=plan.issued_at)
    parts: list[tuple[Text, list[Text]]] = [
        (_ASKED, [*_asked(plan, bound), *partial_answers(plan, dataset, policies)]),
        (_LEARNS, _learns(plan)),
        (_COSTS, _costs(plan, policies, spent or {})),
        (_BLURS, _noise(plan, bound, calibration)),
        (_LEAVES, _leaves(plan, bytes_out)),
        (_AT_ANALYST, [Text(bound.post_sql, bound.post_sql)]),
        (_POLICIES, _said(verdict)),
    ]
    sections = tuple(
        Section(heading.of(language), tuple(line.of(language) for line in lines))
        for heading, lines in parts
        if lines
    )
    return Explanation(sections, bytes_out, verdict)


def _asked(plan: Plan, bound: Bound) -> list[Text]:
    aggregate = plan.aggregate
    lines = [
        Text(
            "{n} departments compute {figures} figures each: {cells} groups x {measures} "
            "measures, in a ring of {bits} bits",
            "{n} 个部门各计算 {figures} 个数：{cells} 个分组 × {measures} 个度量，{bits} 位环",
        ).format(
            n=len(plan.roster),
            figures=aggregate.cells * len(aggregate.measures),
            cells=aggregate.cells,
            measures=len(aggregate.measures),
            bits=plan.bits,
        ),
        _who_must_answer(plan),
    ]
    if plan.mode == "adhoc" and aggregate.keys:
        lines.append(_EVERY_GROUP)
    names = column_names(bound).values()
    released = Text(", ".join(names), "，".join(names))
    return [*lines, Text(f"released columns: {released.en}", f"发布的列：{released.zh}")]


def _who_must_answer(plan: Plan) -> Text:
    if not plan.protocol.startswith("he_sum"):
        return Text(
            "at least {threshold} of {n} departments must take part until the end",
            "至少 {threshold} 个（共 {n} 个）部门须参与到底",
        ).format(threshold=plan.threshold, n=len(plan.roster))
    n, seconds = len(plan.roster), plan.expires_at - plan.issued_at
    minutes, hours = seconds // 60, seconds // 3600
    en, zh = (f"{minutes} minutes", f"{minutes} 分钟")
    if minutes < 2:
        en, zh = (f"{seconds} seconds", f"{seconds} 秒")
    if hours >= 2:
        en, zh = (f"{hours} hours", f"{hours} 小时")
    if plan.is_open:
        return Text(
            f"each of {n} departments answers at a time of its own within {en}; the sum is of "
            f"those who did, if they are at least {plan.threshold}",
            f"{n} 个部门在 {zh}内各自应答；结果为已应答部门之和，至少须 {plan.threshold} 个",
        )
    return Text(
        f"all {n} departments must answer, each at a time of its own within {en}; without one of "
        "them there is no answer",
        f"全部 {n} 个部门都须在 {zh}内应答，时间各自决定；缺少任何一个则无结果",
    )


def _learns(plan: Plan) -> list[Text]:
    family = family_of(plan.protocol)
    answer = _EXACT if plan.mode == "exact" else _NOISY
    lines = []
    for party, text in _WHO_LEARNS[family]:
        lines.append(Text(
            f"{party.en}: " + text.en.format(answer=answer.en),
            f"{party.zh}：" + text.zh.format(answer=answer.zh),
        ))  # fmt: skip
    if plan.mode == "exact" and family != "sealed":
        lines.append(_COUNTS_SEEN)
    lines.append(_TRUST[family])
    if plan.own and family != "sealed":
        lines.append(_OWN.format(department=plan.affiliation))
    return lines


def _costs(
    plan: Plan,
    policies: Mapping[str, Policy],
    spent: Mapping[str, float],
) -> list[Text]:
    if plan.mode == "exact":
        return [_NO_BUDGET]
    lines = [
        Text(
            "epsilon {epsilon:g} with delta {delta:g}, charged at every department",
            "每个部门记 ε = {epsilon:g}，δ = {delta:g}",
        ).format(epsilon=plan.epsilon, delta=plan.delta)
    ]
    by_limit: dict[Text, list[str]] = {}
    for member in plan.roster:
        policy = policies.get(member.name)
        if policy is None:
            continue
        budget, used = policy.budget, spent.get(member.name)
        limit = (
            Text(
                "lifetime cap {cap:g}, ceiling of one query {ceiling:g}",
                "总上限 {cap:g}，单次上限 {ceiling:g}",
            ).format(cap=budget.epsilon, ceiling=budget.ceiling)
            if used is None
            else Text("{used:g} of {cap:g} is spent", "{cap:g} 中已用 {used:g}").format(
                used=used, cap=budget.epsilon
            )
        )
        by_limit.setdefault(limit, []).append(member.name)
    lines += [with_who(limit, names, len(plan.roster)) for limit, names in by_limit.items()]
    return lines


def _noise(plan: Plan, bound: Bound, calibration: Calibration | None) -> list[Text]:
    return [] if calibration is None else [*expected_noise(plan, bound, calibration)]


def _leaves(plan: Plan, bytes_out: Mapping[str, int]) -> list[Text]:
    if not bytes_out:
        return []
    lines = [
        Text(f"{name.en}: {size:,} bytes", f"{name.zh}：{size:,} 字节")
        for name, size in ((step_name(step), size) for step, size in bytes_out.items())
    ]
    total = sum(bytes_out.values())
    return [
        *lines,
        Text("{total:,} bytes per node, {all:,} in all", "每个节点 {total:,} 字节，共 {all:,} 字节")
        .format(total=total, all=total * len(plan.roster)),
    ]  # fmt: skip


def _said(verdict: Verdict) -> list[Text]:
    if verdict.allowed:
        return [Text("every policy allows it", "各部门的策略均允许")]
    lines = [
        Text(f"refused - {said.en}", f"拒绝：{said.zh}")
        for said in spoken(verdict.refusals, verdict.departments)
    ]
    rewrites = dict.fromkeys(w for refusal in verdict.refusals for w in refusal.advice)
    ways = [both(rewrite) for rewrite in rewrites]
    return [*lines, *(Text(f"→ {way.en}", f"→ {way.zh}") for way in ways)]


_ASKED: Final = Text("What is asked", "要计算什么")
_LEARNS: Final = Text("Who learns what", "各方会知道什么")
_COSTS: Final = Text("What it costs in privacy", "隐私代价")
_BLURS: Final = Text("How far the noise moves the figures", "噪声对数值的影响")
_LEAVES: Final = Text("What leaves each node (predicted)", "每个节点流出的数据（预计）")
_AT_ANALYST: Final = Text("What runs at the analyst", "在分析员处运行")
_POLICIES: Final = Text("What the policies say", "策略意见")

_EVERY_GROUP: Final = Text(
    "every declared group is answered, empty ones too: which groups exist tells nothing",
    "每个已声明的分组都会作答，空分组也在内：有哪些分组不泄露信息",
)
_EXACT: Final = Text("the exact totals of groups that are large enough", "足够大的分组的精确合计")
_NOISY: Final = Text("the totals with noise", "带噪声的合计")
_OWN: Final = Text(
    "{department} is the analyst's own: it counts neither among the departments that must answer "
    "nor for its noise",
    "{department} 是分析者所属部门：不计入必需的部门数，其噪声也不计入保护",
)
_NO_BUDGET: Final = Text(
    "no budget: exact figures need a grant of every owner", "不占预算：精确结果须每个数据方授权"
)
_COUNTS_SEEN: Final = Text(
    "exact mode: the exchange also sees group counts, in an order that it cannot undo",
    "精确模式：交换中心还会看到各组计数，但顺序已打乱且无法还原",
)
_DEPARTMENT: Final = Text("each department", "每个部门")
_EXCHANGE: Final = Text("the exchange", "交换中心")
_ANALYST: Final = Text("the analyst", "分析员")
_NOTHING: Final = Text("nothing about the others", "不知道其他部门的任何数据")
_ANSWER: Final = Text("{answer}", "{answer}")
_WHO_LEARNS: Final[dict[str, tuple[tuple[Text, Text], ...]]] = {
    "masked_sum": (
        (_DEPARTMENT, _NOTHING),
        (_EXCHANGE, Text(
            "who takes part and how long the vectors are; not even the total",
            "谁参与、向量多长；连合计也看不到",
        )),
        (_ANALYST, _ANSWER),
    ),
    "he_sum": (
        (_DEPARTMENT, _NOTHING),
        (_EXCHANGE, Text(
            "ciphertexts, who sent them and when; it adds them and can open none",
            "密文、由谁何时发送；只能相加，无法解开",
        )),
        (_ANALYST, Text(
            "{answer}, opened with a key made for this question alone; no single department's",
            "{answer}，以仅为本次查询生成的密钥解开；看不到单个部门的数值",
        )),
    ),
    "he_sum.open": (
        (_DEPARTMENT, _NOTHING),
        (_EXCHANGE, Text(
            "ciphertexts, who sent them and when; it adds them and can open none",
            "密文、由谁何时发送；只能相加，无法解开",
        )),
        (_ANALYST, Text(
            "{answer}, of who came in time; every department adds the full noise by itself",
            "按时应答部门的{answer}；每个部门各自加入全部噪声",
        )),
    ),
    "sealed": (
        (Text("the department", "该部门"), Text(
            "nothing new: it computes on its own rows", "没有新信息：只在自己的数据上计算",
        )),
        (_EXCHANGE, Text("a sealed answer of known length", "一份已知长度的密封结果")),
        (_ANALYST, Text("{answer} of this one department", "仅此一个部门的{answer}")),
    ),
}  # fmt: skip
_TRUST: Final[dict[str, Text]] = {
    "masked_sum": Text(
        "broken only if fewer honest departments than the threshold remain",
        "仅当诚实部门少于门限时才会失效",
    ),
    "he_sum": Text(
        "one department's figures show only if all the others and the analyst act together",
        "仅当其他所有部门与分析员合谋时，某一部门的数值才会暴露",
    ),
    "he_sum.open": Text(
        "no masks: the exchange and the analyst together read each department's own figures, "
        "under that department's full noise",
        "无掩码：交换平台与分析者合谋可读出每个部门各自的数值，但仍带有该部门的全部噪声",
    ),
    "sealed": Text(
        "nobody to hide among: the department answers alone",
        "无从混同：该部门单独作答",
    ),
}
