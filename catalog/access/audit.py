"""The audit journal: who set out to do what, on disk before it is done.

A call waits until its entry is on disk, and is refused when it cannot be written. That must not
cost one disk sync a call, nor one thread that waits: a single writer takes all that has come
meanwhile into one transaction (group commit), and wakes each event loop once. Entries are
canonical JSON in a chain of hashes (`catalog.journal`), so a line break in a path is an escape in
a string and never a second entry. The file stands beside the catalog, and several processes may
write it. Strangers have a share of it (`catalog.access.strangers`).
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.access.strangers import Share, StrangerLimits, Strangers
from catalog.identity.database import Database
from catalog.journal import Entry, HashChain, Head
from protos.canonical import canonical
from protos.faults import MISTAKES, UnavailableError, VeilError
from protos.language import Text

FILE: Final = "audit.db"
MOST: Final = 500
"""Most entries of one page."""
_LONGEST: Final = 2000  # characters of one value: a caller must not fill the disk with one call
_CHAIN: Final = HashChain("audit")
_END: Final = 2**53 - 1
_LOOK_S: Final = 10.0
_MOST_COUNTED: Final = 20_000  # entries about strangers that wait for room on the disk


@dataclass(frozen=True)
class _Waiting:
    text: str
    done: Future[None] | asyncio.Future[None]


class Audit:
    """The journal of one catalog.

    Args:
        directory: The catalog's.
        clock_ms: Unix milliseconds.
        limits: What callers without a role get of it.
    """

    def __init__(
        self, directory: Path, clock_ms: Callable[[], int], limits: StrangerLimits | None = None
    ) -> None:
        self._clock_ms = clock_ms
        self._shares: dict[Share, Strangers] = {
            "visitors": Strangers(limits), "members": Strangers(limits),
        }  # fmt: skip
        self._counted: list[str] = []
        self._writing = Database(directory / FILE, _CHAIN.schema)
        self._reading = Database(directory / FILE, "")  # nobody who reads holds up who acts
        self._queue: list[_Waiting] = []
        self._changed = threading.Condition()
        self._closing = False
        self._writer: threading.Thread | None = None

    def open(self) -> None:
        """Opens the file, and starts who writes it.

        Raises:
            UnavailableError: It cannot be opened or written.
        """
        self._writing.open()
        self._reading.open()
        self._closing = False
        self._writer = threading.Thread(target=self._write_on, name="audit", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Writes what waits and closes the file; closing twice is harmless."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        self._writing.close()
        self._reading.close()

    def write(self, record: Mapping[str, str | int], *, share: Share | None = None) -> None:
        """Adds an entry, and returns once it is on disk.

        Args:
            record: What happens; ``at`` (Unix milliseconds) is added. Long texts are cut.
            share: Of which share of the journal it is, if somebody does it who has no role here:
                then it may be counted only.

        Raises:
            UnavailableError: It could not be written: then the thing must not be done.
        """
        done: Future[None] = Future()
        if self._add(record, done, share=share):
            done.result()

    async def written(self, record: Mapping[str, str | int], *, share: Share | None = None) -> None:
        """As `write`, where no thread can wait."""
        done = asyncio.get_running_loop().create_future()
        if self._add(record, done, share=share):
            await done

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

    def _add(
        self,
        record: Mapping[str, str | int],
        done: Future[None] | asyncio.Future[None],
        *,
        share: Share | None,
    ) -> bool:
        """Puts a record into the line; returns whether it is one that has to be waited for."""
        with self._changed:
            if self._closing or self._writer is None:
                raise _failed("the journal is closed")
            if share is not None:
                self._end_windows()
                admitted = self._shares[share].admit(record, self._clock_ms())
                if admitted is None:
                    return False
                record = admitted
            self._queue.append(_Waiting(self._text(record), done))
            self._changed.notify()
        return True

    def _end_windows(self, *, anyway: bool = False) -> None:
        """Takes what was counted until now; the writer keeps it until it is on disk."""
        for share in self._shares.values():
            self._counted += map(self._text, share.over(self._clock_ms(), anyway=anyway))

    def _text(self, record: Mapping[str, str | int]) -> str:
        body = {
            name: value[:_LONGEST] if isinstance(value, str) else value
            for name, value in record.items()
        }
        return canonical(body | {"at": self._clock_ms()}).decode("utf-8")

    def _write_on(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    self._changed.wait(_LOOK_S if self._counting() else None)
                    self._end_windows()
                    if self._counted:
                        break
                self._end_windows(anyway=self._closing)
                batch, self._queue = self._queue, []
                counted, self._counted = self._counted, []
            failure = None
            if batch or counted:
                failure = self._failure([*counted, *(each.text for each in batch)])
                _tell(batch, failure)
            if failure is not None and counted and not self._closing:
                with self._changed:
                    self._counted = (counted + self._counted)[-_MOST_COUNTED:]
            if self._closing and not batch:
                return

    def _counting(self) -> bool:
        return bool(self._counted) or any(each.counting for each in self._shares.values())

    def _failure(self, texts: Sequence[str]) -> VeilError | None:
        """Writes entries; returns why they could not be."""
        try:
            with self._writing.write() as db:
                _CHAIN.extend(db, texts)
        except UnavailableError as error:
            return _failed(error.detail)
        except MISTAKES as error:  # whoever waits is told, and the writer goes on
            return _failed(repr(error))
        return None


def _tell(batch: Sequence[_Waiting], failure: VeilError | None) -> None:
    """Lets those go on whose entries are written, or cannot be."""
    loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = defaultdict(list)
    for each in batch:
        if isinstance(each.done, asyncio.Future):
            loops[each.done.get_loop()].append(each.done)
        else:
            _settle([each.done], failure)
    for loop, waiting in loops.items():
        with suppress(RuntimeError):  # it is closed: nobody waits
            loop.call_soon_threadsafe(_settle, waiting, failure)


def _settle(
    waiting: Sequence[Future[None] | asyncio.Future[None]], failure: VeilError | None
) -> None:
    for each in waiting:
        if each.done():  # its call was cancelled
            continue
        if failure is None:
            each.set_result(None)
        else:
            each.set_exception(failure)


def _failed(detail: str) -> UnavailableError:
    return UnavailableError(
        Text("the audit journal cannot be written", "审计日志无法写入"),
        remedy=Text("nothing was done; tell the operator", "操作未执行，请联系运维人员"),
        code="audit.failed",
        detail=detail,
    )
