"""Whether the store still has the bytes that were published: read whole, once for every version.

An object is read and hashed when it is asked for first, and again only when the store says that it
was written since (`Store.stamp`). Who exchanges bytes for others of the same size is found before
a single one of them is served.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from catalog.publishing.listing import Publication
from catalog.publishing.store import Store
from protos.faults import TrustError
from protos.language import Text

_FAR_S: Final = 5.0
"""A store elsewhere is not asked again for so long whether an object is still the same."""


def _nowhere(_: bytes) -> None:
    """What is only hashed is kept nowhere."""


class Verified:
    """What this process knows of a store's objects.

    Args:
        store: Where they lie.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[str, tuple[int, ...]] = {}
        self._asked: dict[str, float] = {}  # monotonic
        self._reading: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def check(
        self, publication: Publication, into: Callable[[bytes], object] | None = None
    ) -> None:
        """Returns if the store has exactly what was published.

        Args:
            publication: What.
            into: Is given the bytes, piece by piece, before it is known whether they are the
                right ones; without it they are read only if they were not before.

        Raises:
            TrustError: It has something else, or nothing.
            UnavailableError: It cannot be reached.
        """
        name = publication.object
        with self._lock:
            reading = self._reading[name]
        with reading:  # of many who ask at once, one reads
            recent = time.monotonic() - self._asked.get(name, float("-inf")) < _FAR_S
            if into is None and recent and not self.store.near:
                return
            self._asked.pop(name, None)
            stamp = self.store.stamp(name)
            if stamp is None or stamp[0] != publication.bytes:
                raise changed(publication)
            if into is not None or self._known.get(name) != stamp:
                self._known.pop(name, None)
                found = self.store.read(name, into or _nowhere)
                if found != publication.sha256 or self.store.stamp(name) != stamp:
                    raise changed(publication)
                self._known[name] = stamp
            self._asked[name] = time.monotonic()


def changed(found: Publication) -> TrustError:
    """Returns what is said when the store has other bytes than were published."""
    return TrustError(
        Text(f"the store has other bytes for {found.identifier} version {found.number}",
             f"{found.identifier} 版本 {found.number} 的存储内容与发布时不一致"),
        remedy=Text("find out who changed the store; unpublish it, and publish the release again",
                    "请查明由谁改动存储；先撤下，再重新发布"),
        code="published.changed",
    )  # fmt: skip
