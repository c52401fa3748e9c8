"""One dataset as the catalog describes it: national core metadata, and what Veil adds to it.

The fields are those of 政务信息资源目录编制指南（试行）; grades, permitted uses, scenarios, lineage
and versions are Veil's. Codes are those of `vocabulary`. A record says nothing about rows but their
number: it is public as far as the catalog is.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Final

from desensitize.column import Use


@dataclass(frozen=True, slots=True)
class Department:
    """One that provides data.

    Attributes:
        code: Unified social credit code (GB 32100), or what a foreign catalog calls it.
        name: Chinese, as in its seal.
        place: Division (GB/T 2260) in which it is competent.
        name_en: English, may be empty.
    """

    code: str
    name: str
    place: str
    name_en: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One data item (信息项): a column, a field, a layer's attribute.

    Attributes:
        name: As people call it.
        type: Code of `vocabulary.TYPES`.
        length: Most characters or digits; None if it is not said.
        name_en: Name in programs, may be empty.
        description: One sentence, may be empty.
        code_list: Standard code list, such as ``GB/T 2261.1``; may be empty.
        grade: Sensitivity, 1 (public) to 4 (core).
        uses: What a query may do with it.
        subject: Of what it is a property, such as 自然人 or 法人 (the object class of ISO/IEC
            11179-3). Empty if it has no meaning beyond its dataset.
        source: Code of the department that is legally responsible for it; empty for the
            record's own provider. Only for items with a ``subject``.
    """

    name: str
    type: str
    length: int | None = None
    name_en: str = ""
    description: str = ""
    code_list: str = ""
    grade: int = 2
    uses: frozenset[Use] = frozenset()
    subject: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """Whether others may have it: a sharing attribute, or an open attribute.

    Attributes:
        attribute: ``unconditional``, ``conditional`` or ``none``.
        condition: On what condition; for ``none``, on what legal ground.
        method: How it is handed over, may be empty.
    """

    attribute: str
    condition: str = ""
    method: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """What another record has to do with this one.

    Attributes:
        kind: Code of `vocabulary.RELATIONS`; ``derived`` is lineage.
        source: Catalog of the other record.
        identifier: Its identifier there.
    """

    kind: str
    source: str
    identifier: str


COUNTS: Final = ("rows", "added", "removed", "changed")
"""The fields of a `Version` that are numbers of rows."""


@dataclass(frozen=True, slots=True)
class Version:
    """What the provider says about the version that the record describes.

    Attributes:
        label: Such as ``2025.2``; empty if there is none.
        notes: What changed, for people.
        rows: Rows in it; None if it is not said.
        added: Rows that the version before did not have.
        removed: Rows that only the version before has.
        changed: Rows with other values.
    """

    label: str = ""
    notes: str = ""
    rows: int | None = None
    added: int | None = None
    removed: int | None = None
    changed: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One dataset.

    Attributes:
        source: Catalog that it was registered in first.
        identifier: Its code there (信息资源代码); with ``source`` it is unique, for ever.
        name: Chinese name.
        provider: Who provides it.
        items: Data items, in order.
        place: Division (GB/T 2260) that it is about.
        sharing: With other departments.
        opening: To the public.
        kind: Code of `vocabulary.KINDS`.
        category: Code of `vocabulary.CATEGORIES` (类).
        path: Item, entry and sub-entry of the classification (项, 目, 细目), at most three.
        name_en: English name, may be empty.
        abstract: What it is, may be empty.
        format: Code of `vocabulary.FORMATS`.
        format_type: Such as ``MySQL`` or ``XLSX``, may be empty.
        cycle: Code of `vocabulary.CYCLES`.
        published: First published.
        updated: When its data was last brought up to date.
        system: Information system that it comes from, may be empty.
        themes: Codes of `vocabulary.THEMES`.
        scenarios: Names of uses that it is good for, such as 一件事：出生.
        relations: Other records.
        version: Of the data.
    """

    source: str
    identifier: str
    name: str
    provider: Department
    items: tuple[Item, ...]
    place: str
    sharing: Access
    opening: Access
    kind: str = "table"
    category: str = "department"
    path: tuple[str, ...] = ()
    name_en: str = ""
    abstract: str = ""
    format: str = "database"
    format_type: str = ""
    cycle: str = "irregular"
    published: dt.date | None = None
    updated: dt.date | None = None
    system: str = ""
    themes: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    relations: tuple[Relation, ...] = ()
    version: Version = field(default_factory=Version)

    @property
    def grade(self) -> int:
        """The highest grade of its items, 1 to 4."""
        return max((item.grade for item in self.items), default=1)

    @property
    def key(self) -> tuple[str, str]:
        """What names it."""
        return self.source, self.identifier
