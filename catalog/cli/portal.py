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
    processes: Annotated[
        int,
        typer.Option(min=1, max=64, help=said("Processes that serve; one uses one processor.",
                                              "服务进程数；每个进程使用一个处理器。")),
    ] = 1,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR", help=said(
            "Address or network of a proxy of yours in front: what it says in X-Forwarded-For or "
            "Forwarded is believed. May be repeated.",
            "您部署在前面的代理的地址或网段：采信其 X-Forwarded-For 或 Forwarded 头。可重复。")),
    ] = None,
) -> None:  # fmt: skip
    """Runs in the foreground; SIGTERM and Ctrl-C stop it."""
    from catalog.portal.serving import Portal
    from catalog.web.proxies import read_networks
    from catalog.web.server import tls_files
    from protos import terminal
    from protos.language import Text

    proxies = read_networks(trusted_proxy or ())
    portal = Portal(directory, address, tls_files(tls_certificate, tls_key), office, proxies)
    portal.run(processes, lambda url: terminal.done(Text(f"Portal: {url}", f"门户：{url}")))
