"""The gate before publication: pure, from figures to a verdict with every reason.

It fails closed. A figure that is missing, is of another number of rows, or is no number refuses as
one that is too bad: nobody publishes because something was not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from desensitize.attacks.findings import ATTACKS, AttackReport, Finding
from desensitize.masking.format_preserving import ends_left
from desensitize.policy import PublishPolicy
from desensitize.releasing.facts import RescanFacts
from desensitize.risks import Asked, RiskReport, asked
from protos.language import Text

_AGAIN: Final = Text("run 'veil desensitize gate' again", "请重新运行 veil desensitize gate")
_NONE: Final = Text("", "")


@dataclass(frozen=True)
class Figures:
    """What the gate judges.

    Attributes:
        rows: Of the release.
        rescan: Scan of the output; None if there was none.
        risk: Its risk; None if it was not measured.
        attacks: What attacks found; None if there were none.
    """

    rows: int
    rescan: RescanFacts | None
    risk: RiskReport | None
    attacks: AttackReport | None


@dataclass(frozen=True)
class GateCheck:
    """One thing that must hold.

    Attributes:
        name: Stable, dotted: ``risk.k``.
        held: Whether it does.
        reason: Why, with the figure.
        remedy: What would hold; empty where it does.
        asked: Whether the policy sets a limit; without one the figure is only said.
    """

    name: str
    held: bool
    reason: Text
    remedy: Text = _NONE
    asked: bool = True


@dataclass(frozen=True)
class GateVerdict:
    """All checks; passed only if there are some and all hold."""

    checks: tuple[GateCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether the release may be published."""
        return bool(self.checks) and all(check.held for check in self.checks)

    @property
    def refusals(self) -> tuple[GateCheck, ...]:
        """What does not hold."""
        return tuple(check for check in self.checks if not check.held)


def judge(policy: PublishPolicy, figures: Figures) -> GateVerdict:
    """Judges a release by its policy."""
    return GateVerdict(
        (
            *rescanned(policy, figures),
            *_risk(policy, figures),
            *_attacks(policy, figures),
        )
    )


def _missing(name: str, what: Text) -> GateCheck:
    return GateCheck(
        name,
        held=False,
        reason=Text(f"missing: {what.en}", f"缺少：{what.zh}"),
        remedy=_AGAIN,
    )


def rescanned(policy: PublishPolicy, figures: Figures) -> Iterator[GateCheck]:
    """Says whether every released row was scanned, and nothing found."""
    facts = figures.rescan
    if facts is None or facts.rows != figures.rows:
        yield _missing("rescan", Text("a scan of every released row", "对全部发布行的复扫"))
        return
    said = "; ".join(f"{c}: {sum(found.values()):,}" for c, found in facts.hits.items())
    said_zh = "；".join(f"{c}：{sum(found.values()):,}" for c, found in facts.hits.items())
    if not facts.hits:
        yield GateCheck(
            "rescan", held=True,
            reason=Text(f"no direct identifier in {facts.rows:,} rows",
                 f"{facts.rows:,} 行中没有直接标识符"),
        )  # fmt: skip
        return
    yield GateCheck(
        "rescan",
        policy.gate.rescan == "report",
        Text(f"cells with direct identifiers: {said}", f"仍含直接标识符的单元格：{said_zh}"),
        Text(
            "drop, redact or tokenise these columns", "请对这些列使用 drop、redact 或 token"
        ) if policy.gate.rescan != "report" else _NONE,
    )  # fmt: skip


def _risk(policy: PublishPolicy, figures: Figures) -> Iterator[GateCheck]:
    models, level = policy.models, policy.gate.gbt42460_level_min
    quasi = {column.name for column in policy.published if column.quasi}
    report = figures.risk
    if not quasi and not models.asked and level is None:
        return
    if report is None or report.rows != figures.rows or set(report.quasi) != quasi:
        yield _missing(
            "risk", Text("the risk of the published quasi-identifiers", "已发布准标识符的风险度量")
        )
        return
    yield from map(_limit, asked(policy, report))
    if level is not None:
        yield _limit(
            Asked("risk.gbt42460", Text("GB/T 42460", "GB/T 42460"), report.gbt42460_level, level,
                  at_least=True)
        )  # fmt: skip


def _limit(each: Asked) -> GateCheck:
    return GateCheck(
        each.name, each.held, each.said,
        _NONE if each.held else _AGAIN if each.figure is None else Text(
            "give the quasi-identifiers hierarchies with coarser levels, or ask less and say why",
            "请为准标识符设置更粗的层级，或降低要求并说明理由",
        ),
    )  # fmt: skip


def _attacks(policy: PublishPolicy, figures: Figures) -> Iterator[GateCheck]:
    report = figures.attacks
    if report is None or report.rows != figures.rows:
        yield _missing("attack", Text("attacks on every released row", "对全部发布行的攻击测试"))
        return
    for attack in ATTACKS:
        found = report.of(attack)
        for what in _not_tried(policy, report, attack):
            yield _missing(f"attack.{attack}", what)
        for finding in found:
            yield _found(policy, finding)
    if not report.earlier:
        yield GateCheck(
            "attack.differencing", held=True,
            reason=Text("no earlier release was named, so none was compared",
                 "未指定此前的发布，未做差分比较"),
            asked=False,
        )  # fmt: skip


def _not_tried(policy: PublishPolicy, report: AttackReport, attack: str) -> Iterator[Text]:
    tried = {finding.columns[0] for finding in report.of(attack) if finding.columns}
    wanted: list[str] = []
    if attack == "mask_reversal":
        wanted = [c.name for c in policy.published if ends_left(c.methods)]
    elif attack == "inference":
        wanted = [c.name for c in policy.published if c.sensitive]
    elif attack == "differencing":
        if len(report.of(attack)) != len(report.earlier):
            yield Text("comparison with every earlier release", "与此前每次发布的比较")
        return
    elif not report.of(attack):
        yield Text(f"the attack {attack}", f"攻击测试 {attack}")
    for name in wanted:
        if name not in tried:
            yield Text(f"the attack {attack} on {name!r}", f"对“{name}”的攻击测试 {attack}")


_LIMITS: Final = {
    "mask_reversal": "mask_candidates_min",
    "uniqueness": "unique_share_max",
    "linkage": "linkage_correct_max",
    "inference": "inference_share_max",
    "singling_out": "singling_out_max",
    "differencing": "small_cell_differences",
}


def _found(policy: PublishPolicy, finding: Finding) -> GateCheck:
    limit = 0.0 if finding.attack == "unkeyed_hash" else None
    if finding.attack in _LIMITS:
        limit = getattr(policy.attacks, _LIMITS[finding.attack])
    # The policy's limit counts, not the one that a finding says it was held against.
    same = finding.threshold == limit and finding.at_least == (finding.attack == "mask_reversal")
    number = finding.figure is not None and math.isfinite(finding.figure)
    held = same and number and finding.verdict in {"held", "measured"}
    return GateCheck(
        f"attack.{finding.attack}",
        held,
        finding.reason,
        _NONE if held else finding.remedy,
        asked=limit is not None,
    )
