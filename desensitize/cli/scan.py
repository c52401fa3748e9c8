"""``scan`` and ``plan``: what is in a table, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from desensitize.cli.options import (
    FileArgument,
    FullOption,
    JsonOption,
    MemoryOption,
    SampleOption,
    SheetOption,
    bars,
    writable,
    write_json,
)
from protos.language import Text

if TYPE_CHECKING:
    from desensitize.scanning.findings import ScanReport

app = typer.Typer()


@app.command(help=str(Text("What is personal in a table, and why.", "识别表中的个人信息及依据。")))
def scan(
    file: FileArgument,
    json_file: JsonOption = None,
    full: FullOption = True,
    sample_rows: SampleOption = 10_000,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Scans a file in a limited process, prints a table and, if asked, writes JSON."""
    from desensitize.show.scan import show

    out = writable(json_file)
    report = _scanned(file, full, sample_rows, sheet, memory_mb)
    show(report)
    write_json(out, report.to_dict())


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
    """Scans a file, tries several k, and prints a policy (TOML) on standard output."""
    import sys

    import desensitize
    from desensitize.engines.snapshot import LoadLimits

    with bars() as begins:
        text = desensitize.plan(
            file,
            full=full,
            sample_rows=sample_rows,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            stages=begins,
        )
    sys.stdout.write(text)
    _next(file, text)


def _next(file: Path, policy: str) -> None:
    """Says on standard error which commands follow, keys among them if the policy needs some."""
    import shlex
    import sys

    from desensitize.policy_file import parse_policy
    from protos import terminal

    domains = parse_policy(policy).domains
    run = f"veil desensitize run {shlex.quote(str(file))} --policy POLICY --out release"
    commands = [f"veil desensitize keys new keys.toml {' '.join(domains)}"] if domains else []
    commands.append(run + " --token-keys keys.toml" * bool(domains))
    said = Text("Read it line by line, and then:", "请逐行审阅后执行：")
    terminal.say(said, style=terminal.SOFT, stream=sys.stderr)
    for command in commands:
        terminal.say(command, indent=2, hang=2, style=terminal.SOFT, stream=sys.stderr)


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
