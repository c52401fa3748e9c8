"""Signers, publications and the officers' decisions that they rest on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Builds three tables; what is there stays as it is."""
    op.create_table(
        "signers",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger(), nullable=False),
        sa.Column("enrolled_by", sa.Text(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_by", sa.Text(), nullable=True),
        sa.Column("removed_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("role IN ('signer', 'steward', 'chief')", name=op.f("ck_signers_role")),
        sa.CheckConstraint("valid_from < valid_until", name=op.f("ck_signers_validity")),
        sa.CheckConstraint(
            "(removed_at IS NULL) = (removed_by IS NULL)", name=op.f("ck_signers_removal")
        ),
        sa.ForeignKeyConstraint(["department"], ["departments.code"], name="fk_signers_department"),
        sa.PrimaryKeyConstraint("id", name="pk_signers"),
    )
    op.create_index(
        "uq_signers_enrolled",
        "signers",
        ["department", "fingerprint"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "publications",
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("record_version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("attestation", sa.Text(), nullable=False),
        sa.Column("signer", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("unpublished_at", sa.BigInteger(), nullable=True),
        sa.Column("tombstone", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('published', 'unpublished')", name=op.f("ck_publications_state")
        ),
        sa.CheckConstraint(
            "(state = 'unpublished') = (tombstone IS NOT NULL)",
            name=op.f("ck_publications_tombstone"),
        ),
        sa.CheckConstraint("kind IN ('copy', 'synthetic')", name=op.f("ck_publications_kind")),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name="fk_publications_dataset"),
        sa.ForeignKeyConstraint(["signer"], ["signers.id"], name="fk_publications_signer"),
        sa.PrimaryKeyConstraint("dataset", "number", name="pk_publications"),
        sa.UniqueConstraint("object", name="uq_publications_object"),
    )
    op.create_index("ix_publications_sha256", "publications", ["sha256"], unique=False)
    op.create_index(
        "uq_publications_public",
        "publications",
        ["dataset", "sha256"],
        unique=True,
        sqlite_where=sa.text("state = 'published'"),
        postgresql_where=sa.text("state = 'published'"),
    )
    op.create_table(
        "sign_offs",
        sa.Column("dataset", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("signer", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset", "number"],
            ["publications.dataset", "publications.number"],
            name="fk_sign_offs_dataset_number",
        ),
        sa.ForeignKeyConstraint(["signer"], ["signers.id"], name="fk_sign_offs_signer"),
        sa.PrimaryKeyConstraint("dataset", "number", "signer", name="pk_sign_offs"),
    )
