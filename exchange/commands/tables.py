"""Tables that the commands print."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import typer

from catalog.typing_rules import EPOCH
from desensitize.column import Column
from exchange.analyst.federation import Federation
from exchange.cluster.cluster import PEOPLE, Running
from exchange.cluster.processes import alive
from protos import terminal
from protos.language import Text, both, joined, language

_NAME = Text("Name", "名称")
_STATE = Text("State", "状态")
_RUNS = Text("running", "运行中")
_STOPPED = Text("stopped", "已停止")
_TITLE = Text("Visits by sex", "门诊人次")
_WANTED = Text("Insured visits by sex, for the annual report", "按性别的参保门诊人次，用于年度报告")
_CODES: Final = 4  # shown of a code list
_COMMA = Text(", ", "、")
_USES = {
    "join": Text("join", "连接"),
    "filter": Text("filter", "筛选"),
    "group": Text("group", "分组"),
    "aggregate": Text("aggregate", "汇总"),
}
_TYPES = {
    "integer": Text("integer", "整数"),
    "decimal": Text("decimal", "小数"),
    "string": Text("text", "文本"),
    "date": Text("date", "日期"),
    "boolean": Text("true or false", "真假"),
}


def show_cluster(running: Sequence[Running]) -> None:
    """Who is where."""
    rows = [
        (
            part.process.name,
            str(_RUNS if alive(part.process) else _STOPPED),
            str(part.process.pid),
            part.address or str(Text("listens on nothing", "不监听任何端口")),
            part.process.directory,
        )
        for part in running
    ]
    columns = (
        _NAME,
        _STATE,
        Text("Process", "进程"),
        Text("Listens on", "监听地址"),
        Text("Directory", "目录"),
    )
    terminal.table([str(column) for column in columns], rows, right=[2])
    for part in running:
        if part.catalog:
            terminal.say(Text(f"Catalog: {part.catalog}", f"目录：{part.catalog}"))


def show_people(running: Sequence[Running], directory: Path, department: str) -> None:
    """How to go the whole way in the catalog, beginning with the next commands to type."""
    people = directory / PEOPLE
    (server,) = [part.catalog for part in running if part.catalog]
    terminal.say(
        Text(f"In {people} are keys of an analyst (wang), a data steward (li) and a chief data "
             f"officer (wu) of {department}. Go from a demand to a certificate as they would, "
             "docs/guides/whole-way.md; it begins with",
             f"{people} 中有分析员 wang、{department} 的数据专员 li 与首席数据官 wu 的密钥。"
             "可依 docs/guides/whole-way.md 以其身份走完从需求到流通证书的全程，第一步：")
    )  # fmt: skip
    # Not wrapped like other texts: these are to be copied.
    typer.echo(f"export VEIL_SERVER={server} VEIL_CA={directory / 'nodes' / department / 'ca.crt'}")
    typer.echo(
        f"veil demand submit --key-file {people / 'wang.key'} --department {department} "
        f'--title "{_TITLE}" --text "{_WANTED}"'
    )


def show_rows(running: Sequence[Running], catalog: Path) -> None:
    """The pages of what is public in the catalog."""
    from catalog.portal.links import link
    from catalog.publishing.listing import publications
    from catalog.registry.registry import opened

    (server,) = [part.catalog for part in running if part.catalog]
    with opened(catalog) as registry, registry.database.read() as connection:
        public = publications(connection)
    terminal.say(
        Text("Data with rows, to look at, to download and to query:",
             "含公开数据的资源，可预览、下载和查询：")
    )  # fmt: skip
    for each in public:
        page = link(language(), "dataset", each.source, each.identifier)
        typer.echo(f"{server}{page}  {each.name}")


def show_federation(federation: Federation) -> None:
    """Which datasets there are, who answers for them, and which columns may be used for what."""
    for dataset in federation.datasets.values():
        policies = federation.policies.get(dataset.name, {})
        answering = [
            name if name in federation.online else f"{name} ({Text('offline', '离线')})"
            for name in dataset.members
        ]
        terminal.heading(
            Text(f"{dataset.name}: {dataset.title}", f"{dataset.name}：{dataset.title}")
        )
        terminal.say(Text(f"held by {', '.join(answering)}", f"数据方：{'、'.join(answering)}"))
        rows = []
        for column in dataset.columns.values():
            held = [p.columns[column.name] for p in policies.values() if column.name in p.columns]
            uses = sorted(frozenset.intersection(*(c.uses for c in held))) if held else []
            allowed = joined((_USES[use] for use in uses), _COMMA)
            everywhere = len(held) == len(policies)
            rows.append(
                (
                    column.name,
                    _TYPES[column.type],
                    value_range(column),
                    allowed if everywhere else "–",
                )
            )
        columns = (
            Text("Column", "列"),
            Text("Type", "类型"),
            Text("Values", "取值"),
            Text("May be used to", "允许用途"),
        )
        terminal.table([str(c) for c in columns], rows)


def value_range(column: Column) -> Text:
    """Returns what a column's values may be: its code list, its bounds, or ""."""
    if column.codes is not None:
        shown = ", ".join(map(str, column.codes[:_CODES]))
        more = len(column.codes) - _CODES
        if more <= 0:
            return both(shown)
        return Text(f"{shown} … ({len(column.codes)})", f"{shown} …（共 {len(column.codes)} 个）")
    if column.bounds is None:
        return both("")
    low, high = (_written(column, end) for end in column.bounds)
    return Text(f"{low} to {high}", f"{low} 至 {high}")


def _written(column: Column, end: int) -> str:
    if column.type == "date":
        return str(EPOCH + timedelta(days=end))
    return f"{end / 10**column.decimals:,.{column.decimals}f}" if column.decimals else f"{end:,}"
