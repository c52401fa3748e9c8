"""Files of certificates and logs that somebody named: read within bounds, or said why not."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from protos.bounded_file import read_bounded
from protos.faults import UnavailableError
from protos.language import Text

MOST_BYTES: Final = 64 << 20


def read_file(path: Path) -> bytes:
    """Reads a file that somebody named, of at most 64 MB; see `read_bounded`."""
    return read_bounded(path, MOST_BYTES)


def write_file(path: Path, content: bytes) -> None:
    """Writes a file that somebody named.

    Raises:
        UnavailableError: It cannot be written.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UnavailableError(
            Text(f"cannot write {path}: {error.strerror}", f"无法写入 {path}：{error.strerror}"),
            remedy=Text(
                "check that the directory exists and is yours", "请检查目录是否存在、是否归您所有"
            ),
            code="file.unwritable",
        ) from error
