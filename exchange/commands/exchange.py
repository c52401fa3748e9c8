"""``veil exchange``: the operator's commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from protos.language import Text
from protos.names import Role

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=str(Text("Run the exchange itself.", "运行交换中心。")),
)
dataset_app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=str(Text("Declare logical datasets.", "声明逻辑数据集。")),
)
app.add_typer(dataset_app, name="dataset")

DEFAULT: Final = Path("veil-exchange")


def _made(directory: Path) -> Path:
    """Refuses a directory that is no exchange's, before a command looks for files in it."""
    from protos.faults import InputError

    if not (directory / "card.jwt").is_file():
        raise InputError(
            Text(f"{directory} is no exchange's directory", f"{directory} 不是交换中心的目录"),
            remedy=Text(
                "name it with --dir, or make one: veil exchange init --dir DIR",
                "请用 --dir 指定，或新建：veil exchange init --dir DIR",
            ),
            code="exchange.directory",
        )
    return directory


NewDirectory = Annotated[
    Path,
    typer.Option("--dir", help=str(Text("The new directory.", "新目录。"))),
]
ExchangeDirectory = Annotated[
    Path,
    typer.Option(
        "--dir", callback=_made, help=str(Text("The exchange's directory.", "交换中心目录。"))
    ),
]
Department = Annotated[
    str | None, typer.Option(help=str(Text("Name of a department.", "部门名称。")))
]
Analyst = Annotated[str | None, typer.Option(help=str(Text("Name of an analyst.", "分析员名称。")))]


@app.command(help=str(Text("Make the exchange's CA and keys.", "创建 CA 与密钥。")))
def init(
    directory: NewDirectory = DEFAULT,
    name: Annotated[
        str, typer.Option(help=str(Text("Name of the exchange.", "交换中心名称。")))
    ] = "exchange",
    host: Annotated[
        list[str] | None,
        typer.Option(help=str(Text("Host name or address of the server.", "服务器主机名或地址。"))),
    ] = None,
) -> None:
    """Makes a new directory with the CA, the server's certificate and the identity."""
    import secrets

    from catalog.identity.registry import ExchangeIdentity
    from protos import terminal

    identity = ExchangeIdentity(directory, randomness=secrets.token_bytes)
    identity.create(name, tuple(host or ("localhost", "127.0.0.1")))
    identity.close()
    terminal.done(Text(f"Made {directory}.", f"已创建 {directory}。"))


@app.command(help=str(Text("Serve until stopped.", "运行服务，直至停止。")))
def serve(
    directory: ExchangeDirectory = DEFAULT,
    address: Annotated[
        str, typer.Option(help=str(Text("host:port for members.", "成员连接地址 host:port。")))
    ] = "127.0.0.1:7443",
    enrolment: Annotated[
        str, typer.Option(help=str(Text("host:port for enrolment.", "注册地址 host:port。")))
    ] = "127.0.0.1:0",
    catalog: Annotated[
        Path | None,
        typer.Option(
            help=str(Text("Also serve this catalog over HTTPS.", "同时以 HTTPS 提供此目录。"))
        ),
    ] = None,
    http: Annotated[
        str, typer.Option(help=str(Text("host:port of the catalog.", "目录服务地址 host:port。")))
    ] = "127.0.0.1:8443",
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CIDR",
            help=str(
                Text(
                    "Address or network of a proxy of yours in front of the catalog: what it says "
                    "in X-Forwarded-For or Forwarded is believed. May be repeated.",
                    "您部署在目录前面的代理的地址或网段：采信其 X-Forwarded-For 或 Forwarded 头。"
                    "可重复。",
                )
            ),
        ),
    ] = None,
    round_s: Annotated[
        float,
        typer.Option(help=str(Text("Longest wait for one round, s.", "单轮最长等待秒数。"))),
    ] = 120.0,
) -> None:
    """Runs the exchange in the foreground; SIGTERM and Ctrl-C stop it."""
    import logging

    from exchange.coordinator.session import Clocks
    from exchange.serving.serve import ExchangeProcess
    from protos import terminal
    from protos.signals import wait_for_signal

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    served = None
    if catalog is not None:
        from catalog.web.proxies import read_networks
        from exchange.serving.catalog_service import ServedCatalog

        served = ServedCatalog(catalog, http, read_networks(trusted_proxy or ()))
    process = ExchangeProcess(directory, address, enrolment, Clocks(round_s=round_s), served)
    addresses = process.start()
    terminal.done(
        Text(
            f"Members: {addresses.grpc}   enrolment: {addresses.enrolment}",
            f"成员：{addresses.grpc}   注册：{addresses.enrolment}",
        )
    )
    if addresses.catalog:
        terminal.done(Text(f"Catalog: {addresses.catalog}", f"目录：{addresses.catalog}"))
    wait_for_signal()
    process.stop()


