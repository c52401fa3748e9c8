"""``veil catalog``: which data there is, who answers for it, and how it gets in and out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli_options import (
    DEFAULT,
    AsJson,
    ByOption,
    CatalogDirectory,
    Identifier,
    ReasonOption,
    SourceOption,
)
from catalog.cli_options import opened as _open
from catalog.cli_options import print_json as _print_json
from catalog.cli_options import said as _help
from catalog.cli_options import source_of as _source
from catalog.publishing import cli as publishing
from protos.language import Text

if TYPE_CHECKING:
    from catalog.registry.registry import Registry
    from catalog.search.query import Facet, Query

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
# ---- the catalog itself ------------------------------------------------------------------------


@app.command(help=_help("Make an empty catalog.", "创建空目录库。"))
def init(
    directory: CatalogDirectory = DEFAULT,
    postgresql: Annotated[
        Path | None,
        typer.Option(
            help=_help(
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


@app.command(help=_help("Bring an older catalog up to date.", "将旧版目录库升级到当前版本。"))
def upgrade(directory: CatalogDirectory = DEFAULT) -> None:
    """Carries out what migrations are missing, in one transaction."""
    from protos import terminal

    with _open(directory, upgrade=True) as registry:
        revision = registry.database.revision()
    terminal.done(
        Text(f"{directory} is at version {revision}.", f"{directory} 已是版本 {revision}。")
    )


@app.command(
    help=_help(
        "Fill a catalog with a made-up province: 21 cities, 41,600 datasets.",
        "用虚构省份的目录填充：21 个地市、41,600 个数据资源。",
    )
)
def sample(
    directory: CatalogDirectory = DEFAULT,
    datasets: Annotated[
        int, typer.Option(min=1, help=_help("How many datasets.", "数据资源数量。"))
    ] = 41_600,
    seed: Annotated[
        int, typer.Option(help=_help("Another seed, other datasets.", "随机种子。"))
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            help=_help(
                "Write a file instead (.csv, .xlsx, .json, .jsonld, .ttl), to try the import.",
                "改为写出文件（.csv、.xlsx、.json、.jsonld、.ttl），用于体验导入。",
            )
        ),
    ] = None,
) -> None:
    """Makes the province's records and registers them, or writes them to a file."""
    from catalog.interchange.exporting import export_file
    from catalog.province.build import province, uses_of
    from catalog.registry.registry import create
    from protos import terminal

    if out is not None:
        count = export_file(province(datasets, seed), out)
        terminal.done(Text(f"{out}: {count:,} datasets.", f"{out}：{count:,} 个数据资源。"))
        return
    create(directory)
    title = Text("Registering the province …", "正在登记示例省份……")
    with _open(directory) as registry, terminal.row_progress(title) as told:
        records = list(province(datasets, seed))
        with registry.writing() as writer:
            writer.enrol(record.provider for record in records)
            for begin in range(0, len(records), 1000):
                writer.put(records[begin : begin + 1000])
                told(begin, len(records))
        registry.count_uses(uses_of(records, seed))
    total, offices = len(records), len({record.provider for record in records})
    terminal.done(
        Text(
            f"{directory}: {total:,} datasets of {offices:,} departments. "
            f"Look for some: veil catalog search 医疗 --dir {directory}",
            f"{directory}：{offices:,} 个部门的 {total:,} 个数据资源。"
            f"试试检索：veil catalog search 医疗 --dir {directory}",
        )
    )


@app.command(help=_help("Make the search index anew.", "重建检索索引。"))
def reindex(directory: CatalogDirectory = DEFAULT) -> None:
    """Rebuilds the index from the records, in one transaction."""
    from catalog.search.index import rebuild
    from protos import terminal

    with (
        _open(directory) as registry,
        terminal.progress(Text("Rebuilding …", "正在重建……")),
        registry.database.write() as (connection, _),
    ):
        count = rebuild(connection)
    terminal.done(Text(f"{count:,} datasets are indexed.", f"已为 {count:,} 个数据资源建立索引。"))


# ---- in and out --------------------------------------------------------------------------------


