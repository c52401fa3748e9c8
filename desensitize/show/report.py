"""What of a report is said in the terminal: its standing, and what can be concluded."""

from __future__ import annotations

from typing import Final

from desensitize.reporting.contents import Contents
from protos import terminal
from protos.language import Text

_STANDINGS: Final = {
    "attested": Text("✓ passed the gate, and attested", "✓ 已通过门禁并签署证明"),
    "unsigned": Text(
        "– not attested: run 'veil desensitize gate' before anything is published",
        "– 尚未签署证明：公开前请运行 veil desensitize gate",
    ),
    "broken": Text(
        "✗ the attestation does not hold: do not publish this", "✗ 证明不成立：请勿发布"
    ),
}
_STYLES: Final = {"attested": terminal.GOOD, "unsigned": terminal.WARN, "broken": terminal.BAD}


def show_report(contents: Contents) -> None:
    """Prints the gist."""
    terminal.say(_STANDINGS[contents.standing], style=_STYLES[contents.standing], hang=2)
    if contents.standing == "broken":  # its figures are nobody's
        return
    for sentence in () if contents.risk is None else contents.risk.sentences()[:1]:
        terminal.say(" ".join(str(sentence).split()))
