"""Harvests: other catalogs that are read into this one, and how far each reading has come."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Builds four tables; what is there stays as it is."""
    op.create_table(
        "harvests",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("networks", sa.Text(), nullable=False),
        sa.Column("authorities", sa.Text(), nullable=False),
        sa.Column("most_withdrawn", sa.Integer(), nullable=False),
        sa.Column("pause_ms", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("dialect IN ('dcat', 'ckan')", name=op.f("ck_harvests_dialect")),
        sa.CheckConstraint(
            "most_withdrawn BETWEEN 0 AND 100", name=op.f("ck_harvests_most_withdrawn")
        ),
        sa.PrimaryKeyConstraint("name", name="pk_harvests"),
    )
    op.create_table(
        "harvest_runs",
        sa.Column("harvest", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("following", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("steady", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("confirmed", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("withdrawn", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('running', 'failed', 'complete', 'unsteady', 'asks', 'given up')",
            name=op.f("ck_harvest_runs_state"),
        ),
        sa.ForeignKeyConstraint(
            ["harvest"], ["harvests.name"], name="fk_harvest_runs_harvest", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("harvest", "number", name="pk_harvest_runs"),
    )
    op.create_table(
        "harvest_records",
        sa.Column("harvest", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("page", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("identifier", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["harvest"], ["harvests.name"], name="fk_harvest_records_harvest", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("harvest", "origin", name="pk_harvest_records"),
    )
    op.create_index(
        "ix_harvest_records_key",
        "harvest_records",
        ["source", "identifier"],
        unique=True,
        sqlite_where=sa.text("identifier IS NOT NULL"),
        postgresql_where=sa.text("identifier IS NOT NULL"),
    )
    op.create_index("ix_harvest_records_page", "harvest_records", ["harvest", "page"], unique=False)
    op.create_table(
        "harvest_pages",
        sa.Column("harvest", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("reader", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("modified", sa.Text(), nullable=False),
        sa.Column("following", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["harvest"], ["harvests.name"], name="fk_harvest_pages_harvest", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("harvest", "url", name="pk_harvest_pages"),
    )
