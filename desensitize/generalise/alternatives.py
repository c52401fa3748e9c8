"""What other values of k would cost: the table is grouped once, and searched for each of them.

A table that is very long is not looked at whole: a policy is proposed in minutes, and `run`
searches all rows again. In a sample each class has fewer rows and fewer sensitive values, so
whatever meets k and distinct l there meets them in the whole table: what is said is the most that
it costs, but for the luck of the draw.
"""

# ruff: noqa: S608 - own SQL: names are made here

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from desensitize.engines.tables import make_table
from desensitize.generalise.choose import hierarchies_of, read_combinations
from desensitize.generalise.combinations import Combinations
from desensitize.generalise.lattice import Search
from desensitize.keys import TokenKey, TokenKeys
from desensitize.masking.base import needs_of
from desensitize.policy import Models, PublishPolicy
from desensitize.sources import Table, columns_of
from protos.faults import PolicyError

KS: Final = (2, 3, 5, 10, 20, 50, 100)
_KEY_BYTES: Final = 32
_SAMPLE: Final = 2_000_000
"""Rows that are drawn of a longer table, nearly: each by itself, so that none waits in memory."""
_PART: Final = "veil_part"


@dataclass(frozen=True)
class Alternative:
    """What one k would cost, with everything else as the policy says.

    Attributes:
        k: Least size of a class.
        met: Whether any combination of levels meets the models with it.
        loss: Of the table, 0 to 1 (see ``loss``); 1 if none does.
        suppressed: Share of the rows that would be left out, 0 to 1.
        classes: Classes that would be left.
        levels: Level of each quasi-identifier, by column; empty if none meets them.
        coarser: The columns that are not at their finest level.
        sample: Of how many rows this was told; 0 for all.
    """

    k: int
    met: bool
    loss: float
    suppressed: float
    classes: int
    levels: Mapping[str, str]
    coarser: tuple[str, ...] = ()
    sample: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        return asdict(self)


def alternatives(
    table: Table,
    policy: PublishPolicy,
    *,
    ks: Sequence[int] = KS,
    progress: Callable[[int, int | None], None] | None = None,
) -> tuple[Alternative, ...]:
    """Searches the levels of least loss for several k; nothing is written.

    Keys are drawn for it: which rows have the same token does not depend on the key.

    Args:
        table: What would be released; of more than two million rows so many are drawn.
        policy: Its hierarchies, and its models but for k.
        ks: To try; the policy's own is added.
        progress: Told how many of the searches are done.

    Returns:
        One per k, rising; none if the policy has no quasi-identifier.

    Raises:
        InputError: Hierarchies and values do not go together.
    """
    hierarchies = hierarchies_of(policy)
    if not hierarchies:
        return ()
    asked = {each.column for each in hierarchies}
    judged = policy.models.of_sensitive
    columns = {
        name: column
        for name, column in policy.columns.items()
        if name in asked or (judged and column.sensitive and column.published)
    }
    # δ does not depend on k, and its population is not looked for here.
    models = replace(policy.models, delta=None)
    only = replace(policy, columns=columns, models=models, unknown_column="drop")
    keys = TokenKeys(
        tuple(TokenKey(each, "", "", secrets.token_bytes(_KEY_BYTES)) for each in only.domains)
    )
    names = [each.column for each in hierarchies]
    wanted = sorted({*ks, *({policy.models.k} if policy.models.k else ())})
    found = []
    with (
        drawn(table, only) as part,
        read_combinations(part, only, keys, hierarchies) as source,
    ):
        search = Search(source)  # of rising k: what is ruled out for one is for the next ones
        for done, k in enumerate(wanted):
            if progress is not None:
                progress(done, len(wanted))
            one = _one(search, names, source, replace(models, k=k))
            found.append(one if part is table else replace(one, sample=source.rows))
    return tuple(found)


def usual(costs: Sequence[Alternative], most: int) -> Alternative | None:
    """Returns the one of the greatest k up to a usual one that any levels meet; None if none do."""
    met = [each for each in costs if each.met and each.k <= most]
    return max(met, key=lambda each: each.k, default=None)


@contextmanager
def drawn(table: Table, policy: PublishPolicy) -> Iterator[Table]:
    """Gives some rows of a long table, of the columns that count; a table that is short, itself."""
    [[rows]] = table.engine.sql(f"SELECT count(*) FROM {table.sql}").fetchall()
    if rows <= _SAMPLE:
        yield table
        return
    steps = [step for column in policy.published for step in column.methods]
    wanted = {*policy.columns, *(name for step in steps for name in needs_of(step))}
    columns = [column for column in table.columns if column.name in wanted]
    listed = ", ".join(f"{column.raw} AS c{place}" for place, column in enumerate(columns))
    # Of the columns first: of a wide table so many rows would not have room.
    make_table(
        table.engine, _PART,
        f"SELECT * FROM (SELECT {listed} FROM {table.sql}) "
        f"USING SAMPLE {100 * _SAMPLE / rows:.9f}% (bernoulli, 1)",
    )  # fmt: skip
    names = [column.name for column in columns]
    try:
        yield Table(table.name, table.engine, _PART, columns_of(table.engine, _PART, names))
    finally:
        table.engine.execute(f"DROP TABLE {_PART}")


def _one(search: Search, names: Sequence[str], source: Combinations, models: Models) -> Alternative:
    k = models.k or 0
    try:
        found = search.least(models)
    except PolicyError:  # nothing meets them
        return Alternative(k, met=False, loss=1.0, suppressed=1.0, classes=0, levels={})
    return Alternative(
        k,
        met=True,
        loss=found.loss,
        suppressed=found.suppressed / max(source.rows, 1),
        classes=found.classes,
        levels={
            name: domain.names[level]
            for name, domain, level in zip(names, source.domains, found.node, strict=True)
        },
        coarser=tuple(name for name, level in zip(names, found.node, strict=True) if level),
    )


def from_dict(body: dict[str, Any]) -> Alternative:
    """Rebuilds what `Alternative.to_dict` wrote."""
    return Alternative(**body | {"coarser": tuple(body["coarser"])})
