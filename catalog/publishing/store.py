"""Where public bytes lie: a folder of the catalog, or any file system that Arrow can open.

Objects have names that nobody guesses and are written once. Being there makes nothing public: a row
in the catalog does, and only after the object is whole.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from sqlalchemy import select

from catalog.registry.registry import Registry
from catalog.registry.tables import PublicationRow
from protos.faults import InputError, UnavailableError
from protos.keyfile import read_private, write_private
from protos.language import Text
from protos.whole_file import sync

if TYPE_CHECKING:
    from pyarrow import fs

FOLDER: Final = "public"
URI: Final = "store.uri"
SUFFIX: Final = ".parquet"
COPIES: Final = "datastore"
COPY_SUFFIX: Final = ".duckdb"
"""In the catalog's directory: databases that a server made of public objects, by their SHA-256."""
_PART: Final = 1 << 20
_OURS: Final = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}\.parquet", re.ASCII)
OWNER: Final = "veil-catalog"
"""In a store that was named: the fingerprint of the catalog that it belongs to."""


def object_name(sha256: str) -> str:
    """Returns a new name for an object with these bytes."""
    return f"{sha256[:16]}-{secrets.token_hex(8)}{SUFFIX}"


class Store:
    """A flat set of objects.

    Args:
        filesystem: Whose root holds them and nothing else.
        folder: The same as a directory of this machine, if it is one: written to disk for sure.
    """

    def __init__(self, filesystem: fs.FileSystem, folder: Path | None = None) -> None:
        self.filesystem = filesystem
        self._folder = folder

    def put(self, name: str, source: IO[bytes]) -> tuple[str, int]:
        """Copies bytes into a new object.

        Returns:
            SHA-256 and number of the bytes that were written: not of those that were looked at.

        Raises:
            UnavailableError: The store is full, or cannot be reached. What was written may be left.
        """
        digest, size = hashlib.sha256(), 0
        try:
            with self.filesystem.open_output_stream(name) as out:
                while part := source.read(_PART):
                    digest.update(part)
                    out.write(part)
                    size += len(part)
            self._sync(name)
        except OSError as error:
            raise _unavailable(error) from error
        return digest.hexdigest(), size

    @property
    def near(self) -> bool:
        """Whether it is a directory of this machine, which answers at once."""
        return self._folder is not None

    def open(self, name: str) -> IO[bytes]:
        """Opens an object for reading from any place.

        Raises:
            UnavailableError: There is none, or the store cannot be reached.
        """
        try:
            source: IO[bytes] = self.filesystem.open_input_file(name)
        except OSError as error:
            raise _unavailable(error) from error
        return source

    def size(self, name: str) -> int | None:
        """Returns the size of an object in bytes; None if there is none."""
        try:
            size: int | None = self.filesystem.get_file_info(name).size
        except OSError as error:
            raise _unavailable(error) from error
        return size

    def stamp(self, name: str) -> tuple[int, ...] | None:
        """Returns what changes when an object is written again; None if there is none.

        Of a file its inode and change time are part: whoever writes it may set its size and the
        time of its content as they were, but not these.
        """
        try:
            if self._folder is not None:
                status = (self._folder / name).stat()
                return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
            found = self.filesystem.get_file_info(name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(error) from error
        return None if found.size is None else (found.size, found.mtime_ns or 0)

    def read(self, name: str, into: Callable[[bytes], object]) -> str:
        """Reads an object from its first byte to its last, and returns their SHA-256.

        Args:
            name: Of the object.
            into: Is given every piece, in order.

        Raises:
            UnavailableError: There is none, or the store cannot be reached.
        """
        digest = hashlib.sha256()
        try:
            with self.filesystem.open_input_stream(name) as source:
                while part := source.read(_PART):
                    digest.update(part)
                    into(part)
        except OSError as error:
            raise _unavailable(error) from error
        return digest.hexdigest()

    def read_whole(self, name: str) -> bytes:
        """Returns the bytes of a small object."""
        parts: list[bytes] = []
        self.read(name, parts.append)
        return b"".join(parts)

    def names(self) -> list[str]:
        """Returns the names of all objects, whole or not; other files are not ours to touch."""
        from pyarrow import fs

        try:
            found = self.filesystem.get_file_info(fs.FileSelector("", allow_not_found=True))
        except OSError as error:
            raise _unavailable(error) from error
        return [each.base_name for each in found if _OURS.fullmatch(each.base_name)]

    def remove(self, name: str) -> None:
        """Removes an object; of one that is not there nothing is said."""
        try:
            self.filesystem.delete_file(name)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unavailable(error) from error

    def _sync(self, name: str) -> None:
        if self._folder is None:
            return  # an object store has it when it says so
        for path in (self._folder / name, self._folder):
            sync(path)


def open_store(directory: Path) -> Store:
    """Opens the store of a catalog: ``public/`` in its directory, or what ``store.uri`` names.

    Raises:
        InputError: The URI is none that Arrow knows.
        UnavailableError: It cannot be reached.
    """
    from pyarrow import fs

    if (directory / URI).exists():
        return _from_uri(read_private(directory / URI).decode("utf-8", "replace").strip())
    folder = (directory / FOLDER).resolve()
    try:
        folder.mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise _unavailable(error) from error
    return Store(fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem()), folder)


