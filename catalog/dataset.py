"""A logical dataset: the schema that several departments agreed to answer for."""

from __future__ import annotations

from dataclasses import dataclass

from desensitize.column import Column


@dataclass(frozen=True)
class Dataset:
    """What the catalog declares. A node's policy may narrow it, never widen it.

    Attributes:
        name: Catalog name, ``[a-z][a-z0-9_]{0,62}``.
        title: One line for people.
        columns: Declared columns by name, in order.
        members: Departments that hold rows of it, in roster order.
        max_rows: Outer bound of rows at one member; overflow is excluded with it at plan time.
        subject: Column that names the person or firm (the privacy unit).
        max_rows_per_subject: Rows one subject may have at one member.
        subjects_disjoint: Whether the owners sign that no subject is at two members.
        delta: The delta of (epsilon, delta) for this dataset.
    """

    name: str
    title: str
    columns: dict[str, Column]
    members: tuple[str, ...]
    max_rows: int
    subject: str
    max_rows_per_subject: int = 1
    subjects_disjoint: bool = False
    delta: float = 1e-6
