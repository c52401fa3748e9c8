"""``gate`` and ``verify``: signs what holds, and checks what was signed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from desensitize.cli.options import (
    AuxiliaryOption,
    EarlierOption,
    MemoryOption,
    PolicyOption,
    SaltOption,
    SheetOption,
    ValidDaysOption,
    bars,
)
from protos.language import Text

app = typer.Typer()


@app.command(
    help=str(
        Text(
            "Scan, measure and attack a release, and sign an attestation, or refuse with reasons.",
            "复扫、度量、攻击测试发布数据；通过则签署证明，否则说明拒绝理由。",
        )
    )
)
def gate(
    directory: Annotated[
        Path, typer.Argument(help=str(Text("Directory of the release.", "发布目录。")))
    ],
    original: Annotated[
        Path,
        typer.Option(help=str(Text("What the release was made from.", "生成该发布的原始数据。"))),
    ],
    signing_key: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "Key of whoever answers for it; without one nothing is signed.",
                    "责任人的签名密钥；缺省则不签署。",
                )
            )
        ),
    ] = None,
    policy: PolicyOption = None,
    auxiliary: AuxiliaryOption = None,
    earlier: EarlierOption = None,
    valid_days: ValidDaysOption = 365,
    salt: SaltOption = None,
    sheet: SheetOption = "",
    memory_mb: MemoryOption = 2048,
) -> None:
    """Attests a release or refuses; exit code 1 if it refuses."""
    import desensitize
    from desensitize.engines.snapshot import LoadLimits
    from desensitize.show.attack import show_gate

    with bars() as begins:
        gated = desensitize.gate(
            directory,
            original=original,
            signing_key=signing_key,
            policy=policy,
            auxiliary=auxiliary,
            earlier=earlier or [],
            valid_days=valid_days,
            salt=salt,
            sheet=sheet,
            limits=LoadLimits(memory_bytes=memory_mb << 20),
            stages=begins,
        )
    show_gate(gated)
    if not gated.verdict.passed:
        raise typer.Exit(1)


@app.command(
    help=str(
        Text(
            "Check an attestation offline, check by check; exit code 1 unless everything holds.",
            "离线逐项核验发布证明；并非全部成立时退出码为 1。",
        )
    )
)
def verify(
    attestation: Annotated[
        Path,
        typer.Argument(
            help=str(
                Text("attestation.json, or its directory.", "attestation.json 文件，或其所在目录。")
            )
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "The published file; the one beside the attestation by default.",
                    "已发布的数据文件；缺省为证明旁边的文件。",
                )
            )
        ),
    ] = None,
    original: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "What the release was made from, for those who have it and the salt.",
                    "生成该发布的原始数据；须同时持有盐值文件。",
                )
            )
        ),
    ] = None,
    salt: SaltOption = None,
    revocations: Annotated[
        list[Path] | None,
        typer.Option(
            help=str(
                Text(
                    "Statement by which the signer took attestations back, or a directory of "
                    "such; may be given several times.",
                    "签署者的撤销声明文件或其目录；可多次指定。",
                )
            )
        ),
    ] = None,
    signer: Annotated[
        str,
        typer.Option(
            help=str(
                Text(
                    "did:key or fingerprint of the signer whom you trust.",
                    "您信任的签署者的 did:key 或指纹。",
                )
            )
        ),
    ] = "",
) -> None:
    """Checks an attestation."""
    import desensitize
    from desensitize.show.attack import show_verification

    found = desensitize.verify(
        attestation,
        data=data,
        original=original,
        salt=salt,
        revocations=revocations or (),
        signer=signer,
    )
    show_verification(found)
    if not found.valid:
        raise typer.Exit(1)


@app.command(
    help=str(
        Text(
            "Take an attestation back, for good: a signed statement that goes to all who have it.",
            "撤销发布证明（不可恢复）：生成签名声明，发给所有持有者。",
        )
    )
)
def revoke(
    attestation: Annotated[
        Path,
        typer.Argument(
            help=str(
                Text("attestation.json, or its directory.", "attestation.json 文件，或其所在目录。")
            )
        ),
    ],
    signing_key: Annotated[
        Path, typer.Option(help=str(Text("The key that had signed it.", "签署该证明的密钥。")))
    ],
    reason: Annotated[
        str, typer.Option(help=str(Text("Why, for everybody.", "撤销理由，将公开。")))
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "File to write; revocation.json beside the attestation by default.",
                    "写出的文件；缺省为证明旁边的 revocation.json。",
                )
            )
        ),
    ] = None,
) -> None:
    """Signs a statement and says to whom it has to go."""
    import desensitize
    from protos import terminal

    path = desensitize.revoke(attestation, signing_key=signing_key, reason=reason, out=out)
    terminal.done(Text(f"Revoked. Wrote {path}.", f"已撤销。已写入 {path}。"))
    terminal.say(
        Text(
            "Send it to everybody who may have the data, and to the portal, which unpublishes "
            f"them: veil catalog revoked {path} --by NAME",
            "请将其发给所有可能持有数据者，并提交门户以撤下数据："
            f"veil catalog revoked {path} --by 姓名",
        )
    )