def sweep_copies(directory: Path, public: AbstractSet[str]) -> None:
    """Removes what servers have made of objects that are no longer public.

    Args:
        directory: Of the catalog.
        public: SHA-256 of all that is public.
    """
    for path in (directory / COPIES).glob(f"*{COPY_SUFFIX}"):
        if path.stem not in public:
            path.unlink(missing_ok=True)


def use_store(registry: Registry, uri: str) -> None:
    """Names the store of a catalog, before anything is public there.

    Args:
        registry: The catalog.
        uri: As `pyarrow.fs.FileSystem.from_uri` takes it; kept in a file of mode 0600.

    Raises:
        InputError: Something is public already, a store is named already, the URI is none, or it
            leads to somebody else's files: what no publication refers to is removed from a store.
        UnavailableError: It cannot be reached.
    """
    store = _from_uri(uri)
    public = select(PublicationRow.number).where(PublicationRow.state == "published").limit(1)
    with registry.database.read() as connection:
        if connection.execute(public).first() is not None:
            raise InputError(
                Text("data is public already, in the store that is", "已有数据在现有存储中公开"),
                remedy=Text("unpublish it first", "请先撤下"),
                code="publish.store_in_use",
            )
    _take_over(store, registry.key().public.fingerprint.encode("ascii"))
    write_private(registry.directory / URI, uri.encode("utf-8") + b"\n")


def _take_over(store: Store, owner: bytes) -> None:
    """Writes whose a store is; two catalogs in one would remove each other's objects."""
    from pyarrow import fs

    try:
        found = store.filesystem.get_file_info(fs.FileSelector(""))
        mine = [each.base_name for each in found] == [OWNER] and store.read_whole(OWNER) == owner
        if found and not mine:
            raise InputError(
                Text("the store has files already", "该存储中已有文件"),
                remedy=Text("name an empty place, which no other catalog uses",
                            "请指定空的位置，且不与其他目录库共用"),
                code="publish.store_not_empty",
            )  # fmt: skip
        with store.filesystem.open_output_stream(OWNER) as out:
            out.write(owner)
    except OSError as error:
        raise _unavailable(error) from error


def _from_uri(uri: str) -> Store:
    from pyarrow import ArrowException, fs

    try:
        filesystem, path = fs.FileSystem.from_uri(uri)
        filesystem.create_dir(path, recursive=True)
    except (ArrowException, ValueError) as error:  # ArrowInvalid is a ValueError
        raise InputError(
            Text(f"{URI} names no store that Arrow can open", f"{URI} 不是 Arrow 可打开的存储地址"),
            remedy=Text(
                "write one line such as file:///srv/public or s3://bucket/public",
                "请写一行地址，如 file:///srv/public 或 s3://bucket/public",
            ),
            code="publish.uri",
            detail=type(error).__name__,  # a URI may have a secret in it
        ) from error
    except OSError as error:
        raise _unavailable(error) from error
    folder = Path(path) if isinstance(filesystem, fs.LocalFileSystem) else None
    return Store(fs.SubTreeFileSystem(path, filesystem), folder)


def _unavailable(error: OSError) -> UnavailableError:
    return UnavailableError(
        Text("the store of public data cannot be read or written", "公开数据存储无法读写"),
        remedy=Text(
            "check that it can be reached, that it is not full, and that it is yours",
            "请检查存储能否连接、是否已满、权限是否正确",
        ),
        code="publish.store",
        detail=str(error),
    )
