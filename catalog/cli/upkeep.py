"""``init``, ``upgrade``, ``sample`` and ``reindex``: the catalog itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from catalog.cli_options import DEFAULT, CatalogDirectory, opened, said
from protos.language import Text

app = typer.Typer()


@app.command(help=said("Make an empty catalog.", "创建空目录库。"))
def init(
    directory: CatalogDirectory = DEFAULT,
    postgresql: Annotated[
        Path | None,
        typer.Option(
            help=said(
                "File with the URL of an empty PostgreSQL database; SQLite without it.",
                "内含空 PostgreSQL 数据库地址的文件；缺省使用 SQLite。",
            )
        ),
    ] = None,
) -> None:
    """Makes the directory, the signing key and the tables."""
    from catalog.registry.registry import create
    from protos import terminal
    from protos.keyfile import read_private

    url = "" if postgresql is None else read_private(postgresql).decode("utf-8", "replace").strip()
    create(directory, url=url)
    terminal.done(
        Text(
            f"{directory} is a catalog. Fill it: veil catalog import FILE --dir {directory}",
            f"{directory} 已创建。导入数据：veil catalog import FILE --dir {directory}",
        )
    )


@app.command(help=said("Bring an older catalog up to date.", "将旧版目录库升级到当前版本。"))
def upgrade(directory: CatalogDirectory = DEFAULT) -> None:
    """Carries out what migrations are missing, in one transaction."""
    from protos import terminal

    with opened(directory, upgrade=True) as registry:
        revision = registry.database.revision()
    terminal.done(
        Text(f"{directory} is at version {revision}.", f"{directory} 已是版本 {revision}。")
    )


@app.command(
    help=said(
        "Fill a catalog with a made-up province: 21 cities, 41,600 datasets; and two more with "
        "public rows, which pass the publishing gate as everybody's do.",
        "用虚构省份的目录填充：21 个地市、41,600 个数据资源；另有两个含公开数据的资源，"
        "与任何数据一样须通过发布门禁。",
    )
)
def sample(
    directory: CatalogDirectory = DEFAULT,
    datasets: Annotated[
        int, typer.Option(min=1, help=said("How many datasets.", "数据资源数量。"))
    ] = 41_600,
    seed: Annotated[
        int, typer.Option(help=said("Another seed, other datasets.", "随机种子。"))
    ] = 1,
    rows: Annotated[
        bool,
        typer.Option(help=said("Whether to publish rows.", "是否公开示例数据。")),
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option(
            help=said(
                "Write a file instead (.csv, .xlsx, .json, .jsonld, .ttl), to try the import.",
                "改为写出文件（.csv、.xlsx、.json、.jsonld、.ttl），用于体验导入。",
            )
        ),
    ] = None,
) -> None:
    """Makes the province's records and registers them, or writes them to a file."""
    from catalog.interchange.exporting import export_file
    from catalog.province.build import province, uses_of
    from catalog.province.opening import Opening
    from catalog.registry.registry import create
    from protos import terminal

    if out is not None:
        count = export_file(province(datasets, seed), out)
        terminal.done(Text(f"{out}: {count:,} datasets.", f"{out}：{count:,} 个数据资源。"))
        return
    create(directory)
    title = Text("Registering the province …", "正在登记示例省份……")
    with opened(directory) as registry:
        records = list(province(datasets, seed))
        with Opening(registry, seed if rows else None) as opening:
            with terminal.row_progress(title) as told:
                registry.register([*records, *opening.records], told)
            registry.count_uses(uses_of(records, seed))
            total, offices = len(records), len({record.provider for record in records})
            terminal.done(  # whoever waits for this line may serve the catalog from now on
                Text(
                    f"{directory}: {total:,} datasets of {offices:,} departments. "
                    f"Look for some: veil catalog search 医疗 --dir {directory}",
                    f"{directory}：{offices:,} 个部门的 {total:,} 个数据资源。"
                    f"试试检索：veil catalog search 医疗 --dir {directory}",
                )
            )
            opening.publish()
    if opening.records:
        terminal.done(
            Text(
                f"{len(opening.records)} more have public rows: "
                f"veil catalog published --dir {directory}",
                f"另有 {len(opening.records)} 个资源已公开数据："
                f"veil catalog published --dir {directory}",
            )
        )


@app.command(help=said("Make the search index anew.", "重建检索索引。"))
def reindex(directory: CatalogDirectory = DEFAULT) -> None:
    """Rebuilds the index from the records, in one transaction."""
    from catalog.search.index import rebuild
    from protos import terminal

    with (
        opened(directory) as registry,
        terminal.progress(Text("Rebuilding …", "正在重建……")),
        registry.database.write() as (connection, _),
    ):
        count = rebuild(connection)
    terminal.done(Text(f"{count:,} datasets are indexed.", f"已为 {count:,} 个数据资源建立索引。"))
