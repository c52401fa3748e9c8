"""Commands that work in a catalog's own directory: ``veil catalog``, ``account`` and ``portal``.

Commands that speak to a served catalog stand in `catalog.client`.
"""

from __future__ import annotations

import typer

from catalog.cli import (
    decisions,
    entries,
    files,
    harvest,
    publishing,
    search,
    signers,
    upkeep,
    workflows,
)
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
# In the order of a catalog's life, which is the order of ``--help``.
for room in (upkeep, files, search, entries, decisions):
    app.add_typer(room.app)
app.add_typer(publishing.app)
app.add_typer(signers.app, name="signers")
app.add_typer(workflows.app)
app.add_typer(harvest.app, name="harvest")
