"""The files of a delivery, fetched and compared with what the catalog has signed about them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from catalog.cli_options import said
from catalog.client.cases.commands import CaseId
from catalog.client.connection import Connection
from catalog.client.profile import KeyFileOption, ServerOption, connection
from protos.faults import InputError, TrustError
from protos.language import Text


def add_to_orders(app: typer.Typer) -> None:
    """Adds what only orders have."""
    about = said(
        "Download the public files that were delivered, and check that they are the ones signed."
        "\n\nveil product order download ID --out bought",
        "下载已交付的公开文件，并核验与签名交付记录一致。"
        "\n\nveil product order download 编号 --out bought",
    )
    app.command(help=about)(download)


def download(
    case: CaseId,
    out: Annotated[
        Path,
        typer.Option(
            help=said(
                "Directory to write into; it is made if it is not there.",
                "写入的目录；不存在则创建。",
            )
        ),
    ],
    server: ServerOption = "",
    key_file: KeyFileOption = None,
) -> None:
    """Fetches the files of a delivery; one whose bytes are others is not kept."""
    from catalog.client.cases.evidence import fetch
    from catalog.workflows.products import ORDERS
    from catalog.workflows.taking import absent
    from protos import terminal

    if len(case) != 16 or not case.isalnum():
        raise absent(ORDERS)
    with connection(server, key_file) as made:
        events = fetch(made, ORDERS, case).said
        files = [each for event in events for each in event.fields.get("files", ())]
        if not files:
            raise InputError(
                Text("no files were delivered in this order", "该订单未交付文件"),
                remedy=Text("veil product order show says where it is, and what proves it",
                            "请用 veil product order show 查看进度及交付凭证"),
                code="order.no_files",
            )  # fmt: skip
        out.mkdir(parents=True, exist_ok=True)
        for each in files:
            path = out / file_name(each)
            with terminal.progress(Text(f"Downloading {path.name}", f"正在下载 {path.name}")):
                there = fetch_file(made, each, path)
            state = Text(" (it was there already)", "（已存在）") if there else Text("", "")
            size = f"{each['bytes']:,}"
            terminal.done(Text(f"{path}: {size} bytes, as signed{state.en}",
                               f"{path}：{size} 字节，与签名一致{state.zh}"))  # fmt: skip


def file_name(file: dict[str, Any]) -> str:
    """Returns the name that a file of a delivery gets here: nothing that leads elsewhere."""
    from catalog.interchange.ckan import slug_of

    return f"{slug_of(file['source'], file['identifier'])}-{int(file['version'])}.parquet"


def fetch_file(made: Connection, file: dict[str, Any], path: Path) -> bool:
    """Downloads a file, unless it is there.

    Args:
        made: To the server.
        file: What the signed delivery says of it.
        path: Where to.

    Returns:
        Whether it was there.

    Raises:
        InputError: Another file is there.
        TrustError: What the server gives is another file; it is not kept.
    """
    from protos.whole_file import beside

    if path.exists():
        with path.open("rb") as there:
            if hashlib.file_digest(there, "sha256").hexdigest() == file["sha256"]:
                return True
        raise InputError(
            Text(f"{path} is there, and is another file", f"{path} 已存在，且内容不同"),
            remedy=Text("name another directory with --out", "请用 --out 指定其他目录"),
            code="order.other_file",
        )
    with beside(path, mode=0o644, new=True) as draft:
        digest, size = hashlib.sha256(), 0
        with draft.open("wb") as content:
            for piece in made.pieces(file["path"]):
                size += len(piece)
                if size > file["bytes"]:
                    break
                digest.update(piece)
                content.write(piece)
        if size != file["bytes"] or digest.hexdigest() != file["sha256"]:
            raise TrustError(
                Text(f"{path.name} is not the file that was delivered: its bytes are others",
                     f"{path.name} 与交付时签名的文件不一致"),
                remedy=Text("nothing was kept; ask the catalog's operator, and keep the order: "
                            "it has the signed digest",
                            "未保留该文件；请联系目录运维员，并保留订单，其中有签名的摘要"),
                code="order.altered",
            )  # fmt: skip
    return False
