"""What is public, and what was: publications with the words that were signed about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from catalog.registry.tables import DatasetRow, PublicationRow, SignerRow


@dataclass(frozen=True)
class Publication:
    """One version of a dataset's public bytes.

    Attributes:
        source: Catalog of the dataset.
        identifier: Its code.
        name: Its name.
        number: Version, from 1.
        state: ``published`` or ``unpublished``.
        kind: ``copy`` (desensitized rows) or ``synthetic``.
        record_version: Version of the record that it was published under.
        sha256: Of the bytes.
        bytes: Size.
        rows: Rows.
        object: Its name in the store.
        signer: Fingerprint of who signed the attestation.
        published_at: Unix seconds.
        unpublished_at: Unix seconds; None while it is public.
        tombstone: Signed by the catalog; empty while it is public.
        withdrawn: Whether the dataset left the catalog.
    """

    source: str
    identifier: str
    name: str
    number: int
    state: str
    kind: str
    record_version: int
    sha256: str
    bytes: int
    rows: int
    object: str
    signer: str
    published_at: int
    unpublished_at: int | None
    tombstone: str
    withdrawn: bool

    def to_dict(self) -> dict[str, Any]:
        """Returns what the public may know of it, JSON types."""
        return {
            "source": self.source, "identifier": self.identifier, "name": self.name,
            "version": self.number, "state": self.state, "kind": self.kind,
            "record_version": self.record_version, "sha256": self.sha256, "bytes": self.bytes,
            "rows": self.rows, "signer": self.signer, "published_at": self.published_at,
            "unpublished_at": self.unpublished_at, "tombstone": self.tombstone or None,
        }  # fmt: skip


def publications(
    connection: Connection,
    *,
    dataset: int | None = None,
    number: int | None = None,
) -> list[Publication]:
    """Returns publications, also those that ended, in the order of datasets and versions.

    Args:
        connection: To read with.
        dataset: Only of this one, by its number in the tables.
        number: Only this version.
    """
    p = PublicationRow
    statement = (
        select(
            DatasetRow.source, DatasetRow.identifier, DatasetRow.name, p.number, p.state, p.kind,
            p.record_version, p.sha256, p.bytes, p.rows, p.object, SignerRow.fingerprint,
            p.published_at, p.unpublished_at, p.tombstone, DatasetRow.state.label("listed"),
        )
        .join(DatasetRow, DatasetRow.id == p.dataset)
        .join(SignerRow, SignerRow.id == p.signer)
        .order_by(p.dataset, p.number)
    )  # fmt: skip
    if dataset is not None:
        statement = statement.where(p.dataset == dataset)
    if number is not None:
        statement = statement.where(p.number == number)
    found = []
    for row in connection.execute(statement):
        fields = row._asdict()
        listed, tombstone, signer = (
            fields.pop(name) for name in ("listed", "tombstone", "fingerprint")
        )
        found.append(
            Publication(
                **fields, signer=signer, tombstone=tombstone or "", withdrawn=listed == "withdrawn"
            )
        )
    return found
