"""The registry's tables, mapped; `migrations` builds them, and a test compares the two.

What law and design demand of every record is a constraint here, not only a check in the code:

- (source, identifier) names one dataset for ever; withdrawal keeps its row.
- **One datum, one source**: ``data.key`` is the primary key and ``data.provider`` is not null, so a
  datum has exactly one responsible department; ``items (datum, source)`` refers to
  ``data (key, provider)``, so no item can name another. An item whose claim is disputed has no
  ``source`` until the conflict is decided.
- One open conflict for a datum and a claimant.

Times are Unix seconds. Lists that nobody searches are JSON text.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Names that are the same in every database, so that a migration can say which constraint it means.
_NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All tables of the registry."""

    metadata = MetaData(naming_convention=_NAMING)
    type_annotation_map = {str: Text, int: Integer, dt.date: Date}  # noqa: RUF012 - SQLAlchemy's own name


class StateRow(Base):
    """One row: the number of the last write. Every writer counts it up first, which orders them."""

    __tablename__ = "state"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(BigInteger)


class DepartmentRow(Base):
    """A department that provides data, or is named as responsible for some."""

    __tablename__ = "departments"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    name_en: Mapped[str]
    place: Mapped[str]


class DatasetRow(Base):
    """A dataset, registered or withdrawn."""

    __tablename__ = "datasets"
    __table_args__ = (
        UniqueConstraint("source", "identifier"),
        CheckConstraint("state IN ('registered', 'withdrawn')", name="state"),
        CheckConstraint("grade BETWEEN 1 AND 4", name="grade"),
    )
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    source: Mapped[str]
    identifier: Mapped[str]
    state: Mapped[str]
    number: Mapped[int]
    digest: Mapped[str]
    revision: Mapped[int] = mapped_column(BigInteger, index=True)
    registered_at: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[int] = mapped_column(BigInteger)
    usage: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    name: Mapped[str]
    name_en: Mapped[str]
    abstract: Mapped[str]
    kind: Mapped[str]
    category: Mapped[str]
    path: Mapped[str]
    provider: Mapped[str] = mapped_column(ForeignKey("departments.code"), index=True)
    place: Mapped[str]
    format: Mapped[str]
    format_type: Mapped[str]
    sharing: Mapped[str]
    sharing_condition: Mapped[str]
    sharing_method: Mapped[str]
    opening: Mapped[str]
    opening_condition: Mapped[str]
    opening_method: Mapped[str]
    cycle: Mapped[str]
    published: Mapped[dt.date | None]
    updated: Mapped[dt.date | None]
    system: Mapped[str]
    grade: Mapped[int]
    undeclared_since: Mapped[int | None] = mapped_column(BigInteger)


class DataRow(Base):
    """A shared datum and the one department that is legally responsible for it.

    ``hearsay`` is 1 while only another catalog, which was harvested, has said so, and 2 when that
    is said no longer.
    """

    __tablename__ = "data"
    __table_args__ = (UniqueConstraint("key", "provider"),)
    key: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str]
    name: Mapped[str]
    place: Mapped[str]
    provider: Mapped[str] = mapped_column(ForeignKey("departments.code"), index=True)
    since: Mapped[int] = mapped_column(BigInteger)
    hearsay: Mapped[int] = mapped_column(default=0, server_default="0")


class ItemRow(Base):
    """A data item of a dataset.

    ``claimed`` is the department that its record names as responsible, ``source`` the one that is.
    """

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("dataset", "name"),
        ForeignKeyConstraint(["datum", "source"], ["data.key", "data.provider"],
                             onupdate="CASCADE"),
        CheckConstraint("(datum IS NULL) = (subject = '')", name="datum"),
        CheckConstraint("(datum IS NULL) = (claimed IS NULL)", name="claimed"),
        CheckConstraint("grade BETWEEN 1 AND 4", name="grade"),
        # Only shared items are looked up by their datum, and they are few.
        Index("ix_items_datum", "datum", "claimed",
              sqlite_where=text("datum IS NOT NULL"), postgresql_where=text("datum IS NOT NULL")),
    )  # fmt: skip
    dataset: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    name_en: Mapped[str]
    type: Mapped[str]
    length: Mapped[int | None]
    description: Mapped[str]
    code_list: Mapped[str]
    grade: Mapped[int]
    uses: Mapped[str]
    subject: Mapped[str]
    named_source: Mapped[str]
    datum: Mapped[str | None] = mapped_column(ForeignKey("data.key"))
    claimed: Mapped[str | None] = mapped_column(ForeignKey("departments.code"))
    source: Mapped[str | None]


class ConflictRow(Base):
    """Two departments that are both named as responsible for one datum."""

    __tablename__ = "conflicts"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'kept', 'moved', 'different')", name="state"),
        CheckConstraint("holder <> claimant", name="two"),
        Index("uq_conflicts_open", "datum", "claimant", unique=True,
              sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
    )  # fmt: skip
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    datum: Mapped[str] = mapped_column(ForeignKey("data.key"))
    holder: Mapped[str] = mapped_column(ForeignKey("departments.code"))
    claimant: Mapped[str] = mapped_column(ForeignKey("departments.code"))
    holder_dataset: Mapped[int | None] = mapped_column(ForeignKey("datasets.id"))
    claimant_dataset: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    state: Mapped[str]
    other: Mapped[str | None] = mapped_column(ForeignKey("data.key"))


