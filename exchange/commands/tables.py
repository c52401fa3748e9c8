"""Tables that the commands print."""

from __future__ import annotations

from collections.abc import Sequence

from exchange.cluster import Running
from exchange.federation import Federation
from exchange.processes import alive
from protos import terminal
from protos.language import Text

_NAME = Text("Name", "名称")
_STATE = Text("State", "状态")
_RUNS = Text("running", "运行中")
_STOPPED = Text("stopped", "已停止")


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


def show_federation(federation: Federation) -> None:
    """Which datasets there are, who answers for them, and which columns may be used for what."""
    for dataset in federation.datasets.values():
        policies = federation.policies.get(dataset.name, {})
        answering = [
            name if name in federation.online else f"{name} ({Text('offline', '离线')})"
            for name in dataset.members
        ]
        terminal.heading(
            Text(f"{dataset.name}: {dataset.title}", f"{dataset.name}:{dataset.title}")
        )
        terminal.say(Text(f"held by {', '.join(answering)}", f"数据方:{'、'.join(answering)}"))
        rows = []
        for column in dataset.columns.values():
            held = [p.columns[column.name] for p in policies.values() if column.name in p.columns]
            uses = sorted(frozenset.intersection(*(c.uses for c in held))) if held else []
            everywhere = len(held) == len(policies)
            rows.append((column.name, column.type, ", ".join(uses) if everywhere else "–"))
        columns = (Text("Column", "列"), Text("Type", "类型"), Text("May be used to", "允许用途"))
        terminal.table([str(c) for c in columns], rows)
