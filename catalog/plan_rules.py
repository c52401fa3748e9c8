"""What a plan must be by itself, whoever judges it: its dataset, time, roster and noise."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Final

from catalog.codec import dataset_digest
from catalog.dataset import Dataset
from catalog.exact_rules import exact_refusals
from catalog.plan import Plan
from catalog.refusal import Refusal
from catalog.typing_rules import magnitude
from protos.language import Text

SKEW_S: Final = 60
OPEN_BFV_BITS: Final = 47  # without masks a total must fit one slot: sums of limbs show carries
_HEX: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


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


PLAN_RULES: Final[tuple[Callable[[Plan, Dataset, int], Iterator[Refusal]], ...]] = (
    _same_dataset,
    _times,
    _roster,
    _open,
    _privacy,
)
