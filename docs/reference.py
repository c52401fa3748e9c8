"""Writes docs/cli.md, the command-line reference, from the commands themselves.

``make docs`` runs it; a test checks that the committed page is current and that no command and
no option is without a help text. ``python docs/reference.py -`` prints instead of writing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

os.environ["VEIL_LANG"] = "en"  # before the commands read their texts

import typer
from typer.core import TyperGroup

from exchange.cli import app

if TYPE_CHECKING:
    from typer._click import Command, Context

PAGE: Final = Path(__file__).with_name("cli.md")
HEAD: Final = """# Command-line reference

Written by `make docs` from the commands themselves; do not edit. Every error ends with exit code 1
and says what to do; a wrong option ends with exit code 2. `VEIL_LANG=zh` gives Chinese texts.
`NO_COLOR=1` takes the colours away.
"""


def commands(command: Command, context: Context) -> Iterator[tuple[Command, Context]]:
    """Walks the tree of commands, in the order in which help shows them."""
    yield command, context
    if isinstance(command, TyperGroup):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from commands(child, type(context)(child, info_name=name, parent=context))


def section(command: Command, context: Context) -> str:
    """Writes one command: usage, what it does, arguments and options."""
    level = "##" if context.parent is None or context.parent.parent is None else "###"
    lines = [f"{level} `{context.command_path}`", "", cell(command.help), ""]
    if not isinstance(command, TyperGroup):
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        lines += ["```", usage, "```", ""]
    rows = [
        record
        for parameter in command.get_params(context)
        if parameter.name != "help" and (record := parameter.get_help_record(context)) is not None
    ]
    if rows:
        lines += ["| | |", "|---|---|", *(f"| `{cell(a)}` | {cell(b)} |" for a, b in rows), ""]
    return "\n".join(lines)


def cell(text: object) -> str:
    """One line without what a Markdown table would take for its own."""
    return " ".join(str(text or "").split()).replace("|", "\\|")


def reference() -> str:
    """Returns the whole page."""
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="veil")
    parts = [HEAD, *(section(*each) for each in commands(root, context))]
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(reference())
    else:
        PAGE.write_text(reference(), "utf-8")
