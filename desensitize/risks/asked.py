"""What a policy's models ask of a measurement, one by one: for the release and for the gate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from desensitize.policy import PublishPolicy
from desensitize.risks.report import Presence, RiskReport, SensitiveRisk
from protos.language import Text

_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Asked:
    """One limit of a model.

    Attributes:
        name: Stable, dotted: ``risk.k``.
        what: What was measured, for people.
        figure: What came out; None if it was not measured, which meets nothing.
        limit: The policy's.
        at_least: Whether the figure must reach the limit, and not stay below it.
    """

    name: str
    what: Text
    figure: float | None
    limit: float
    at_least: bool

    @property
    def held(self) -> bool:
        """Whether the figure meets the limit; what is no number does not."""
        if self.figure is None or not math.isfinite(self.figure):
            return False
        if self.at_least:
            return self.figure >= self.limit - _ROUNDING
        return self.figure <= self.limit + _ROUNDING

    @property
    def said(self) -> Text:
        """The figure beside its limit."""
        sign = "≥" if self.at_least else "≤"
        if self.figure is None:
            return Text(f"missing: {self.what.en}", f"缺少：{self.what.zh}")
        return Text(
            f"{self.what.en} = {self.figure:g} (asked: {sign} {self.limit:g})",
            f"{self.what.zh} = {self.figure:g}（要求：{sign} {self.limit:g}）",
        )


def asked(policy: PublishPolicy, report: RiskReport) -> Iterator[Asked]:
    """Returns every limit that the policy's models set, with what was measured."""
    models = policy.models
    if models.k is not None:
        yield Asked("risk.k", Text("k", "k"), report.k, models.k, at_least=True)
    told = {column.name: column for column in report.sensitive}
    for column in policy.published:
        if column.sensitive:
            yield from _of_sensitive(policy, column.name, told.get(column.name))
    if models.delta is not None:
        yield from _of_presence(policy, report.presence)


def _of_sensitive(policy: PublishPolicy, name: str, found: SensitiveRisk | None) -> Iterator[Asked]:
    models = policy.models
    for model, key, limit, at_least in (
        ("l", "l", models.l, True),
        ("entropy l", "entropy_l", models.entropy_l, True),
        ("t", "t", models.t, False),
    ):
        if limit is not None:
            what = Text(f"{name}: {model}", f"{name}：{'熵 l' if key == 'entropy_l' else model}")
            figure = None if found is None else float(getattr(found, key))
            yield Asked(f"risk.{key}", what, figure, limit, at_least=at_least)


def _of_presence(policy: PublishPolicy, found: Presence | None) -> Iterator[Asked]:
    delta = policy.models.delta
    if delta is None:
        return
    # Beside what is no population of these rows, shares mean nothing.
    real = found if found is not None and not found.outside else None
    what = Text("δ: greatest share of a class's people whose rows are in the table",
                "δ：同类人员中行在表内的最大比例")  # fmt: skip
    yield Asked("risk.delta", what, None if real is None else real.most, delta.most, at_least=False)
    if delta.least:
        what = Text("δ: least share", "δ：最小比例")
        least = None if real is None else real.least_of_all
        yield Asked("risk.delta", what, least, delta.least, at_least=True)
