"""What the operator's commands show."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from catalog.certificates.grant_ends import unverified_reason
from compute_nodes.approval import consider, ruling_on
from compute_nodes.config import load_node_config
from compute_nodes.daemon import Holding, load_holdings
from compute_nodes.deciding import OFFICES, Ruling
from compute_nodes.rpc.membership import Membership
from compute_nodes.state_names import state_name
from compute_nodes.store import NodeStore
from desensitize.budget import epsilon_for
from protos import terminal
from protos.cards import Pins
from protos.language import Text

COMPUTED: Final = Text("What is computed", "实际计算内容")
_FAILED: Final = Text("failed here: {why}", "本部门失败：{why}")
_COUNTS: Final = Text("yes", "同意")
CLAIMED: Final = Text("Analyst's own text (not verified)", "分析员自述（未经核实）")


def show_holdings(directory: Path) -> None:
    """Every dataset: rows, what the load found, and what is left of the budget."""
    member = Membership.load(directory)
    holdings = load_holdings(directory, load_node_config(directory), member.name)
    with _store(directory) as store:
        for name, held in holdings.items():
            report = held.snapshot.report
            terminal.heading(
                Text(
                    f"{member.name}: {name}, {report.rows:,} rows",
                    f"{member.name}：{name}，{report.rows:,} 行",
                )
            )
            rows = [
                (
                    column,
                    f"{found.nulls:,}",
                    f"{found.not_finite:,}",
                    f"{found.out_of_bounds:,}",
                    f"{found.outside_codes:,}",
                )
                for column, found in report.columns.items()
            ]
            columns = (
                Text("Column", "列"),
                Text("NULL", "空值"),
                Text("not finite", "非有限"),
                Text("out of bounds", "越界"),
                Text("not in code list", "不在代码表"),
            )
            terminal.table([str(c) for c in columns], rows, right=[1, 2, 3, 4])
            _show_budget(held, store)


def show_jobs(directory: Path) -> None:
    """The latest jobs."""
    with _store(directory) as store:
        rows = [
            (
                row.job[:12],
                _when(row.received_at),
                row.analyst,
                state_name(row.mode),
                str(_FAILED.format(why=row.failure)) if row.failure else state_name(row.state),
                row.statement,
            )
            for row in store.jobs()
        ]
    if not rows:
        terminal.say(Text("Nobody has asked anything yet.", "尚无任务。"))
        return
    columns = (
        Text("Job", "任务"),
        Text("When", "时间"),
        Text("Analyst", "分析员"),
        Text("Mode", "模式"),
        Text("State", "状态"),
        Text("Statement", "语句"),
    )
    terminal.table([str(c) for c in columns], rows)


def show_ledger(directory: Path, job: str | None) -> None:
    """Both ledgers; the chain is checked first."""
    with _store(directory) as store, store.db.read() as db:
        last = store.egress.verify(db)
        lines = [row for row in store.egress.rows(db) if job is None or row["job"].startswith(job)]
        spent = {row.job: row for row in store.budget.rows(db, limit=1000)}
    if job is not None:
        rows = [
            (str(r["entry"]), r["step"], state_name(r["kind"]), f"{r['bytes']:,}", r["sha256"][:16])
            for r in lines
        ]
        columns = [
            Text("Entry", "序号"),
            Text("Step", "步骤"),
            Text("Kind", "类型"),
            Text("Bytes", "字节"),
            Text("SHA-256", "SHA-256"),
        ]
        terminal.table([str(c) for c in columns], rows, right=[0, 3])
    else:
        totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for line in lines:
            totals[line["job"]][0] += 1
            totals[line["job"]][1] += line["bytes"]
        by_job = [
            (
                name[:12],
                str(count),
                f"{size:,}",
                f"{spent[name].rho:.4g}" if name in spent else "–",
                state_name(spent[name].state) if name in spent else "–",
            )
            for name, (count, size) in totals.items()
        ]
        columns = [
            Text("Job", "任务"),
            Text("Messages", "消息数"),
            Text("Bytes that left", "出域字节"),
            Text("rho", "rho"),
            Text("Budget", "预算"),
        ]
        terminal.table([str(c) for c in columns], by_job, right=[1, 2, 3])
    terminal.done(
        Text(f"The chain holds; last hash {last[:16]}.", f"哈希链完整；末尾 {last[:16]}。")
    )


def show_requests(directory: Path) -> None:
    """Every grant request."""
    with _store(directory) as store:
        considered = [consider(directory, store, row) for row in store.requests()]
        ended = {c.row.id for c in considered if store.ended(c.row.id) is not None}
    if not considered:
        terminal.say(Text("Nobody has asked for a grant yet.", "尚无授权申请。"))
        return
    rows = [
        (
            c.row.id[:12],
            state_name("ended" if c.row.id in ended else c.row.state),
            c.request.analyst if c.request else c.problem,
            str(len(c.overlaps)) if c.overlaps else "–",
            c.request.purpose if c.request else "",
            c.computed,
        )
        for c in considered
    ]
    columns = (
        Text("Id", "编号"),
        Text("State", "状态"),
        Text("Analyst", "分析员"),
        Text("Overlaps", "重叠"),
        Text("Purpose", "用途"),
        COMPUTED,
    )
    terminal.table([str(c) for c in columns], rows)


def show_request(directory: Path, prefix: str) -> None:
    """One request in full, with the earlier releases that it may be subtracted from."""
    with _store(directory) as store:
        considered = consider(directory, store, store.request(prefix))
        end = store.ended(considered.row.id)
        rules, ruling = load_node_config(directory).grants, None
        if rules is not None:
            ruling = ruling_on(rules, store, Membership.load(directory).name, considered)
    request = considered.request
    if request is None:
        terminal.say(considered.problem, style=terminal.BAD)
        return
    rows = [
        (str(COMPUTED), considered.computed),
        (str(Text("Analyst", "分析员")), request.analyst),
        (
            str(Text("… of the department", "……所属部门")),
            Pins.load(directory / "pins.toml").department_of(request.analyst) or "–",
        ),
        (str(Text("Purpose", "用途")), request.purpose),
        (str(CLAIMED), request.statement),
        (str(Text("Departments", "部门")), ", ".join(m.name for m in request.members)),
        (str(Text("Until", "有效期至")), _when(request.expires_at)),
    ]
    terminal.table(["", ""], rows)
    if end is not None:
        why = unverified_reason(end)
        terminal.say(Text(f"Revoked: {why}", f"已撤销：{why}"), style=terminal.BAD)
    for other in considered.overlaps:
        terminal.say(
            Text(
                f"Overlaps with an earlier exact release: {other}",
                f"与早先的精确结果人群重叠：{other}",
            ),
            style=terminal.BAD,
        )
    if ruling is not None:
        _show_ruling(ruling)


def _show_ruling(ruling: Ruling) -> None:
    """What officers have decided, and what the department's rules still ask for."""
    rows = [
        (each.who, str(OFFICES[each.office]), str(_COUNTS) if each.counts else str(each.why))
        for each in ruling.heard
    ]
    if rows:
        columns = (Text("Officer", "签批人"), Text("Office", "职务"), Text("Decision", "决定"))
        terminal.table([str(c) for c in columns], rows)
    if not ruling.enough:
        terminal.say(
            Text(
                f"Not signed by decisions: {ruling.missing.en}",
                f"未按决定自动签发：{ruling.missing.zh}",
            )
        )


def _show_budget(held: Holding, store: NodeStore) -> None:
    budget, delta = held.policy.budget, held.dataset.delta
    with store.db.read() as db:
        rows = []
        for project, share in budget.projects.items():
            spent = epsilon_for(store.budget.spent(db, held.dataset.name, project), delta)
            rows.append((project, f"{spent:.3f}", f"{share:.0%}"))
        total = epsilon_for(store.budget.spent(db, held.dataset.name), delta)
    columns = (
        Text("Project", "项目"),
        Text("epsilon spent", "已用 ε"),
        Text("share of the cap", "占总上限"),
    )
    terminal.table([str(c) for c in columns], rows, right=[1, 2])
    terminal.say(
        Text(
            f"Spent in all: epsilon {total:.3f} of {budget.epsilon:g} (delta {delta:g})",
            f"合计已用：ε {total:.3f} / {budget.epsilon:g}（δ {delta:g}）",
        )
    )


class _store:  # noqa: N801 - reads as a verb where it is used
    """Opens a node's store for reading."""

    def __init__(self, directory: Path) -> None:
        self._opened = NodeStore(directory / "store.sqlite")

    def __enter__(self) -> NodeStore:
        self._opened.open()
        return self._opened

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
