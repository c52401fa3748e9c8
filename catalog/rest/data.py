"""``/api/data`` and ``/api/sql``: public rows by page, by SQL, and what was attested about them."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from catalog.access.principal import Principal
from catalog.datastore import ask
from catalog.datastore.dumps import FORMATS
from catalog.datastore.resources import Resource
from catalog.datastore.texts import json_object
from catalog.rest.requests import asked, asker_of, data_scope, fields_of, with_records
from catalog.sql_gate import MAX_BYTES
from catalog.web.guard import Everything, May
from catalog.web.services import Services

router = APIRouter(tags=["data"])
Reader = Annotated[Principal, Depends(May("data.use"))]
Id = Annotated[str, Path(max_length=120, description="of a resource, or of a dataset: its newest")]


class Column(BaseModel):
    """A column.

    Attributes:
        id: Its name.
        type: As PostgreSQL calls it.
    """

    id: str
    type: str


class Rows(BaseModel):
    """A page of rows.

    Attributes:
        resource_id: Whose.
        fields: Columns of the records.
        total: Rows in all.
        offset: Number of the first, from 0.
        next: Offset of the next page; null if this is the last.
        records: Column → value.
    """

    resource_id: str
    fields: list[Column]
    total: int
    offset: int
    next: int | None
    records: list[dict[str, Any]]


class SqlRows(BaseModel):
    """What a statement yields.

    Attributes:
        fields: Columns of the records.
        records: Column → value.
        records_truncated: Whether there were more than an answer may have.
    """

    fields: list[Column]
    records: list[dict[str, Any]]
    records_truncated: bool


class Statement(BaseModel):
    """One SELECT.

    Attributes:
        sql: Its tables are ids of resources in double quotes.
    """

    sql: str = Field(max_length=MAX_BYTES)


@router.get("/api/data/{id}", response_model=Rows)
def rows(
    request: Request,
    services: Everything,
    caller: Reader,
    id: Id,  # noqa: A002 - the parameter's name
    q: Annotated[str, Query(max_length=500)] = "",
    filters: Annotated[str, Query(max_length=100_000, description='{"column": value}')] = "",
    fields: Annotated[str, Query(max_length=10_000)] = "",
    sort: Annotated[str, Query(max_length=2_000)] = "",
    offset: Annotated[int, Query(ge=0, le=ask.MOST_OFFSET)] = 0,
    limit: Annotated[int, Query(ge=0, le=ask.MOST_ROWS)] = 100,
) -> Response:
    """Returns a page of rows; filters are equal, one of a list, or compared (gte, lt …)."""
    found = services.datastore.resources.find(id, data_scope(caller))
    wanted = asked(fields=fields, filters=filters, q=q, sort=sort, offset=offset, limit=limit)
    table = services.datastore.table(found)
    page = table.page(wanted, json_object, ",")
    total = found.publication.rows if wanted.whole else table.total(wanted, page)
    services.datastore.count(found)
    end = offset + limit
    around = {
        "resource_id": found.id, "fields": fields_of(page.columns), "total": total,
        "offset": offset, "next": end if limit and end < total else None,
    }  # fmt: skip
    place = partial(services.datastore.stream, asker_of(request, caller))
    return with_records(around, page.text, place)


@router.get("/api/data/{id}/info")
def info(services: Everything, caller: Reader, id: Id) -> dict[str, Any]:  # noqa: A002
    """Returns columns, rows and digest of public data, and where else it is."""
    found = services.datastore.resources.find(id, data_scope(caller))
    return {
        "resource_id": found.id, "dataset_id": found.dataset_id,
        "fields": fields_of(services.datastore.table(found).columns),
        "publication": found.publication.to_dict(),
        "downloads": {
            **{kind: f"/datastore/dump/{found.id}?format={kind}" for kind in FORMATS},
            "parquet": f"/datastore/dump/{found.id}?format=parquet",
        },
        "attestation": f"/api/data/{found.id}/attestation",
    }  # fmt: skip


@router.get("/api/data/{id}/attestation")
def attestation(services: Everything, caller: Reader, id: Id) -> dict[str, Any]:  # noqa: A002
    """Returns what was signed about the bytes: ``veil desensitize verify`` checks it offline."""
    found = services.datastore.resources.find(id, data_scope(caller))
    return attested(services, found)


def attested(services: Services, found: Resource) -> dict[str, Any]:
    """Returns the attestation of a publication."""
    text = services.datastore.attestation(found)
    body: dict[str, Any] = json.loads(text)
    return body


@router.get("/api/sql", response_model=SqlRows)
def run_given(
    request: Request,
    services: Everything,
    caller: Reader,
    sql: Annotated[str, Query(max_length=MAX_BYTES)],
) -> Response:
    """Runs one SELECT over public data."""
    return _run(request, services, caller, sql)


@router.post("/api/sql", response_model=SqlRows)
def run_sent(request: Request, services: Everything, caller: Reader, body: Statement) -> Response:
    """Runs one SELECT over public data."""
    return _run(request, services, caller, body.sql)


def _run(request: Request, services: Services, caller: Principal, sql: str) -> Response:
    asker = asker_of(request, caller)
    answer = services.datastore.sql(sql, data_scope(caller), asker=asker)
    around = {"fields": fields_of(answer.columns), "records_truncated": answer.cut}
    return with_records(around, answer.records, partial(services.datastore.stream, asker))
