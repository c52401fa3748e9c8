"""``veil catalog``: which data there is, who answers for it, and how it gets in and out."""

from __future__ import annotations

import typer

from catalog.cli import decisions, entries, files, search, upkeep, workflows
from catalog.harvest import cli as harvest
from catalog.publishing import cli as publishing
from protos.language import Text

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=str(
        Text(
            "The catalog: which data there is, who answers for it, and how to find it. "
            "Try it with a made-up province: veil catalog sample, then veil catalog search 医疗.",
            "数据目录：有哪些数据、由谁负责、如何查找。"
            "可先用示例省份体验：veil catalog sample，再 veil catalog search 医疗。",
        )
    ),
)
_publishing = typer.Typer()
publishing.add_to(_publishing)
# In the order of a catalog's life, which is the order of ``--help``.
for room in (
    upkeep.app,
    files.app,
    search.app,
    entries.app,
    decisions.app,
    _publishing,
    workflows.app,
):
    app.add_typer(room)
app.add_typer(harvest.app, name="harvest")
