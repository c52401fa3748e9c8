"""Pages that a visitor has already are not sent again (RFC 9110, section 13.1.2).

A page's tag is the digest of its bytes, so it tells of nothing that the page does not show. For
whether it is still the same nothing need be searched or drawn: what a visitor's page shows follows
from the catalog's revision, which every write counts up, the certificates' log, the day, the
operator's words, and the address. The tag that this gave last is remembered under it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from catalog.web.services import Services

MOST: Final = 10_000  # pages; each takes about 200 bytes
_HEADERS: Final = {
    "Cache-Control": "no-cache",  # kept, but asked about each time: a change shows at once
    "Vary": "Accept-Encoding, Authorization, Cookie",
}


class UnchangedError(Exception):
    """The visitor has this page as it is now.

    Attributes:
        tag: Of the page.
    """

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


class KnownPages:
    """Tags of pages by what the pages follow from, the last used ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tags: OrderedDict[bytes, str] = OrderedDict()

    def check(self, request: Request, key: bytes) -> None:
        """Looks whether a visitor has the page of this key.

        Raises:
            UnchangedError: Yes.
        """
        with self._lock:
            tag = self._tags.get(key, "")
            if tag:
                self._tags.move_to_end(key)
        if tag and _has(request, tag):
            raise UnchangedError(tag)

    def tagged(self, request: Request, key: bytes, page: Response) -> Response:
        """Returns a page with its tag, or that the visitor has it.

        Args:
            request: What is answered.
            key: Of the page, as it was before it was drawn; b"" if it follows from more.
            page: As drawn.
        """
        tag = f'"{hashlib.sha256(page.body).hexdigest()[:32]}"'
        if key:
            with self._lock:
                self._tags[key] = tag
                while len(self._tags) > MOST:
                    self._tags.popitem(last=False)
        if _has(request, tag):
            return _confirmed(tag)
        page.headers.update(_HEADERS | {"ETag": tag})
        return page


def answer(_: Request, error: Exception) -> Response:
    """Answers that nothing has changed."""
    return _confirmed(error.tag if isinstance(error, UnchangedError) else "")


def page_key(services: Services, request: Request, day: str) -> bytes:
    """Returns the digest of all that a visitor's page follows from, at this moment."""
    office = services.office
    parts = (
        str(services.registry.database.writes()), day, repr(services.site),
        "" if office is None else f"{office.book.latest()} {bool(office.policy.witnesses)}",
        services.site.address(request), request.url.path, request.url.query,
    )  # fmt: skip
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _has(request: Request, tag: str) -> bool:
    held = request.headers.get("if-none-match", "")
    return tag in {each.strip().removeprefix("W/") for each in held.split(",")}


def _confirmed(tag: str) -> Response:
    return Response(None, 304, _HEADERS | {"ETag": tag})
