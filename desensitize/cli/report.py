"""``report``: what those read who sign for a release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from desensitize.cli.options import (
    JsonOption,
    MemoryOption,
    SaltOption,
    SheetOption,
    writable,
    write_json,
)
from protos.language import Text

app = typer.Typer()


@app.command(
    help=str(
        Text(
            "Write the report on a release: one page in pictures, for those who sign for it.",
            "生成发布报告：一页图文，供签字负责的人阅读。",
        )
    )
)
def report(
    directory: Annotated[
        Path, typer.Argument(help=str(Text("Directory of the release.", "发布目录。")))
    ],
    out: Annotated[
        Path, typer.Option(help=str(Text("HTML file to make.", "要生成的 HTML 文件。")))
    ] = Path("report.html"),
    original: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "What the release was made from: shows what other k would have cost.",
                    "生成该发布的原始数据：用于展示其他 k 的代价。",
                )
            )
        ),
    ] = None,
    salt: SaltOption = None,
    json_file: JsonOption = None,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Writes the page and says what it says first."""
    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.show.report import show_report
    from protos import terminal

    writable(json_file)
    with terminal.row_progress(
        Text(f"Reporting on {directory.name}", f"正在生成 {directory.name} 的报告")
    ) as progress:
        contents = desensitize.report(
            directory,
            out=out,
            original=original,
            salt=salt,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=progress,
        )
    show_report(contents)
    terminal.done(Text(f"Wrote {out}.", f"已写入 {out}。"))
    write_json(json_file, contents.to_dict())
