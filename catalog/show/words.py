"""Headings, places and days, as all of them print them."""

from __future__ import annotations

import datetime as dt
from typing import Final

from desensitize.divisions import divisions
from protos.language import Text

DEPARTMENT: Final = Text("Department", "部门")


def titled(*texts: Text) -> list[str]:
    """Returns headings in the language of this process."""
    return [str(text) for text in texts]


def place_name(code: str) -> str:
    """Returns a division's name, its city's in front of a district's."""
    known = divisions()
    if code not in known:
        return code
    city = known.get(f"{code[:4]}00")
    name = known[code].name
    return name if city is None or city.code == code else f"{city.name}{name}"


def day(seconds: int) -> str:
    """Returns a time as a day in UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()
