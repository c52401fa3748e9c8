"""Writes docs/permissions.md, the permission matrix, from the table that the services ask.

``make docs`` runs it; a test checks that the committed page is current. ``python
docs/permissions.py -`` prints instead of writing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from fastapi.routing import APIRoute

from catalog.access.permissions import PERMISSIONS, Action, audited
from catalog.access.principal import Principal
from catalog.access.roles import ROLES, TITLES
from catalog.web.app import MEMBERS, PUBLIC
from catalog.web.guard import actions_of

PAGE: Final = Path(__file__).with_name("permissions.md")
HEAD: Final = """# Who may do what

Written by `make docs` from `catalog/access/permissions.py`; do not edit. Every address of the
served catalog names one action of this table, and a test calls each address as each role.

How far a permission reaches: **open**, what is open to the public; **own**, what the account itself
has made, or what is about it; **department**, and what belongs to its department; **all**,
everything. Whoever has logged in is a member; roles add to that. An API key narrows its account to
the key's scopes. Actions with a ✎ are written to the audit journal before they are done.
"""


def page() -> str:
    """Returns the page."""
    return "\n".join([HEAD, *_matrix(), "", *_addresses(), ""])


def _matrix() -> list[str]:
    titles = [TITLES[role].en for role in ROLES]
    rows = [f"| action | {' | '.join(titles)} |", f"|---|{'---|' * len(ROLES)}"]
    for action in PERMISSIONS:
        reaches = []
        for role in ROLES:
            account = "" if role == "visitor" else "li"
            reach = Principal(account, frozenset({role}), "440100-1").reach(action)
            own = PERMISSIONS[action].get(role)
            reaches.append(f"**{reach}**" if reach and reach == own else reach or "–")
        rows.append(f"| `{action}`{' ✎' if audited(action) else ''} | {' | '.join(reaches)} |")
    return rows


def _addresses() -> list[str]:
    by_action: dict[Action, list[str]] = {action: [] for action in PERMISSIONS}
    for router in PUBLIC + MEMBERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and (actions := actions_of(route.dependant)):
                methods = " ".join(sorted(route.methods - {"HEAD"}))
                by_action[actions[0]].append(f"`{methods} {route.path}`")
    rows = ["## Addresses", "", "| action | addresses |", "|---|---|"]
    rows += [
        f"| `{action}` | {'<br>'.join(sorted(set(found)))} |"
        for action, found in by_action.items()
        if found
    ]
    return rows


if __name__ == "__main__":
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(page())
    else:
        PAGE.write_text(page(), "utf-8")
