"""What a file that is no table is instead, told by its first bytes.

People give an archive, a workbook under another name or a PDF where a table is expected. "Neither
UTF-8 nor GB18030" would be true of them, and no help.
"""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Final

from protos.faults import InputError
from protos.language import Text

_UNPACK: Final = Text("unpack it, and name the table in it", "请先解压，再指定其中的数据文件")
_WORKBOOK: Final = Text(
    "give it the ending of its kind: .xlsx, .xls or .ods", "请改为对应的扩展名：.xlsx、.xls 或 .ods"
)
_EXPORT: Final = Text(
    "export the table as CSV UTF-8 from the program that holds it",
    "请从原系统将表导出为 UTF-8 编码的 CSV",
)
_SAVE: Final = Text("save it as CSV UTF-8", "请另存为 CSV UTF-8")
_PARQUET: Final = Text("write it as Parquet or CSV", "请改存为 Parquet 或 CSV")
_UTF16: Final = Text("text in UTF-16", "文本（UTF-16 编码）")

_KINDS: Final[tuple[tuple[bytes, Text, Text], ...]] = (
    (b"PK\x03\x04", Text("a ZIP archive or a workbook", "压缩包（ZIP）或工作簿"),
     Text(f"{_UNPACK.en}; a workbook needs the ending .xlsx or .ods",
          f"{_UNPACK.zh}；如为工作簿，扩展名须为 .xlsx 或 .ods")),
    (b"\xd0\xcf\x11\xe0", Text("an old workbook or document", "旧版工作簿或文档"), _WORKBOOK),
    (b"\x1f\x8b", Text("a gzip archive", "压缩文件（gzip）"), _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", Text("a 7z archive", "压缩包（7z）"), _UNPACK),
    (b"Rar!\x1a\x07", Text("a RAR archive", "压缩包（RAR）"), _UNPACK),
    (b"%PDF-", Text("a PDF",  "文档（PDF）"), _EXPORT),
    (b"PAR1", Text("a Parquet file", "列式数据文件（Parquet）"),
     Text("give it the ending .parquet", "请将扩展名改为 .parquet")),
    (b"ARROW1", Text("an Arrow (Feather) file", "Arrow（Feather）文件"), _PARQUET),
    (b"FEA1", Text("an Arrow (Feather) file", "Arrow（Feather）文件"), _PARQUET),
    (b"\xff\xff\xff\xff", Text("an Arrow stream", "Arrow 数据流"), _PARQUET),
    (b"SQLite format 3", Text("an SQLite database", "数据库文件（SQLite）"), _EXPORT),
    (b"\x28\xb5\x2f\xfd", Text("a Zstandard archive", "压缩文件（Zstandard）"), _UNPACK),
    (b"\xfd7zXZ\x00", Text("an xz archive", "压缩文件（xz）"), _UNPACK),
    (b"BZh", Text("a bzip2 archive", "压缩文件（bzip2）"), _UNPACK),
    (b"\xff\xfe", _UTF16, _SAVE),
    (b"\xfe\xff", _UTF16, _SAVE),
)  # fmt: skip

# Text, whatever its case and what blanks stand before it.
_TEXTS: Final[tuple[tuple[bytes, Text], ...]] = (
    (b'{"', Text("JSON", "文本（JSON）")),
    (b"[{", Text("JSON", "文本（JSON）")),
    (b"<!doctype html", Text("a web page (HTML)", "网页（HTML）")),
    (b"<html", Text("a web page (HTML)", "网页（HTML）")),
    (b"<table", Text("a web page (HTML)", "网页（HTML）")),
    (b"<?xml", Text("XML", "文本（XML）")),
)


def refuse_other_kinds(source: Path, name: str) -> None:
    """Refuses a file that is known not to be CSV.

    Args:
        source: The file.
        name: What to call it in messages.

    Raises:
        InputError: Its first bytes are those of an archive, a workbook, a PDF, Parquet, Arrow, a
            database, JSON, HTML, XML or UTF-16.
    """
    with source.open("rb") as file:
        head = file.read(64)
    text = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    marked = [(kind, _EXPORT) for begins, kind in _TEXTS if text.startswith(begins)]
    known = [(kind, remedy) for begins, kind, remedy in _KINDS if head.startswith(begins)]
    for kind, remedy in known + marked:
        raise InputError(
            Text(f"{name} is {kind.en}, not CSV", f"{name} 不是 CSV，而是{kind.zh}"),
            remedy=remedy,
            code="source.kind",
        )
