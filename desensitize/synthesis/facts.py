"""What a synthetic release says of itself, and what is for the steward's eyes only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from protos.language import Text

CLAIM: Final = Text(
    "These rows are synthetic: no row is a person's. They were drawn from noisy counts, and are "
    "differentially private for every subject of the table.",
    "这些行是合成数据，没有任何一行对应真实个人。它们由加噪计数抽样生成，对表中每个主体满足差分隐私。",
)
NEIGHBOURS: Final = Text(
    "tables of which one has all rows of one subject more",
    "仅相差一个主体全部行的两张表",
)


@dataclass(frozen=True)
class MarginalFacts:
    """One marginal that was measured.

    Attributes:
        columns: Their names: one or two.
        cells: How many counts it has.
        sigma: Standard deviation of the noise of each.
    """

    columns: tuple[str, ...]
    cells: int
    sigma: float


@dataclass(frozen=True)
class SynthesisFacts:
    """How the rows were made: public, for it depends on the data through the noise only.

    Attributes:
        epsilon: Spent, with ``delta``, on every subject; other releases of its rows add to it.
        delta: Of the same promise.
        rho: The same as zCDP, which adds up.
        spent: zCDP by part, as OpenDP reckons it; at most ``rho`` together.
        subject: Column that says whose row it is; empty if every row is another subject's.
        max_rows_per_subject: Rows that counted of one subject.
        marginals: What was measured.
        domains: By column, what the policy declares.
        claim: For people.
        neighbours: What the promise compares.
    """

    epsilon: float
    delta: float
    rho: float
    spent: Mapping[str, float]
    subject: str
    max_rows_per_subject: int
    marginals: tuple[MarginalFacts, ...]
    domains: Mapping[str, Mapping[str, Any]]
    claim: Text = CLAIM
    neighbours: Text = NEIGHBOURS

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> SynthesisFacts:
        """Rebuilds what a manifest holds."""
        return cls(
            **dict(body)
            | {
                "marginals": tuple(
                    MarginalFacts(tuple(m["columns"]), m["cells"], m["sigma"])
                    for m in body["marginals"]
                ),
                "claim": Text(**body["claim"]),
                "neighbours": Text(**body["neighbours"]),
            }
        )


@dataclass(frozen=True)
class StewardFigures:
    """Exact figures of the data: **not protected**, shown to the steward, written nowhere.

    Attributes:
        rows_in: Rows of the source.
        counted: Rows that count.
        outside: Rows with a value that the domain has not, by column, where there are any.
        one_way: Distance of each column's distribution from the synthetic one (total variation,
            0 to 1), on average.
        two_way: The same for pairs of columns.
        worst: Names of the pair that is farthest, and its distance.
        unmentioned: Columns that the policy does not mention: a header can be somebody's name.
        notes: What was odd about the source.
    """

    rows_in: int
    counted: int
    outside: Mapping[str, int]
    one_way: float
    two_way: float | None
    worst: tuple[str, str, float] | None
    unmentioned: tuple[str, ...]
    notes: tuple[Text, ...]


@dataclass(frozen=True)
class Synthesised:
    """What came of it, in the process that read the data.

    Attributes:
        rows: Written.
        stored: Arrow type of each column.
        facts: For the manifest.
        steward: For the steward.
    """

    rows: int
    stored: Mapping[str, str]
    facts: SynthesisFacts
    steward: StewardFigures

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Synthesised:
        """Rebuilds what `to_dict` wrote."""
        steward = dict(body["steward"])
        worst = steward["worst"]
        return cls(
            body["rows"],
            body["stored"],
            SynthesisFacts.from_dict(body["facts"]),
            StewardFigures(
                **steward
                | {
                    "worst": None if worst is None else (worst[0], worst[1], worst[2]),
                    "unmentioned": tuple(steward["unmentioned"]),
                    "notes": tuple(Text(**note) for note in steward["notes"]),
                }
            ),
        )
