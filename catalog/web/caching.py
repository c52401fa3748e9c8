"""Answers that readers fetch again and again: sent once, then confirmed (RFC 9110, section 13)."""

from __future__ import annotations

import hashlib
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from catalog.search.find import Scope

_SHARED: Final = "public, max-age=60"
_OWN: Final = "private, no-cache"


def cached(
    request: Request,
    body: bytes,
    media_type: str,
    *,
    scope: Scope,
    modified: int = 0,
    now: int = 0,
    name: str = "",
) -> Response:
    """Returns a body, or that the caller has it already.

    Args:
        request: What is asked.
        body: The answer.
        media_type: Of the body.
        scope: Whose view it is: what a member sees is kept by no proxy.
        modified: Unix seconds; 0 if it is not known when the answer changed last.
        now: Unix seconds. In the second of a change nothing is said about its time: another
            change in the same second could not be told from it.
        name: Of the file that a browser makes of it; letters, digits, dots.
    """
    headers = {
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Cache-Control": _SHARED if scope == "open" else _OWN,
        "Vary": "Accept, Authorization, Cookie",
    }
    if 0 < modified < now:
        headers["Last-Modified"] = formatdate(modified, usegmt=True)
    if name:
        headers["Content-Disposition"] = f'inline; filename="{name}"'
    if _has(request, headers):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type)


def _has(request: Request, headers: dict[str, str]) -> bool:
    """Whether the caller has this answer; dates count only where there are no tags."""
    if (tags := request.headers.get("if-none-match")) is not None:
        asked = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return headers["ETag"] in asked or "*" in asked
    since, modified = request.headers.get("if-modified-since"), headers.get("Last-Modified")
    if since is None or modified is None:
        return False
    try:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):  # no date, or one without a time zone
        return False
