"""What requests for rows have in common: their parameters as an `Ask`, and rows in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from catalog.access.principal import Principal
from catalog.datastore.ask import Ask, AskError, read_sort, read_words
from catalog.datastore.places import Asker
from catalog.datastore.resources import Scope
from catalog.datastore.texts import ckan_type
from catalog.rest.streams import json_answer
from catalog.web.callers import source_of
from catalog.web.sources import is_here
from protos.language import Text

_LONGEST: Final = 100_000  # characters of filters


def data_scope(caller: Principal) -> Scope:
    """Returns whose public rows a caller may know of."""
    return "all" if caller.reach("data.use") == "all" else "open"


def asker_of(request: Request, caller: Principal) -> Asker:
    """Returns by whom places are counted: a member's account, or where a visitor comes from.

    What comes from this machine has no share of its own: a proxy on it stands for many.
    """
    if caller.account:
        return Asker(caller.account, member=True)
    here = request.client is not None and is_here(request.client.host)
    return Asker("" if here else source_of(request))


def read_filters(text: str) -> dict[str, Any]:
    """Reads filters that were written as JSON.

    Raises:
        AskError: They are none.
    """
    if not text.strip():
        return {}
    try:
        found = json.loads(text) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):
        found = None
    return checked_filters(found)


def checked_filters(found: object) -> dict[str, Any]:
    """Returns filters whose values are what they may be.

    Raises:
        AskError: They are not.
    """
    if not isinstance(found, dict) or not all(map(_fits, found.values())):
        raise AskError("filters", Text('write {"column": value}, [values] or {"gte": value}',
                                       '请写 {"列名": 值}、[多个值] 或 {"gte": 值}'))  # fmt: skip
    return found


def _fits(value: object) -> bool:
    if isinstance(value, list):
        return all(each is None or isinstance(each, str | int | float) for each in value)
    if isinstance(value, dict):
        return all(isinstance(each, str | int | float) for each in value.values())
    return value is None or isinstance(value, str | int | float)


def read_fields(text: str) -> tuple[str, ...]:
    """Reads names of columns with commas between them; quotes around one with a comma in it."""
    if not text.strip():
        return ()
    import csv

    try:
        [names] = csv.reader([text], skipinitialspace=True)
    except (csv.Error, ValueError) as error:
        raise AskError(
            "fields", Text("write names with commas between", "列名之间用逗号分隔")
        ) from error
    return tuple(dict.fromkeys(name.strip() for name in names))


def asked(
    *,
    fields: str = "",
    filters: str = "",
    q: str = "",
    sort: str = "",
    offset: int = 0,
    limit: int | None = 100,
) -> Ask:
    """Turns parameters into what is asked.

    Raises:
        AskError: One is not what it should be.
    """
    return Ask(
        fields=read_fields(fields),
        filters=read_filters(filters),
        words=read_words(q),
        sort=read_sort(sort),
        offset=offset,
        limit=limit,
    )


def fields_of(columns: Mapping[str, str]) -> list[dict[str, str]]:
    """Returns columns as CKAN lists them."""
    return [{"id": name, "type": ckan_type(kind)} for name, kind in columns.items()]


def with_records(
    around: Mapping[str, object], records: str, place: Callable[[], Callable[[], None]]
) -> Response:
    """Returns JSON with records that are JSON already.

    Args:
        around: All other members.
        records: Objects or arrays with commas between them.
        place: As for `json_answer`.
    """
    begin = json.dumps(around, ensure_ascii=False)[:-1]
    text = f'{begin}{", " if around else ""}"records": [{records}]}}'
    return json_answer(text, place)
