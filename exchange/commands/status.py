"""``veil status``."""

from __future__ import annotations

import typer

from exchange.commands.options import DEFAULT_DIRECTORY, Directory, ProfileFile
from protos.language import Text

app = typer.Typer(add_completion=False)


@app.command(
    help=str(Text("Who takes part, and what runs on this machine.", "查看参与方和本机运行情况。"))
)
def status(directory: Directory = DEFAULT_DIRECTORY, profile: ProfileFile = None) -> None:
    """Shows the processes of a cluster, and the datasets that can be asked about.

    An analyst whose exchange runs elsewhere sees the datasets, through the profile.
    """
    from exchange.analyst.client import connect
    from exchange.cluster.cluster import Cluster
    from exchange.commands.tables import show_cluster, show_federation
    from protos import terminal

    cluster = Cluster(directory)
    running = cluster.status()
    if not running and profile is not None:
        with connect(profile) as veil:
            show_federation(veil.federation())
        return
    if not running:
        terminal.say(
            Text(
                f"No cluster in {cluster.directory}. Start one: veil up",
                f"{cluster.directory} 中没有集群。启动：veil up",
            )
        )
        raise typer.Exit(1)
    show_cluster(running)
    if running[0].address:
        with connect(cluster.profile) as veil:
            show_federation(veil.federation())
