"""Signed words in a file that is there whole or not at all, and never replaced."""

from __future__ import annotations

from pathlib import Path

from protos.faults import InputError
from protos.language import Text
from protos.whole_file import write_whole


def write_signed(path: Path, content: bytes, what: str) -> None:
    """Writes a new file and brings it to disk.

    Args:
        path: Must not exist.
        content: All of it.
        what: First part of the error's code.

    Raises:
        InputError: It exists.
        UnavailableError: It cannot be written.
    """
    try:
        write_whole(path, content, mode=0o644, new=True)
    except FileExistsError as error:
        raise exists(path, what) from error


def exists(path: Path, what: str) -> InputError:
    """What is said where there is such a file already."""
    return InputError(
        Text(f"{path} exists already", f"{path} 已存在"),
        remedy=Text(
            "what was signed is never replaced: move it away by hand first",
            "已签署的文件不会被覆盖：请先手工移走",
        ),
        code=f"{what}.exists",
    )
