"""From a table and a policy to the levels of its quasi-identifiers and the rows to leave out."""

# ruff: noqa: S608 - own SQL: names pass `quoted`, the rest is made here

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from desensitize.engines.stored_values import quoted
from desensitize.generalise.groups import BASE, DOMAIN, Groups, group
from desensitize.generalise.lattice import Found, search, suppressed_groups
from desensitize.generalise.levels import AsRead, Hierarchy, hierarchy
from desensitize.masking.base import Method, Secrets
from desensitize.masking.statement import forget, prepare, tell
from desensitize.policy import PublishPolicy
from desensitize.sources import Table

SUPPRESSED: Final = "veil_suppressed"


@dataclass(frozen=True)
class Chosen:
    """What the models chose.

    Attributes:
        found: The node, its loss and what it costs.
        levels: Name of the level, by column.
        methods: What becomes of each quasi-identifier, by name; for `prepare`.
        columns: The quasi-identifiers, in the order of the node.
    """

    found: Found
    levels: dict[str, str]
    methods: dict[str, tuple[Method, ...]]
    columns: tuple[str, ...]

    def figures(self) -> dict[str, Any]:
        """Returns what the search found, for the manifest."""
        found = self.found
        return {
            "loss": found.loss,
            "losses": dict(zip(self.columns, found.losses, strict=True)),
            "smallest_class": found.smallest,
            "classes": found.classes,
            "nodes": found.nodes,
            "nodes_tried": found.tried,
        }

    def kept(self, read: Mapping[str, str]) -> str:
        """Returns the condition that a row is not suppressed.

        Args:
            read: Expression of each quasi-identifier as it is read, by name.
        """
        if not self.found.suppressed:
            return ""
        same = " AND ".join(
            f"veil_s.q{i} IS NOT DISTINCT FROM {read[name]}" for i, name in enumerate(self.columns)
        )
        return f"NOT EXISTS (SELECT 1 FROM {SUPPRESSED} veil_s WHERE {same})"


def choose(table: Table, policy: PublishPolicy, secrets: Secrets) -> Chosen | None:
    """Chooses levels; leaves the table `SUPPRESSED` in the engine if rows have to go.

    Models hold of what is published: sensitive values are taken as their methods leave them. Where
    a method draws at random (noise), the release draws anew; what is written is measured again.

    Args:
        table: The source; read once.
        policy: Its hierarchies and models.
        secrets: Keys of the domains.

    Returns:
        None if the policy has no hierarchies.

    Raises:
        InputError: Hierarchies and values do not go together.
        PolicyError: Nothing meets the models.
    """
    hierarchies = [
        hierarchy(column.name, column.hierarchy, policy.folder)
        for column in policy.published
        if column.hierarchy is not None
    ]
    if not hierarchies:
        return None
    groups = read_groups(table, policy, secrets, hierarchies)
    found = search(groups, policy.models)
    _keep_suppressed(table, groups, policy, found)
    named = zip(hierarchies, found.node, strict=True)
    levels = {each.column: (each.names[level], each.methods[level]) for each, level in named}
    return Chosen(
        found,
        {name: level for name, (level, _) in levels.items()},
        {name: (method,) for name, (_, method) in levels.items()},
        tuple(levels),
    )


def read_groups(
    table: Table, policy: PublishPolicy, secrets: Secrets, hierarchies: list[Hierarchy]
) -> Groups:
    """Reads the quasi-identifiers and sensitive columns of a table into groups."""
    statement = prepare(
        table, policy, secrets, methods={each.column: (AsRead(),) for each in hierarchies}
    )
    models = policy.models
    asked = models.l is not None or models.t is not None
    sensitive = [c.name for c in policy.published if asked and c.role == "sensitive"]
    listed = [f"{quoted(each.column)} AS q{i}" for i, each in enumerate(hierarchies)]
    listed += [f"{quoted(name)} AS s{i}" for i, name in enumerate(sensitive)]
    select = f"SELECT {', '.join(listed)} FROM ({statement.sql})"
    try:
        return group(table.engine, select, hierarchies, sensitive, statement.workshop, tell)
    finally:
        forget(table.engine, statement.workshop)


def _keep_suppressed(table: Table, groups: Groups, policy: PublishPolicy, found: Found) -> None:
    """Leaves the values of suppressed rows where the statement finds them."""
    engine, width = table.engine, len(groups.domains)
    if found.suppressed:
        out = groups.codes[:, suppressed_groups(groups, policy.models, found.node)]
        engine.register("veil_out", pa.table({f"c{i}": codes for i, codes in enumerate(out)}))
        values = ", ".join(f"b.q{i}" for i in range(width))
        coded = " ".join(
            f"JOIN {DOMAIN}{i} d{i} ON b.q{i} IS NOT DISTINCT FROM d{i}.raw" for i in range(width)
        )
        same = " AND ".join(f"o.c{i} = d{i}.code" for i in range(width))
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {SUPPRESSED} AS "
            f"SELECT DISTINCT {values} FROM {BASE} b {coded} JOIN veil_out o ON {same}"
        )
        engine.unregister("veil_out")
    for name in (BASE, *(f"{DOMAIN}{i}" for i in range(width))):
        engine.execute(f"DROP TABLE {name}")
