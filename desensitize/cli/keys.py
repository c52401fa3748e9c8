"""``keys``: token keys and signing keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from protos.language import Text

app = typer.Typer(
    no_args_is_help=True,
    help=str(Text("Make, rotate and list token keys.", "生成、轮换、查看令牌密钥。")),
)

KeyFileArgument = Annotated[
    Path,
    typer.Argument(help=str(Text("File of token keys, mode 0600.", "令牌密钥文件（权限 0600）。"))),
]


@app.command(
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
    from desensitize.show.release import show_keys

    show_keys(new_keys(file, domains))


@app.command(
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
    from desensitize.show.release import show_keys

    show_keys(rotate_keys(file, domains or [], forget=forget))


@app.command(
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
    from desensitize.show.release import show_keys

    show_keys(read_keys(file))


@app.command(
    "signing",
    help=str(
        Text(
            "Make a key that signs attestations; tells its DID and fingerprint.",
            "生成签署证明的密钥，并给出其 DID 与指纹。",
        )
    ),
)
def signing(
    file: Annotated[
        Path,
        typer.Argument(help=str(Text("New key file, mode 0600.", "新密钥文件（权限 0600）。"))),
    ],
) -> None:
    """Makes a signing key."""
    from desensitize.attesting.signing import new_signing_key
    from desensitize.show.attack import show_signer

    show_signer(new_signing_key(file))
