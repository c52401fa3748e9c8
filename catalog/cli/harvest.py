"""``veil catalog harvest``: other catalogs into this one, for its operator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.harvest_change import change
from catalog.cli_options import (
    DEFAULT,
    AsJson,
    ByOption,
    CatalogDirectory,
    ReasonOption,
    opened,
    print_json,
    said,
)
from protos.language import Text

if TYPE_CHECKING:
    from catalog.harvest.sources import Harvest
    from catalog.registry.registry import Registry

app = typer.Typer(
    no_args_is_help=True,
    help=said("Read other catalogs into this one.", "采集其他目录。"),
)
Name = Annotated[str, typer.Argument(help=said("Name of the harvest.", "采集名称。"))]


@app.command(
    help=said("Name another catalog; nothing is read yet.", "登记要采集的目录（暂不读取）。")
)
def add(
    name: Annotated[
        str,
        typer.Argument(
            help=said("What its records' source is called here.", "其记录在本目录中的来源名称。")
        ),
    ],
    url: Annotated[
        str,
        typer.Argument(
            help=said(
                "Of its DCAT (…/catalog.ttl), or of its portal with --as ckan.",
                "DCAT 目录地址（…/catalog.ttl）；CKAN 门户地址请加 --as ckan。",
            )
        ),
    ],
    place: Annotated[
        str,
        typer.Option(
            help=said(
                "Division for whose departments it speaks, six digits; 000000 for any. "
                "What it says of others' is not taken.",
                "该目录所代表的区划（六位代码；000000 表示不限）；其余区划部门的记录不予采集。",
            )
        ),
    ],
    directory: CatalogDirectory = DEFAULT,
    speaks: Annotated[
        str, typer.Option("--as", help=said("dcat or ckan.", "dcat 或 ckan。"))
    ] = "dcat",
    allow_private: Annotated[
        list[str] | None,
        typer.Option(
            help=said(
                "Range of a closed network that it may lead to; may be given again.",
                "允许访问的内部网络地址段；可多次指定。",
            )
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(
            help=said(
                "Certificate authorities of its network, PEM; the system's by default.",
                "该网络的 CA 证书（PEM）；缺省使用系统证书。",
            )
        ),
    ] = None,
    most_withdrawn: Annotated[
        int,
        typer.Option(
            help=said(
                "Percentage of its records that may vanish at once without a question.",
                "一次可消失而无须确认的记录百分比。",
            )
        ),
    ] = 10,
    pause: Annotated[
        float, typer.Option(help=said("Between two pages, seconds.", "两页之间的间隔（秒）。"))
    ] = 0.2,
) -> None:
    """Keeps the harvest."""
    from catalog.harvest.dialects import read_dialect
    from catalog.harvest.sources import Harvest
    from catalog.harvest.sources import add as keep
    from protos import terminal

    authorities = "" if ca is None else str(ca.resolve())
    harvest = Harvest(
        name, url, read_dialect(speaks), tuple(allow_private or ()), authorities, most_withdrawn,
        round(pause * 1000), place,
    )  # fmt: skip
    with opened(directory) as registry:
        keep(registry.database, harvest, registry.now())
    terminal.done(
        Text(
            f"{name} is kept. Read it: veil catalog harvest run {name}",
            f"已登记 {name}。开始采集：veil catalog harvest run {name}",
        )
    )


app.command(help=said("Give a harvest other settings.", "修改采集设置。"))(change)


@app.command(
    help=said(
        "Read a catalog, or all; after a stop it goes on where it was.",
        "采集指定目录或全部目录；中断后从断点继续。",
    )
)
def run(
    name: Annotated[
        str,
        typer.Argument(help=said("Name of the harvest; all without it.", "采集名称；缺省为全部。")),
    ] = "",
    directory: CatalogDirectory = DEFAULT,
    withdraw: Annotated[
        bool,
        typer.Option(
            "--withdraw",
            help=said(
                "Withdraw all that the source no longer has, however much it is.",
                "撤回来源中已不存在的全部记录，不限数量。",
            ),
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Reads; ends with exit code 1 if one failed, asks, or changed while it was read."""
    from catalog.harvest.sources import harvests, named
    from protos import terminal
    from protos.faults import VeilError

    done = True
    told: list[object] = []
    with opened(directory) as registry:
        wanted = [named(registry.database, name)] if name else [
            harvest for harvest, _ in harvests(registry.database)
        ]  # fmt: skip
        for harvest in wanted:
            try:
                body, complete = _run(registry, harvest, withdraw=withdraw, as_json=as_json)
            except VeilError as error:
                if name:
                    raise
                error.said = Text(f"{harvest.name}: {error.said.en}",
                                  f"{harvest.name}：{error.said.zh}")  # fmt: skip
                terminal.print_error(error)
                told.append({"harvest": harvest.name, "state": "failed", **error.public()})
                done = False
                continue
            told.append(body)
            done = done and complete
    if as_json:
        print_json(told)
    if not done:
        raise typer.Exit(1)


