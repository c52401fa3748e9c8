"""From a table and a policy to the levels of its quasi-identifiers and the rows to leave out."""

# ruff: noqa: S608 - own SQL: names pass `quoted`, the rest is made here

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from desensitize.engines.stored_values import quoted
from desensitize.generalise.combinations import Combinations
from desensitize.generalise.combine import combine
from desensitize.generalise.groups import Flags, Groups
from desensitize.generalise.lattice import Found, check_size, search, suppressed_groups
from desensitize.generalise.levels import AsRead, Hierarchy, hierarchy
from desensitize.generalise.utility import Utility, utility
from desensitize.masking.base import Function, Method, Secrets, Workshop, needs_of
from desensitize.masking.statement import forget, prepare, tell
from desensitize.policy import PublishedColumn, PublishPolicy
from desensitize.sources import Table, columns_of
from desensitize.spelling import check_texts, plain_array
from protos.faults import InputError
from protos.language import Text

SUPPRESSED: Final = "veil_suppressed"
EVERYBODY: Final = "veil_everybody"


@dataclass(frozen=True)
class Chosen:
    """What the models chose.

    Attributes:
        found: The node, its loss and what it costs.
        levels: Name of the chosen level, by column.
        methods: What becomes of these columns, by name; for `prepare`.
        columns: All quasi-identifiers, in the order of the node; one whose methods the policy has
            fixed takes part with its one level.
        utility: What is lost, by other measures.
    """

    found: Found
    levels: dict[str, str]
    methods: dict[str, tuple[Method, ...]]
    columns: tuple[str, ...]
    utility: Utility

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
            "discernibility": self.utility.discernibility,
            "entropies": dict(zip(self.columns, self.utility.entropy, strict=True)),
            "marginal_errors": dict(zip(self.columns, self.utility.marginals, strict=True)),
        }

    def kept(self, published: Mapping[str, str]) -> str:
        """Returns the condition that a row is not suppressed.

        Args:
            published: Expression of each quasi-identifier as it is published, by name.
        """
        if not self.found.suppressed:
            return ""
        same = " AND ".join(
            f"veil_s.q{i} IS NOT DISTINCT FROM ({published[name]})::VARCHAR"
            for i, name in enumerate(self.columns)
        )
        return f"NOT EXISTS (SELECT 1 FROM {SUPPRESSED} veil_s WHERE {same})"


def choose(
    table: Table,
    policy: PublishPolicy,
    secrets: Secrets,
    population: Table | None = None,
    *,
    occasion: bytes = b"",
) -> Chosen | None:
    """Chooses levels; leaves the table `SUPPRESSED` in the engine if rows have to go.

    Models hold of what is published: sensitive values are taken as their methods leave them. Where
    a method draws at random (noise), the release draws anew; what is written is measured again.

    Args:
        table: The source; read once.
        policy: Its hierarchies and models.
        secrets: Keys of the domains.
        population: Everybody from whom the rows were drawn, for δ-presence; in the same engine.
        occasion: Secret bytes of the release, for what is drawn under a key.

    Returns:
        None if the policy asks for no model, or publishes no quasi-identifier.

    Raises:
        InputError: Hierarchies and values do not go together, or a population is missing.
        PolicyError: Nothing meets the models.
    """
    if not policy.models.asked:
        return None
    if policy.models.delta is not None and population is None:
        raise InputError(
            Text("delta is about a population, whose file is read in a limited process only",
                 "delta 涉及总体数据，其文件只在受限进程中读取"),
            remedy=Text("give the table as a file, too", "请同样以文件形式提供数据"),
            code="delta.population",
        )  # fmt: skip
    hierarchies = hierarchies_of(policy)
    if not hierarchies:
        return None
    with read_combinations(table, policy, secrets, hierarchies, population, occasion) as source:
        found = search(source, policy.models)
        groups = source.at(found.node)
        out = suppressed_groups(groups, policy.models, found.node)
        _keep_suppressed(table, groups, out, found)
        measures = utility(source, groups, found.node, out)
    named = [
        (each, level)
        for each, level in zip(hierarchies, found.node, strict=True)
        if policy.columns[each.column].hierarchy is not None
    ]
    return Chosen(
        found,
        {each.column: each.names[level] for each, level in named},
        {each.column: (each.methods[level],) for each, level in named},
        tuple(each.column for each in hierarchies),
        measures,
    )


def hierarchies_of(policy: PublishPolicy) -> list[Hierarchy]:
    """Returns the hierarchy of each quasi-identifier, in the policy's order.

    Raises:
        InputError: A hierarchy file is missing or wrong.
    """
    return [_of(c, policy) for c in policy.published if c.quasi]


def _of(column: PublishedColumn, policy: PublishPolicy) -> Hierarchy:
    """The column's hierarchy; one level, as published, where the policy has fixed its methods."""
    if column.hierarchy is None:
        return Hierarchy(column.name, ("as the policy says",), (AsRead(),))
    return hierarchy(column.name, column.hierarchy, policy.folder)


