"""A department's policy: the law at its node."""

from __future__ import annotations

from dataclasses import dataclass, field

from catalog.dataset import Dataset
from catalog.plan import Protocol
from desensitize.column import Code, Column


@dataclass(frozen=True)
class Budget:
    """The privacy budget of one dataset at one node, as (epsilon, delta) with the dataset's delta.

    Attributes:
        epsilon: Lifetime cap over all projects and analysts (assumed to collude).
        default: Epsilon of a query that names none.
        ceiling: Largest epsilon one query may ask.
        projects: Share of the cap (0..1] per project name; shares may not sum above 1.
        in_flight: Most reservations one analyst may hold at once.
        least: Smallest epsilon one query may ask. What leaks by failure or time is paid with at
            least this much.
    """

    epsilon: float
    default: float
    ceiling: float
    projects: dict[str, float]
    in_flight: int = 4
    least: float = 0.01


@dataclass(frozen=True)
class Policy:
    """One policy file (one dataset at one department).

    Attributes:
        dataset: Name of the logical dataset.
        department: The department whose law this is.
        columns: Columns that may be used at all, with their uses; narrower than the dataset's. One
            without uses is here only if its codes leave rows out.
        subject: The subject column of the department's own table.
        max_rows_per_subject: At most the dataset's.
        min_group: Fewest subjects a cell of an exact answer may describe.
        min_parties: Fewest pinned departments in an answer, not counting the analyst's own.
        max_cells: Most cells x measures one statement may release.
        protocols: Protocols that this owner takes part in. ``he_sum`` and ``he_sum.open`` stand
            for either scheme; the first never includes the second.
        audience: Analysts who may ask (names as pinned); ``("*",)`` for every pinned analyst.
        budget: The privacy budget.
        colluders: Departments assumed to collude when noise is divided, beside the analyst's
            own, which always is; at least this many.
        dominance: (n, k) rule for exact sums, or None: refuses a cell where the n largest
            contributors hold more than k (0..1] of this department's total.
        version: SHA-256 (hex) of the canonical JSON of all of the above.
    """

    dataset: str
    department: str
    columns: dict[str, Column]
    subject: str
    max_rows_per_subject: int
    min_group: int
    min_parties: int
    max_cells: int
    protocols: tuple[str, ...]
    audience: tuple[str, ...]
    budget: Budget
    colluders: int = 0
    dominance: tuple[int, float] | None = None
    version: str = field(default="", compare=False)

    def takes_part_in(self, protocol: Protocol) -> bool:
        """Whether this owner takes part in a protocol: by its name, or by its family's."""
        return bool({protocol, family_of(protocol)} & set(self.protocols))


def narrowed_codes(policy: Policy, dataset: Dataset) -> dict[str, tuple[Code, ...]]:
    """Returns the columns for whose values this owner answers only in part, with those values.

    Rows with any other value are in none of its answers. It is not enough to refuse the question
    for such a value: LIKE, SUBSTR or the rest of a total would ask for it, too.
    """
    return {
        name: column.codes
        for name, column in policy.columns.items()
        if column.codes is not None and leaves_rows_out(column, dataset)
    }


def leaves_rows_out(column: Column, dataset: Dataset) -> bool:
    """Whether a policy's column has fewer codes than the dataset's."""
    declared = dataset.columns[column.name].codes
    return column.codes is not None and set(column.codes) != set(declared or ())


def family_of(protocol: Protocol) -> str:
    """The name that stands for both schemes of a homomorphic sum; any other is its own."""
    parts = protocol.split(".")
    return ".".join((parts[0], *parts[2:]))
