"""The policy of a release: what becomes of each column, what must hold, what is tried.

A policy fails closed: what it does not name is not published. `policy_file` reads one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from desensitize.column import Role
from desensitize.masking.base import Bounds, Method, domain_of, is_fresh
from desensitize.masking.visible import Drop
from desensitize.synthesis.spec import SynthesisRules
from desensitize.written_policy import Written


@dataclass(frozen=True)
class HierarchyRule:
    """How a quasi-identifier may be made coarser.

    Attributes:
        levels: From fine to coarse, such as ``month, year, 5y, *``; ``*`` says nothing at all.
        file: CSV beside the policy with one line per value: the value, then its levels; empty if
            levels are named.
    """

    levels: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True)
class PublishedColumn:
    """One column of ``[columns]``.

    Attributes:
        name: As the scan shows it.
        type: What it holds: a type of the scan (``cn_resident_id``), ``free_text``, a data type
            (``integer``), or empty.
        role: How it identifies its subject.
        grade: Sensitivity, 1 (public) to 4 (core); None if nobody has said.
        bounds: Least and greatest value, or day; others are not published. None for no limit.
        methods: Applied one after the other; empty if the column has a hierarchy or is not named
            in ``[publish]``.
        hierarchy: Its levels, from which the models choose one.
        codes: Its code list; None if nobody has declared one.
        decimals: Digits after the point; None if nobody has said.
        nullable: Whether a row may have no value.
        within: Column that names the division in which this one's lie; empty for none.
        day_first: Whether 03/07/1990 is in July; None if nobody has said, and then it is emptied.
        same: Published texts that mean the same, in groups: models and attacks count each as one.
    """

    name: str
    type: str = ""
    role: Role = "other"
    grade: int | None = None
    bounds: Bounds | None = None
    methods: tuple[Method, ...] = ()
    hierarchy: HierarchyRule | None = None
    codes: tuple[Written, ...] | None = None
    decimals: int | None = None
    nullable: bool = True
    within: str = ""
    day_first: bool | None = None
    same: tuple[tuple[str, ...], ...] = ()

    @property
    def published(self) -> bool:
        """Whether the release has the column."""
        return self.hierarchy is not None or bool(self.methods and not self.dropped)

    @property
    def quasi(self) -> bool:
        """Whether others may know it of a person: what has levels is, whatever its role says."""
        return self.role == "quasi" or self.hierarchy is not None

    @property
    def sensitive(self) -> bool:
        """Whether others may want to learn it, and cannot be taken to know it."""
        return self.role == "sensitive" and not self.quasi

    @property
    def dropped(self) -> bool:
        """Whether the policy says that it is dropped."""
        return any(isinstance(method, Drop) for method in self.methods)


@dataclass(frozen=True)
class Delta:
    """How certain it may be that somebody is in the table (δ-presence, Nergiz et al. 2007).

    Attributes:
        file: Everybody from whom the rows were drawn, beside the policy; never part of a release.
        most: Greatest share of a class's people whose rows are in the table, 0 to 1.
        least: Least share, also of those who are like nobody in the table, 0 to 1.
    """

    file: str
    most: float
    least: float = 0.0


@dataclass(frozen=True)
class Models:
    """What must hold of the released quasi-identifiers; None for what is not asked.

    Attributes:
        k: Least size of an equivalence class (Sweeney 2002).
        l: Least number of distinct values of each sensitive column in a class.
        entropy_l: Least exp(entropy) of each sensitive column in a class, greater than 1.
        t: Greatest distance of a class's distribution from the table's, 0 to 1.
        delta: Limits of what a population tells about who is in the table.
        max_suppressed: Greatest share of rows that may be left out to reach it, 0 to 1.
    """

    k: int | None = None
    l: int | None = None  # noqa: E741 - the model's own name
    entropy_l: float | None = None
    t: float | None = None
    delta: Delta | None = None
    max_suppressed: float = 0.0

    @property
    def asked(self) -> bool:
        """Whether anything is asked."""
        return self.of_sensitive or self.k is not None or self.delta is not None

    @property
    def of_sensitive(self) -> bool:
        """Whether something is asked of sensitive columns."""
        return any(each is not None for each in (self.l, self.entropy_l, self.t))


@dataclass(frozen=True)
class Attacks:
    """Limits that the attacks on a release must not break; None for what is not tried.

    Attributes:
        mask_candidates_min: Least number of values that a masked one could have been.
        linkage_correct_max: Greatest share of rows that linkage finds.
        small_cell_differences: Cells in which two releases differ by one person.
        unique_share_max: Greatest share of rows that are alone with what the masks leave.
        inference_share_max: Greatest share of rows whose sensitive value a class tells.
        singling_out_max: Greatest share of predicates that isolate one person, beyond chance.
    """

    mask_candidates_min: int | None = None
    linkage_correct_max: float | None = None
    small_cell_differences: int | None = None
    unique_share_max: float | None = None
    inference_share_max: float | None = None
    singling_out_max: float | None = None

    @property
    def asked(self) -> bool:
        """Whether a limit is set for an attack that needs no earlier release."""
        return any(
            value is not None
            for name, value in vars(self).items()
            if name != "small_cell_differences"
        )


@dataclass(frozen=True)
class Gate:
    """What a release must pass.

    Attributes:
        rescan: ``fail_on_any_hit``: one direct identifier that the scan of the output finds
            refuses the release; ``report``: it is said only.
        gbt42460_level_min: Least level of GB/T 42460-2023; None if not asked.
    """

    rescan: Literal["fail_on_any_hit", "report"] = "fail_on_any_hit"
    gbt42460_level_min: int | None = None


@dataclass(frozen=True)
class PublishPolicy:
    """A policy that was checked in itself; whether a table suits it is seen when it is applied.

    Attributes:
        dataset: Name of the dataset, and of its file in the release.
        open: Under which conditions it is opened.
        columns: By name, in the order of the file.
        unknown_column: What to do with columns of the table that nobody named: ``drop`` them and
            say so, or ``refuse`` the table.
        models: What must hold.
        attacks: What is tried.
        gate: What must be passed.
        synthesis: What synthetic rows are made of; None if it does not speak of them.
        text: The policy as it was written; a release carries it along.
        folder: Where the files lie that it names.
    """

    dataset: str
    open: Literal["unconditional", "conditional"]
    columns: Mapping[str, PublishedColumn]
    unknown_column: Literal["drop", "refuse"] = "drop"
    models: Models = field(default_factory=Models)
    attacks: Attacks = field(default_factory=Attacks)
    gate: Gate = field(default_factory=Gate)
    synthesis: SynthesisRules | None = None
    text: str = ""
    folder: Path = Path()

    @property
    def digest(self) -> str:
        """SHA-256 of the text, 64 hexadecimal digits: what ``sha256sum policy.toml`` says."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def published(self) -> tuple[PublishedColumn, ...]:
        """The columns of the release, in the order of the policy."""
        return tuple(column for column in self.columns.values() if column.published)

    @property
    def fresh(self) -> bool:
        """Whether a method draws anew each time, so that no two releases are alike."""
        return any(is_fresh(method) for column in self.published for method in column.methods)

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains whose keys are needed, each once."""
        named = (domain_of(method) for column in self.published for method in column.methods)
        return tuple(dict.fromkeys(filter(None, named)))
