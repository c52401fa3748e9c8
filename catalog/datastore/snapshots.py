"""Public tables as databases of this server: made once for every publication, from verified bytes.

``datastore/<sha256>.duckdb`` in the catalog's directory is made when a publication is asked for
first: the object is copied out of the store and hashed on its way, so what is decoded is what was
hashed, and a limited child (`convert_child`) writes the database under a temporary name. A far
page then costs as much as the first, and governed SQL has something to attach.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from catalog.datastore.convert_child import DATABASE, SOURCE
from catalog.publishing.listing import Publication
from catalog.publishing.store import COPIES, COPY_SUFFIX
from catalog.publishing.verified import Verified
from desensitize.engines.child import call
from desensitize.engines.scratch import locked_directory, sweep
from desensitize.engines.snapshot import GIB, LoadLimits
from protos.faults import UnavailableError
from protos.language import Text
from protos.whole_file import sync

_MAKING: Final = ".making-"
_PROGRAM: Final = Text("reader of published files", "已发布文件读取程序")
LIMITS: Final = LoadLimits(
    memory_bytes=2 * GIB, disk_bytes=200 * GIB, cpu_s=3600, deadline_s=3600.0
)


class Snapshots:
    """Databases of what is public.

    Args:
        directory: Of the catalog.
        verified: What is known of its store.
        limits: What making one may use.
    """

    def __init__(self, directory: Path, verified: Verified, limits: LoadLimits = LIMITS) -> None:
        self._folder = directory / COPIES
        self._verified = verified
        self._limits = limits
        self._making: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def path(self, publication: Publication) -> Path:
        """Returns the database of a publication, made if need be.

        Raises:
            TrustError: The store has other bytes than were published.
            UnavailableError: The store cannot be reached; memory, disk or time did not suffice.
        """
        final = self._folder / f"{publication.sha256}{COPY_SUFFIX}"
        with self._lock:
            making = self._making[publication.sha256]
        with making:
            if final.exists():
                self._verified.check(publication)
            else:
                self._make(publication, final)
        return final

    def _make(self, publication: Publication, final: Path) -> None:
        with self._scratch() as scratch:
            with (scratch / SOURCE).open("xb") as copy:
                self._verified.check(publication, copy.write)
            call(
                "catalog.datastore.convert_child",
                scratch / SOURCE,
                {"sheet": "", "rows": publication.rows},
                scratch=scratch,
                limits=self._limits,
                program=_PROGRAM,
            )
            sync(scratch / DATABASE)
            (scratch / DATABASE).rename(final)
            sync(self._folder)

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            sweep(self._folder, _MAKING)  # what killed ones have left
            place, lock = locked_directory(self._folder, _MAKING)
            try:
                yield place
            finally:
                shutil.rmtree(place, ignore_errors=True)
                os.close(lock)
        except OSError as error:
            raise UnavailableError(
                Text("the server cannot keep a copy of the published file",
                     "服务器无法保存已发布文件的副本"),
                remedy=Text("check its disk, and the rights on the catalog's directory",
                            "请检查磁盘和目录库的权限"),
                code="datastore.disk",
                detail=str(error),
            ) from error  # fmt: skip
