"""The log as small files that others fetch and keep: C2SP ``tlog-tiles``.

A tile of level L holds 256 hashes of complete subtrees of 256^L entries each, a bundle 256
entries. Full ones never change, so any cache may keep them; partial ones have their width in the
name. Whoever has all of them can recompute every checkpoint.

Source: https://c2sp.org/tlog-tiles, version 1.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from catalog.identity.database import Database
from catalog.transparency.log import LogReader
from protos.faults import InputError, MissingError
from protos.language import Text

WIDTH: Final = 256
_BITS: Final = 8  # levels of the tree between two levels of tiles
_HIGHEST: Final = 5  # 2**40 entries and more; no log gets there
_NAME: Final = re.compile(r"((?:x\d{3}/){0,4}\d{3})(?:\.p/(\d{1,3}))?", re.ASCII)
"""Up to 10**15 tiles; a number that no database can hold is no name of one."""


@dataclass(frozen=True)
class Tile:
    """One file.

    Attributes:
        content: Hashes, or entries each behind its length (two bytes, big-endian).
        full: Whether it will never change.
    """

    content: bytes
    full: bool


class Tiles:
    """The files of one log.

    Args:
        log: Its tables.
        db: Where they are.
    """

    def __init__(self, log: LogReader, db: Database) -> None:
        self._log = log
        self._db = db

    def checkpoint(self) -> str:
        """Returns the latest checkpoint; see `LogReader.note`."""
        with self._db.read() as db:
            return self._log.note(db)

    def proof(self, entry: int, size: int) -> str:
        """Proves an entry under the checkpoint of a size (C2SP ``tlog-proof``).

        Raises:
            MissingError: The log has no such checkpoint, or the entry is not under it.
        """
        with self._db.read() as db:
            if not entry < size <= self._log.size(db):
                raise _missing()
            try:
                return str(self._log.proof(db, entry, size))
            except InputError as error:  # no checkpoint was signed at that size
                raise _missing() from error

    def consistency(self, old: int, new: int) -> list[str]:
        """Proves that a tree is a beginning of a later one: hashes in Base64 (RFC 9162, 2.1.4).

        Raises:
            MissingError: The log is not so large, or the sizes are the wrong way round.
        """
        with self._db.read() as db:
            if not 0 < old <= new <= self._log.size(db):
                raise _missing()
            steps = self._log.consistency(db, old, new)
        return [base64.b64encode(step).decode("ascii") for step in steps]

    def hashes(self, level: int, name: str) -> Tile:
        """Returns a tile of hashes.

        Args:
            level: From 0.
            name: Such as ``x001/067`` or ``000.p/5``.

        Raises:
            MissingError: The log has no such tile (yet).
        """
        number, width = _read_name(name)
        if not 0 <= level <= _HIGHEST:
            raise _missing()
        with self._db.read() as db:
            found = self._log.nodes(db, level * _BITS, number * WIDTH, width)
        if len(found) != width:
            raise _missing()
        return Tile(b"".join(found), width == WIDTH)

    def entries(self, name: str) -> Tile:
        """Returns a bundle of entries; see `hashes`."""
        number, width = _read_name(name)
        with self._db.read() as db:
            found = self._log.entries_from(db, number * WIDTH, width)
        if len(found) != width:
            raise _missing()
        return Tile(b"".join(len(each).to_bytes(2, "big") + each for each in found), width == WIDTH)


def tile_name(number: int, width: int = WIDTH) -> str:
    """Writes a tile's number, three digits a step, and its width if it is partial."""
    steps = [f"{number % 1000:03}"]
    while number := number // 1000:
        steps.insert(0, f"x{number % 1000:03}")
    return "/".join(steps) + ("" if width == WIDTH else f".p/{width}")


def _read_name(name: str) -> tuple[int, int]:
    found = _NAME.fullmatch(name[:64])
    if found is None:
        raise _missing()
    number = int(found[1].replace("x", "").replace("/", ""))
    width = int(found[2]) if found[2] else WIDTH
    if not 1 <= width <= WIDTH or tile_name(number, width) != name:
        raise _missing()
    return number, width


def _missing() -> MissingError:
    return MissingError(
        Text("the log has no such tile", "日志没有该分片"),
        remedy=Text(
            "read the checkpoint's size first: /api/log/checkpoint",
            "请先查看检查点的条目数：/api/log/checkpoint",
        ),
        code="log.tile",
    )
