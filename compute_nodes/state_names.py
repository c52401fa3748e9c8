"""What the states of jobs, charges, grant requests and messages are called for people."""

from __future__ import annotations

from typing import Final

from protos.language import Text

_NAMES: Final[dict[str, Text]] = {
    "open": Text("open", "进行中"),
    "refused": Text("refused", "已拒绝"),
    "released": Text("released", "已发布"),
    "done": Text("done", "已完成"),
    "cancelled": Text("cancelled", "已取消"),
    "reserved": Text("reserved", "已预留"),
    "undone": Text("undone", "已退回"),
    "waiting": Text("waiting", "待答复"),
    "granted": Text("granted", "已授权"),
    "denied": Text("denied", "已拒绝"),
    "ended": Text("revoked", "已撤销"),
    "adhoc": Text("ad hoc", "带噪"),
    "exact": Text("exact", "精确"),
    "accepted": Text("accepted", "已接受"),
    "message": Text("message", "消息"),
    "statement": Text("statement", "声明"),
    "fault": Text("fault", "错误"),
}


def state_name(state: str) -> Text:
    """Returns what a stored state, mode or kind is called; unknown ones as they are."""
    return _NAMES.get(state, Text(state, state))