@app.command(help=str(Text("Invite a department or an analyst.", "邀请部门或分析员。")))
def invite(
    directory: ExchangeDirectory = DEFAULT, department: Department = None, analyst: Analyst = None
) -> None:
    """Prints a one-time token; give it to them over a channel that you trust."""
    import secrets

    from catalog.identity.registry import ExchangeIdentity
    from exchange.serving.serve import read_addresses
    from protos import terminal
    from protos.faults import UnavailableError

    role, name = _one(department, analyst)
    addresses = read_addresses(directory)
    if addresses is None:
        raise UnavailableError(
            Text(
                "the exchange does not run, so its enrolment address is not known",
                "交换中心未运行，无法得知其注册地址",
            ),
            remedy=Text(
                f"start it: veil exchange serve --dir {directory}",
                f"请启动：veil exchange serve --dir {directory}",
            ),
        )
    identity = ExchangeIdentity(directory, randomness=secrets.token_bytes)
    identity.open()
    try:
        token = identity.invite(role, name, url=addresses.enrolment)
    finally:
        identity.close()
    terminal.say(Text(token, token))


@app.command(help=str(Text("Revoke a department or an analyst.", "吊销部门或分析员。")))
def revoke(
    directory: ExchangeDirectory = DEFAULT,
    department: Department = None,
    analyst: Analyst = None,
    reason: Annotated[str, typer.Option(help=str(Text("Why.", "原因。")))] = "",
) -> None:
    """Ends a membership; calls that are under way end within seconds."""
    import secrets

    from catalog.identity.registry import ExchangeIdentity
    from protos import terminal

    role, name = _one(department, analyst)
    identity = ExchangeIdentity(directory, randomness=secrets.token_bytes)
    identity.open()
    try:
        count = identity.revoke(role, name, reason)
    finally:
        identity.close()
    terminal.done(
        Text(f"{name}: {count} certificates revoked.", f"{name}：已吊销 {count} 张证书。")
    )


@app.command(help=str(Text("What has no certificate yet, and why.", "尚无证书的事项及原因。")))
def due(directory: ExchangeDirectory = DEFAULT) -> None:
    """Lists grants and results whose certificates are not issued."""
    from exchange.coordinator.archive import Archive
    from exchange.proof.certificate_views import show_waiting
    from exchange.serving.certifier import waiting
    from exchange.serving.desk import GrantDesk

    archive, desk = Archive(directory / "jobs.sqlite"), GrantDesk(directory / "grants.sqlite")
    desk.open()
    try:
        show_waiting(waiting(archive, desk))
    finally:
        desk.close()
        archive.close()


@dataset_app.command("add", help=str(Text("Declare a dataset from a file.", "从文件声明数据集。")))
def dataset_add(
    file: Annotated[Path, typer.Argument(help=str(Text("Dataset TOML.", "数据集 TOML 文件。")))],
    directory: ExchangeDirectory = DEFAULT,
) -> None:
    """Checks a declaration and puts it on the exchange's shelf; no restart is needed."""
    from exchange.serving.shelf import DatasetShelf
    from protos import terminal

    dataset = DatasetShelf(directory / "datasets").add(file)
    terminal.done(
        Text(
            f"{dataset.name}: {len(dataset.columns)} columns, {len(dataset.members)} members.",
            f"{dataset.name}：{len(dataset.columns)} 列，{len(dataset.members)} 个成员。",
        )
    )


def _one(department: str | None, analyst: str | None) -> tuple[Role, str]:
    from protos.faults import InputError

    if department and not analyst:
        return "department", department
    if analyst and not department:
        return "analyst", analyst
    raise InputError(
        Text("name either --department or --analyst", "请指定 --department 或 --analyst 之一"),
        remedy=Text("give exactly one of them", "两者只能给一个"),
    )
