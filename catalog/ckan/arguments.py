"""Parameters of actions: as query, form or JSON; unknown ones are ignored, as CKAN does."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from catalog.ckan.envelope import BadRequestError
from catalog.ckan.solr import LONGEST
from catalog.datastore.ask import MOST_OFFSET
from catalog.search.query import MOST_HITS
from catalog.sql_gate import MAX_BYTES

MOST_BODY: Final = 1 << 20  # bytes
MOST_LISTED: Final = 100  # values of one parameter


async def given(request: Request) -> dict[str, Any]:
    """Returns the parameters of a call; a value that is given twice becomes a list.

    Raises:
        BadRequestError: The body is too large, or no JSON object.
    """
    found: dict[str, Any] = {}
    for name in request.query_params:
        several = request.query_params.getlist(name)
        found[name] = several if len(several) > 1 else several[0]
    if request.method == "GET":
        return found
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"application/x-www-form-urlencoded", "multipart/form-data"} and _small(request):
        form = await request.form(max_files=0, max_fields=200)
        for name in form:
            values = [each for each in form.getlist(name) if isinstance(each, str)]
            # What a client sends without a form's name is JSON in the first one (`curl -d '{…}'`).
            if len(form) == 1 and name.lstrip().startswith("{"):
                return _object(name.encode())
            found[name] = values if len(values) > 1 else values[0]
        return found
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BODY:
            raise BadRequestError("the body is too large")
    return found | (_object(body) if body.strip() else {})


def _small(request: Request) -> bool:
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > MOST_BODY:
        raise BadRequestError("the body is too large, or does not say how large it is")
    return True


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("JSON Error: the request body is no JSON") from error
    if not isinstance(found, dict):
        raise BadRequestError(f"Request data JSON decoded to {type(found).__name__}, not a dict")
    return found


def _listed(value: object) -> object:
    """A list, also as JSON text or with commas between."""
    if not isinstance(value, str):
        return [] if value is None else value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _fields(value: object) -> object:
    """Names of columns: a list, or text in which quotes keep commas."""
    from catalog.rest.requests import read_fields

    return (
        list(read_fields(value)) if isinstance(value, str) and "[" not in value else _listed(value)
    )


def _object_text(value: object) -> object:
    """An object, also as JSON text."""
    if isinstance(value, str):
        if not value.strip():
            return {}
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return {} if value is None else value


def _words(value: object) -> object:
    """Words, or an object of words for single columns, also as JSON text."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        return _object_text(value)
    return value


Texts = Annotated[list[str], BeforeValidator(_listed), Field(max_length=MOST_LISTED)]
Words = Annotated[str, Field(max_length=500)]


class Arguments(BaseModel):
    """Parameters; every action's are a subclass."""

    model_config = ConfigDict(extra="ignore", frozen=True, str_max_length=100_000)


class Named(Arguments):
    """What is asked for by name or id.

    Attributes:
        id: Its name or id.
    """

    id: Annotated[str, Field(min_length=1, max_length=200)]


class GroupShow(Named):
    """One department, theme or scenario.

    Attributes:
        include_datasets: With its datasets, 1,000 at most.
        limit: Of datasets.
    """

    include_datasets: bool = False
    limit: Annotated[int, Field(ge=0, le=MOST_HITS)] = MOST_HITS


class Listed(Arguments):
    """A list by offset.

    Attributes:
        limit: How many at most; all by default.
        offset: Number of the first.
    """

    limit: Annotated[int | None, Field(ge=0)] = None
    offset: Annotated[int, Field(ge=0)] = 0


class PackageList(Listed):
    """Names of datasets.

    Attributes:
        include_private: Also those that are not open, for who may know of them.
    """

    include_private: bool = False


class Paged(Arguments):
    """Whole datasets by offset.

    Attributes:
        limit: How many at most.
        offset: Number of the first.
    """

    limit: Annotated[int, Field(ge=1, le=MOST_HITS)] = 100
    offset: Annotated[int, Field(ge=0)] = 0


