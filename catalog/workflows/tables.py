"""The workflows' tables: cases, and their events.

An event is never changed, but for its place in the log. A case's own row says again what its last
event says, so that lists need not read events; `verifying` compares the two.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from catalog.registry.tables import Base


class CaseRow(Base):
    """One case of one workflow, as its last event left it."""

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint("revision > 0", name="revision"),
        Index("ix_cases_list", "kind", "opened", "id"),
        Index("ix_cases_department", "kind", "department", "opened"),
        Index("ix_cases_owner", "kind", "owner", "opened"),
        Index("ix_cases_counterpart", "kind", "counterpart", "opened"),
        Index("ix_cases_subject", "subject",
              sqlite_where=text("subject <> ''"), postgresql_where=text("subject <> ''")),
    )  # fmt: skip
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    state: Mapped[str]
    revision: Mapped[int]
    opened: Mapped[int] = mapped_column(BigInteger, unique=True)
    department: Mapped[str | None] = mapped_column(ForeignKey("departments.code"))
    owner: Mapped[str]
    counterpart: Mapped[str]
    subject: Mapped[str]
    title: Mapped[str]
    asked: Mapped[int]
    opened_at: Mapped[int] = mapped_column(BigInteger)
    since: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[int] = mapped_column(BigInteger)
    head: Mapped[str]
    until: Mapped[str | None]


class CaseEventRow(Base):
    """One step that was taken: signed by the catalog, perhaps by an officer, too.

    ``once`` names a document from outside that must serve for one step only, such as a decision.
    """

    __tablename__ = "case_events"
    __table_args__ = (
        UniqueConstraint("sequence"),
        UniqueConstraint("once"),
        Index("ix_case_events_waiting", "sequence",
              sqlite_where=text("entry IS NULL"), postgresql_where=text("entry IS NULL")),
    )  # fmt: skip
    case: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInteger)
    token: Mapped[str]
    salt: Mapped[str]
    document: Mapped[str]
    once: Mapped[str | None]
    entry: Mapped[int | None] = mapped_column(BigInteger)


class CaseDatasetRow(Base):
    """A dataset that a case is about."""

    __tablename__ = "case_datasets"
    __table_args__ = (Index("ix_case_datasets_dataset", "source", "identifier"),)
    case: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    source: Mapped[str]
    identifier: Mapped[str]
