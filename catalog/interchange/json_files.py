"""Reads a JSON file that others made: its size, depth and meaning have limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from protos.faults import InputError, UnavailableError
from protos.language import Text

MOST_BYTES: Final = 256 << 20


def check_file(path: Path) -> None:
    """Refuses what is no file, and says what it is instead.

    Raises:
        InputError: It is a folder, or is not there.
    """
    if path.is_dir():
        raise InputError(
            Text(f"{path} is a folder", f"{path} 是文件夹"),
            remedy=Text("name one file in it", "请指定其中的一个文件"),
            code="import.folder",
        )
    if not path.is_file():
        raise InputError(
            Text(f"there is no file {path}", f"没有文件 {path}"),
            remedy=Text("check its name, and in which folder you are", "请检查文件名及当前文件夹"),
            code="import.not_found",
        )


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """Returns a UTF-8 file's text.

    Raises:
        InputError: There is no such file, it is too large, or no UTF-8.
        UnavailableError: It cannot be read.
    """
    try:
        check_file(path)
        if path.stat().st_size > most_bytes:
            raise InputError(
                Text(
                    f"{path.name} is larger than {most_bytes >> 20} MB",
                    f"{path.name} 超过 {most_bytes >> 20} MB",
                ),
                remedy=Text(
                    "divide it; large catalogs come in pages", "请拆分；大型目录请分页导出"
                ),
                code="import.large",
            )
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            Text(f"{path.name} is not UTF-8 text", f"{path.name} 不是 UTF-8 文本"),
            remedy=Text("save it as UTF-8", "请另存为 UTF-8 编码"),
            code="import.encoding",
        ) from error
    except OSError as error:
        raise UnavailableError(
            Text(f"{path} cannot be read", f"{path} 无法读取"),
            remedy=Text("check its name and its rights", "请检查文件名和权限"),
            code="import.unreadable",
            detail=str(error),
        ) from error


def read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON value
    """Returns what a JSON file says.

    Raises:
        InputError: As `read_text`, or it is no JSON, or too deep.
        UnavailableError: It cannot be read.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 0)
        raise InputError(
            Text(
                f"{path.name} is no JSON{f': line {line}' if line else ''}",
                f"{path.name} 不是有效的 JSON{f'：第 {line} 行' if line else ''}",
            ),
            remedy=Text("export it again", "请重新导出"),
            code="import.json",
            detail=str(error),
        ) from error
