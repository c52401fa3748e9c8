"""``risk`` and ``attack``: what an outsider could do with a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from desensitize.cli.options import (
    AuxiliaryOption,
    EarlierOption,
    JsonOption,
    MemoryOption,
    PolicyOption,
    SaltOption,
    SheetOption,
    listed,
    writable,
    write_json,
)
from protos.language import Text

app = typer.Typer()


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
    json_file: JsonOption = None,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Measures a file in a limited process, prints sentences and tables."""
    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.show.risk import show_risk
    from protos import terminal

    json_out = writable(json_file)
    with terminal.row_progress(Text(f"Measuring {file.name}", f"正在度量 {file.name}")) as progress:
        report = desensitize.risk(
            file,
            listed(quasi),
            listed(sensitive),
            population=population,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=progress,
        )
    show_risk(report)
    write_json(json_out, report.to_dict())


@app.command(
    help=str(
        Text(
            "Attack a release as an outsider would; says which masks do not hold, and what would.",
            "以外部攻击者的方式测试发布数据，指出哪些掩码不成立以及可行的做法。",
        )
    )
)
def attack(
    original: Annotated[
        Path,
        typer.Argument(help=str(Text("What the release was made from.", "生成该发布的原始数据。"))),
    ],
    release: Annotated[
        Path,
        typer.Argument(
            help=str(
                Text("Directory of the release, or its rows.", "发布目录，或发布后的数据文件。")
            )
        ),
    ],
    policy: PolicyOption = None,
    auxiliary: AuxiliaryOption = None,
    earlier: EarlierOption = None,
    salt: SaltOption = None,
    json_file: JsonOption = None,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Attacks a release in a limited process; exit code 1 if a limit of the policy is broken."""
    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.show.attack import show_attacks
    from protos import terminal

    out = writable(json_file)
    with terminal.row_progress(
        Text(f"Attacking {release.name}", f"正在对 {release.name} 进行攻击测试")
    ) as progress:
        report = desensitize.attack(
            original,
            release,
            policy=policy,
            auxiliary=auxiliary,
            earlier=earlier or [],
            salt=salt,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=progress,
        )
    show_attacks(report)
    write_json(out, report.to_dict())
    if any(each.verdict in {"broken", "unknown"} for each in report.findings):
        raise typer.Exit(1)
