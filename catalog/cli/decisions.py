"""``conflicts``, ``withdraw``, ``undeclared``: what somebody decides, and why."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from catalog.cli_options import (
    DEFAULT,
    AsJson,
    ByOption,
    CatalogDirectory,
    Identifier,
    ReasonOption,
    SourceOption,
    opened,
    print_json,
    said,
    source_of,
)
from protos.language import Text

app = typer.Typer()


@app.command(
    help=said(
        "Data items that two departments say to be the source of; decide one with --decide.",
        "两个部门同时主张为数源的数据项；用 --decide 裁定。",
    )
)
def conflicts(
    number: Annotated[
        int | None, typer.Argument(help=said("Show or decide this one.", "查看或裁定此编号。"))
    ] = None,
    directory: CatalogDirectory = DEFAULT,
    decide: Annotated[
        str,
        typer.Option(
            help=said(
                "keep (the source stays), move (to the claimant) or different (two data items).",
                "keep（维持）、move（变更）或 different（属不同数据项）。",
            )
        ),
    ] = "",
    by: ByOption = "",
    reason: ReasonOption = "",
    subject: Annotated[
        str,
        typer.Option(
            help=said(
                "For different: what the claimant's data item is a property of.",
                "裁定为 different 时，主张方数据项的数据对象。",
            )
        ),
    ] = "",
    every: Annotated[
        bool, typer.Option("--all", help=said("Decided ones, too.", "包括已裁定的。"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Lists conflicts, shows one with its steps, or decides it."""
    from catalog.registry.decisions import read_decision
    from catalog.show.departments import show_conflict, show_conflicts
    from protos import terminal
    from protos.faults import InputError, MissingError

    with opened(directory) as registry:
        if decide:
            if number is None:
                raise InputError(
                    Text("which conflict is decided is not said", "未指明要裁定的冲突"),
                    remedy=Text("name its number", "请给出编号"),
                    code="conflict.number",
                )
            decision = read_decision(decide)
            registry.resolve(number, decision, who=by, note=reason, subject=subject)
        found = registry.conflicts(state="" if every or number is not None else "open")
    if number is not None:
        found = [conflict for conflict in found if conflict.number == number]
        if not found:
            raise MissingError(
                Text(f"there is no conflict {number}", f"没有编号为 {number} 的冲突"),
                remedy=Text("veil catalog conflicts --all lists them",
                            "用 veil catalog conflicts --all 查看全部"),
                code="conflict.unknown",
            )  # fmt: skip
    if as_json:
        print_json([conflict.to_dict() for conflict in found])
    elif number is not None:
        show_conflict(found[0])
    elif found:
        show_conflicts(found)
    else:
        terminal.done(Text("No conflict is open.", "没有待裁定的冲突。"))


@app.command(
    help=said(
        "Take a dataset out of the catalog; a signed tombstone says so for ever.",
        "撤回数据资源；签名的撤回凭证将永久留存。",
    )
)
def withdraw(
    identifier: Identifier,
    reason: ReasonOption,
    by: ByOption,
    directory: CatalogDirectory = DEFAULT,
    source: SourceOption = "",
) -> None:
    """Withdraws a dataset and prints its tombstone."""
    from protos import terminal

    with opened(directory) as registry:
        token = registry.withdraw(
            source_of(registry, identifier, source), identifier, reason=reason, who=by
        )
    terminal.done(Text(f"{identifier} is withdrawn.", f"{identifier} 已撤回。"))
    typer.echo(token)


@app.command(
    help=said(
        "What nodes declared once and do not any more: withdraw it, or ask the department.",
        "节点曾申报、现不再申报的数据资源：请撤回，或向部门核实。",
    )
)
def undeclared(directory: CatalogDirectory = DEFAULT, as_json: AsJson = False) -> None:
    """Lists what waits for a decision, each with the command that withdraws it."""
    from dataclasses import asdict

    from catalog.registry.undeclared import undeclared as waiting
    from catalog.show.words import day
    from protos import terminal

    with opened(directory) as registry, registry.database.read() as connection:
        found = waiting(connection)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    if not found:
        terminal.done(Text("Nodes declare all that they ever did.", "各节点仍申报其全部数据资源。"))
    for each in found:
        when = day(each.since)
        terminal.say(
            Text(f"{each.identifier}, {each.name}: not declared since {when} ({each.provider})",
                 f"{each.identifier}，{each.name}：自 {when} 起不再申报（{each.provider}）")
        )  # fmt: skip
        terminal.say(
            f"→ veil catalog withdraw {shlex.quote(each.identifier)} --source {each.source} "
            f"--by … --reason …", indent=2,
        )  # fmt: skip
