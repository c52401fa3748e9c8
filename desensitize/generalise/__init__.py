"""The least loss that makes a table's quasi-identifiers meet its models.

`choose` reads the table once, groups it, and searches the lattice of levels; what it chooses is
applied by ``masking`` like any other method.
"""

from __future__ import annotations

from desensitize.generalise.choose import Chosen, choose
from desensitize.generalise.lattice import Found, search

__all__ = ["Chosen", "Found", "choose", "search"]
