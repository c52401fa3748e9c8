"""What a scan found: plain records, for the table, for JSON and for programs.

Nothing in here holds a value of the data: examples are masked where they are read.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from desensitize.column import Role
from desensitize.recognisers import by_name
from protos.language import Text

NUMBERS: Final = 0.95
"""Share of numbers from which a column is one of numbers."""
FEW_CODES: Final = 20
"""Up to so many different numbers are codes, and are not rounded."""


@dataclass(frozen=True)
class Count:
    """How often one type was seen in a column.

    Attributes:
        whole: Cells that are a valid value of the type, and nothing else.
        invalid: Cells of its form that fail its check (digit, date, division).
        inside: Cells with at least one valid value within other text.
    """

    whole: int = 0
    invalid: int = 0
    inside: int = 0


@dataclass(frozen=True)
class ColumnFinding:
    """One column.

    Attributes:
        name: As in the data; an empty or repeated header has its number added.
        stored: Type in which it is stored, such as VARCHAR or DOUBLE.
        type: A recogniser's or attribute's name, ``free_text``, or ``""`` for none.
        title: The type for people.
        role: How it identifies its subject.
        grade: 2 to 4 (core); 1 (public) is never a scan's own verdict.
        values: Cells that are not NULL and not empty.
        counts: By recogniser, those that were seen at all.
        evidence: Why, one reason each.
        examples: Masked values, at most three.
        numeric: Share of numbers among the values at the beginning, 0 to 1.
        magnitude: Power of ten of the median of their absolute values; 0 below ten.
        different: Different values at the beginning.
        divisions: Share of codes and names of administrative divisions (GB/T 2260) at the
            beginning, 0 to 1.
        unclear: Values at the beginning that name several divisions, such as 白云区.
        within: Column that tells which of them is meant; empty for none.
        lists: Share of different values at the beginning that a list of groups has, by its name
            (see `desensitize.vocabulary`).
        undated: Values at the beginning of a column of days that say no day.
        either: … that could be two days, such as 03/07/1990.
        day_first: Whether the day comes first, as other values tell; None if they do not.
    """

    name: str
    stored: str
    type: str
    title: Text
    role: Role
    grade: int
    values: int
    counts: dict[str, Count]
    evidence: tuple[Text, ...]
    examples: tuple[str, ...]
    numeric: float = 0.0
    magnitude: int = 0
    different: int = 0
    divisions: float = 0.0
    unclear: int = 0
    within: str = ""
    lists: dict[str, float] = field(default_factory=dict)
    undated: int = 0
    either: int = 0
    day_first: bool | None = None


@dataclass(frozen=True)
class ScanReport:
    """A whole table.

    Attributes:
        source: Name of the file or kind of object.
        rows: Rows that were looked at.
        complete: Whether these are all rows. Only then may a release rest on it.
        columns: In the order of the table.
        notes: What was odd about the source.
        seconds: How long it took.
    """

    source: str
    rows: int
    complete: bool
    columns: tuple[ColumnFinding, ...]
    notes: tuple[Text, ...] = ()
    seconds: float = 0.0

    def __getitem__(self, name: str) -> ColumnFinding:
        """Returns the column of that name.

        Raises:
            KeyError: There is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from desensitize.show.scan import show
        from protos.terminal import as_html

        return as_html(show, self)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        return asdict(self)


def from_dict(body: dict[str, Any]) -> ScanReport:
    """Rebuilds what `ScanReport.to_dict` wrote."""
    columns = tuple(
        ColumnFinding(
            **column
            | {
                "title": Text(**column["title"]),
                "counts": {name: Count(**count) for name, count in column["counts"].items()},
                "evidence": tuple(Text(**text) for text in column["evidence"]),
                "examples": tuple(column["examples"]),
            }
        )
        for column in body["columns"]
    )
    notes = tuple(Text(**text) for text in body["notes"])
    return ScanReport(**body | {"columns": columns, "notes": notes})


def direct_cells(report: ScanReport) -> dict[str, dict[str, int]]:
    """Counts cells with a direct identifier, by column and type; those with none are left out."""
    found: dict[str, dict[str, int]] = {}
    for column in report.columns:
        for name, count in column.counts.items():
            cells = count.whole + count.inside
            if cells and by_name()[name].role == "direct":
                found.setdefault(column.name, {})[name] = cells
    return found


def masked(value: str, most: int = 40) -> str:
    """Shows a value's shape: a quarter of it, at most three characters, and its punctuation.

    >>> masked("440106199003071238")
    '440***************'
    """
    shown = value.replace("\n", " ")[:most]
    keep = min(3, len(shown) // 4) or int(len(shown) > 1)
    hidden = "".join(c if c in " @.-:,，·/" else "*" for c in shown[keep:])
    return shown[:keep] + hidden + ("…" if len(value) > most else "")
