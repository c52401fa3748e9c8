"""``synthesise``: makes rows that are nobody's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from desensitize.cli.options import (
    FileArgument,
    MemoryOption,
    SheetOption,
    ValidDaysOption,
    bars,
)
from protos.language import Text

app = typer.Typer()


@app.command(
    help=str(
        Text(
            "Make synthetic rows from differentially private counts, as a release of their own.",
            "由差分隐私计数生成合成数据，作为单独的发布。",
        )
    )
)
def synthesise(
    file: FileArgument,
    policy: Annotated[
        Path,
        typer.Option(
            help=str(
                Text(
                    "Policy file (TOML) with [publish.synthesis].",
                    "含 [publish.synthesis] 的策略文件（TOML）。",
                )
            )
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help=str(Text("Directory to make; must not exist.", "要创建的目录；不得已存在。"))
        ),
    ],
    epsilon: Annotated[
        float | None,
        typer.Option(
            help=str(
                Text(
                    "Spend less than the policy's epsilon.",
                    "使用比策略更小的 epsilon（隐私预算）。",
                )
            )
        ),
    ] = None,
    delta: Annotated[
        float | None,
        typer.Option(
            help=str(Text("Spend less than the policy's delta.", "使用比策略更小的 delta。"))
        ),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            help=str(
                Text(
                    "Rows to draw, at no cost; by default the policy's, else about as many as "
                    "there are.",
                    "生成的行数，不消耗预算；缺省按策略，否则与原表行数相近。",
                )
            )
        ),
    ] = None,
    signing_key: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "Key of whoever answers for it; without one nothing is signed, and nobody can "
                    "sign later.",
                    "责任人的签名密钥；缺省则不签署，且事后无法补签。",
                )
            )
        ),
    ] = None,
    valid_days: ValidDaysOption = 365,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Counts in a limited process, adds noise, draws rows and publishes the directory whole."""
    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.show.synthesis import show_steward, show_synthesis
    from protos import terminal

    with bars() as begins:
        made = desensitize.synthesise(
            file,
            policy=policy,
            out=out,
            epsilon=epsilon,
            delta=delta,
            rows=rows,
            signing_key=signing_key,
            valid_days=valid_days,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=begins(Text(f"Counting {file.name}", f"正在统计 {file.name}")),
            stages=begins,
        )
    show_synthesis(made.release)
    terminal.done(Text(f"Wrote {out}.", f"已写入 {out}。"))
    if made.attestation is not None:
        terminal.done(Text(f"Signed {made.attestation}.", f"已签署 {made.attestation}。"))
    show_steward(made.steward)
