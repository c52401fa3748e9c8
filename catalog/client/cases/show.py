"""Cases on a terminal: a list, one case, its history and whether it holds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from catalog.client.cases.evidence import Evidence
from catalog.workflows.model import PARTIES, Step, Workflow
from catalog.workflows.statements import computed
from protos import terminal
from protos.identity import show_fingerprint
from protos.language import Text, joined

_REASONS: Final = Text("reasons", "理由")
_SHOWN: Final = 300  # characters of a field
_LINES: Final = 20  # of an analyst's own words


def show_list(page: dict[str, Any]) -> None:
    """Prints one page of cases."""
    if page["cases"]:
        columns = (Text("Id", "编号"), Text("State", "状态"), Text("Until", "期限"),
                   Text("Title", "标题"))  # fmt: skip
        rows = [
            (each["id"], str(_title(each["state_title"])), _deadline(each), each["title"])
            for each in page["cases"]
        ]
        terminal.table([str(column) for column in columns], rows)
    terminal.say(Text(f"{page['total']:,} in all.", f"共 {page['total']:,} 件。"))
    if page["cursor"]:
        terminal.say(
            Text(f"Next page: --cursor {page['cursor']}", f"下一页：--cursor {page['cursor']}"),
            style=terminal.SOFT,
        )


def show_case(workflow: Workflow, case: dict[str, Any]) -> None:
    """Prints a case: what is asked, where it is, and what can be done."""
    terminal.say(f"{case['title']}  {case['id']}", style="bold", hang=2)
    state = _title(case["state_title"])
    late = Text(", overdue", "，已逾期") if case["overdue"] else Text("", "")
    until = _deadline(case)
    due = Text(f", until {until}", f"，期限 {until}") if until else Text("", "")
    title = workflow.title
    terminal.say(Text(f"{title.en}: {state.en}{due.en}{late.en}",
                      f"{title.zh}：{state.zh}{due.zh}{late.zh}"), indent=2)  # fmt: skip
    # What is asked stands in the fields of the steps that ask; others may have the same names.
    steps = sorted(workflow.steps, key=lambda step: step.asks)
    titles = {field.name: field.title for step in steps for field in step.fields}
    order = list(dict.fromkeys(field.name for step in workflow.steps for field in step.fields))
    said = sorted(case["said"].items(), key=lambda each: order.index(each[0])
                  if each[0] in order else len(order))  # fmt: skip
    for name, value in said:
        if name == "statements":
            show_statements(value)
        else:
            _field(titles.get(name, Text(name, name)), value)
    if not case.get("on_market", True):
        terminal.say(Text("Not on the market: not listed, or its broker has no licence in force",
                          "不在市：未上架，或经纪人资质已失效"), indent=2)  # fmt: skip
    if case["turn"]:
        who = PARTIES[case["turn"]]
        if any(workflow.step(each["step"]).by == case["turn"] for each in case["steps"]):
            who = Text("you", "您")
        terminal.say(Text(f"It is the turn of: {who.en}", f"待办方：{who.zh}"), indent=2)
    if case["steps"]:
        possible = joined([each["step"] for each in case["steps"]], Text(", ", "、"))
        terminal.say(Text(f"You can: {possible.en}", f"您可执行：{possible.zh}"), indent=2)


def show_statements(statements: Sequence[dict[str, str]]) -> None:
    """Prints what nodes would compute, whole, and how the analyst puts it.

    It is read from what the analyst signed, on this machine: the server is not asked. The analyst's
    words are cut: a thousand empty lines would push what is computed off the screen.
    """
    for each in statements:
        said = computed(each.get("grant_request", ""))
        terminal.say(Text(f"Nodes compute: {said}", f"节点实际计算：{said}"), indent=2, hang=2)
        lines = str(each.get("sql")).splitlines()
        words = "\n".join([*lines[:_LINES], *(["…"] if len(lines) > _LINES else [])])
        _words(Text("In the analyst's words", "分析员的表述"), words, 4)


def show_history(workflow: Workflow, evidence: Evidence) -> None:
    """Prints what was done, and what was verified."""
    terminal.heading(Text("History", "办理过程"))
    for kept in evidence.events:
        said = kept.said
        at, title = moment(said.at), workflow.step(said.step).title
        signed = Text(", signed by an officer's own key", "，由负责人本人密钥签署")
        mark = signed if kept.document else Text("", "")
        place = "" if kept.entry is None else f" #{kept.entry}"
        terminal.say(Text(f"{said.number}. {at}  {title.en} ({said.by}){mark.en}{place}",
                          f"{said.number}. {at}  {title.zh}（{said.by}）{mark.zh}{place}"),
                     indent=2, hang=4)  # fmt: skip
        if not workflow.step(said.step).asks:
            _said(workflow.step(said.step), said.fields)
    if any(kept.said.fields.get("files") for kept in evidence.events):
        order = evidence.asked.case.partition("/")[2]
        terminal.say(Text(f"Download them: veil product order download {order} --out DIR",
                          f"下载：veil product order download {order} --out DIR"),
                     indent=5, hang=2)  # fmt: skip
    key = show_fingerprint(evidence.fingerprint)
    count = len(evidence.events)
    held = "1 event holds" if count == 1 else f"{count} events hold"
    terminal.done(Text(f"{held}, signed by the catalog's key {key}",
                       f"{count} 条记录核验通过，目录签名密钥 {key}"))  # fmt: skip
    log = (
        Text("log and witnesses checked", "已核验日志及见证方")
        if evidence.checked_log
        else Text("give --policy to check the log's own signature, too",
                  "用 --policy 可同时核验日志签名")
    )  # fmt: skip
    terminal.say(Text(f"{evidence.logged} of {count} proven to be in the log; {log.en}.",
                      f"其中 {evidence.logged}/{count} 条有日志收录证明；{log.zh}。"),
                 indent=2)  # fmt: skip


def show_asked(workflow: Workflow, evidence: Evidence) -> None:
    """Prints what is asked in a case, as it was verified and whole: what an officer signs for."""
    asked = evidence.asked
    terminal.say(f"{asked.title}  {asked.case}", style="bold", hang=2)
    for field in workflow.step(asked.step).fields:
        value = asked.fields.get(field.name)
        if field.form == "statements":
            show_statements(value or ())
        elif value is not None:
            _field(field.title, value, most=None)


def moment(seconds: int) -> str:
    """Returns a time, to the minute."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _said(step: Step, fields: dict[str, Any]) -> None:
    shown = (*step.fields, *step.adds)
    titles = {field.name: field.title for field in shown if field.form != "tokens"}
    for name, value in fields.items():
        if name in titles or name == "reasons":
            _field(titles.get(name, _REASONS), value, indent=5)


