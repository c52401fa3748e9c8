"""What is public of a dataset, as far as a description of its rows needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from catalog.datastore.datastore import Datastore
from catalog.datastore.resources import Resource
from catalog.feeds import places
from catalog.publishing.listing import Publication
from catalog.registry.record import Record

if TYPE_CHECKING:
    import pyarrow as pa

Type = Literal["string", "integer", "number", "boolean", "date", "datetime"]
"""In the words of Table Schema."""


@dataclass(frozen=True)
class Column:
    """A column of a published file.

    Attributes:
        name: Its header.
        type: Of its values.
        description: What the record says of the data item of this name; may be empty.
    """

    name: str
    type: Type
    description: str = ""


@dataclass(frozen=True)
class Rows:
    """One publication, and where it is fetched.

    Attributes:
        publication: What it is.
        columns: In order.
        csv: Address of its rows as CSV, written when they are asked for.
        parquet: Address of the very bytes that were attested.
    """

    publication: Publication
    columns: tuple[Column, ...]
    csv: str
    parquet: str


def rows_of(datastore: Datastore, resource: Resource, record: Record, site: str) -> Rows:
    """Returns what there is to know of a publication's rows.

    Args:
        datastore: Has its bytes.
        resource: The publication.
        record: Of its dataset.
        site: Address of this site.

    Raises:
        TrustError: The store has other bytes than were published.
        UnavailableError: The store cannot be reached.
    """
    from pyarrow import parquet

    said = {item.name: item.description for item in record.items}
    said |= {item.name_en: item.description for item in record.items if item.name_en}
    with datastore.file(resource) as file:
        schema = parquet.read_schema(file)
    columns = tuple(Column(each.name, _type(each.type), said.get(each.name, "")) for each in schema)
    return Rows(
        resource.publication, columns, places.rows(site, resource), places.file(site, resource)
    )


def _type(of: pa.DataType) -> Type:
    from pyarrow import types

    tests: tuple[tuple[Type, bool], ...] = (
        ("boolean", types.is_boolean(of)),
        ("integer", types.is_integer(of)),
        ("number", types.is_floating(of) or types.is_decimal(of)),
        ("date", types.is_date(of)),
        ("datetime", types.is_timestamp(of)),
    )
    return next((name for name, fits in tests if fits), "string")