def _run(
    registry: Registry, harvest: Harvest, *, withdraw: bool, as_json: bool
) -> tuple[object, bool]:
    from catalog.harvest.run import fetcher
    from catalog.harvest.run import run as read
    from catalog.harvest.sources import problems
    from catalog.show.harvests import show_run
    from protos import terminal

    title = Text(f"Harvesting {harvest.name} …", f"正在采集 {harvest.name}……")
    fetch = fetcher(harvest)
    try:
        with terminal.row_progress(title) as progress:
            ended, gone = read(registry, harvest, fetch, withdraw=withdraw, progress=progress)
    finally:
        fetch.close()
    with registry.database.read() as connection:
        bad = problems(connection, harvest.name)
    if not as_json:
        show_run(harvest, ended, gone, bad)
    waiting = [] if ended.state == "complete" else [each.to_dict() for each in gone]
    body = {
        "harvest": harvest.name, **ended.to_dict(), "gone": waiting, "refused": len(bad),
        "problems": [problem.to_dict() for problem in bad],
    }  # fmt: skip
    return body, ended.state == "complete"


@app.command(name="list", help=said("Which catalogs are read.", "查看已登记的采集。"))
def list_(directory: CatalogDirectory = DEFAULT, as_json: AsJson = False) -> None:
    """Prints harvests with their last runs."""
    from catalog.harvest.sources import harvests
    from catalog.show.harvests import show_harvests

    with opened(directory) as registry:
        found = harvests(registry.database)
    if as_json:
        print_json([
            {**harvest.to_dict(), "last": None if last is None else last.to_dict()}
            for harvest, last in found
        ])  # fmt: skip
    else:
        show_harvests(found)


@app.command(
    help=said("Runs of one, and what could not be taken.", "查看一个采集的运行情况和问题。")
)
def show(name: Name, directory: CatalogDirectory = DEFAULT, as_json: AsJson = False) -> None:
    """Prints settings, runs and problems."""
    from catalog.harvest.sources import count, named, problems, runs
    from catalog.show.harvests import show_harvest

    with opened(directory) as registry:
        harvest = named(registry.database, name)
        with registry.database.read() as connection:
            past, bad = runs(connection, name), problems(connection, name)
            registered = count(connection, harvest)
    if as_json:
        print_json({
            **harvest.to_dict(), "registered": registered,
            "runs": [each.to_dict() for each in past],
            "problems": [each.to_dict() for each in bad],
        })  # fmt: skip
    else:
        show_harvest(harvest, past, registered, bad)


@app.command(help=said("Read a catalog no more.", "终止采集。"))
def remove(
    name: Name,
    directory: CatalogDirectory = DEFAULT,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help=said("Its records stay, as this catalog's own.", "保留其记录，归本目录所有。"),
        ),
    ] = False,
    withdraw: Annotated[
        bool,
        typer.Option("--withdraw", help=said("Its records are withdrawn.", "撤回其全部记录。")),
    ] = False,
    by: ByOption = "",
    reason: ReasonOption = "",
) -> None:
    """Ends a harvest; what becomes of its records must be said."""
    from catalog.harvest.ending import end
    from catalog.harvest.sources import named
    from protos import terminal
    from protos.faults import InputError

    if keep == withdraw:
        raise InputError(
            Text("what becomes of its records is not said", "未指明如何处理其记录"),
            remedy=Text("give --keep, or --withdraw with --by and --reason",
                        "请使用 --keep，或 --withdraw 并填写 --by 和 --reason"),
            code="harvest.remove",
        )  # fmt: skip
    with opened(directory) as registry:
        harvest = named(registry.database, name)
        withdrawn = end(registry, harvest, by=by, reason=reason, withdraw=withdraw)
    terminal.done(
        Text(f"{name} is read no more; {withdrawn:,} records are withdrawn.",
             f"已终止采集 {name}，撤回 {withdrawn:,} 条记录。")
    )  # fmt: skip
