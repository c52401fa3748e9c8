"""Signed words in a file that is there whole or not at all, and never replaced."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from protos.faults import InputError, UnavailableError
from protos.language import Text


def write_whole(path: Path, content: bytes, what: str) -> None:
    """Writes a new file and brings it to disk.

    Args:
        path: Must not exist.
        content: All of it.
        what: First part of the error's code.

    Raises:
        InputError: It exists.
        UnavailableError: The disk is full, or the directory is not ours.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # fails if there is one, where a rename would replace it
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except FileExistsError as error:
        raise exists(path, what) from error
    except OSError as error:
        raise UnavailableError(
            Text(f"cannot write {path}: {error.strerror}", f"无法写入 {path}：{error.strerror}"),
            remedy=Text("free disk space, or check the rights on its directory",
                        "请腾出磁盘空间，或检查目录权限"),
            code=f"{what}.disk",
        ) from error  # fmt: skip
    finally:
        draft.unlink(missing_ok=True)


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
