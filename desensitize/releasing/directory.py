"""A directory that comes into being whole or not at all.

Everything is written under a hidden name beside the final one, brought to disk, and renamed in
one step. Whatever ends the process before that (a signal, a full disk, a power failure) leaves
nothing under the final name; what it leaves under the hidden one is swept away by the next run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from desensitize.engines.scratch import locked_directory, sweep
from desensitize.releasing.files import every_file
from protos.faults import InputError, UnavailableError
from protos.language import Text
from protos.whole_file import check_place, sync


@contextmanager
def publication(final: Path) -> Iterator[Path]:
    """Yields a private directory to write into; it gets its final name at a regular end.

    Args:
        final: What does not exist yet, in a directory that does.

    Raises:
        InputError: It exists, or its parent does not.
        UnavailableError: The disk is full, or the parent is not writable.
    """
    check_final(final)
    # Absolute: the working directory may change meanwhile.
    final = final.absolute()
    try:
        sweep(final.parent, _hidden(final))
        draft, lock = locked_directory(final.parent, _hidden(final))
        try:
            yield draft
            _bring_to_disk(draft)
            check_final(final)
            draft.rename(final)
            sync(final.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)  # not there any more if all went well
            os.close(lock)
    except OSError as error:
        raise UnavailableError(
            Text(
                f"{final} cannot be written: {error.strerror or error}",
                f"{final} 无法写入：{error.strerror or error}",
            ),
            remedy=Text(
                "free disk space, or check the rights on its directory",
                "请腾出磁盘空间，或检查所在目录的权限",
            ),
            code="release.disk",
            detail=f"{type(error).__name__}: {error}",
        ) from error


def check_final(final: Path) -> None:
    """Refuses, before any work, a directory that could not be made after it.

    Raises:
        InputError: It exists, or its parent does not or is not writable.
    """
    if os.path.lexists(final):
        raise InputError(
            Text(f"{final} exists already", f"{final} 已存在"),
            remedy=Text(
                "name a directory that does not exist; a release is never overwritten",
                "请指定尚不存在的目录；已有的发布不会被覆盖",
            ),
            code="release.exists",
        )
    check_place(final.absolute())


def _hidden(final: Path) -> str:
    return f".{final.name}.partial-"


def _bring_to_disk(directory: Path) -> None:
    for path in every_file(directory):
        sync(path)
    sync(directory)
