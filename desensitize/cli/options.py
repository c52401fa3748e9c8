"""What several commands take and do: options, progress bars, JSON reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from protos.language import Text

if TYPE_CHECKING:
    from desensitize.scanning.table_scan import Progress

FileArgument = Annotated[
    Path,
    typer.Argument(
        help=str(
            Text(
                "CSV (UTF-8 or GB18030), Parquet, Excel or OpenDocument.",
                "CSV（UTF-8 或 GB18030）、Parquet、Excel 或 OpenDocument 文件。",
            )
        )
    ),
]
FullOption = Annotated[
    bool,
    typer.Option(
        "--full/--sample",
        help=str(
            Text(
                "Look at every row (needed before a release), or at a random sample.",
                "全量扫描（发布前必需），或随机抽样。",
            )
        ),
    ),
]
SampleOption = Annotated[
    int, typer.Option(min=100, help=str(Text("Rows of the sample.", "抽样行数。")))
]
JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json", help=str(Text("Also write the report to this file.", "同时写出 JSON 报告。"))
    ),
]
SheetOption = Annotated[str, typer.Option(help=str(Text("Sheet of a workbook.", "工作表名称。")))]
MemoryOption = Annotated[
    int,
    typer.Option(
        min=256,
        help=str(Text("Memory that reading may take, MB.", "读取文件的内存上限（MB）。")),
    ),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option(
        help=str(
            Text(
                "Policy file; the release's copy by default. Needed if delta names a population.",
                "策略文件；缺省为发布目录中的副本。delta 指定总体数据时须给出其所在处的策略。",
            )
        )
    ),
]
AuxiliaryOption = Annotated[
    Path | None,
    typer.Option(
        help=str(
            Text(
                "What an attacker has, with the original's names of columns; the original itself "
                "by default.",
                "攻击者掌握的数据，列名与原始数据一致；缺省为原始数据本身。",
            )
        )
    ),
]
EarlierOption = Annotated[
    list[Path] | None,
    typer.Option(
        help=str(
            Text(
                "Directory of an earlier release of the dataset; may be given several times.",
                "同一数据集此前的发布目录；可多次指定。",
            )
        )
    ),
]


SaltOption = Annotated[
    Path | None,
    typer.Option(
        help=str(
            Text(
                "Salt of the release, which proves what it was made from; by default the file "
                "beside its directory, DIRECTORY.salt.",
                "发布的盐值文件，用于证明其原始数据；缺省为发布目录旁的 目录名.salt。",
            )
        )
    ),
]
ValidDaysOption = Annotated[
    int,
    typer.Option(
        min=1,
        max=36_500,
        help=str(Text("Days for which the attestation holds.", "证明的有效天数。")),
    ),
]


@contextmanager
def bars() -> Iterator[Callable[[Text], Progress]]:
    """Shows one progress bar after the other: what begins ends what was before."""
    from protos import terminal

    with ExitStack() as stack:

        def begins(what: Text) -> Progress:
            stack.close()
            return stack.enter_context(terminal.row_progress(what))

        yield begins


def listed(written: str) -> list[str]:
    """Column names between commas, ASCII or full-width."""
    return [name.strip() for name in written.replace("，", ",").split(",") if name.strip()]


def write_json(path: Path | None, body: dict[str, Any]) -> None:
    """Writes a report, if somebody asked for it."""
    import json

    from protos import terminal
    from protos.whole_file import write_whole

    if path is not None:
        text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
        write_whole(path, text.encode(), mode=0o644)
        terminal.done(Text(f"Wrote {path}.", f"已写入 {path}。"))


def writable(path: Path | None) -> Path | None:
    """Refuses, before a long scan, a file that could not be written after it."""
    from protos.whole_file import check_place

    if path is not None:
        check_place(path)
    return path
