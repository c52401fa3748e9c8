"""Which key a department's node has: as it enrolled at the exchange, and as somebody has confirmed.

An exchange that serves a catalog notes here which key each node has enrolled with, whenever the
node says what it holds, signed with that key. That is a *proposal*: the exchange would believe
whoever had stolen an invitation, and decides nothing here. Grants are taken only under a key that
the catalog's operator has confirmed, having compared the fingerprint with the department
(``pins.toml``, `confirm`). A node that comes with another key proposes again, and changes no pin.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from catalog.interchange.declared import Node, read_nodes
from catalog.registry.registry import Registry
from catalog.workflows.lookups import department as known
from protos.cards import Pins
from protos.language import Text
from protos.toml_file import read_toml, refused
from protos.whole_file import write_whole

PINS: Final = "pins.toml"
"""In the catalog's directory: under the code of each department the fingerprint of its node."""
ENROLLED: Final = "enrolled.toml"
"""… and under the name of each node the fingerprint with which it has enrolled."""


@dataclass(frozen=True)
class EnrolledNode:
    """A node, as the exchange knows it.

    Attributes:
        name: At the exchange.
        department: Code of its department in this catalog.
        fingerprint: Of the key with which it enrolled; 64 hex digits.
        pinned: The fingerprint that is confirmed for the department; None without one.
    """

    name: str
    department: str
    fingerprint: str
    pinned: str | None


class _Enrolled(BaseModel):
    model_config = ConfigDict(extra="forbid")
    fingerprint: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


def note_enrolled(directory: Path, node: str, fingerprint: str) -> None:
    """Notes with which key a node has enrolled.

    Args:
        directory: The catalog's.
        node: Its name at the exchange.
        fingerprint: Of the key, verified by the exchange.

    Raises:
        InputError: The file is malformed.
        UnavailableError: It cannot be read or written.
    """
    found = _read(directory)
    if found.get(node) == fingerprint:
        return
    found[node] = fingerprint
    text = "".join(
        f"[{json.dumps(name)}]\nfingerprint = {json.dumps(key)}\n" for name, key in found.items()
    )
    write_whole(directory / ENROLLED, text.encode("utf-8"))


def enrolled_nodes(directory: Path) -> list[EnrolledNode]:
    """Returns the nodes that have enrolled, by name.

    Raises:
        InputError: A file is malformed.
    """
    nodes, pins = read_nodes(directory), Pins.load(directory / PINS)
    found = []
    for name, fingerprint in sorted(_read(directory).items()):
        code = nodes.get(name, Node()).code or name
        found.append(EnrolledNode(name, code, fingerprint, pins.fingerprint_of("department", code)))
    return found


def confirm(registry: Registry, department: str, fingerprint: str) -> None:
    """Pins a key that somebody has compared with the department.

    Args:
        registry: The catalog.
        department: Its code.
        fingerprint: Of its node's key, 64 hex digits.

    Raises:
        InputError: There is no such department, or this is no fingerprint.
        TrustError: The department, or another one with this key, is pinned already.
    """
    with registry.database.read() as connection:
        known(connection, department)
    pins = Pins.load(registry.directory / PINS)
    pins.add("department", department, "".join(fingerprint.split()).lower())
    pins.save(registry.directory / PINS)


def _read(directory: Path) -> dict[str, str]:
    path = directory / ENROLLED
    if not path.exists():
        return {}
    body = read_toml(path, Text("remove it; nodes write it again", "请删除该文件，节点会重新写入"))
    try:
        found = TypeAdapter(dict[str, _Enrolled]).validate_python(body)
    except ValidationError as error:
        raise refused(error, str(path)) from error
    return {name: each.fingerprint for name, each in found.items()}
