"""``/datastore/dump``: public data whole, as a stream; the attested file itself by byte ranges."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import Response

from catalog.access.principal import Principal
from catalog.datastore import ask
from catalog.datastore.ask import AskError
from catalog.datastore.dumps import MEDIA_TYPES, Format, dump, parts
from catalog.datastore.places import Asker
from catalog.datastore.resources import Resource
from catalog.rest.requests import asked, asker_of, data_scope
from catalog.rest.streams import Stream
from catalog.web.guard import Everything, May
from catalog.web.services import Services
from protos.canonical import digest
from protos.language import Text

router = APIRouter(tags=["data"])
Reader = Annotated[Principal, Depends(May("data.use"))]
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@router.get(
    "/datastore/dump/{id}",
    response_class=Response,
    responses={
        200: {"content": {kind.partition(";")[0]: {} for kind in MEDIA_TYPES.values()}},
        206: {"description": "A part of the attested file"},
        304: {"description": "The caller has it already"},
        416: {"description": "The file has no such part"},
    },
)
def dump_rows(
    request: Request,
    services: Everything,
    caller: Reader,
    id: Annotated[str, Path(max_length=120)],  # noqa: A002 - the parameter's name
    format: Literal[Format, "parquet"] = "csv",  # noqa: A002
    bom: bool = False,  # noqa: FBT001, FBT002 - a parameter of CKAN's
    q: Annotated[str, Query(max_length=500)] = "",
    filters: Annotated[str, Query(max_length=100_000)] = "",
    fields: Annotated[str, Query(max_length=10_000)] = "",
    sort: Annotated[str, Query(max_length=2_000)] = "",
    offset: Annotated[int, Query(ge=0, le=ask.MOST_OFFSET)] = 0,
    limit: Annotated[int | None, Query(ge=0, le=ask.MOST_OFFSET)] = None,
    if_none_match: Annotated[str, Header(max_length=1000)] = "",
    range: Annotated[str, Header(max_length=100)] = "",  # noqa: A002
    if_range: Annotated[str, Header(max_length=200)] = "",
) -> Response:
    """Returns all rows, or those that are asked for.

    Formats of spreadsheets have an apostrophe before what one would take for a formula; ``parquet``
    is the file that was attested, whole and unchanged.
    """
    found = services.datastore.resources.find(id, data_scope(caller))
    chosen = [q, filters, fields, sort, offset, limit]
    mark = digest([format, bom, *chosen])[:16]
    tag = f'"{found.publication.sha256[:32]}-{mark}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in if_none_match or if_none_match.strip() == "*":
        return Response(status_code=304, headers=headers)
    headers |= {
        "Content-Disposition": f'attachment; filename="{found.name}.{format}"',
    }
    if format == "parquet":
        if any(chosen):
            raise AskError("format", Text(
                "the attested file is whole; leave filters and limits out",
                "所证明的文件须整体下载，请去掉筛选与分页参数",
            ))  # fmt: skip
        part = range if not if_range or if_range == tag else ""
        return _file(services, found, headers, part, asker_of(request, caller))
    wanted = asked(fields=fields, filters=filters, q=q, sort=sort, offset=offset, limit=limit)
    ends = services.datastore.stream(asker_of(request, caller))
    try:
        pieces = dump(services.datastore.table(found), wanted, format, bom=bom)
    except BaseException:
        ends()
        raise
    services.datastore.count(found)
    return Stream(pieces, ends, media_type=MEDIA_TYPES[format], headers=headers)


def _file(
    services: Services, found: Resource, headers: dict[str, str], asked_range: str, asker: Asker
) -> Response:
    size = found.publication.bytes
    headers |= {"Accept-Ranges": "bytes"}
    first, last, status = 0, size - 1, 200
    if match := _RANGE.fullmatch(asked_range.strip()):
        begin, end = match.groups()
        if begin:
            first, last = int(begin), min(int(end or size), size - 1)
        elif end:
            first = max(size - int(end), 0)
        if first > last or not (begin or end) or end == "0":
            return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
        status, headers = 206, headers | {"Content-Range": f"bytes {first}-{last}/{size}"}
    headers |= {"Content-Length": str(last - first + 1)}
    ends = services.datastore.stream(asker)
    try:
        file = services.datastore.file(found)
    except BaseException:
        ends()
        raise
    if first == 0:
        services.datastore.count(found)
    pieces = parts(file, first, last, partial(services.datastore.verify, found))
    return Stream(
        pieces, ends, status_code=status, headers=headers, media_type=MEDIA_TYPES["parquet"]
    )