class GroupList(Listed):
    """Departments, themes or scenarios.

    Attributes:
        all_fields: Everything about them, not their names only.
        sort: ``name``, ``title`` or ``package_count``, with ``asc`` or ``desc``.
        query: Only those whose name or title has this.
    """

    all_fields: bool = False
    sort: Annotated[str, Field(max_length=100)] = "name asc"
    query: Annotated[str, Field(max_length=200)] = ""


class PackageSearch(Arguments):
    """A search, in Solr's language.

    Attributes:
        q: What is searched for.
        fq: What is left over of it.
        fq_list: The same, several.
        sort: Fields with ``asc`` or ``desc``.
        rows: How many at most; 1,000 are the most there can be.
        start: Number of the first.
        facet_fields: Counted by value.
        facet_limit: Values of a field; negative for all.
        facet_mincount: Values with fewer are left out.
        facet: Whether to count.
        include_private: Also what is not open, for who may know of it.
        fl: Only these members of each dataset.
    """

    model_config = ConfigDict(populate_by_name=True)

    q: Annotated[str, Field(max_length=LONGEST)] = "*:*"
    fq: Annotated[str, Field(max_length=LONGEST)] = ""
    fq_list: Texts = []
    sort: Annotated[str, Field(max_length=500)] = ""
    rows: Annotated[int, Field(ge=0)] = 10
    start: Annotated[int, Field(ge=0)] = 0
    facet: bool = True
    facet_fields: Annotated[Texts, Field(alias="facet.field")] = []
    facet_limit: Annotated[int, Field(alias="facet.limit")] = 50
    facet_mincount: Annotated[int, Field(alias="facet.mincount", ge=0)] = 1
    include_private: bool = False
    fl: Texts = []


class ResourceSearch(Listed):
    """A search among resources.

    Attributes:
        query: ``field:term``, or several of them.
        order_by: A field.
    """

    query: Texts
    order_by: Annotated[str, Field(max_length=50)] = ""


class HelpShow(Arguments):
    """What an action does.

    Attributes:
        name: Of the action.
    """

    name: Annotated[str, Field(max_length=100)]


class DatastoreInfo(Arguments):
    """Columns of a resource.

    Attributes:
        id: Of the resource.
    """

    id: Annotated[str, Field(min_length=1, max_length=200)]


class DatastoreSearch(Arguments):
    """Rows of a resource.

    Attributes:
        resource_id: Whose.
        filters: Column → value, one of several values, or comparisons (gte, lt …).
        q: Words anywhere, or column → words.
        distinct: Each combination of values once.
        limit: How many at most.
        offset: Number of the first.
        fields: Columns.
        sort: Columns with ``asc`` or ``desc``.
        include_total: Whether all rows are counted.
        records_format: ``objects``, ``lists``, ``csv`` or ``tsv``.
    """

    resource_id: Annotated[str, Field(min_length=1, max_length=200)]
    filters: Annotated[dict[str, Any], BeforeValidator(_object_text)] = {}
    q: Annotated[Words | dict[str, Words], BeforeValidator(_words)] = ""
    distinct: bool = False
    limit: Annotated[int, Field(ge=0)] = 100
    offset: Annotated[int, Field(ge=0, le=MOST_OFFSET)] = 0
    fields: Annotated[list[str], BeforeValidator(_fields)] = []
    sort: Annotated[str, Field(max_length=2_000)] = ""
    include_total: bool = True
    records_format: Annotated[str, Field(pattern="^(objects|lists|csv|tsv)$")] = "objects"


class DatastoreSearchSql(Arguments):
    """One SELECT over resources.

    Attributes:
        sql: Its tables are ids of resources in double quotes.
    """

    sql: Annotated[str, Field(min_length=1, max_length=MAX_BYTES)]
