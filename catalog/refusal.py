"""One rule that says no: what the judge's rules yield."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protos.language import Text, Words, both


@dataclass(frozen=True)
class Refusal:
    """One rule that says no.

    Attributes:
        department: Whose policy; "" for a rule that holds everywhere.
        rule: Stable name of the rule, such as ``uses`` or ``epsilon``.
        column: The column it is about, or "".
        said: What is refused and why.
        advice: What would pass.
    """

    department: str
    rule: str
    column: str
    said: Words
    advice: tuple[Words, ...] = ()

    @property
    def message(self) -> str:
        """What is refused and why, in English: for logs and programs."""
        return both(self.said).en

    @property
    def rewrites(self) -> tuple[str, ...]:
        """What would pass, in English: for logs and programs."""
        return tuple(both(rewrite).en for rewrite in self.advice)


def spoken(refusals: Sequence[Refusal], departments: Sequence[str]) -> tuple[Text, ...]:
    """Returns each different refusal once, with the departments that make it.

    Args:
        refusals: In the judge's order.
        departments: Whose policies were asked: when all of them refuse, they are not listed.
    """
    by: dict[tuple[str, str, Words], list[str]] = {}
    for refusal in refusals:
        by.setdefault((refusal.rule, refusal.column, refusal.said), []).append(refusal.department)
    return tuple(
        with_who(both(message), [name for name in names if name], len(departments))
        for (_, _, message), names in by.items()
    )


def with_who(message: Text, names: Sequence[str], asked: int) -> Text:
    """Returns ``message`` with whom it is about in front; all that were asked are not listed."""
    if not names:
        return message
    if len(names) == asked > 1:
        return Text(f"all {asked} departments: {message.en}", f"全部 {asked} 个部门：{message.zh}")
    return Text(f"{', '.join(names)}: {message.en}", f"{'、'.join(names)}：{message.zh}")
