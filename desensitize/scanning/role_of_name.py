"""What a column's type or header says of its role, without a look at the values."""

from __future__ import annotations

from desensitize.column import Role
from desensitize.recognisers import by_name, recognisers
from desensitize.scanning.attributes import ATTRIBUTES, attribute
from desensitize.scanning.headers import match


def role_of_name(name: str, kind: str = "") -> Role:
    """Returns the role that a column seems to have; ``other`` if nothing speaks for one.

    Args:
        name: The header.
        kind: The type, as a policy says it; may be empty, or a data type.
    """
    if kind in by_name():
        return by_name()[kind].role
    for known in ATTRIBUTES:
        if known.name == kind:
            return known.role
    best, length = attribute(name)
    role: Role = "other" if best is None else best.role
    for each in recognisers():
        if (found := match(name, each.headers)) > length:
            role, length = each.role, found
    return role
