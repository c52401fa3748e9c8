"""``veil desensitize``: what a data steward does before anything is published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from protos.language import Text

if TYPE_CHECKING:
    from desensitize.findings import ScanReport

app = typer.Typer(
    no_args_is_help=True,
    help=str(
        Text(
            "Find, grade and mask what is personal in a table.", "识别、分级并脱敏表中的个人信息。"
        )
    ),
)
keys = typer.Typer(
    no_args_is_help=True,
    help=str(Text("Make, rotate and list token keys.", "生成、轮换、查看令牌密钥。")),
)
app.add_typer(keys, name="keys")

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
SheetOption = Annotated[str, typer.Option(help=str(Text("Sheet of a workbook.", "工作表名称。")))]
MemoryOption = Annotated[
    int,
    typer.Option(
        min=256,
        help=str(Text("Memory that reading may take, MB.", "读取文件的内存上限（MB）。")),
    ),
]
KeyFileArgument = Annotated[
    Path,
    typer.Argument(help=str(Text("File of token keys, mode 0600.", "令牌密钥文件（权限 0600）。"))),
]


@app.command(help=str(Text("What is personal in a table, and why.", "识别表中的个人信息及依据。")))
def scan(
    file: FileArgument,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", help=str(Text("Also write the report to this file.", "同时写出 JSON 报告。"))
        ),
    ] = None,
    full: FullOption = True,
    sample_rows: SampleOption = 10_000,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Scans a file in a limited process, prints a table and, if asked, writes JSON."""
    import json

    from desensitize.show import show
    from protos import terminal

    out = _writable(json_file)
    report = _scanned(file, full, sample_rows, sheet, memory_mb)
    show(report)
    if out is not None:
        body = json.dumps(report.to_dict(), ensure_ascii=False, indent=2)
        out.write_text(body + "\n", "utf-8")
        terminal.done(Text(f"Wrote {out}.", f"已写入 {out}。"))


