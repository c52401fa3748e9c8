"""What attacks on a release found: figures, verdicts and reasons; never a value of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from protos.language import Text

Verdict = Literal["held", "broken", "measured", "unknown"]
"""``measured``: no limit is set; ``unknown``: it could not be tried, which no gate passes."""
ATTACKS: Final = (
    "mask_reversal", "unkeyed_hash", "uniqueness", "linkage", "inference", "singling_out",
    "differencing",
)  # fmt: skip


_NONE: Final = Text("", "")


@dataclass(frozen=True)
class Finding:
    """One attack on one column or on the whole table.

    Attributes:
        attack: One of `ATTACKS`.
        columns: Against which columns it went.
        figure: What came out; None if it could not be tried.
        measures: What the figure is, for people.
        threshold: The policy's limit; None if it sets none.
        at_least: Whether the figure must reach the threshold, and not stay below it.
        reason: What the attacker did, and what came of it.
        remedy: What would hold instead; empty where it held.
        assumption: What was assumed in counting.
        figures: More figures, by name.
    """

    attack: str
    columns: tuple[str, ...]
    figure: float | None
    measures: Text
    threshold: float | None
    reason: Text
    remedy: Text = _NONE
    assumption: Text = _NONE
    at_least: bool = False
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """What follows from figure and threshold."""
        if self.figure is None:
            return "unknown"
        if self.threshold is None:
            return "measured"
        met = self.figure >= self.threshold if self.at_least else self.figure <= self.threshold
        # A figure that is no number meets nothing.
        return "held" if met else "broken"


@dataclass(frozen=True)
class AttackReport:
    """All attacks on one release.

    Attributes:
        rows: Of the release.
        findings: One per attack and target.
        auxiliary: What the attacker knew: name of a file, or empty for the original itself.
        earlier: Names of the earlier releases that were compared.
    """

    rows: int
    findings: tuple[Finding, ...]
    auxiliary: str = ""
    earlier: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[Finding, ...]:
        """Attacks that went beyond a limit."""
        return tuple(each for each in self.findings if each.verdict == "broken")

    def of(self, attack: str) -> tuple[Finding, ...]:
        """Returns the findings of one attack."""
        return tuple(each for each in self.findings if each.attack == attack)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from desensitize.show.attack import show_attacks
        from protos.terminal import as_html

        return as_html(show_attacks, self)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types, the verdicts among them."""
        body = asdict(self)
        for written, finding in zip(body["findings"], self.findings, strict=True):
            written["verdict"] = finding.verdict
        return body


def from_dict(body: Mapping[str, Any]) -> AttackReport:
    """Rebuilds what `AttackReport.to_dict` wrote; verdicts are derived anew."""
    texts = ("measures", "reason", "remedy", "assumption")
    findings = []
    for written in body["findings"]:
        fields = {name: value for name, value in written.items() if name != "verdict"}
        fields |= {name: Text(**fields[name]) for name in texts}
        findings.append(Finding(**fields | {"columns": tuple(fields["columns"])}))
    return AttackReport(body["rows"], tuple(findings), body["auxiliary"], tuple(body["earlier"]))
