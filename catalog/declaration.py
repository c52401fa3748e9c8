"""What a department says its node holds: signed with the department's own key, for the catalog.

Made from the policy files, which stay the law at the node: whoever reads a declaration learns what
the policy would allow, and no copy of it, however altered, allows anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from catalog.codec import dataset_digest, from_json, to_json
from catalog.dataset import Dataset
from catalog.policy import Policy
from desensitize.column import ColumnType, Use
from protos.faults import InputError, TrustError
from protos.identity import IdentityKey, PublicIdentity
from protos.language import Text
from protos.names import check_name

TYPE: Final = "veil-declaration+jwt"
MOST_CHARACTERS: Final = 1 << 20
MOST_DATASETS: Final = 1000
NODES: Final = "nodes.toml"
"""In a catalog's directory: which of its departments each node belongs to."""


@dataclass(frozen=True)
class HeldColumn:
    """A column that may be used.

    Attributes:
        name: As in the data.
        type: Logical type.
        grade: Sensitivity, 1 to 4.
        uses: What a query may do with it, by the department's policy; sorted.
    """

    name: str
    type: ColumnType
    grade: int
    uses: tuple[Use, ...]


@dataclass(frozen=True)
class Held:
    """A dataset of which a node has rows.

    Attributes:
        name: Catalog name of the logical dataset.
        title: One line for people, as declared.
        dataset_digest: SHA-256 (hex) of the logical dataset's declaration.
        policy_version: SHA-256 (hex) of the policy.
        columns: That the policy allows, in order.
    """

    name: str
    title: str
    dataset_digest: str
    policy_version: str
    columns: tuple[HeldColumn, ...]


@dataclass(frozen=True)
class Declaration:
    """All that a node holds; says nothing about rows.

    Attributes:
        department: Whose node it is.
        issued_at: Unix seconds; a later one takes the place of an earlier one.
        holds: Its datasets.
    """

    department: str
    issued_at: int
    holds: tuple[Held, ...]


def held_as(dataset: Dataset, policy: Policy) -> Held:
    """Describes one dataset as a department's policy lets it be used."""
    columns = tuple(
        HeldColumn(column.name, column.type, column.grade, tuple(sorted(column.uses)))
        for column in policy.columns.values()
    )
    return Held(dataset.name, dataset.title, dataset_digest(dataset), policy.version, columns)


def declare(key: IdentityKey, department: str, holds: Iterable[Held], now: int) -> str:
    """Signs a declaration.

    Args:
        key: The department's.
        department: Its name.
        holds: Its datasets.
        now: Unix seconds.
    """
    claims = to_json(Declaration(department, now, tuple(holds)))
    return key.sign(TYPE, claims)


def read_declaration(token: str, department: str, identity: PublicIdentity) -> Declaration:
    """Reads a declaration.

    Args:
        token: From the department's node.
        department: Whose it must be.
        identity: The key with which that department is enrolled.

    Raises:
        TrustError: It is not signed by this key, is another department's, or malformed.
    """
    if len(token) > MOST_CHARACTERS:
        raise _unsound(Text("it is too long", "内容过长"))
    body: dict[str, Any] = identity.verify(TYPE, token)
    try:
        found = from_json(Declaration, body)
        check_name(found.department)
    except InputError as error:
        raise _unsound(error.said) from error
    names = [each.name for each in found.holds]
    if found.department != department:
        raise _unsound(Text("it is another department's", "属于其他部门"))
    if len(names) > MOST_DATASETS or len(set(names)) < len(names):
        raise _unsound(Text("it names a dataset twice, or too many", "数据集重复或过多"))
    return found


def _unsound(why: Text) -> TrustError:
    return TrustError(
        Text(f"the declaration does not hold: {why.en}", f"申报不成立：{why.zh}"),
        code="declaration.invalid",
    )
