"""Options and small steps that all commands of ``veil catalog`` share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

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
