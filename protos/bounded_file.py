"""Files that somebody names, read no further than they can be of use."""

from __future__ import annotations

from pathlib import Path

from protos.faults import InputError, UnavailableError
from protos.language import Text


def read_bounded(path: Path, most: int) -> bytes:
    """Reads a file.

    Args:
        path: As somebody named it.
        most: Longest content, bytes; more is never in memory.

    Raises:
        UnavailableError: It is not there or cannot be read.
        InputError: It is longer.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UnavailableError(
            Text(f"cannot read {path}: {error.strerror}", f"无法读取 {path}：{error.strerror}"),
            remedy=Text("check its name and its rights", "请检查文件名和权限"),
            code="file.unreadable",
        ) from error
    if len(content) > most:
        raise InputError(
            Text(f"{path} is longer than {most:,} bytes", f"{path} 超过 {most:,} 字节"),
            remedy=Text("is it the file that you meant?", "请确认是否选错了文件"),
            code="file.too_long",
        )
    return content
