"""What the privacy models choose for a release: a level for each hierarchy, rows to leave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from desensitize.masking.base import Method
from desensitize.policy import PublishPolicy
from desensitize.sources import Table
from protos.faults import InputError
from protos.language import Text


@dataclass(frozen=True)
class Chosen:
    """What was chosen.

    Attributes:
        methods: Of the columns with a hierarchy, by name: what brings them to their level.
        levels: Names of the levels, for the manifest.
        keep: SQL condition over the source's own columns of the rows that stay; empty for all.
        suppressed: Rows that do not.
        figures: Of the models, for the manifest.
    """

    methods: Mapping[str, tuple[Method, ...]] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)
    keep: str = ""
    suppressed: int = 0
    figures: Mapping[str, Any] = field(default_factory=dict)


def choose(table: Table, policy: PublishPolicy) -> Chosen:  # noqa: ARG001 - searched when it can be
    """Chooses levels so that the models of a policy hold.

    Raises:
        InputError: The policy asks for models. They are not searched for here yet, and what
            nobody checks must not be promised.
    """
    if policy.models.asked:
        raise InputError(
            Text(
                "publish.models is not supported yet: nothing would check that it holds",
                "尚不支持 publish.models：无法验证其是否满足",
            ),
            remedy=Text(
                'take models and hierarchies out, and write methods such as { date = "year" }',
                '请删去 models 和 hierarchies，改用固定方法，如 { date = "year" }',
            ),
            code="policy.models",
        )
    return Chosen()
