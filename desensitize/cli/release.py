"""``run``: makes a release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from desensitize.cli.options import (
    EarlierOption,
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
    signing_key: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "Have the release judged by the gate at once, and attested under this key.",
                    "生成后立即经门禁检查，并用此密钥签署证明。",
                )
            )
        ),
    ] = None,
    attack: Annotated[
        bool,
        typer.Option(
            "--attack/--no-attack",
            help=str(
                Text(
                    "Try the attacks that the policy limits, and refuse what they defeat; the gate "
                    "tries them in any case.",
                    "执行策略设限的攻击测试，未通过则拒绝发布；门禁无论如何都会测试。",
                )
            ),
        ),
    ] = True,
    earlier: EarlierOption = None,
    salt: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "Secret file that proves later what the release was made from; made if there "
                    "is none. By default OUT.salt, beside the release. Keep it with the original.",
                    "用于日后证明原始数据的机密文件；不存在则生成。缺省为发布目录旁的 OUT.salt。"
                    "请与原始数据一同保管。",
                )
            )
        ),
    ] = None,
    sheet: SheetOption = "",
    valid_days: ValidDaysOption = 365,
    memory_mb: MemoryOption = 2048,
) -> None:
    """Masks a file in a limited process, scans the output and publishes the directory whole."""
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.releasing.run import made
    from desensitize.salt import place_of_salt
    from desensitize.show.attack import show_gate
    from desensitize.show.release import show_release
    from protos import terminal

    with bars() as begins:
        release, gated = made(
            file,
            policy=policy,
            out=out,
            token_keys=token_keys,
            sheet=sheet,
            attack=attack,
            earlier=earlier or [],
            salt=salt,
            signing_key=signing_key,
            valid_days=valid_days,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            progress=begins(Text(f"Masking {file.name}", f"正在脱敏 {file.name}")),
            stages=begins,
        )
    show_release(release)
    terminal.done(Text(f"Wrote {out}.", f"已写入 {out}。"))
    kept = salt or place_of_salt(out)
    terminal.say(
        Text(
            f"Keep {kept} with the original: it proves what the release was made from. Publish it "
            "never.",
            f"请将 {kept} 与原始数据一同保管：它用于证明发布的来源，切勿公开。",
        )
    )
    if gated is not None:
        show_gate(gated)
        if not gated.verdict.passed:
            raise typer.Exit(1)
