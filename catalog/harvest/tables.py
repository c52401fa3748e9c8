"""What harvests are there, how far each has come, and what was seen where.

A page's records, what was seen on it, and where the next page is are written in one transaction:
whoever is killed anywhere goes on with the page that was not written.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from catalog.registry.tables import Base


class HarvestRow(Base):
    """Another catalog that is read into this one.

    ``name`` is the source of its records here, and begins the source of what it has from others.
    """

    __tablename__ = "harvests"
    __table_args__ = (
        CheckConstraint("dialect IN ('dcat', 'ckan')", name="dialect"),
        CheckConstraint("most_withdrawn BETWEEN 0 AND 100", name="most_withdrawn"),
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    url: Mapped[str]
    dialect: Mapped[str]
    networks: Mapped[str]
    authorities: Mapped[str]
    most_withdrawn: Mapped[int]
    pause_ms: Mapped[int]
    added_at: Mapped[int] = mapped_column(BigInteger)
    place: Mapped[str] = mapped_column(default="000000", server_default="000000")


class HarvestRunRow(Base):
    """One reading of the whole catalog; while it is ``running``, ``following`` is its next page."""

    __tablename__ = "harvest_runs"
    __table_args__ = (
        CheckConstraint(
            "state IN ('running', 'failed', 'complete', 'unsteady', 'asks', 'given up')",
            name="state",
        ),
    )
    harvest: Mapped[str] = mapped_column(
        ForeignKey("harvests.name", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str]
    begun_at: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    following: Mapped[str]
    total: Mapped[int | None]
    steady: Mapped[int]
    pages: Mapped[int]
    confirmed: Mapped[int]
    new: Mapped[int]
    changed: Mapped[int]
    unchanged: Mapped[int]
    withdrawn: Mapped[int]
    error: Mapped[str]


class HarvestRecordRow(Base):
    """What a source calls one of its records, and what that is here.

    ``run`` is the last that saw it. ``identifier`` is missing while it could never be registered,
    ``problem`` says why it could not be as it is now.
    """

    __tablename__ = "harvest_records"
    __table_args__ = (
        Index("ix_harvest_records_key", "source", "identifier", unique=True,
              sqlite_where=text("identifier IS NOT NULL"),
              postgresql_where=text("identifier IS NOT NULL")),
        Index("ix_harvest_records_page", "harvest", "page"),
    )  # fmt: skip
    harvest: Mapped[str] = mapped_column(
        ForeignKey("harvests.name", ondelete="CASCADE"), primary_key=True
    )
    origin: Mapped[str] = mapped_column(primary_key=True)
    run: Mapped[int]
    page: Mapped[str]
    source: Mapped[str | None]
    identifier: Mapped[str | None]
    problem: Mapped[str | None]


class HarvestPageRow(Base):
    """A page as it was read last, so that its server can be asked whether it has changed."""

    __tablename__ = "harvest_pages"
    harvest: Mapped[str] = mapped_column(
        ForeignKey("harvests.name", ondelete="CASCADE"), primary_key=True
    )
    url: Mapped[str] = mapped_column(primary_key=True)
    run: Mapped[int]
    reader: Mapped[str]
    etag: Mapped[str]
    modified: Mapped[str]
    following: Mapped[str]
    total: Mapped[int | None]
    records: Mapped[int]