class ConflictStepRow(Base):
    """One step in the life of a conflict; never changed, never deleted."""

    __tablename__ = "conflict_steps"
    conflict: Mapped[int] = mapped_column(ForeignKey("conflicts.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[int] = mapped_column(BigInteger)
    what: Mapped[str]
    who: Mapped[str]
    note: Mapped[str]


class ThemeRow(Base):
    """A dataset's theme."""

    __tablename__ = "dataset_themes"
    dataset: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    theme: Mapped[str] = mapped_column(index=True)


class ScenarioRow(Base):
    """A use that datasets are good for."""

    __tablename__ = "scenarios"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(unique=True)


class DatasetScenarioRow(Base):
    """Which datasets serve a scenario, and which scenarios a dataset serves."""

    __tablename__ = "dataset_scenarios"
    dataset: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    scenario: Mapped[int] = mapped_column(ForeignKey("scenarios.id"), index=True)


class RelationRow(Base):
    """What another record, which may not be here (yet), has to do with this one."""

    __tablename__ = "relations"
    __table_args__ = (Index("ix_relations_target", "source", "identifier"),)
    dataset: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    source: Mapped[str]
    identifier: Mapped[str]


class VersionRow(Base):
    """One version of a dataset: what its provider says, and what changed in the record."""

    __tablename__ = "versions"
    dataset: Mapped[int] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    recorded_at: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str]
    label: Mapped[str]
    notes: Mapped[str]
    rows: Mapped[int | None] = mapped_column(BigInteger)
    added: Mapped[int | None] = mapped_column(BigInteger)
    removed: Mapped[int | None] = mapped_column(BigInteger)
    changed: Mapped[int | None] = mapped_column(BigInteger)
    changes: Mapped[str]


class TombstoneRow(Base):
    """What is left of a withdrawn dataset, signed by the catalog's key."""

    __tablename__ = "tombstones"
    dataset: Mapped[int] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    token: Mapped[str]


class SavedSearchRow(Base):
    """A search under a name."""

    __tablename__ = "saved_searches"
    name: Mapped[str] = mapped_column(primary_key=True)
    query: Mapped[str]
    saved_at: Mapped[int] = mapped_column(BigInteger)


class SignerRow(Base):
    """A key that may sign for a department: as signer of attestations, or as an officer.

    Removal keeps the row. A key has one role in a department, so four eyes are two keys.
    """

    __tablename__ = "signers"
    __table_args__ = (
        CheckConstraint("role IN ('signer', 'steward', 'chief')", name="role"),
        CheckConstraint("valid_from < valid_until", name="validity"),
        CheckConstraint("(removed_at IS NULL) = (removed_by IS NULL)", name="removal"),
        Index("uq_signers_enrolled", "department", "fingerprint", unique=True,
              sqlite_where=text("removed_at IS NULL"),
              postgresql_where=text("removed_at IS NULL")),
    )  # fmt: skip
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    department: Mapped[str] = mapped_column(ForeignKey("departments.code"))
    role: Mapped[str]
    fingerprint: Mapped[str]
    name: Mapped[str]
    valid_from: Mapped[int] = mapped_column(BigInteger)
    valid_until: Mapped[int] = mapped_column(BigInteger)
    enrolled_at: Mapped[int] = mapped_column(BigInteger)
    enrolled_by: Mapped[str]
    removed_at: Mapped[int | None] = mapped_column(BigInteger)
    removed_by: Mapped[str | None]
    removed_reason: Mapped[str | None]
    compromised_from: Mapped[int | None] = mapped_column(BigInteger)


class PublicationRow(Base):
    """Bytes that are public, or were: what was attested about them, and where they lie.

    Nothing in the store is public without a row here whose state says so.
    """

    __tablename__ = "publications"
    __table_args__ = (
        CheckConstraint("state IN ('published', 'unpublished')", name="state"),
        CheckConstraint("(state = 'unpublished') = (tombstone IS NOT NULL)", name="tombstone"),
        CheckConstraint("kind IN ('copy', 'synthetic')", name="kind"),
        Index("uq_publications_public", "dataset", "sha256", unique=True,
              sqlite_where=text("state = 'published'"),
              postgresql_where=text("state = 'published'")),
    )  # fmt: skip
    dataset: Mapped[int] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str]
    kind: Mapped[str]
    record_version: Mapped[int]
    sha256: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    rows: Mapped[int] = mapped_column(BigInteger)
    object: Mapped[str] = mapped_column(unique=True)
    attestation: Mapped[str]
    signer: Mapped[int] = mapped_column(ForeignKey("signers.id"))
    published_at: Mapped[int] = mapped_column(BigInteger)
    unpublished_at: Mapped[int | None] = mapped_column(BigInteger)
    tombstone: Mapped[str | None]


class SignOffRow(Base):
    """An officer's signed decision that a publication rests on."""

    __tablename__ = "sign_offs"
    __table_args__ = (
        ForeignKeyConstraint(
            ["dataset", "number"], ["publications.dataset", "publications.number"]
        ),
    )
    dataset: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    signer: Mapped[int] = mapped_column(ForeignKey("signers.id"), primary_key=True)
    document: Mapped[str]
