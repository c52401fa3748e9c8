"""What a recogniser is, and the two ways in which it is compiled.

A recogniser describes one type of personal or confidential data. Its patterns use what RE2 and
Python's ``re`` have in common: no lookaround, no back reference. They are compiled twice:

- for RE2 (DuckDB, Arrow) as a **gate**: cheap, over whole columns, and allowed to say yes too
  often, never too seldom;
- for Python as the **exact** pattern with lookaround at its edges, run only on cells that a gate
  let through. A word boundary would not do: in Chinese text there is none before an id.

What has passed the exact pattern goes through the recogniser's check, vectorised over values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from desensitize.column import Role
from protos.language import Text

Mask = npt.NDArray[np.bool_]
Check = Callable[[pa.StringArray], Mask]
"""Values that match the pattern → which of them are valid."""

Edge = Literal["alnum", "digit", "none"]

_LEFT = {"alnum": r"(?<![0-9A-Za-z])", "digit": r"(?<![0-9])", "none": ""}
_RIGHT = {"alnum": r"(?![0-9A-Za-z])", "digit": r"(?![0-9])", "none": ""}
_GATE_LEFT = {"alnum": r"(?:^|[^0-9A-Za-z])", "digit": r"(?:^|[^0-9])", "none": ""}
_GATE_RIGHT = {"alnum": r"(?:[^0-9A-Za-z]|$)", "digit": r"(?:[^0-9]|$)", "none": ""}


@dataclass(frozen=True)
class Recogniser:
    """One type of data.

    Attributes:
        name: Stable name, such as ``cn_resident_id``; policies and reports use it.
        title: For people.
        role: How a column of it identifies its subject.
        grade: Sensitivity of such a column, 1 (public) to 4 (core).
        pattern: A whole cell of this type.
        headers: Words of column headers: Chinese ones are found anywhere, others as whole words.
        text: The same within running text; None if it is like ``pattern``, ``""`` if nothing
            short of a header or a cue tells it from other data and there is no cue.
        cue: What must stand right before it in running text; empty if it stands alone.
        gate: A cheaper pattern that every text with a hit contains; empty to derive one.
        open: Whether a whole cell of this form may hold values of other types: an address may
            have a telephone number behind it. Such cells pass the other types' gates as well.
        edges: What must not touch it in running text, left and right.
        alone: Share of a column's values that must be valid to name the column without a
            header; above 1 never.
        varied: Share of different values that such a column must have as well: names vary, the
            words of a code list do not.
        context: Words nearby that make a find more credible (Presidio's ``context``).
        check: Which matching values are valid; None if the pattern says it all.
    """

    name: str
    title: Text
    role: Role
    grade: int
    pattern: str
    headers: tuple[str, ...]
    text: str | None = None
    cue: str = ""
    gate: str = ""
    open: bool = False
    edges: tuple[Edge, Edge] = ("alnum", "alnum")
    alone: float = 0.6
    varied: float = 0.0
    context: tuple[str, ...] = ()
    check: Check | None = None

    @property
    def in_text(self) -> str:
        """The pattern within running text; empty if it is not looked for there."""
        return self.pattern if self.text is None else self.text

    @cached_property
    def text_gate(self) -> str:
        """RE2 pattern that every text with a hit matches; empty if there is none."""
        if not self.in_text or self.gate:
            return self.gate if self.in_text else ""
        left = f"(?:{self.cue})" if self.cue else _GATE_LEFT[self.edges[0]]
        return f"{left}(?:{self.in_text}){_GATE_RIGHT[self.edges[1]]}"

    @cached_property
    def exact(self) -> re.Pattern[str]:
        """Python pattern; its group ``value`` is the find."""
        left = f"(?:{self.cue})" if self.cue else _LEFT[self.edges[0]]
        return re.compile(f"{left}(?P<value>{self.in_text}){_RIGHT[self.edges[1]]}")

    def valid(self, values: pa.StringArray) -> Mask:
        """Returns which values, all of which match the pattern, are valid."""
        if self.check is None or len(values) == 0:
            return np.ones(len(values), dtype=np.bool_)
        return self.check(values)
