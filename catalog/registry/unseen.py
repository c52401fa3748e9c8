"""Characters that show as nothing, break lines that are one, or cover the lines around them.

Python calls them printable or blanks. A provider's name with one at its end is another name that
looks the same, and a name of nothing else looks like none.
"""

from __future__ import annotations

import re
from typing import Final

_MOST_MARKS: Final = 8
"""In a row: no script stacks more on one letter; dozens cover the lines above and below."""
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"  # fillers and joiners: letters of no width
    "\u2028\u2029]"  # separators of lines and paragraphs
    "|[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
    f"{{{_MOST_MARKS + 1},}}"
)


def unseen(text: str) -> bool:
    """Says whether a text has what nobody sees, or marks without end on one letter."""
    return not text.isascii() and _UNSEEN.search(text) is not None
