"""``datastore_…``: rows of public data, as CKAN's clients ask for them."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Response

from catalog.ckan.arguments import DatastoreInfo, DatastoreSearch, DatastoreSearchSql
from catalog.ckan.call import Call
from catalog.ckan.envelope import wrapped
from catalog.datastore.ask import MOST_ROWS, Ask, read_sort, read_words
from catalog.datastore.texts import csv_line, json_array, json_object
from catalog.rest.requests import checked_filters, fields_of

_FORMATS: Final = {
    "objects": (json_object, ","),
    "lists": (json_array, ","),
    "csv": (csv_line, ""),
    "tsv": (lambda columns: csv_line(columns, "\t"), ""),
}


def datastore_search(call: Call, asked: DatastoreSearch) -> Response:
    """Returns rows of a resource, and how many there are."""
    found = call.services.datastore.resources.find(asked.resource_id, call.scope)
    wanted = _ask(asked)
    table = call.services.datastore.table(found)
    line, between = _FORMATS[asked.records_format]
    page = table.page(wanted, line, between)
    call.services.datastore.count(found)
    result: dict[str, Any] = {
        "include_total": asked.include_total, "limit": wanted.limit,
        "records_format": asked.records_format, "resource_id": asked.resource_id,
        "total_estimation_threshold": None, "total_was_estimated": False,
        "fields": fields_of(page.columns), "_links": _links(call, asked),
    }  # fmt: skip
    if asked.offset:
        result["offset"] = asked.offset
    if asked.filters:
        result["filters"] = asked.filters
    if asked.q:
        result["q"] = asked.q
    if asked.include_total:
        result["total"] = found.publication.rows if wanted.whole else table.total(wanted, page)
    text_only = asked.records_format in {"csv", "tsv"}
    records = json.dumps(page.text) if text_only else f"[{page.text}]"
    return wrapped(call.request, result, records, call.place)


def datastore_search_sql(call: Call, asked: DatastoreSearchSql) -> Response:
    """Runs one SELECT; its tables are ids of resources in double quotes."""
    answer = call.services.datastore.sql(asked.sql, call.scope, asker=call.asker)
    result: dict[str, Any] = {"sql": asked.sql, "fields": fields_of(answer.columns)}
    if answer.cut:
        result["records_truncated"] = True
    return wrapped(
        call.request,
        result,
        f"[{answer.records}]",
        call.place,
    )


def datastore_info(call: Call, asked: DatastoreInfo) -> dict[str, Any]:
    """Returns columns and number of rows of a resource."""
    found = call.services.datastore.resources.find(asked.id, call.scope)
    columns = call.services.datastore.table(found).columns
    number, *_ = columns
    return {
        "meta": {
            "aliases": [found.name], "count": found.publication.rows, "id": found.id,
            "size": found.publication.bytes, "table_type": "BASE TABLE",
        },
        "fields": [
            {**each, "schema": {"native_type": columns[each["id"]], "notnull": False}}
            for each in fields_of(columns)
            if each["id"] != number
        ],
    }  # fmt: skip


def _ask(asked: DatastoreSearch) -> Ask:
    by_column = asked.q if isinstance(asked.q, dict) else {}
    return Ask(
        fields=tuple(dict.fromkeys(asked.fields)),
        filters=checked_filters(asked.filters),
        words=read_words(asked.q) if isinstance(asked.q, str) else (),
        words_of={name: read_words(words) for name, words in by_column.items()},
        sort=read_sort(asked.sort),
        distinct=asked.distinct,
        offset=asked.offset,
        limit=min(asked.limit, MOST_ROWS),
    )


def _links(call: Call, asked: DatastoreSearch) -> dict[str, str]:
    """Where the first page is, and the next one."""
    same = asked.model_dump(exclude_unset=True, exclude={"offset"})
    plain = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in same.items()
    }
    start = f"{call.request.url.path}?{urlencode(plain)}"
    return {"start": start, "next": f"{start}&offset={asked.offset + min(asked.limit, MOST_ROWS)}"}
