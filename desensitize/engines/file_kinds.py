"""What a file that is no table is instead, told by its first bytes.

People give an archive, a workbook under another name or a PDF where a table is expected. "Neither
UTF-8 nor GB18030" would be true of them, and no help.
"""

from __future__ import annotations

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
    (b"\xff\xfe", _UTF16, _SAVE),
    (b"\xfe\xff", _UTF16, _SAVE),
)  # fmt: skip


def refuse_other_kinds(source: Path, name: str) -> None:
    """Refuses a file that is known not to be CSV.

    Args:
        source: The file.
        name: What to call it in messages.

    Raises:
        InputError: Its first bytes are those of an archive, a workbook, a PDF, Parquet or UTF-16.
    """
    with source.open("rb") as file:
        head = file.read(8)
    for begins, kind, remedy in _KINDS:
        if head.startswith(begins):
            raise InputError(
                Text(f"{name} is {kind.en}, not CSV", f"{name} 不是 CSV，而是{kind.zh}"),
                remedy=remedy,
                code="source.kind",
            )
