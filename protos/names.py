"""Names that travel: departments, analysts, and the roles that they have."""

from __future__ import annotations

import re
from typing import Final, Literal, get_args

from protos.faults import InputError
from protos.language import Text

Role = Literal["department", "analyst", "exchange", "auditor"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

# ASCII only: a name stands in certificates, file names and TOML, and must not have look-alikes.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)


def check_name(name: object) -> str:
    """Returns ``name`` if it may name a department, an analyst or an exchange.

    Raises:
        InputError: It is not 1 to 63 ASCII letters, digits, ``.``, ``_`` or ``-``.
    """
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise InputError(
        Text(f"{str(name)[:80]!r} is not a valid name", f"{str(name)[:80]!r} 不是有效名称"),
        remedy=Text(
            "use 1 to 63 letters, digits, '.', '_' or '-', starting with a letter or digit",
            '请用 1 到 63 个字母、数字、"."、"_" 或 "-"，以字母或数字开头',
        ),
        code="name.invalid",
    )


def check_role(role: object) -> Role:
    """Returns ``role`` if it is one of `ROLES`.

    Raises:
        InputError: It is none of them.
    """
    for known in ROLES:
        if role == known:
            return known
    raise InputError(
        Text(f"{str(role)[:80]!r} is not a role", f"{str(role)[:80]!r} 不是角色"),
        remedy=Text(f"use one of {', '.join(ROLES)}", f"可用：{'、'.join(ROLES)}"),
    )
