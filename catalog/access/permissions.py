"""The permission matrix: which role may do what, and how far that reaches.

Every route of every service names one action of this table, and a test calls each route as each
role and compares. Whoever is not in the table may not: there is no default.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from catalog.access.roles import Role

Reach = Literal["open", "own", "department", "all"]
"""How far a permission reaches.

- ``open``: what is open to the public
- ``own``: what the account itself has made, or what is about it
- ``department``: … and what belongs to its department
- ``all``: everything
"""
REACHES: Final[tuple[Reach, ...]] = get_args(Reach)

Action = Literal[
    "dataset.read",
    "dataset.write",
]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)

_MEMBERS: Final[dict[Role, Reach]] = {
    "analyst": "all", "steward": "all", "chief": "all", "operator": "all", "broker": "all",
    "auditor": "all", "administrator": "all",
}  # fmt: skip
PERMISSIONS: Final[dict[Action, dict[Role, Reach]]] = {
    # ---- the catalog -----------------------------------------------------------------------
    "dataset.read": {"visitor": "open", **_MEMBERS},
    "dataset.write": {"steward": "department", "administrator": "all"},
}
