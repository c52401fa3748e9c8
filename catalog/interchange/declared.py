"""Nodes' declarations as records of the catalog: what departments hold behind their nodes.

The record's department is the one for which the node is enrolled. Which code and name it has in
this catalog is the catalog's own word (``nodes.toml`` in its directory), never the node's::

    [guangzhou]
    code = "11440100007482135X"
    name = "广州市卫生健康委员会"
    place = "440100"
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError
from sqlalchemy import select

from catalog.dataset import Dataset
from catalog.declaration import NODES, Declaration, Held
from catalog.registry.record import Access, Department, Item, Record
from catalog.registry.registry import Registry
from catalog.registry.tables import DatasetRow
from catalog.registry.undeclared import mark_undeclared
from protos.faults import InputError
from protos.language import Text
from protos.toml_file import read_toml, refused
from protos.whole_file import write_whole

SOURCE: Final = "nodes"
DECLARATIONS: Final = "declarations"  # each node's latest, as signed: what its records rest on
_PROVINCE: Final = "440000"
_ASK: Final = Access("conditional", "须经数据提供部门授权", "联合查询，数据不出部门")
_CLOSED: Final = Access("none", "含敏感信息项，原始数据不予开放")
_AGGREGATES: Final = Access("conditional", "仅以联合查询的汇总结果提供", "联合查询")
_OPEN_TO: Final = 2  # highest grade of which the public may know that it is there


class Node(BaseModel):
    """What the catalog calls the department of a node.

    Attributes:
        code: Unified social credit code; the node's name if empty.
        name: In Chinese; the node's name if empty.
        place: Division (GB/T 2260).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, StringConstraints(max_length=128)] = ""
    name: Annotated[str, StringConstraints(max_length=200)] = ""
    place: Annotated[str, StringConstraints(pattern=r"^\d{6}$")] = _PROVINCE


def read_nodes(directory: Path) -> dict[str, Node]:
    """Reads ``nodes.toml`` of a catalog; none is an empty one.

    Raises:
        InputError: It is malformed.
    """
    path = directory / NODES
    if not path.exists():
        return {}
    body = read_toml(path, Text("write it", "请创建该文件"))
    try:
        return TypeAdapter(dict[str, Node]).validate_python(body)
    except ValidationError as error:
        raise refused(error, str(path)) from error


def register_declared(
    registry: Registry, declaration: Declaration, token: str, known: Mapping[str, Dataset]
) -> int:
    """Registers what a node has declared; what is unchanged is not touched.

    Only datasets of which the department is a member count, under their names. What was withdrawn
    from the catalog stays so, whatever a node says again, and keeps nothing else out. What the node
    declared before and does not now is marked, and stays.

    Args:
        registry: The catalog.
        declaration: Verified; the department is the one that is enrolled.
        token: As signed; kept beside the catalog.
        known: The logical datasets that the exchange has declared, by digest: others are none.

    Returns:
        How many records are new or have changed.

    Raises:
        InputError: The catalog objects to a record.
        UnavailableError: It cannot be written.
    """
    nodes = read_nodes(registry.directory)
    provider = _provider(registry, declaration.department, nodes)
    records = [
        _record(each, declaration.department, provider)
        for each in declaration.holds
        if _may_hold(declaration.department, each, known.get(each.dataset_digest))
    ]
    gone = _withdrawn(registry)
    records = [record for record in records if record.identifier not in gone]
    outcomes = registry.register(records).outcomes if records else {}
    mark_undeclared(
        registry, SOURCE, declaration.department, {each.name for each in declaration.holds}
    )
    folder = registry.directory / DECLARATIONS
    folder.mkdir(mode=0o700, exist_ok=True)
    write_whole(folder / f"{declaration.department}.jwt", token.encode("ascii"))
    return outcomes.get("new", 0) + outcomes.get("changed", 0)


def _may_hold(department: str, held: Held, dataset: Dataset | None) -> bool:
    return dataset is not None and dataset.name == held.name and department in dataset.members


def _withdrawn(registry: Registry) -> set[str]:
    gone = select(DatasetRow.identifier).where(
        DatasetRow.source == SOURCE, DatasetRow.state == "withdrawn"
    )
    with registry.database.read() as connection:
        return set(connection.execute(gone).scalars())


def _provider(registry: Registry, name: str, nodes: dict[str, Node]) -> Department:
    """The department of a node; as the catalog has it already, if it does."""
    node = nodes.get(name, Node())
    code = node.code or name
    for known in registry.providers():
        if known.department.code == code:
            if node.code or known.department.name == (node.name or name):
                return known.department
            raise InputError(
                Text(
                    f"the catalog has another department under the code {code}",
                    f"目录中代码 {code} 属于其他部门",
                ),
                remedy=Text(
                    f"say in {NODES} which department the node {name} belongs to",
                    f"请在 {NODES} 中写明节点 {name} 所属部门",
                ),
                code="declaration.department",
            )
    return Department(code, node.name or name, node.place)


def _record(each: Held, node: str, provider: Department) -> Record:
    items = tuple(
        Item(column.name, column.type, grade=column.grade, uses=frozenset(column.uses))
        for column in each.columns
    )
    grade = max((item.grade for item in items), default=1)
    return Record(
        source=SOURCE,
        identifier=f"{node}/{each.name}",
        name=each.title,
        provider=provider,
        items=items,
        place=provider.place,
        sharing=_ASK,
        opening=_AGGREGATES if grade <= _OPEN_TO else _CLOSED,
        abstract=f"由部门节点 {node} 持有并签名申报；以联合查询方式提供，数据不出部门。",
        system="veil",
    )
