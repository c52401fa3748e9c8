"""``veil desensitize``: what a data steward does before anything is published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from protos.language import Text

app = typer.Typer(
    no_args_is_help=True,
    help=str(Text("Find and grade what is personal in a table.", "识别并分级表中的个人信息。")),
)


@app.callback()
def _group() -> None:
    """Keeps ``scan`` a command of its own while it is the only one."""


@app.command(help=str(Text("What is personal in a table, and why.", "识别表中的个人信息及依据。")))
def scan(
    file: Annotated[
        Path,
        typer.Argument(
            help=str(
                Text(
                    "CSV (UTF-8 or GB18030), Parquet, Excel or OpenDocument.",
                    "CSV(UTF-8 或 GB18030)、Parquet、Excel 或 OpenDocument 文件。",
                )
            )
        ),
    ],
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", help=str(Text("Also write the report to this file.", "同时写出 JSON 报告。"))
        ),
    ] = None,
    full: Annotated[
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
    ] = True,
    sample_rows: Annotated[
        int, typer.Option(min=100, help=str(Text("Rows of the sample.", "抽样行数。")))
    ] = 10_000,
    sheet: Annotated[
        str, typer.Option(help=str(Text("Sheet of a workbook.", "工作表名称。")))
    ] = "",
    memory_mb: Annotated[
        int,
        typer.Option(
            min=256,
            help=str(Text("Memory that reading may take, MB.", "读取文件的内存上限（MB）。")),
        ),
    ] = 2048,
) -> None:
    """Scans a file in a limited process, prints a table and, if asked, writes JSON."""
    import json

    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.show import show
    from protos import terminal

    out = _writable(json_file)
    with terminal.row_progress(Text(f"Scanning {file.name}", f"正在扫描 {file.name}")) as progress:
        report = desensitize.scan(
            file,
            full=full,
            sample_rows=sample_rows,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=progress,
        )
    show(report)
    if out is not None:
        body = json.dumps(report.to_dict(), ensure_ascii=False, indent=2)
        out.write_text(body + "\n", "utf-8")
        terminal.done(Text(f"Wrote {out}.", f"已写入 {out}。"))


def _writable(path: Path | None) -> Path | None:
    """Refuses, before a long scan, a file that could not be written after it."""
    import os

    from protos.faults import InputError

    if path is not None and not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise InputError(
            Text(
                f"{path} cannot be written: {path.parent} is no directory that you may write to",
                f"无法写入 {path}：{path.parent} 不是可写的目录",
            ),
            code="scan.output",
        )
    return path
