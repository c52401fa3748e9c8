"""Files that are there whole or not at all, also after a kill, a full disk or a power cut."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from protos.faults import InputError, UnavailableError
from protos.language import Text


def write_whole(path: Path, content: bytes, *, mode: int = 0o600, new: bool = False) -> None:
    """Writes a file; it is on the disk once this returns.

    Args:
        path: In a directory that is there.
        content: All of it.
        mode: Its rights, whatever the umask says.
        new: Never replaces what is there, a symbolic link included.

    Raises:
        FileExistsError: It should be new, and is not.
        UnavailableError: It cannot be written; what was there is as it was.
    """
    with beside(path, mode=mode, new=new) as draft:
        draft.write_bytes(content)


@contextmanager
def beside(path: Path, *, mode: int = 0o600, new: bool = False) -> Iterator[Path]:
    """Lends a hidden file in the same directory, which takes the name when the block ends well.

    Args:
        path: The name.
        mode: As in `write_whole`.
        new: As in `write_whole`.

    Raises:
        FileExistsError: It should be new, and is not.
        UnavailableError: It cannot be written; what was there is as it was.
    """
    draft: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        draft = Path(name)
        try:
            os.fchmod(handle, mode)
            yield draft
            os.fsync(handle)
        finally:
            os.close(handle)
        if new:
            os.link(draft, path)  # fails if there is one, where a rename would replace it
        else:
            draft.replace(path)
        sync(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise UnavailableError(
            Text(
                f"cannot write {path}: {error.strerror or error}",
                f"无法写入 {path}：{error.strerror or error}",
            ),
            remedy=Text(
                "check that its directory exists, is yours, and that the disk is not full",
                "请检查目录是否存在、是否归您所有、磁盘是否已满",
            ),
            code="file.unwritable",
        ) from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Refuses, before any work, a file whose directory is not there or not to be written to.

    Raises:
        InputError: It is so.
    """
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise InputError(
            Text(
                f"{path} cannot be written: {path.parent} is no directory that you may write to",
                f"无法写入 {path}：{path.parent} 不是可写的目录",
            ),
            remedy=Text("make it, or name another place", "请先创建该目录，或另选位置"),
            code="file.directory",
        )


def sync(path: Path) -> None:
    """Brings a file to disk, or a directory's names: a new one may be lost in a power cut.

    Raises:
        OSError: It cannot be opened or synced.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