@app.command(
    name="import",
    help=_help(
        "Register the records of a file: all of them or, if one is wrong, none.",
        "登记文件中的目录记录：全部登记；若有错误，则全部不登记。",
    ),
)
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help=_help(
                "National form (.csv, .xlsx, .ods), CKAN packages (.json), DCAT (.jsonld, .ttl).",
                "目录编制表（.csv、.xlsx、.ods）、CKAN 数据包（.json）或 DCAT（.jsonld、.ttl）。",
            )
        ),
    ],
    directory: CatalogDirectory = DEFAULT,
    source: Annotated[
        str,
        typer.Option(
            help=_help(
                "Catalog that records are from, if they do not say it.",
                "记录未注明时的来源目录。",
            )
        ),
    ] = "local",
    sheet: Annotated[str, typer.Option(help=_help("Sheet of a workbook.", "工作表名称。"))] = "",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help=_help("Say what would happen, keep nothing.", "只检查，不写入。")
        ),
    ] = False,
    skip_bad: Annotated[
        Path | None,
        typer.Option(
            help=_help(
                "Register the good records all the same, and write the others to this file.",
                "仍登记无误的记录，并将有误的写入此文件。",
            )
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Reads, checks and registers; who has problems ends with exit code 1."""
    from catalog.interchange.importing import import_file
    from catalog.show import show_report
    from protos import terminal

    title = Text(f"Importing {file.name} …", f"正在导入 {file.name}……")
    with _open(directory) as registry, terminal.row_progress(title) as told:
        report = import_file(
            registry, file, source=source, sheet=sheet, dry_run=dry_run, bad_file=skip_bad,
            progress=told,
        )  # fmt: skip
    if as_json:
        _print_json(report.to_dict())
    else:
        show_report(report, file.name)
        if report.bad and skip_bad is None:
            terminal.say(
                Text(
                    "Nothing was registered. Mend the file, or give --skip-bad bad.csv.",
                    "未登记任何记录。请改正文件，或使用 --skip-bad bad.csv。",
                ),
                style=terminal.BAD,
            )
    if report.bad and not report.written:
        raise typer.Exit(1)


@app.command(
    help=_help(
        "Write all records to a file: national form, CKAN packages or DCAT.",
        "导出全部目录：目录编制表、CKAN 数据包或 DCAT。",
    )
)
def export(
    file: Annotated[
        Path,
        typer.Argument(
            help=_help(
                "Its suffix says what it becomes: .csv, .xlsx, .json, .jsonld or .ttl.",
                "由后缀决定格式：.csv、.xlsx、.json、.jsonld 或 .ttl。",
            )
        ),
    ],
    directory: CatalogDirectory = DEFAULT,
    encoding: Annotated[
        str,
        typer.Option(help=_help("Of .csv: utf-8 or gb18030.", ".csv 的编码：utf-8 或 gb18030。")),
    ] = "utf-8",
    replace: Annotated[
        bool, typer.Option("--replace", help=_help("Replace a file.", "覆盖已有文件。"))
    ] = False,
) -> None:
    """Writes the file beside its name and gives it the name when it is whole."""
    from catalog.interchange.exporting import export_file
    from protos import terminal

    title = Text(f"Exporting to {file.name} …", f"正在导出到 {file.name}……")
    with _open(directory) as registry, terminal.row_progress(title) as told:
        total = registry.count()
        count = export_file(
            registry.records(), file, encoding=encoding, replace=replace,
            progress=lambda done: told(done, total),
        )  # fmt: skip
    terminal.done(Text(f"{file}: {count:,} datasets.", f"{file}：{count:,} 个数据资源。"))


# ---- looking for data --------------------------------------------------------------------------


def _facet(name: str, en: str, zh: str) -> object:
    return typer.Option(
        f"--{name}", help=_help(f"{en}; may be given again.", f"{zh}；可多次指定。")
    )


@app.command(
    help=_help(
        "Find datasets by words, Chinese or English, and by facets.",
        "按中英文词语和分面检索数据资源。",
    )
)
def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help=_help("All of them must be in the record.", "须全部出现在同一资源中。")
        ),
    ] = None,
    directory: CatalogDirectory = DEFAULT,
    theme: Annotated[list[str] | None, _facet("theme", "Theme", "主题")] = None,
    scenario: Annotated[list[str] | None, _facet("scenario", "Scenario", "应用场景")] = None,
    department: Annotated[
        list[str] | None,
        _facet("department", "Department: name or code", "部门名称或代码"),
    ] = None,
    grade: Annotated[
        list[str] | None, _facet("grade", "Highest grade, L1 to L4", "最高分级，L1 至 L4")
    ] = None,
    format_: Annotated[list[str] | None, _facet("format", "Format", "格式")] = None,
    sharing: Annotated[list[str] | None, _facet("sharing", "Sharing attribute", "共享类型")] = None,
    opening: Annotated[list[str] | None, _facet("open", "Open attribute", "开放类型")] = None,
    place: Annotated[
        list[str] | None,
        _facet("place", "Place: name or code", "区域名称或代码"),
    ] = None,
    cycle: Annotated[list[str] | None, _facet("cycle", "Update cycle", "更新周期")] = None,
    kind: Annotated[list[str] | None, _facet("kind", "Kind of dataset", "资源类型")] = None,
    sort: Annotated[
        str,
        typer.Option(
            help=_help("relevance, date, name or usage.", "relevance、date、name 或 usage。")
        ),
    ] = "relevance",
    limit: Annotated[int, typer.Option(help=_help("Hits on a page.", "每页条数。"))] = 10,
    cursor: Annotated[
        str, typer.Option(help=_help("Where the page before ended.", "上一页的翻页标记。"))
    ] = "",
    facets: Annotated[
        bool,
        typer.Option(
            "--facets/--no-facets", help=_help("Show how many by facet.", "显示分面统计。")
        ),
    ] = True,
    save: Annotated[
        str, typer.Option(help=_help("Keep this search under a name.", "以此名称保存检索。"))
    ] = "",
    saved: Annotated[
        str, typer.Option(help=_help("Search as was saved under a name.", "使用已保存的检索。"))
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Searches, prints a page, and says what else there is."""
    from catalog.search.find import Search

    asked: dict[Facet, list[str] | None] = {
        "theme": theme, "scenario": scenario, "department": department, "grade": grade,
        "format": format_, "sharing": sharing, "opening": opening, "place": place,
        "cycle": cycle, "kind": kind,
    }  # fmt: skip
    with _open(directory) as registry:
        query = _query(registry, words or [], asked, sort, saved)
        if save:
            import time

            from catalog.search.saved import save as keep

            keep(registry.database, save, query, int(time.time()))
        from dataclasses import replace

        query = replace(query, limit=limit, cursor=cursor)
        page = Search(registry.database).find(query)
        if as_json:
            _print_json(
                {
                    "total": page.total,
                    "hits": [hit.to_dict() for hit in page.hits],
                    "facets": page.facets,
                    "cursor": page.cursor,
                }
            )
            return
        from catalog.search.department_names import names
        from catalog.show import show_page

        show_page(page, query, names(registry.database), facets=facets)


def _query(registry: Registry, words: list[str], asked: dict[Facet, list[str] | None], sort: str,
           saved: str) -> Query:  # fmt: skip
    """Puts together what is asked; a saved search takes no more words or facets."""
    from catalog.search.department_names import codes_of
    from catalog.search.query import Query, read_filter, read_order
    from catalog.search.saved import named
    from protos.faults import InputError

    if saved:
        if words or any(asked.values()):
            raise InputError(
                Text("a saved search has its own words and facets", "已保存的检索不能再加条件"),
                remedy=Text("leave them out, or search anew", "请去掉其他条件，或重新检索"),
                code="search.saved",
            )
        return named(registry.database, saved)
    filters: dict[Facet, tuple[str, ...]] = {}
    for facet, texts in asked.items():
        codes: list[str] = []
        for text in texts or ():
            if facet == "department":
                codes += codes_of(registry.database, text)
            else:
                codes.append(read_filter(facet, text))
        if codes:
            filters[facet] = tuple(codes)
    return Query(" ".join(words), filters, read_order(sort))


@app.command(help=_help("The searches that were saved.", "查看已保存的检索。"))
def searches(
    directory: CatalogDirectory = DEFAULT,
    forget: Annotated[
        str, typer.Option(help=_help("Remove the one of this name.", "删除此名称的检索。"))
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Lists or removes saved searches."""
    from catalog.search import saved as kept
    from catalog.search.query import TITLES
    from protos import terminal

    with _open(directory) as registry:
        if forget:
            kept.forget(registry.database, forget)
        found = kept.saved(registry.database)
    if as_json:
        _print_json({name: query.to_dict() for name, query in found.items()})
        return
    if not found:
        terminal.say(
            Text(
                "No search is saved: veil catalog search … --save NAME",
                "没有已保存的检索：veil catalog search … --save 名称",
            )
        )
        return
    rows = [
        (
            name,
            query.text,
            "; ".join(f"{TITLES[f]}={','.join(codes)}" for f, codes in query.filters.items()),
            query.order,
        )
        for name, query in found.items()
    ]
    columns = (Text("Name", "名称"), Text("Words", "词语"), Text("Facets", "分面"),
               Text("Sorted by", "排序"))  # fmt: skip
    terminal.table([str(column) for column in columns], rows)


@app.command(help=_help("All that is known about one dataset.", "查看一个数据资源的全部信息。"))
def show(
    identifier: Identifier,
    directory: CatalogDirectory = DEFAULT,
    source: SourceOption = "",
    as_json: AsJson = False,
) -> None:
    """Prints record, sources, relations, versions and quality."""
    import datetime as dt

    from catalog.registry.entry_json import entry_dict
    from catalog.registry.quality import judge
    from catalog.registry.withdrawal import read_tombstone
    from catalog.show_entry import show_entry

    with _open(directory) as registry:
        entry = registry.entry(_source(registry, identifier, source), identifier)
        tombstone = None
        if entry.tombstone:
            tombstone = read_tombstone(entry.tombstone, registry.key().public)
    quality = judge(entry.record, dt.datetime.now(dt.UTC).date())
    if as_json:
        _print_json(entry_dict(entry, quality))
    else:
        show_entry(entry, quality, tombstone)


@app.command(help=_help("Who provides data, and how much.", "查看提供数据的部门。"))
def departments(directory: CatalogDirectory = DEFAULT, as_json: AsJson = False) -> None:
    """Lists departments, those with most datasets first."""
    from catalog.show import show_providers

    with _open(directory) as registry:
        providers = registry.providers()
    if as_json:
        _print_json(
            [
                {"code": p.department.code, "name": p.department.name, "place": p.department.place,
                 "name_en": p.department.name_en, "datasets": p.datasets}
                for p in providers
            ]
        )  # fmt: skip
    else:
        show_providers(providers)


# ---- decisions ---------------------------------------------------------------------------------


@app.command(
    help=_help(
        "Data items that two departments say to be the source of; decide one with --decide.",
        "两个部门同时主张为数源的数据项；用 --decide 裁定。",
    )
)
def conflicts(
    number: Annotated[
        int | None, typer.Argument(help=_help("Show or decide this one.", "查看或裁定此编号。"))
    ] = None,
    directory: CatalogDirectory = DEFAULT,
    decide: Annotated[
        str,
        typer.Option(
            help=_help(
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
            help=_help(
                "For different: what the claimant's data item is a property of.",
                "裁定为 different 时，主张方数据项的数据对象。",
            )
        ),
    ] = "",
    every: Annotated[
        bool, typer.Option("--all", help=_help("Decided ones, too.", "包括已裁定的。"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Lists conflicts, shows one with its steps, or decides it."""
    from catalog.registry.decisions import read_decision
    from catalog.show import show_conflict, show_conflicts
    from protos import terminal
    from protos.faults import InputError

    with _open(directory) as registry:
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
    if as_json:
        _print_json([conflict.to_dict() for conflict in found])
    elif number is not None and found:
        show_conflict(found[0])
    elif found:
        show_conflicts(found)
    else:
        terminal.done(Text("No conflict is open.", "没有待裁定的冲突。"))


@app.command(
    help=_help(
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

    with _open(directory) as registry:
        token = registry.withdraw(
            _source(registry, identifier, source), identifier, reason=reason, who=by
        )
    terminal.done(Text(f"{identifier} is withdrawn.", f"{identifier} 已撤回。"))
    typer.echo(token)


# ---- publishing --------------------------------------------------------------------------------

publishing.add_to(app)
