"""Files of an identity directory that are not secret; secret ones are `protos.keyfile`'s."""

from __future__ import annotations

from pathlib import Path

from protos.faults import UnavailableError
from protos.language import Text


def create_directory(path: Path) -> None:
    """Makes a directory that only its owner can enter (0700), with its parents.

    Raises:
        UnavailableError: It cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise UnavailableError(
            Text(
                f"cannot make the directory {path}: {error.strerror}",
                f"无法创建目录 {path}：{error.strerror}",
            ),
            code="directory.unwritable",
        ) from error


def read_public(path: Path) -> bytes:
    """Reads a file.

    Raises:
        UnavailableError: It is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnavailableError(
            Text(f"cannot read {path}: {error.strerror}", f"无法读取 {path}：{error.strerror}"),
            remedy=Text(
                "check the path; enrolment and 'veil up' write this file",
                "请检查路径；该文件由注册或 veil up 生成",
            ),
            code="file.missing",
        ) from error
