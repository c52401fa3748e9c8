"""Writes an answer's files: the table as CSV, and the receipt that says which table it is for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.receipt import bind_release
from protos.faults import InputError
from protos.identity import IdentityKey
from protos.language import Text

if TYPE_CHECKING:
    from exchange.answer import Answer


def check_places(*files: Path | None) -> None:
    """Refuses a file that cannot be written, before anything is asked and paid for.

    Raises:
        InputError: Its folder does not exist, or it is a folder itself.
    """
    for file in files:
        if file is None:
            continue
        if not file.parent.is_dir():
            raise InputError(
                Text(
                    f"there is no folder {file.parent} to write {file.name} into",
                    f"没有文件夹 {file.parent}，无法写入 {file.name}",
                ),
                remedy=Text("make it first, or choose another file", "请先创建，或换一个文件"),
                code="output.folder",
            )
        if file.is_dir():
            raise InputError(
                Text(f"{file} is a folder", f"{file} 是文件夹"),
                remedy=Text("name a file in it", "请指定其中的文件"),
                code="output.folder",
            )


def save(
    answer: Answer, key: IdentityKey, table: Path | None, receipt: Path | None
) -> dict[str, Any]:
    """Writes the files that are named; the receipt of a written table is bound to its bytes.

    Args:
        answer: The answer.
        key: The analyst's identity; signs which table the receipt is for.
        table: CSV, or None.
        receipt: JSON, or None.

    Returns:
        The receipt document as written.

    Raises:
        InputError: A file cannot be written.
    """
    document: Mapping[str, Any] = answer.receipt
    try:
        if table is not None:
            import pyarrow.csv

            pyarrow.csv.write_csv(answer.to_arrow(), table)
            document = bind_release(key, document, table.read_bytes())
        if receipt is not None:
            text = json.dumps(dict(document), indent=1, ensure_ascii=False)
            receipt.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise InputError(
            Text(
                f"cannot write {error.filename or table or receipt}: {error.strerror or error}",
                f"无法写入 {error.filename or table or receipt}：{error.strerror or error}",
            ),
            remedy=Text(
                "the answer is kept: ask again with another file, it costs nothing",
                "结果已保存：换一个文件再查询一次即可，不消耗预算",
            ),
            code="output.unwritable",
        ) from error
    return dict(document)
