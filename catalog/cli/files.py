"""``import`` and ``export``: records in and out, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from catalog.cli_options import DEFAULT, AsJson, CatalogDirectory, opened, print_json, said
from protos.language import Text

app = typer.Typer()


@app.command(
    name="import",
    help=said(
        "Register the records of a file: all of them or, if one is wrong, none.",
        "登记文件中的目录记录：全部登记；若有错误，则全部不登记。",
    ),
)
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help=said(
                "National form (.csv, .xlsx, .ods), CKAN packages (.json), DCAT (.jsonld, .ttl).",
                "目录编制表（.csv、.xlsx、.ods）、CKAN 数据包（.json）或 DCAT（.jsonld、.ttl）。",
            )
        ),
    ],
    directory: CatalogDirectory = DEFAULT,
    source: Annotated[
        str,
        typer.Option(
            help=said(
                "Catalog that records are from, if they do not say it.",
                "记录未注明时的来源目录。",
            )
        ),
    ] = "local",
    sheet: Annotated[str, typer.Option(help=said("Sheet of a workbook.", "工作表名称。"))] = "",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help=said("Say what would happen, keep nothing.", "只检查，不写入。")
        ),
    ] = False,
    skip_bad: Annotated[
        Path | None,
        typer.Option(
            help=said(
                "Register the good records all the same, and write the others to this file.",
                "仍登记无误的记录，并将有误的写入此文件。",
            )
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Reads, checks and registers; who has problems ends with exit code 1."""
    from catalog.interchange.importing import import_file
    from catalog.show.report import show_report
    from protos import terminal

    title = Text(f"Importing {file.name} …", f"正在导入 {file.name}……")
    with opened(directory) as registry, terminal.row_progress(title) as told:
        report = import_file(
            registry, file, source=source, sheet=sheet, dry_run=dry_run, bad_file=skip_bad,
            progress=told,
        )  # fmt: skip
    if as_json:
        print_json(report.to_dict())
    else:
        show_report(report, file.name)
        if report.bad and skip_bad is None:
            terminal.say(
                Text(
                    "Nothing was registered. Mend the file, or register the others and have these "
                    f"written to a new one: --skip-bad {file.stem}-bad.csv",
                    "未登记任何记录。请改正文件；也可先登记其余记录，并将问题记录写入新文件："
                    f"--skip-bad {file.stem}-bad.csv",
                ),
                style=terminal.BAD,
            )
    if report.bad and not report.written:
        raise typer.Exit(1)


@app.command(
    help=said(
        "Write all records to a file: national form, CKAN packages or DCAT.",
        "导出全部目录：目录编制表、CKAN 数据包或 DCAT。",
    )
)
def export(
    file: Annotated[
        Path,
        typer.Argument(
            help=said(
                "Its suffix says what it becomes: .csv, .xlsx, .json, .jsonld or .ttl.",
                "由后缀决定格式：.csv、.xlsx、.json、.jsonld 或 .ttl。",
            )
        ),
    ],
    directory: CatalogDirectory = DEFAULT,
    encoding: Annotated[
        str,
        typer.Option(help=said("Of .csv: utf-8 or gb18030.", ".csv 的编码：utf-8 或 gb18030。")),
    ] = "utf-8",
    replace: Annotated[
        bool, typer.Option("--replace", help=said("Replace a file.", "覆盖已有文件。"))
    ] = False,
) -> None:
    """Writes the file beside its name and gives it the name when it is whole."""
    from catalog.interchange.exporting import export_file
    from protos import terminal

    title = Text(f"Exporting to {file.name} …", f"正在导出到 {file.name}……")
    with opened(directory) as registry, terminal.row_progress(title) as told:
        total = registry.count()
        count = export_file(
            registry.records(), file, encoding=encoding, replace=replace,
            progress=lambda done: told(done, total),
        )  # fmt: skip
    terminal.done(Text(f"{file}: {count:,} datasets.", f"{file}：{count:,} 个数据资源。"))
