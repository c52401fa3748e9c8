"""Public tables of any content: what the gate would let through is not the subject here."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import func, insert, select

from catalog.publishing.listing import Publication, publications
from catalog.publishing.store import SUFFIX, Store, open_store
from catalog.registry.registry import Registry
from catalog.registry.tables import DatasetRow, PublicationRow, SignerRow


def make_public(
    registry: Registry,
    table: pa.Table | Path,
    identifier: str,
    *,
    source: str = "local",
    store: Store | None = None,
    attestation: str = "{}",
) -> Publication:
    """Makes a table public as the next version of a registered dataset, without the gate.

    Args:
        registry: The catalog.
        table: Its rows, or a Parquet file.
        identifier: Code of the dataset.
        source: Its catalog.
        store: Where to; the catalog's own by default.
        attestation: What is kept as signed.
    """
    store = store or open_store(registry.directory)
    if isinstance(table, Path):
        content = table.read_bytes()
    else:
        sink = io.BytesIO()
        pq.write_table(table, sink)
        content = sink.getvalue()
    rows = pq.read_metadata(io.BytesIO(content)).num_rows
    with registry.database.write() as (connection, _):
        dataset, provider = connection.execute(
            select(DatasetRow.id, DatasetRow.provider).where(
                DatasetRow.source == source, DatasetRow.identifier == identifier
            )
        ).one()
        last = select(func.max(PublicationRow.number)).where(PublicationRow.dataset == dataset)
        number = (connection.execute(last).scalar() or 0) + 1
        name = f"{source}-{dataset}-{number}{SUFFIX}"
        sha256, size = store.put(name, io.BytesIO(content))
        signer = connection.execute(select(SignerRow.id)).scalar()
        if signer is None:
            signer = 1
            connection.execute(insert(SignerRow), {
                "id": signer, "department": provider, "role": "signer", "fingerprint": "0" * 16,
                "name": "t", "valid_from": 0, "valid_until": 2**40, "enrolled_at": 0,
                "enrolled_by": "t",
            })  # fmt: skip
        connection.execute(insert(PublicationRow), {
            "dataset": dataset, "number": number, "state": "published", "kind": "copy",
            "record_version": 1, "sha256": sha256, "bytes": size, "rows": rows, "object": name,
            "attestation": attestation, "signer": signer, "published_at": registry.now(),
        })  # fmt: skip
    with registry.database.read() as connection:
        return publications(connection, dataset=dataset, number=number)[0]
