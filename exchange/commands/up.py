"""``veil up``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from exchange.commands.options import DEFAULT_DIRECTORY, Directory
from protos.language import Text

if TYPE_CHECKING:
    from catalog.sample_catalog import Filling
    from exchange.cluster.cluster import Cluster

app = typer.Typer(add_completion=False)

EXAMPLE: Final = "SELECT district, COUNT(*) AS n FROM visits GROUP BY district"


@app.command(
    help=str(
        Text(
            "Start a whole exchange on this machine. It begins from nothing: keys, ledgers, "
            "accounts and catalog of an earlier one are moved into a dated folder beside it.",
            "在本机启动整套交换系统。每次从零开始：先前的密钥、账本、账号和数据目录移入按时间命名的文件夹。",
        )
    )
)
def up(
    directory: Directory = DEFAULT_DIRECTORY,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help=str(
                Text(
                    "cluster.toml: departments, data, policies; a generated sample without it.",
                    "cluster.toml：部门、数据与策略；不指定则使用生成的示例。",
                )
            ),
        ),
    ] = None,
    catalog: Annotated[
        bool,
        typer.Option(
            "--catalog",
            help=str(
                Text(
                    "Serve a small filled catalog, too; it takes some seconds more.",
                    "同时提供一个小型示例目录；启动会多用几秒。",
                )
            ),
        ),
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help=str(
                Text(
                    "Remove what an earlier exchange has left in the directory, instead of moving "
                    "it aside.",
                    "删除目录中先前系统的内容，而不是移到一旁。",
                )
            ),
        ),
    ] = False,
) -> None:
    """Starts the exchange and every node, waits until they are ready, and says who is where."""
    from catalog.sample_catalog import fill
    from exchange.cluster.cluster import CATALOG, Cluster
    from exchange.cluster.config import load_cluster_config
    from exchange.commands.tables import show_cluster, show_people, show_rows
    from protos import terminal

    cluster = Cluster(directory)
    if aside := cluster.make_room(fresh=fresh):
        terminal.say(
            Text(
                f"What an earlier 'veil up' left here is now in {aside}; remove it when nobody "
                "needs it. (--fresh would have removed it.)",
                f"先前 veil up 的内容已移至 {aside}，不再需要时可删除（使用 --fresh 则直接删除）。",
            )
        )
    own = config is not None
    filling = cluster.begin_catalog(fill) if catalog else None  # meanwhile, on the other processor
    try:
        if config is None:
            from catalog.sample_files import write_cluster

            config = write_cluster(directory / "sample")
        wanted = load_cluster_config(config)
        with terminal.progress(Text("Starting", "启动中")) as progress:
            running = cluster.up(wanted, progress.update, filling)
            if filling is not None:
                _make_people(cluster, wanted.department[0].name, filling)
    except BaseException:
        if filling is not None:
            filling.stop()
        raise
    show_cluster(running)
    named = "" if directory == DEFAULT_DIRECTORY else f"--profile {cluster.profile} "
    question = "SELECT …" if own else EXAMPLE
    terminal.done(
        Text(
            f'Ready. Ask:  veil sql {named}"{question}"',
            f'就绪。查询：veil sql {named}"{question}"',
        )
    )
    if filling is not None:
        authority, people = directory / "exchange" / "ca.crt", directory / CATALOG
        terminal.say(
            Text(
                f"Browsers and commands trust the catalog by its authority: {authority}\n"
                f"For its workbench:  veil account add NAME --role administrator --dir {people}",
                f"浏览器与命令行凭证书机构文件信任目录服务：{authority}\n"
                f"登录工作台前先建账号：veil account add 账号 --role administrator --dir {people}",
            )
        )
        show_rows(running, people)
        show_people(running, directory, wanted.department[0].name)


def _make_people(cluster: Cluster, department: str, filling: Filling) -> None:
    """Makes people for the catalog, and waits for its rows; if it cannot, nothing stays up."""
    from exchange.cluster.cluster import CATALOG
    from exchange.cluster.sample_people import make_people

    try:
        make_people(cluster.directory, cluster.directory / CATALOG, department)
        filling.finish()
    except BaseException:
        cluster.down()
        raise
