"""What a measurement of risk says: figures, and sentences for those who sign for a release."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from protos.language import Text

PRESENT: Final = 0.05
"""Greatest chance of re-identification that open publication accepts here: one in twenty."""


@dataclass(frozen=True)
class Bucket:
    """Classes of similar size.

    Attributes:
        least: Rows of the smallest.
        most: Rows of the greatest; None for no limit.
        classes: How many.
        rows: Rows in them.
    """

    least: int
    most: int | None
    classes: int
    rows: int


@dataclass(frozen=True)
class SensitiveRisk:
    """What belonging to a class tells about one sensitive column.

    Attributes:
        name: The column.
        l: Least number of different values in a class; no value counts as one.
        entropy_l: Least exp(entropy) of a class: the l of entropy l-diversity.
        t: Greatest earth mover's distance of a class from the table, 0 to 1.
        homogeneous_rows: Rows in classes in which everybody has the same value.
    """

    name: str
    l: int  # noqa: E741 - the model's own name
    entropy_l: float
    t: float
    homogeneous_rows: int


@dataclass(frozen=True)
class Presence:
    """The table beside a population that it was drawn from.

    Attributes:
        population: Rows of the population.
        smallest: Fewest people of the population in a class of the table.
        least: Least share of a class's population that is in the table (δ-presence: Nergiz,
            Atzori, Clifton, SIGMOD 2007).
        most: Greatest share; 1 means that whoever is like this is certainly in the table.
        outside: Rows of the table whose class the population does not have: it is no population.
        absent: People whose class the table does not have: that they are not in it is certain.
    """

    population: int
    smallest: int
    least: float
    most: float
    outside: int
    absent: int

    @property
    def least_of_all(self) -> float:
        """Least share of any class of the population, also of those that the table lacks."""
        return 0.0 if self.absent else self.least


@dataclass(frozen=True)
class RiskReport:
    """How identifying a table is.

    Attributes:
        rows: Of the table.
        quasi: Columns that an attacker is taken to know.
        classes: Different combinations of their values.
        k: Rows of the smallest class; 0 for an empty table.
        unique_rows: Rows that are alone in their class.
        above_present: Rows whose chance is above `PRESENT`.
        sizes: Classes by size.
        sensitive: One per sensitive column.
        direct: Columns in which direct identifiers were found.
        presence: Beside a population, if one was given.
    """

    rows: int
    quasi: tuple[str, ...]
    classes: int
    k: int
    unique_rows: int
    above_present: int
    sizes: tuple[Bucket, ...]
    sensitive: tuple[SensitiveRisk, ...] = ()
    direct: tuple[str, ...] = ()
    presence: Presence | None = None

    @property
    def prosecutor(self) -> float:
        """Greatest chance to pick the row of a person who is known to be in the table (1/k)."""
        return 1 / self.k if self.k else 0.0

    @property
    def marketer(self) -> float:
        """Share of rows that are picked rightly if one of each class is picked at random."""
        return self.classes / self.rows if self.rows else 0.0

    @property
    def journalist(self) -> float | None:
        """Greatest chance if it is not known who is in the table; None without a population."""
        if self.presence is None or not self.presence.smallest:
            return None
        return 1 / self.presence.smallest

    @property
    def gbt42460_level(self) -> int:
        """Grade of de-identification, 1 to 3, as GB/T 42460-2023 distinguishes them.

        1: direct identifiers are in it; 2: none, but the risk is above what is accepted; 3: the
        risk is accepted. Level 4 is for aggregates, which have no rows. The accepted risk depends
        on the recipients; taken here is `PRESENT` for the greatest risk of any row, the value for
        publication to everybody.
        """
        if self.direct:
            return 1
        return 3 if self.prosecutor <= PRESENT else 2

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from desensitize.show.risk import show_risk
        from protos.terminal import as_html

        return as_html(show_risk, self)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types, the derived figures among them."""
        body: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return body | {
            "prosecutor": self.prosecutor,
            "marketer": self.marketer,
            "journalist": self.journalist,
            "gbt42460_level": self.gbt42460_level,
        }

    def sentences(self) -> tuple[Text, ...]:
        """Says what a reader may conclude about a person."""
        if not self.rows:
            return (Text("The table is empty: it tells nothing.", "表为空，不透露任何信息。"),)
        return (*self.who(), *self.what(), *self.whether())

    def who(self) -> list[Text]:
        """Says how well people can be found."""
        known, known_zh = ", ".join(self.quasi), "、".join(self.quasi)
        said = []
        if self.direct:
            said.append(Text(
                f"Direct identifiers stand in {', '.join(self.direct)}: people can be named.",
                f"{'、'.join(self.direct)} 中有直接标识符，可直接识别到个人。",
            ))  # fmt: skip
        said.append(Text(
            f"Who knows a person's {known} finds at least {self.k:,} row{'s' * (self.k != 1)} that "
            "could be theirs: "
            f"the chance to pick the right one is at most {_share(self.prosecutor)}.",
            f"掌握某人的{known_zh}后，至少有 {self.k:,} 行与其相符，选中本人的概率不超过 "
            f"{_share(self.prosecutor)}。",
        ))  # fmt: skip
        if self.unique_rows:
            said.append(Text(
                f"{self.unique_rows:,} rows ({_share(self.unique_rows / self.rows)}) are the only "
                "ones of their kind: these people are singled out.",
                f"有 {self.unique_rows:,} 行（{_share(self.unique_rows / self.rows)}）独一无二，"
                "可被单独识别出来。",
            ))  # fmt: skip
        return said

    def what(self) -> list[Text]:
        """Says what belonging to a class tells, a sentence for each sensitive column."""
        said = []
        for column in self.sensitive:
            if column.homogeneous_rows:
                said.append(Text(
                    f"For {column.homogeneous_rows:,} rows, knowing that a person is in the table "
                    f"tells their {column.name}: everybody like them has the same.",
                    f"对其中 {column.homogeneous_rows:,} 行，只要知道某人在表中，就能得知其"
                    f"{column.name}：同类者的取值全部相同。",
                ))  # fmt: skip
            else:
                said.append(Text(
                    f"{column.name}: people who look alike have at least {column.l} different "
                    f"values; a class differs from the whole table by at most {column.t:.2f}.",
                    f"{column.name}：同类者至少有 {column.l} 种不同取值；"
                    f"与全表分布的距离不超过 {column.t:.2f}。",
                ))  # fmt: skip
        return said

    def whether(self) -> list[Text]:
        """Says how far it can be told that somebody is in the table."""
        if self.presence is None:
            return []
        if self.presence.outside:
            return [
                Text(
                    f"{self.presence.outside:,} rows are not in the population as it was given; "
                    "give it with the same columns, at the same levels.",
                    f"有 {self.presence.outside:,} 行不在所给的总体中；"
                    "请提供列与层级均一致的总体数据。",
                )
            ]
        return [
            Text(
                f"That a person of the population is in the table can be believed with between "
                f"{_share(self.presence.least_of_all)} and {_share(self.presence.most)}.",
                f"总体中某人在表中的可信程度介于 {_share(self.presence.least_of_all)} 与 "
                f"{_share(self.presence.most)} 之间。",
            )
        ]


def _share(value: float) -> str:
    return f"{value:.2%}" if value < 0.1 else f"{value:.1%}"


def from_dict(body: Mapping[str, Any]) -> RiskReport:
    """Rebuilds what `RiskReport.to_dict` wrote."""
    derived = {"prosecutor", "marketer", "journalist", "gbt42460_level"}
    fields = {name: value for name, value in body.items() if name not in derived}
    return RiskReport(
        **fields
        | {
            "quasi": tuple(fields["quasi"]),
            "direct": tuple(fields["direct"]),
            "sizes": tuple(Bucket(**each) for each in fields["sizes"]),
            "sensitive": tuple(SensitiveRisk(**each) for each in fields["sensitive"]),
            "presence": None if fields["presence"] is None else Presence(**fields["presence"]),
        }
    )