def masked_population(
    population: Table,
    policy: PublishPolicy,
    secrets: Secrets,
    methods: Mapping[str, tuple[Method, ...]],
) -> Table:
    """Takes a population's quasi-identifiers into its engine, as their methods leave them.

    Args:
        population: Everybody, with the columns of the policy's quasi-identifiers.
        policy: What becomes of these.
        secrets: Keys of the domains.
        methods: Of columns that have a hierarchy, by name.

    Raises:
        InputError: It lacks a column.
    """
    quasi = [column for column in policy.published if column.quasi]
    steps = [step for each in quasi for step in methods.get(each.name, each.methods)]
    beside = [name for step in steps for name in needs_of(step)]
    columns = {each.name: each for each in quasi} | {
        name: replace(policy.columns[name], methods=(), hierarchy=None)
        for name in beside
        if not policy.columns[name].quasi
    }
    rules = replace(policy, columns=columns, unknown_column="drop")
    statement = prepare(population, rules, secrets, methods=methods)
    names = [each.name for each in quasi]
    listed = ", ".join(f"{quoted(name)} AS q{i}" for i, name in enumerate(names))
    engine = population.engine
    try:
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {EVERYBODY} AS SELECT {listed} FROM ({statement.sql})"
        )
    finally:
        forget(engine, statement.workshop)
    return Table(population.name, engine, EVERYBODY, columns_of(engine, EVERYBODY, names))


def _counted(population: Table | None, policy: PublishPolicy, secrets: Secrets) -> str:
    """Counts a population at the finest levels; returns the table expression, empty for none."""
    if population is None:
        return ""
    as_read = {c.name: (AsRead(),) for c in policy.published if c.hierarchy}
    everybody = masked_population(population, policy, secrets, as_read)
    return f"(SELECT *, count(*) AS n FROM {everybody.sql} GROUP BY ALL)"


@contextmanager
def read_combinations(
    table: Table,
    policy: PublishPolicy,
    secrets: Secrets,
    hierarchies: list[Hierarchy],
    population: Table | None = None,
    occasion: bytes = b"",
) -> Iterator[Combinations]:
    """Reads the quasi-identifiers and sensitive columns of a table into combinations.

    Sensitive texts that are one value written in two ways count as one (see `spelling`).

    Raises:
        InputError: There are too many combinations of levels.
    """
    check_size([len(each.names) for each in hierarchies])  # said before anything is read
    everybody = _counted(population, policy, secrets)
    statement = prepare(
        table, policy, secrets,
        methods={h.column: (AsRead(),) for h in hierarchies if policy.columns[h.column].hierarchy},
        occasion=occasion,
    )  # fmt: skip
    asked = policy.models.of_sensitive
    sensitive = [c.name for c in policy.published if asked and c.sensitive]
    listed = [f"{quoted(each.column)} AS q{i}" for i, each in enumerate(hierarchies)]
    stored = dict(zip(statement.names, statement.stored, strict=True))
    shop = statement.workshop
    listed += [f"{one_value(policy.columns[name], stored[name], shop)} AS s{i}"
               for i, name in enumerate(sensitive)]  # fmt: skip
    select = f"SELECT {', '.join(listed)} FROM ({statement.sql})"
    try:
        tell(table.engine, shop)
        found = combine(
            table.engine, select, hierarchies, sensitive, statement.workshop, tell,
            everybody=everybody,
        )  # fmt: skip
    finally:
        forget(table.engine, statement.workshop)
        if everybody:
            table.engine.execute(f"DROP TABLE {EVERYBODY}")
    try:
        yield found
    finally:
        found.drop()


def one_value(column: PublishedColumn, stored: str, shop: Workshop) -> str:
    """Returns the expression of a published column in which each value is written in one way.

    Raises:
        InputError: The policy says which of its texts mean the same, and it has none.
    """
    if stored != "VARCHAR":
        check_texts(column.name, column.same)
        return quoted(column.name)
    written = Function(lambda values: plain_array(values, column.same))
    return f"{shop.function(written)}({quoted(column.name)})"


def _keep_suppressed(table: Table, groups: Groups, flags: Flags, found: Found) -> None:
    """Leaves the labels of suppressed classes where the statement finds them."""
    if not found.suppressed:
        return
    out = groups.codes[:, flags]
    labels = {}
    for place, (domain, level) in enumerate(zip(groups.domains, found.node, strict=True)):
        known = pa.array(domain.labels[level], pa.string())
        labels[f"q{place}"] = known.take(pa.array(domain.codes[level][out[place]]))
    table.engine.register("veil_out", pa.table(labels))
    table.engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {SUPPRESSED} AS SELECT DISTINCT * FROM veil_out"
    )
    table.engine.unregister("veil_out")
