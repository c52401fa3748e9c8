"""Cases of workflows, their events, and the datasets that they are about."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Builds three tables; what is there stays as it is."""
    op.create_table(
        "cases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("department", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("counterpart", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.CheckConstraint("revision > 0", name=op.f("ck_cases_revision")),
        sa.ForeignKeyConstraint(["department"], ["departments.code"], name="fk_cases_department"),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
        sa.UniqueConstraint("opened", name="uq_cases_opened"),
    )
    op.create_index("ix_cases_list", "cases", ["kind", "opened", "id"])
    op.create_index("ix_cases_department", "cases", ["kind", "department", "opened"])
    op.create_index("ix_cases_owner", "cases", ["kind", "owner", "opened"])
    op.create_index("ix_cases_counterpart", "cases", ["kind", "counterpart", "opened"])
    op.create_index(
        "ix_cases_subject",
        "cases",
        ["subject"],
        sqlite_where=sa.text("subject <> ''"),
        postgresql_where=sa.text("subject <> ''"),
    )
    op.create_table(
        "case_events",
        sa.Column("case", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("once", sa.Text(), nullable=True),
        sa.Column("entry", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name="fk_case_events_case"),
        sa.PrimaryKeyConstraint("case", "number", name="pk_case_events"),
        sa.UniqueConstraint("sequence", name="uq_case_events_sequence"),
        sa.UniqueConstraint("once", name="uq_case_events_once"),
    )
    op.create_index(
        "ix_case_events_waiting",
        "case_events",
        ["sequence"],
        sqlite_where=sa.text("entry IS NULL"),
        postgresql_where=sa.text("entry IS NULL"),
    )
    op.create_table(
        "case_datasets",
        sa.Column("case", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name="fk_case_datasets_case"),
        sa.PrimaryKeyConstraint("case", "position", name="pk_case_datasets"),
    )
    op.create_index("ix_case_datasets_dataset", "case_datasets", ["source", "identifier"])
