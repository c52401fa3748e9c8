"""``veil certificate witness``: what a city does that watches somebody else's log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange.commands.certificate_options import PolicyFile
from protos.language import Text

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=str(Text("Watch a log and cosign its checkpoints.", "见证日志并会签检查点。")),
)
WitnessDirectory = Annotated[
    Path, typer.Option("--dir", help=str(Text("The witness's directory.", "见证方目录。")))
]


@app.command(
    help=str(
        Text(
            "Make a witness's key; tells the line to hand over.",
            "生成见证方密钥，并给出应提交的公钥。",
        )
    )
)
def init(
    name: Annotated[
        str,
        typer.Argument(
            help=str(
                Text(
                    "Name of the key, like guangzhou.example/witness.",
                    "密钥名称，形如 guangzhou.example/witness。",
                )
            )
        ),
    ],
    directory: WitnessDirectory = Path("veil-witness"),
) -> None:
    """Makes the directory."""
    from exchange.proof.witness_files import WitnessFiles
    from protos import terminal

    key = WitnessFiles(directory).create(name)
    terminal.done(
        Text(f"Made {directory}. Tell the log's keeper:", f"已创建 {directory}。请告知日志维护方：")
    )
    typer.echo(str(key))


@app.command(
    help=str(
        Text(
            "Cosign a checkpoint if it continues what was seen; exit code 1 if not.",
            "若检查点是已见历史的延续则会签，否则退出码为 1。",
        )
    )
)
def sign(
    request: Annotated[
        Path, typer.Argument(help=str(Text("What the log has submitted.", "日志提交的请求文件。")))
    ],
    output: Annotated[
        Path,
        typer.Argument(
            help=str(Text("The cosigned checkpoint to write.", "输出：已会签的检查点。"))
        ),
    ],
    policy: PolicyFile,
    directory: WitnessDirectory = Path("veil-witness"),
) -> None:
    """Cosigns."""
    import time

    from catalog.transparency.policy import LogPolicy
    from catalog.transparency.witness import Submission
    from exchange.proof.files import read_file, write_file
    from exchange.proof.witness_files import WitnessFiles
    from protos import terminal

    with WitnessFiles(directory).witness(LogPolicy.load(policy)) as witness:
        submission = Submission.parse(read_file(request).decode("utf-8", "replace"))
        line = witness.add_checkpoint(submission, int(time.time()))
    write_file(output, (submission.note + line).encode())
    terminal.done(Text(f"Cosigned; hand back {output}.", f"已会签；请交回 {output}。"))
