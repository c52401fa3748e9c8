"""``utility``: what a release is still good for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from desensitize.cli.options import (
    JsonOption,
    MemoryOption,
    PolicyOption,
    SaltOption,
    SheetOption,
    writable,
    write_json,
)
from protos.language import Text

app = typer.Typer()


class Model(StrEnum):
    """Names of the models; see ``usefulness.MODELS``."""

    BOOSTING = "boosting"
    LINEAR = "linear"
    BOTH = "both"


@app.command(
    help=str(
        Text(
            "What a release is still good for: the same model from original and released rows.",
            "发布数据还有多大用处：用原始数据与发布数据训练同一模型并比较。",
        )
    )
)
def utility(
    original: Annotated[
        Path,
        typer.Argument(help=str(Text("What the release was made from.", "生成该发布的原始数据。"))),
    ],
    release: Annotated[
        Path, typer.Argument(help=str(Text("Directory of the release.", "发布目录。")))
    ],
    target: Annotated[
        str,
        typer.Option(
            help=str(
                Text(
                    "Published column that models tell from the others.",
                    "由其他列预测的已发布列。",
                )
            )
        ),
    ],
    model: Annotated[
        Model,
        typer.Option(
            help=str(
                Text(
                    "Gradient boosting, logistic (or ridge) regression, or both.",
                    "梯度提升、逻辑（或岭）回归，或两者。",
                )
            )
        ),
    ] = Model.BOTH,
    policy: PolicyOption = None,
    seed: Annotated[
        int,
        typer.Option(
            help=str(Text("Of the rows that are held out.", "划分测试行所用的随机种子。"))
        ),
    ] = 1,
    salt: SaltOption = None,
    json_file: JsonOption = None,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Compares in a limited process, prints sentences and tables."""
    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.show.utility import show_utility
    from desensitize.usefulness import MODELS
    from protos import terminal

    out = writable(json_file)
    with terminal.row_progress(
        Text(f"Comparing {release.name}", f"正在比较 {release.name}")
    ) as progress:
        report = desensitize.utility(
            original,
            release,
            target,
            models=tuple(MODELS) if model is Model.BOTH else (model.value,),
            policy=policy,
            seed=seed,
            salt=salt,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=progress,
        )
    show_utility(report)
    write_json(out, report.to_dict())