@app.command(
    help=str(
        Text(
            "Propose a policy for a table, with the reasons; write it to a file and edit it.",
            "为表生成建议策略并说明理由；请写入文件后修改。",
        )
    )
)
def plan(
    file: FileArgument,
    full: FullOption = True,
    sample_rows: SampleOption = 10_000,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Scans a file and prints a policy (TOML) on standard output."""
    import sys

    from desensitize.proposal import proposal

    report = _scanned(file, full, sample_rows, sheet, memory_mb)
    sys.stdout.write(proposal(report))


@app.command(
    help=str(
        Text(
            "Make a release: the desensitized copy, its policy, and a manifest of what was done.",
            "生成发布：脱敏后的数据、所用策略，以及处理清单。",
        )
    )
)
def run(
    file: FileArgument,
    policy: Annotated[
        Path, typer.Option(help=str(Text("Policy file (TOML).", "策略文件（TOML）。")))
    ],
    out: Annotated[
        Path,
        typer.Option(
            help=str(Text("Directory to make; must not exist.", "要创建的目录；不得已存在。"))
        ),
    ],
    token_keys: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "File of token keys; needed by token, ff1 and date_shift.",
                    "令牌密钥文件；token、ff1、date_shift 需要。",
                )
            )
        ),
    ] = None,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Masks a file in a limited process, scans the output and publishes the directory whole."""
    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.show_release import show_release
    from protos import terminal

    with terminal.row_progress(Text(f"Masking {file.name}", f"正在脱敏 {file.name}")) as progress:
        release = desensitize.run(
            file,
            policy=policy,
            out=out,
            token_keys=token_keys,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=progress,
        )
    show_release(release)
    terminal.done(Text(f"Wrote {out}.", f"已写入 {out}。"))


@app.command(
    help=str(
        Text(
            "How identifying a table or a release is, and what a reader may conclude.",
            "度量表或发布数据的重标识风险，并说明读者可推断的内容。",
        )
    )
)
def risk(
    file: Annotated[
        Path,
        typer.Argument(
            help=str(Text("A table, or the directory of a release.", "数据文件，或发布目录。"))
        ),
    ],
    quasi: Annotated[
        str,
        typer.Option(
            help=str(
                Text(
                    "Columns that an attacker knows, divided by commas; a release knows its own.",
                    "攻击者掌握的列，以逗号分隔；发布目录可省略。",
                )
            )
        ),
    ] = "",
    sensitive: Annotated[
        str,
        typer.Option(
            help=str(
                Text(
                    "Columns that he wants to know, divided by commas.",
                    "攻击者想得知的列，以逗号分隔。",
                )
            )
        ),
    ] = "",
    population: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "File with everybody from whom the rows were drawn.",
                    "总体数据文件：表中各行所取自的全部人员。",
                )
            )
        ),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", help=str(Text("Also write the report to this file.", "同时写出 JSON 报告。"))
        ),
    ] = None,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Measures a file in a limited process, prints sentences and tables."""
    import json

    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.show_risk import show_risk
    from protos import terminal

    json_out = _writable(json_file)
    with terminal.row_progress(Text(f"Measuring {file.name}", f"正在度量 {file.name}")) as progress:
        report = desensitize.risk(
            file,
            _listed(quasi),
            _listed(sensitive),
            population=population,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=progress,
        )
    show_risk(report)
    if json_out is not None:
        body = json.dumps(report.to_dict(), ensure_ascii=False, indent=2)
        json_out.write_text(body + "\n", "utf-8")
        terminal.done(Text(f"Wrote {json_out}.", f"已写入 {json_out}。"))


def _listed(written: str) -> list[str]:
    """Column names between commas, ASCII or full-width."""
    return [name.strip() for name in written.replace("，", ",").split(",") if name.strip()]


@keys.command(
    "new",
    help=str(
        Text(
            "Make a key for each domain, in a new file or added to one.",
            "为每个域生成密钥，写入新文件或加入已有文件。",
        )
    ),
)
def new(
    file: KeyFileArgument,
    domains: Annotated[
        list[str],
        typer.Argument(
            help=str(Text("Domains, such as the policy names them.", "策略中使用的域名称。"))
        ),
    ],
) -> None:
    """Makes keys."""
    from desensitize.keys import new_keys
    from desensitize.show_release import show_keys

    show_keys(new_keys(file, domains))


@keys.command(
    "rotate",
    help=str(
        Text(
            "Retire keys and make new ones; tokens before and after do not match.",
            "停用旧密钥并生成新密钥；轮换前后的令牌互不相同。",
        )
    ),
)
def rotate(
    file: KeyFileArgument,
    domains: Annotated[
        list[str] | None,
        typer.Argument(help=str(Text("Domains; all if none is named.", "域名称；缺省为全部。"))),
    ] = None,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget",
            help=str(
                Text(
                    "Erase the retired secrets for good; their record stays.",
                    "彻底删除已停用的密钥内容，仅保留记录。",
                )
            ),
        ),
    ] = False,
) -> None:
    """Rotates keys."""
    from desensitize.keys import rotate_keys
    from desensitize.show_release import show_keys

    show_keys(rotate_keys(file, domains or [], forget=forget))


@keys.command(
    "list",
    help=str(
        Text(
            "Which keys there are and have been; never a secret.",
            "列出现有和历史密钥，不含密钥内容。",
        )
    ),
)
def list_keys(file: KeyFileArgument) -> None:
    """Lists keys."""
    from desensitize.keys import read_keys
    from desensitize.show_release import show_keys

    show_keys(read_keys(file))


def _scanned(file: Path, full: bool, sample_rows: int, sheet: str, memory_mb: int) -> ScanReport:
    """Scans a file with progress on standard error."""
    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from protos import terminal

    with terminal.row_progress(Text(f"Scanning {file.name}", f"正在扫描 {file.name}")) as progress:
        return desensitize.scan(
            file,
            full=full,
            sample_rows=sample_rows,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=progress,
        )


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
