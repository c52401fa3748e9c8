"""Options and small steps that all commands of ``veil catalog`` share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from protos.faults import InputError
from protos.language import Text

if TYPE_CHECKING:
    from catalog.registry.registry import Registry

DEFAULT: Final = Path("veil-catalog")


def said(en: str, zh: str) -> str:
    """A text of help, in the language of this process."""
    return str(Text(en, zh))


CatalogDirectory = Annotated[
    Path, typer.Option("--dir", help=said("The catalog's directory.", "目录库所在目录。"))
]
AsJson = Annotated[
    bool, typer.Option("--json", help=said("Print JSON, for programs.", "输出 JSON，供程序使用。"))
]
Identifier = Annotated[
    str, typer.Argument(help=said("The dataset's code (信息资源代码).", "信息资源代码。"))
]
SourceOption = Annotated[
    str,
    typer.Option(
        help=said(
            "Catalog that the code is from; needed if several have it.",
            "代码所属的来源目录；多个来源同码时必填。",
        )
    ),
]
ByOption = Annotated[str, typer.Option("--by", help=said("Who decides it.", "决定人或决定机构。"))]
ReasonOption = Annotated[
    str, typer.Option(help=said("Why; it is kept and public.", "理由；将留存并公开。"))
]

PasswordFile = Annotated[
    Path | None,
    typer.Option(
        help=said(
            "File of mode 0600 with the password; asked for by default, or, without a terminal, "
            "the first line of standard input.",
            "存放密码的文件（权限 0600）；缺省为交互输入，无终端时读取标准输入首行。",
        )
    ),
]


@contextmanager
def opened(directory: Path, *, upgrade: bool = False) -> Iterator[Registry]:
    """Opens a catalog for one command."""
    from catalog.registry import registry as door

    with door.opened(directory, upgrade=upgrade) as registry:
        yield registry


def print_json(body: object) -> None:
    """Prints JSON for programs."""
    import json

    typer.echo(json.dumps(body, ensure_ascii=False, indent=2))


def source_of(registry: Registry, identifier: str, source: str) -> str:
    """Returns the catalog that a code is from.

    Raises:
        InputError: The code is unknown, or of several catalogs.
    """
    from catalog.registry.withdrawal import unknown
    from protos.faults import InputError

    if source:
        return source
    found = registry.sources_of(identifier)
    if not found:
        raise unknown("", identifier)
    if len(found) > 1:
        raise InputError(
            Text(
                f"{identifier!r} is in the catalogs {', '.join(found)}",
                f"“{identifier}”出现在多个来源目录：{'、'.join(found)}",
            ),
            remedy=Text("say which with --source", "请用 --source 指定"),
            code="catalog.ambiguous",
        )
    return found[0]


def read_password(file: Path | None, asked: Text, *, twice: bool = False) -> str:
    """Returns a password: of a file, of standard input, or of whoever sits at the terminal.

    Args:
        file: Of mode 0600; None for the other two.
        asked: What to ask for.
        twice: Whether it is asked for again.

    Raises:
        InputError: There is neither a file, nor a terminal, nor a line on standard input.
    """
    from protos.keyfile import read_private

    if file is not None:
        return read_private(file).decode("utf-8", "replace").rstrip("\r\n")
    if sys.stdin.isatty():
        return str(typer.prompt(str(asked), hide_input=True, confirmation_prompt=twice))
    if line := sys.stdin.readline().rstrip("\r\n"):
        return line
    raise InputError(
        Text("there is no terminal to ask for a password, and no line on standard input",
             "没有可输入密码的终端，标准输入也没有内容"),
        remedy=Text("name a file of mode 0600 with --password-file, or hand the password in on "
                    "standard input",
                    "请用 --password-file 指定权限为 0600 的密码文件，或经标准输入提供密码"),
        code="account.no_terminal",
    )  # fmt: skip
