"""Files of the analyst's own: whole or absent, on disk, readable by nobody else."""

from __future__ import annotations

import os
from pathlib import Path

from protos.faults import UnavailableError
from protos.language import Text


def write_private_file(path: Path, body: bytes) -> None:
    """Writes a file of mode 0600, or replaces it; it survives a power cut once this returns.

    Raises:
        UnavailableError: It cannot be written; the file is as it was.
    """
    # The process's number: two of them may write the same file at once.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)  # without it the name may be lost in a power cut
        finally:
            os.close(directory)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UnavailableError(
            Text(
                f"cannot write {path}: {error.strerror or error}",
                f"无法写入 {path}：{error.strerror or error}",
            ),
            remedy=Text(
                "look at the disk and at whose the folder is", "请检查磁盘以及该文件夹的所有者"
            ),
            code="file.unwritable",
        ) from error
