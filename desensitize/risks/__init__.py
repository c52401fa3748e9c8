"""How identifying a table is: classes, models, chances of an attacker, and what a reader learns."""

from __future__ import annotations

from desensitize.risks.asked import Asked, asked
from desensitize.risks.measure import measure
from desensitize.risks.report import PRESENT, Bucket, Presence, RiskReport, SensitiveRisk, from_dict

__all__ = [
    "PRESENT", "Asked", "Bucket", "Presence", "RiskReport", "SensitiveRisk", "asked",
    "from_dict", "measure",
]  # fmt: skip
