"""``veil portal``: the public part of a catalog, alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from catalog.cli_options import DEFAULT, CatalogDirectory, said

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=said("Serve the open-data portal.", "运行开放数据门户。"),
)


@app.callback()
def _portal() -> None:
    """Keeps ``serve`` a word of its own while it is the only command."""


@app.command(help=said("Serve until stopped.", "运行服务，直至停止。"))
def serve(
    directory: CatalogDirectory = DEFAULT,
    address: Annotated[
        str, typer.Option(help=said("host:port to listen on.", "监听地址 host:port。"))
    ] = "127.0.0.1:8080",
    tls_certificate: Annotated[
        Path | None,
        typer.Option(help=said("Certificate file, PEM; without it plain HTTP.",
                               "证书文件（PEM）；缺省为 HTTP。")),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(help=said("Its key file, PEM.", "证书私钥文件（PEM）。"))
    ] = None,
    office: Annotated[
        Path | None,
        typer.Option(help=said("The exchange's certificates, or a copy without its keys; by "
                               "default those in the catalog's directory.",
                               "交换中心的证书目录，或不含密钥的副本；缺省为目录库中的 office。")),
    ] = None,
) -> None:  # fmt: skip
    """Runs in the foreground; SIGTERM and Ctrl-C stop it."""
    from catalog.certificates.open_office import DIRECTORY, opened_to_read
    from catalog.search.query import Query
    from catalog.web.app import create_app
    from catalog.web.server import HttpServer, tls_files
    from catalog.web.services import services
    from protos import terminal
    from protos.language import Text
    from protos.signals import wait_for_signal

    with (
        opened_to_read(office or directory / DIRECTORY) as certificates,
        services(directory, public=True, office=certificates) as found,
    ):
        server = HttpServer(create_app(found), address, tls=tls_files(tls_certificate, tls_key))
        server.start()
        terminal.done(Text(f"Portal: {server.url}", f"门户：{server.url}"))
        found.search.find(Query(limit=1))  # reads the columns, so that no visitor waits for it
        wait_for_signal()
        server.stop()
