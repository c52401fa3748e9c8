"""One rule that says no: what the judge's rules yield."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """One rule that says no.

    Attributes:
        department: Whose policy; "" for a rule that holds everywhere.
        rule: Stable name of the rule, such as ``uses`` or ``epsilon``.
        column: The column it is about, or "".
        message: What is refused and why.
        rewrites: What would pass.
    """

    department: str
    rule: str
    column: str
    message: str
    rewrites: tuple[str, ...] = ()
