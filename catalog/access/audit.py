"""The audit journal: who set out to do what, on disk before it is done.

A call waits until its entry is on disk, and is refused when it cannot be written. That must not
cost one disk sync a call: whoever comes first writes for all who wait meanwhile (group commit).
Entries are canonical JSON in a chain of hashes (`catalog.journal`), so a line break in a path is
an escape in a string and never a second entry. The file stands beside the catalog, and several
processes may write it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from catalog.identity.database import Database
from catalog.journal import Entry, HashChain, Head
from protos.canonical import canonical
from protos.faults import UnavailableError, VeilError
from protos.language import Text

FILE: Final = "audit.db"
MOST: Final = 500
"""Most entries of one page."""
_LONGEST: Final = 2000  # characters of one value: a caller must not fill the disk with one call
_CHAIN: Final = HashChain("audit")
_END: Final = 2**53 - 1


@dataclass
class _Waiting:
    text: str
    done: bool = False
    failure: VeilError | None = field(default=None)


class Audit:
    """The journal of one catalog.

    Args:
        directory: The catalog's.
        clock_ms: Unix milliseconds.
    """

    def __init__(self, directory: Path, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._writing = Database(directory / FILE, _CHAIN.schema)
        self._reading = Database(directory / FILE, "")  # nobody who reads holds up who acts
        self._lock = threading.Lock()
        self._queue_lock = threading.Lock()
        self._queue: list[_Waiting] = []

    def open(self) -> None:
        """Opens the file.

        Raises:
            UnavailableError: It cannot be opened or written.
        """
        self._writing.open()
        self._reading.open()

    def close(self) -> None:
        """Closes the file; closing twice is harmless."""
        self._writing.close()
        self._reading.close()

    def write(self, record: Mapping[str, str | int]) -> None:
        """Adds an entry, and returns once it is on disk.

        Args:
            record: What happens; ``at`` (Unix milliseconds) is added. Long texts are cut.

        Raises:
            UnavailableError: It could not be written: then the thing must not be done.
        """
        body = {
            name: value[:_LONGEST] if isinstance(value, str) else value
            for name, value in record.items()
        }
        mine = _Waiting(canonical(body | {"at": self._clock_ms()}).decode("utf-8"))
        with self._queue_lock:
            self._queue.append(mine)
        with self._lock:  # who waits here is written by somebody else meanwhile
            if not mine.done:
                self._write_all()
        if mine.failure is not None:
            raise mine.failure

    def before(self, index: int | None, limit: int) -> list[Entry]:
        """Returns the entries before an index (the last ones if None), the newest first."""
        with self._reading.read() as db:
            return _CHAIN.before(db, _END if index is None else index, min(limit, MOST))

    def verify(self, noted: Head | None = None) -> Head:
        """Checks the whole chain, and returns where it ends: worth noting elsewhere.

        Args:
            noted: A head that was noted earlier, to be found in the chain again.

        Raises:
            TrustError: An entry was altered, removed, added or reordered; names the first.
        """
        with self._reading.read() as db:
            db.execute("BEGIN")
            try:
                _CHAIN.verify(db, noted)
                return _CHAIN.head(db)
            finally:
                db.rollback()

    def _write_all(self) -> None:
        with self._queue_lock:
            batch, self._queue = self._queue, []
        failure: VeilError | None = _failed("the writer was interrupted")
        try:
            with self._writing.write() as db:
                _CHAIN.extend(db, [each.text for each in batch])
            failure = None
        except UnavailableError as error:
            failure = _failed(error.detail)
        finally:
            for each in batch:
                each.done, each.failure = True, failure


def _failed(detail: str) -> UnavailableError:
    return UnavailableError(
        Text("the audit journal cannot be written", "审计日志无法写入"),
        remedy=Text("nothing was done; tell the operator", "操作未执行，请联系运维人员"),
        code="audit.failed",
        detail=detail,
    )
