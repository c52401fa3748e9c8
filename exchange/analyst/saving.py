"""Writes an answer's files: the table, and the receipt that says which table it is for.

The name's ending chooses the format: CSV, Parquet or JSON. Figures with noise keep their
intervals beside them in every format.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exchange.proof.receipt import bind_release
from protos.faults import InputError
from protos.identity import IdentityKey
from protos.language import Text

if TYPE_CHECKING:
    import pyarrow as pa

    from exchange.analyst.answer import Answer


def check_places(table: Path | None, receipt: Path | None, certificate: Path | None = None) -> None:
    """Refuses a file that cannot be written, before anything is asked and paid for.

    Raises:
        InputError: Its folder does not exist, it is a folder itself, or the table's name says
            nothing of a format.
    """
    if table is not None and table.suffix.lower() not in FORMATS:
        raise InputError(
            Text(f"{table.name}: the ending says no format", f"{table.name}：扩展名不是已知的格式"),
            remedy=Text(
                f"name a file that ends in {', '.join(FORMATS)}",
                f"文件名请以 {'、'.join(FORMATS)} 结尾",
            ),
            code="output.format",
        )
    for file in (table, receipt, certificate):
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


def _csv(table: pa.Table) -> bytes:
    """CSV in UTF-8; a mark in front where it is not ASCII, or Excel and WPS show it garbled."""
    import pyarrow as pa
    import pyarrow.csv

    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, sink)
    text = bytes(sink.getvalue())
    return text if text.isascii() else codecs.BOM_UTF8 + text


def _parquet(table: pa.Table) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet

    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    return bytes(sink.getvalue())


def _json(table: pa.Table) -> bytes:
    """One object a row; exact decimals and dates as texts, which lose no digit."""
    rows = json.dumps(table.to_pylist(), indent=1, ensure_ascii=False, default=str)
    return (rows + "\n").encode()


FORMATS: Final[Mapping[str, Callable[[pa.Table], bytes]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".json": _json,
}


def save(
    answer: Answer, key: IdentityKey, table: Path | None, receipt: Path | None
) -> dict[str, Any]:
    """Writes the files that are named; the receipt of a written table is bound to its bytes.

    Args:
        answer: The answer.
        key: The analyst's identity; signs which table the receipt is for.
        table: A file whose name ends in one of `FORMATS`, or None.
        receipt: JSON, or None.

    Returns:
        The receipt document as written.

    Raises:
        InputError: A file cannot be written.
    """
    document: Mapping[str, Any] = answer.receipt
    try:
        if table is not None:
            table.write_bytes(FORMATS[table.suffix.lower()](answer.with_intervals()))
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
