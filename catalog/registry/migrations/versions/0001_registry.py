"""The registry's first tables, and the search index.

SQLite searches with FTS5, whose tables SQLAlchemy does not know; PostgreSQL with a ``tsvector`` and
the text it was made of. Both hold what `catalog.search.terms` makes of a record.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_FTS5 = """
CREATE VIRTUAL TABLE search_index
USING fts5 (body, tokenize = 'ascii', columnsize = 0)
"""
_TSVECTOR = """
CREATE TABLE search_index (
    dataset INTEGER PRIMARY KEY REFERENCES datasets (id) ON DELETE CASCADE,
    body    TEXT NOT NULL,
    tokens  TSVECTOR NOT NULL
) WITH (toast_tuple_target = 128)
"""
# Out of line: the index answers alone, and then only the small rows are visited, not their texts.
_APART = """
ALTER TABLE search_index
ALTER COLUMN body SET STORAGE EXTERNAL, ALTER COLUMN tokens SET STORAGE EXTERNAL
"""


def upgrade() -> None:
    """Builds everything."""
    op.create_table(
        "departments",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_departments"),
    )
    op.create_table(
        "saved_searches",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_saved_searches"),
    )
    op.create_table(
        "scenarios",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_scenarios"),
        sa.UniqueConstraint("name", name="uq_scenarios_name"),
    )
    op.create_table(
        "state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_state_one")),
        sa.PrimaryKeyConstraint("id", name="pk_state"),
    )
    op.create_table(
        "data",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["provider"], ["departments.code"], name="fk_data_provider"),
        sa.PrimaryKeyConstraint("key", name="pk_data"),
        sa.UniqueConstraint("key", "provider", name="uq_data_key_provider"),
    )
    op.create_index("ix_data_provider", "data", ["provider"], unique=False)
    op.create_table(
        "datasets",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("usage", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("abstract", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("format_type", sa.Text(), nullable=False),
        sa.Column("sharing", sa.Text(), nullable=False),
        sa.Column("sharing_condition", sa.Text(), nullable=False),
        sa.Column("sharing_method", sa.Text(), nullable=False),
        sa.Column("opening", sa.Text(), nullable=False),
        sa.Column("opening_condition", sa.Text(), nullable=False),
        sa.Column("opening_method", sa.Text(), nullable=False),
        sa.Column("cycle", sa.Text(), nullable=False),
        sa.Column("published", sa.Date(), nullable=True),
        sa.Column("updated", sa.Date(), nullable=True),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('registered', 'withdrawn')", name=op.f("ck_datasets_state")),
        sa.CheckConstraint("grade BETWEEN 1 AND 4", name=op.f("ck_datasets_grade")),
        sa.ForeignKeyConstraint(["provider"], ["departments.code"], name="fk_datasets_provider"),
        sa.PrimaryKeyConstraint("id", name="pk_datasets"),
        sa.UniqueConstraint("source", "identifier", name="uq_datasets_source_identifier"),
    )
    op.create_index("ix_datasets_provider", "datasets", ["provider"], unique=False)
    op.create_index("ix_datasets_revision", "datasets", ["revision"], unique=False)
    op.create_table(
        "conflicts",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("datum", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("claimant", sa.Text(), nullable=False),
        sa.Column("holder_dataset", sa.Integer(), nullable=True),
        sa.Column("claimant_dataset", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("other", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'kept', 'moved', 'different')", name=op.f("ck_conflicts_state")
        ),
        sa.CheckConstraint("holder <> claimant", name=op.f("ck_conflicts_two")),
        sa.ForeignKeyConstraint(["claimant"], ["departments.code"], name="fk_conflicts_claimant"),
        sa.ForeignKeyConstraint(
            ["claimant_dataset"], ["datasets.id"], name="fk_conflicts_claimant_dataset"
        ),
        sa.ForeignKeyConstraint(["datum"], ["data.key"], name="fk_conflicts_datum"),
        sa.ForeignKeyConstraint(["holder"], ["departments.code"], name="fk_conflicts_holder"),
        sa.ForeignKeyConstraint(
            ["holder_dataset"], ["datasets.id"], name="fk_conflicts_holder_dataset"
        ),
        sa.ForeignKeyConstraint(["other"], ["data.key"], name="fk_conflicts_other"),
        sa.PrimaryKeyConstraint("id", name="pk_conflicts"),
    )
    op.create_index(
        "uq_conflicts_open",
        "conflicts",
        ["datum", "claimant"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "dataset_scenarios",
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scenario", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset"], ["datasets.id"], name="fk_dataset_scenarios_dataset", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["scenario"], ["scenarios.id"], name="fk_dataset_scenarios_scenario"
        ),
        sa.PrimaryKeyConstraint("dataset", "position", name="pk_dataset_scenarios"),
    )
    op.create_index(
        "ix_dataset_scenarios_scenario", "dataset_scenarios", ["scenario"], unique=False
    )
    op.create_table(
        "dataset_themes",
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("theme", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset"], ["datasets.id"], name="fk_dataset_themes_dataset", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset", "position", name="pk_dataset_themes"),
    )
    op.create_index("ix_dataset_themes_theme", "dataset_themes", ["theme"], unique=False)
    op.create_table(
        "items",
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("code_list", sa.Text(), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=False),
        sa.Column("uses", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("named_source", sa.Text(), nullable=False),
        sa.Column("datum", sa.Text(), nullable=True),
        sa.Column("claimed", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.CheckConstraint("(datum IS NULL) = (subject = '')", name=op.f("ck_items_datum")),
        sa.CheckConstraint("(datum IS NULL) = (claimed IS NULL)", name=op.f("ck_items_claimed")),
        sa.CheckConstraint("grade BETWEEN 1 AND 4", name=op.f("ck_items_grade")),
        sa.ForeignKeyConstraint(["claimed"], ["departments.code"], name="fk_items_claimed"),
        sa.ForeignKeyConstraint(
            ["dataset"], ["datasets.id"], name="fk_items_dataset", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["datum", "source"],
            ["data.key", "data.provider"],
            name="fk_items_datum_source",
            onupdate="CASCADE",
        ),
        sa.ForeignKeyConstraint(["datum"], ["data.key"], name="fk_items_datum"),
        sa.PrimaryKeyConstraint("dataset", "position", name="pk_items"),
        sa.UniqueConstraint("dataset", "name", name="uq_items_dataset_name"),
    )
    op.create_index(
        "ix_items_datum",
        "items",
        ["datum", "claimed"],
        unique=False,
        sqlite_where=sa.text("datum IS NOT NULL"),
        postgresql_where=sa.text("datum IS NOT NULL"),
    )
    op.create_table(
        "relations",
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset"], ["datasets.id"], name="fk_relations_dataset", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset", "position", name="pk_relations"),
    )
    op.create_index("ix_relations_target", "relations", ["source", "identifier"], unique=False)
    op.create_table(
        "tombstones",
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name="fk_tombstones_dataset"),
        sa.PrimaryKeyConstraint("dataset", name="pk_tombstones"),
    )
    op.create_table(
        "versions",
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("added", sa.BigInteger(), nullable=True),
        sa.Column("removed", sa.BigInteger(), nullable=True),
        sa.Column("changed", sa.BigInteger(), nullable=True),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name="fk_versions_dataset"),
        sa.PrimaryKeyConstraint("dataset", "number", name="pk_versions"),
    )
    op.create_table(
        "conflict_steps",
        sa.Column("conflict", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["conflict"], ["conflicts.id"], name="fk_conflict_steps_conflict"),
        sa.PrimaryKeyConstraint("conflict", "number", name="pk_conflict_steps"),
    )
    op.execute("INSERT INTO state (id, revision) VALUES (1, 0)")
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_FTS5)
    else:
        op.execute(_TSVECTOR)
        op.execute(_APART)
        op.execute("CREATE INDEX ix_search_index_tokens ON search_index USING gin (tokens)")
