"""How much privacy an analyst has spent on a dataset, in words that stand under each answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from catalog.policy import Policy
from desensitize.budget import epsilon_for
from exchange.analyst.history import Charge
from protos.language import Text


def running_sum(
    charges: Sequence[Charge], policies: Mapping[str, Policy], dataset: str, delta: float
) -> Text:
    """Says what this analyst's answers have cost, where most of a cap is used.

    rho adds up, epsilon does not: four answers of epsilon 0.5 come to less than 2.

    Args:
        charges: Of this dataset, from the analyst's history.
        policies: Public policy of the dataset by department.
        dataset: Its name.
        delta: The dataset's.
    """
    spent = {
        name: epsilon_for(sum(c.rho for c in charges if name in c.departments), delta)
        for name in policies
    }
    caps = {name: policy.budget.epsilon for name, policy in policies.items()}
    if not spent:
        return _ALONE.format(dataset=dataset, answers=len(charges))
    tightest = max(spent, key=lambda name: spent[name] / caps[name])
    same = len({(spent[name], caps[name]) for name in spent}) == 1
    return (_EVERYWHERE if same else _AT_ONE).format(
        dataset=dataset,
        spent=f"{spent[tightest]:.2f}",
        cap=f"{caps[tightest]:g}",
        delta=f"{delta:g}",
        answers=len(charges),
        department=tightest,
    )


STORED: Final = Text(
    "This is the stored answer to the same question: it cost nothing. --fresh (fresh=True) asks "
    "anew.",
    "此为相同问题的已存结果，未消耗预算。如需重新查询，请用 --fresh（fresh=True）。",
)
_EVERYWHERE: Final = Text(
    "Privacy you have spent on {dataset} so far: epsilon {spent} of the {cap} that each department "
    "allows for ever, everybody's questions together (delta {delta}, charged answers: {answers}).",
    "您在 {dataset} 上累计消耗 ε {spent}；各部门对所有人合计的终身上限为 {cap}"
    "（δ {delta}，计费查询 {answers} 次）。",
)
_AT_ONE: Final = Text(
    "Privacy you have spent on {dataset} so far: epsilon {spent} of the {cap} that {department}, "
    "nearest to its limit, allows for ever, everybody's questions together (delta {delta}, charged "
    "answers: {answers}).",
    "您在 {dataset} 上累计消耗 ε {spent}；最接近上限的 {department} 对所有人合计的终身上限为 {cap}"
    "（δ {delta}，计费查询 {answers} 次）。",
)
_ALONE: Final = Text(
    "Charged answers on {dataset} so far: {answers}.", "{dataset} 上的计费查询：{answers} 次。"
)
