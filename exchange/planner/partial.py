"""Departments that answer for some of their rows only, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from catalog.dataset import Dataset
from catalog.plan import Plan
from catalog.policy import Policy, narrowed_codes
from catalog.policy_rules import written
from protos.language import Text

_MOST_CODES: Final = 20  # that one line names
_ONLY_FOR: Final = Text(
    "{name} answers only for rows whose {column} is one of: {values}",
    "{name} 仅就 {column} 为下列值的数据行作答：{values}",
)


def partial_answers(plan: Plan, dataset: Dataset, policies: Mapping[str, Policy]) -> list[Text]:
    """Says whose policy leaves rows out, by which column; see ``catalog.policy.narrowed_codes``.

    Args:
        plan: Who is asked.
        dataset: The declaration.
        policies: Public policy by department.
    """
    return [
        _ONLY_FOR.format(
            name=member.name,
            column=column,
            values=", ".join(written(dataset.columns[column], c) for c in codes[:_MOST_CODES])
            + (" …" if len(codes) > _MOST_CODES else ""),
        )
        for member in plan.roster
        if member.name in policies
        for column, codes in narrowed_codes(policies[member.name], dataset).items()
    ]
