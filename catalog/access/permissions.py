"""The permission matrix: which role may do what, and how far that reaches.

Every route of every service names one action of this table, and a test calls each route as each
role and compares. Whoever is not in the table may not: there is no default.

An action whose name ends in ``.read`` changes nothing and delivers no rows of data. Each call of
any other is written to the audit journal before it acts.
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
    "login.read",
    "login.enter",
    "login.end",
    "me.read",
    "me.write",
    "key.read",
    "key.write",
    "account.read",
    "account.write",
    "audit.read",
    "certificate.read",
    "certificate.revoke",
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
    # ---- certificates: public acts; what is in the log of one is for everybody ---------------
    "certificate.read": {"visitor": "all"},
    "certificate.revoke": {"administrator": "all"},
    # ---- who calls -------------------------------------------------------------------------
    "login.read": {"visitor": "open"},
    "login.enter": {"visitor": "open"},
    "login.end": {"member": "own"},
    "me.read": {"member": "own"},
    "me.write": {"member": "own"},
    "key.read": {"member": "own", "auditor": "all", "administrator": "all"},
    "key.write": {"member": "own", "administrator": "all"},
    "account.read": {"auditor": "all", "administrator": "all"},
    "account.write": {"administrator": "all"},
    "audit.read": {"auditor": "all"},
}


def audited(action: Action) -> bool:
    """Whether each call is written to the audit journal."""
    return not action.endswith(".read")
