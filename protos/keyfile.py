"""Private key files: written once with mode 0600, refused when anybody else could read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from protos.faults import InputError, TrustError, UnavailableError
from protos.language import Text
from protos.whole_file import write_whole

_MAX_BYTES = 64 * 1024


def write_private(path: Path, content: bytes) -> None:
    """Creates ``path`` with mode 0600 and brings it to disk; never overwrites.

    Raises:
        InputError: The file exists already (a key is never replaced silently).
        UnavailableError: It could not be written.
    """
    try:
        write_whole(path, content, new=True)
    except FileExistsError as error:
        raise InputError(
            Text(f"{path} exists already", f"{path} 已存在"),
            remedy=Text(
                "keep the key that is there, or move it away by hand first",
                "请保留现有密钥，或先手工移走",
            ),
            code="key.exists",
        ) from error


def read_private(path: Path) -> bytes:
    """Reads a key file after checking that only its owner can.

    Raises:
        TrustError: The mode allows more than 0600, or it is not a regular file.
        UnavailableError: It is missing or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise UnavailableError(
            Text(f"cannot read {path}: {error.strerror}", f"无法读取 {path}：{error.strerror}"),
            remedy=Text(
                "check the path, and whose the file is",
                "请检查路径以及该文件的所有者",
            ),
            code="key.missing",
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        # The mode of the open file, not of the path: nothing can be swapped in between.
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise TrustError(
                Text(f"{path} is not a regular file", f"{path} 不是普通文件"), code="key.not_a_file"
            )
        if stat.S_IMODE(status.st_mode) & 0o177:
            raise TrustError(
                Text(
                    f"the key file {path} has mode {stat.S_IMODE(status.st_mode):04o}, "
                    "so others may have read it",
                    f"密钥文件 {path} 的权限为 {stat.S_IMODE(status.st_mode):04o}，他人可能已读取",
                ),
                remedy=Text(
                    f"make a new key if they could have; else run: chmod 600 {path}",
                    f"若他人可能读过，请生成新密钥；否则运行：chmod 600 {path}",
                ),
                code="key.mode",
            )
        return file.read(_MAX_BYTES)