def _field(title: Text, value: object, indent: int = 2, most: int | None = _SHOWN) -> None:
    if isinstance(value, list):
        for each in value:
            _field(title, each, indent, most)
        return
    if isinstance(value, dict) and "sha256" in value:
        value = _file(value)
    elif isinstance(value, dict):
        value = f"{value.get('source')}:{value.get('identifier')}"
    text = str(value)
    text = text if most is None or len(text) <= most else f"{text[:most]}…"
    _words(title, text, indent)


def _file(file: dict[str, Any]) -> Text:
    """A public file: of what, where, and which bytes."""
    name, size = f"{file.get('source')}:{file.get('identifier')}", f"{int(file['bytes']):,}"
    where = f"{file.get('path')} sha256:{file['sha256']}"
    return Text(f"{name} version {file.get('version')}, {size} bytes, {where}",
                f"{name} 第 {file.get('version')} 版，{size} 字节，{where}")  # fmt: skip


def _words(title: Text, text: str, indent: int) -> None:
    """Prints what somebody wrote; a bar before each of several lines tells them from ours."""
    first, *more = text.splitlines() or [""]
    if more:
        terminal.say(Text(f"{title.en}:", f"{title.zh}："), indent=indent)
        for line in (first, *more):
            terminal.say(f"│ {line}", indent=indent + 2, hang=2)
    else:
        terminal.say(Text(f"{title.en}: {first}", f"{title.zh}：{first}"), indent=indent, hang=2)


def _title(both: dict[str, str]) -> Text:
    return Text(both["en"], both["zh"])


def _deadline(case: dict[str, Any]) -> str:
    if case["deadline"] is None:
        return ""
    last = dt.datetime.fromtimestamp(case["deadline"] - 1, dt.UTC).date().isoformat()
    return f"{last} !" if case["overdue"] else last
