"""Departments' nodes as they have enrolled, and the question whether a key is the right one."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from catalog.workflows.node_pins import EnrolledNode
from protos import terminal
from protos.faults import InputError
from protos.identity import show_fingerprint
from protos.language import Text


def show_nodes(nodes: Sequence[EnrolledNode]) -> None:
    """Lists nodes, and which of them are confirmed."""
    if not nodes:
        terminal.say(Text("No node has said yet what it holds.", "尚无节点申报其数据。"))
        return
    columns = (Text("Node", "节点"), Text("Department", "部门"), Text("Fingerprint", "指纹"),
               Text("Key", "密钥"))  # fmt: skip
    rows = [
        (each.name, each.department, show_fingerprint(each.fingerprint), str(_state(each)))
        for each in nodes
    ]
    terminal.table([str(column) for column in columns], rows)


def compare(department: str, nodes: Sequence[EnrolledNode]) -> str:
    """Shows the fingerprint of the node that has enrolled for a department, and asks.

    Returns:
        The fingerprint, confirmed.

    Raises:
        InputError: No node has enrolled for it, or several have.
        typer.Abort: It was not confirmed.
    """
    if len(nodes) != 1:
        raise InputError(
            Text(f"{len(nodes)} nodes have enrolled for {department}",
                 f"以 {department} 名义注册的节点有 {len(nodes)} 个"),
            remedy=Text("name the fingerprint that the department has told you, after its code",
                        "请在部门代码后写明该部门告知的指纹"),
            code="catalog.pin",
        )  # fmt: skip
    (node,) = nodes
    terminal.say(Text(f"The node {node.name} has enrolled for {department} with the key",
                      f"节点 {node.name} 以 {department} 名义注册，密钥指纹为"))  # fmt: skip
    terminal.say(show_fingerprint(node.fingerprint, full=True), indent=2)
    question = Text("Has the department told you these digits itself, by telephone or in person?",
                    "该部门是否已通过电话或当面亲自告知此指纹？")  # fmt: skip
    typer.confirm(str(question), abort=True)
    return node.fingerprint


def _state(node: EnrolledNode) -> Text:
    if node.pinned is None:
        return Text(f"not confirmed: veil catalog pin {node.department}",
                    f"未确认：veil catalog pin {node.department}")  # fmt: skip
    if node.pinned != node.fingerprint:
        return Text("ANOTHER one is confirmed", "与已确认的密钥不同")
    return Text("confirmed", "已确认")
