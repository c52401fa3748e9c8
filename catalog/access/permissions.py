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
    "data.use",
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
    "page.read",
    "certificate.read",
    "certificate.revoke",
    "demand.read",
    "demand.submit",
    "demand.answer",
    "request.read",
    "request.submit",
    "request.review",
    "request.approve",
    "request.grant",
    "asset.read",
    "asset.apply",
    "asset.examine",
    "asset.object",
    "asset.cancel",
    "authorisation.read",
    "authorisation.give",
    "authorisation.use",
    "licence.read",
    "licence.apply",
    "licence.decide",
    "product.read",
    "product.offer",
    "order.read",
    "order.place",
    "order.deliver",
]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)

_MEMBERS: Final[dict[Role, Reach]] = {
    "analyst": "all", "steward": "all", "chief": "all", "operator": "all", "broker": "all",
    "auditor": "all", "administrator": "all",
}  # fmt: skip
_OFFICES: Final[dict[Role, Reach]] = {
    "steward": "department", "chief": "department", "operator": "department",
}  # fmt: skip
_OVERSEERS: Final[dict[Role, Reach]] = {"auditor": "all", "administrator": "all"}
PERMISSIONS: Final[dict[Action, dict[Role, Reach]]] = {
    # ---- the catalog -----------------------------------------------------------------------
    "dataset.read": {"visitor": "open", **_MEMBERS},
    "dataset.write": {"steward": "department", "administrator": "all"},
    # ---- certificates: public acts; what is in the log of one is for everybody ---------------
    "certificate.read": {"visitor": "all"},
    "certificate.revoke": {"administrator": "all"},
    # ---- public rows: whoever opens data is written down ------------------------------------
    "data.use": {"visitor": "open", **_MEMBERS},
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
    # ---- the portal: pages and files that say nothing about any record ----------------------
    "page.read": {"visitor": "open"},
    # ---- workflows -------------------------------------------------------------------------
    "demand.read": {"member": "own", **_OFFICES, **_OVERSEERS},
    "demand.submit": {"member": "own"},
    "demand.answer": {"steward": "department", "chief": "department"},
    "request.read": {"analyst": "own", **_OFFICES, **_OVERSEERS},
    "request.submit": {"analyst": "own"},
    "request.review": {"steward": "department"},
    "request.approve": {"chief": "department"},
    # The grant itself is signed by the department's key, whoever carries it.
    "request.grant": {"analyst": "own", **_OFFICES, "administrator": "all"},
    "asset.read": {"visitor": "open", **_OFFICES, **_OVERSEERS},
    "asset.apply": {"steward": "department"},
    "asset.examine": {"administrator": "all"},
    "asset.object": {"member": "all"},
    "asset.cancel": {"steward": "department"},
    # A department sees what it was named in: that it may release a person's data.
    "authorisation.read": {"member": "own", **_OFFICES, **_OVERSEERS},
    "authorisation.give": {"member": "own"},
    "authorisation.use": {
        "member": "own",
        "steward": "department",
        "operator": "department",
        "administrator": "all",
    },
    "licence.read": {"visitor": "open", "broker": "own", **_OVERSEERS},
    "licence.apply": {"broker": "own"},
    "licence.decide": {"administrator": "all"},
    "product.read": {"visitor": "open", "broker": "own", **_OVERSEERS},
    "product.offer": {"broker": "own"},
    "order.read": {"member": "own", **_OVERSEERS},
    "order.place": {"member": "own"},
    "order.deliver": {"broker": "own"},
}


def audited(action: Action) -> bool:
    """Whether each call is written to the audit journal."""
    return not action.endswith(".read")
