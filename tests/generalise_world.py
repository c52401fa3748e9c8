"""Small tables, as groups for the search, and the search's oracle: every node, row by row."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pyarrow as pa

from desensitize.generalise.choose import read_combinations
from desensitize.generalise.groups import Groups
from desensitize.generalise.levels import Hierarchy, hierarchy
from desensitize.keys import TokenKeys
from desensitize.policy import HierarchyRule, Models, PublishPolicy
from desensitize.policy_file import parse_policy
from desensitize.proposing.proposal import quoted_key
from desensitize.sources import Table, columns_of, open_object

ROUNDING = 1e-9


def policy_of(
    quasi: Mapping[str, str],
    sensitive: Sequence[str] = (),
    models: str = "k = 2",
    extra: str = "",
) -> PublishPolicy:
    """A policy: hierarchies (TOML) by column, and sensitive columns that are kept."""
    lines = ['dataset = "t"']
    for name in quasi:
        lines += [f"[columns.{quoted_key(name)}]", 'role = "quasi"']
    for name in sensitive:
        lines += [f"[columns.{quoted_key(name)}]", 'role = "sensitive"']
    lines += ["[publish]", f"models = {{ {models} }}", extra, "[publish.hierarchies]"]
    lines += [f"{quoted_key(name)} = {levels}" for name, levels in quasi.items()]
    lines += ["[publish.methods]", *(f'{quoted_key(name)} = "keep"' for name in sensitive)]
    return parse_policy("\n".join(lines))


def groups_of(
    table: Mapping[str, Sequence[Any]],
    policy: PublishPolicy,
    everybody: Mapping[str, Sequence[Any]] | None = None,
) -> Groups:
    """Reads a table as a release does, and a population beside it."""
    hierarchies = hierarchies_of(policy)
    source = open_object(pa.table(dict(table)))
    population = None
    if everybody is not None:
        source.engine.register("people", pa.table(dict(everybody)))
        columns = columns_of(source.engine, "people")
        population = Table("people", source.engine, "people", columns)
    try:
        with read_combinations(source, policy, TokenKeys(), hierarchies, population) as found:
            return found.taken((0,) * len(hierarchies))
    finally:
        source.engine.close()


def hierarchies_of(policy: PublishPolicy) -> list[Hierarchy]:
    """The hierarchies of a policy."""
    return [
        hierarchy(c.name, c.hierarchy or HierarchyRule(("value",)), policy.folder)
        for c in policy.published
        if c.role == "quasi"
    ]


def every_node(
    rows: Sequence[tuple[str, ...]],
    secrets: Sequence[str],
    levels: Sequence[Sequence[Mapping[str, str]]],
    models: Models,
    others: Sequence[tuple[str, ...]] = (),
) -> dict[tuple[int, ...], tuple[int, float]]:
    """Suppressed rows and loss of every node, the slow way.

    Args:
        rows: Quasi-identifiers, the finest labels.
        secrets: The sensitive value of each row, a digit.
        levels: For each column and level, the label of each finest label.
        models: What must hold.
        others: Those of the population who are not in the table.
    """
    found = {}
    for node in product(*(range(len(each)) for each in levels)):
        labels = [
            tuple(levels[c][level][row[c]] for c, level in enumerate(node))
            for row in (*rows, *others)
        ]
        members: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, label in enumerate(labels[: len(rows)]):
            members[label].append(place)
        people = Counter(labels)
        shares = {label: len(members.get(label, ())) / many for label, many in people.items()}
        if models.delta is not None:
            members = {label: places for label, places in members.items()
                       if shares[label] <= models.delta.most + ROUNDING}  # fmt: skip
        out = left_out(list(members.values()), secrets, models)
        if models.delta is not None and min(shares.values()) < models.delta.least - ROUNDING:
            out = set(range(len(rows)))
        losses = []
        for column, level in enumerate(node):
            finest = {row[column] for row in (*rows, *others)}
            domain = max(len(finest), 2)
            alike = levels[column][level]
            share = {
                value: (sum(alike[o] == alike[value] for o in finest) - 1) / (domain - 1)
                for value in finest
            }
            losses.append(
                sum(1.0 if p in out else share[row[column]] for p, row in enumerate(rows))
                / len(rows)
            )
        loss = math.exp(sum(map(math.log1p, losses)) / len(losses)) - 1
        found[node] = (len(out), loss)
    return found


def left_out(classes: Sequence[list[int]], secrets: Sequence[str], models: Models) -> set[int]:
    """Rows of the classes that break a model; t against what is left, until nothing changes."""
    kept = [
        places
        for places in classes
        if (models.k is None or len(places) >= models.k)
        and (models.l is None or len({secrets[p] for p in places}) >= models.l)
        and (
            models.entropy_l is None
            or entropy([secrets[p] for p in places]) >= math.log(models.entropy_l) - ROUNDING
        )
    ]
    while models.t is not None:
        table = [secrets[p] for places in kept for p in places]
        close = [c for c in kept if distance([secrets[p] for p in c], table) <= models.t + ROUNDING]
        if len(close) == len(kept):
            break
        kept = close
    return set(range(len(secrets))) - {p for places in kept for p in places}


def entropy(values: Sequence[str]) -> float:
    """Of a class's values, nats."""
    shares = [many / len(values) for many in Counter(values).values()]
    return -sum(share * math.log(share) for share in shares)


def distance(here: Sequence[str], table: Sequence[str]) -> float:
    """Ordered earth mover's distance; values are digits."""
    values = sorted(set(table), key=int)
    total, moved = 0.0, 0.0
    for value in values:
        moved += here.count(value) / len(here) - table.count(value) / len(table)
        total += abs(moved)
    return total / max(len(values) - 1, 1)
