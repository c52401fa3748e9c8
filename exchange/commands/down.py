"""``veil down``."""

from __future__ import annotations

import typer

from exchange.commands.options import DEFAULT_DIRECTORY, Directory
from protos.language import Text

app = typer.Typer(add_completion=False)


@app.command(help=str(Text("Stop what 'veil up' started.", "停止由 veil up 启动的系统。")))
def down(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Stops every process of the cluster; keys, ledgers and logs stay."""
    from exchange.cluster.cluster import Cluster
    from protos import terminal

    stopped = Cluster(directory).down()
    terminal.done(
        Text(
            f"{stopped} processes stopped. Everything stays in {directory}; the next 'veil up' "
            "moves it aside there and begins from nothing.",
            f"已停止 {stopped} 个进程。全部内容保留在 {directory}；"
            "下次 veil up 会将其移到一旁，从零开始。",
        )
    )
