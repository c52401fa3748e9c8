"""The lattice of levels: finds the node of least loss that meets the models.

A node is a level for each quasi-identifier; rows in classes that break a model are suppressed, up
to a share of all rows. Two things keep the search short, and the optimum exact:

- the loss of a node without its suppressed rows is known beforehand, from one table per column
  (``loss.of_nodes``), and can only grow: nodes that cannot be better than the best so far are never
  looked at;
- a class of a node tells how many rows every finer node has to suppress at least
  (``classes.must_lose``): if that is too many, all nodes below are ruled out, so the widest nodes
  are tried first. k and distinct l are monotone also if rows may be suppressed: a class that holds
  stays one that holds when it is merged with others (Samarati 2001; Machanavajjhala et al. 2006).
  Entropy l, t and δ are monotone only if no row may be: merging a class that holds with one that
  was suppressed can break it, and for t what is suppressed changes the table that the others have
  to be close to. For them the least number of rows is an estimate from below.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desensitize.generalise.classes import (
    Classes,
    Flags,
    broken,
    classes_at,
    must_lose,
    reach,
)
from desensitize.generalise.groups import Groups
from desensitize.generalise.loss import of_nodes, of_table
from desensitize.policy import Models
from protos.faults import InputError, PolicyError
from protos.language import Text

MOST_NODES: Final = 2_000_000


@dataclass(frozen=True)
class Found:
    """What was chosen.

    Attributes:
        node: Level of each quasi-identifier.
        loss: Of the table, 0 to 1: see ``loss``.
        losses: Of each column.
        suppressed: Rows that have to be left out.
        smallest: Rows of the smallest class that is left; 0 if none is.
        classes: Classes that are left.
        tried: Nodes that were looked at.
        nodes: Nodes of the lattice.
    """

    node: tuple[int, ...]
    loss: float
    losses: tuple[float, ...]
    suppressed: int
    smallest: int
    classes: int
    tried: int
    nodes: int


def search(groups: Groups, models: Models) -> Found:
    """Finds the node of least loss; of equal ones the one whose levels are the lowest.

    Raises:
        InputError: The lattice has too many nodes.
        PolicyError: No node meets the models.
    """
    levels = [len(domain.names) for domain in groups.domains]
    if (number := int(np.prod(levels, dtype=object))) > MOST_NODES:
        raise InputError(
            Text(
                f"{number:,} combinations of levels are more than {MOST_NODES:,}",
                f"层级组合有 {number:,} 种，超过上限 {MOST_NODES:,}",
            ),
            remedy=Text(
                "name fewer levels, or drop a quasi-identifier", "请减少层级，或删除一个准标识符"
            ),
            code="lattice.size",
        )
    nodes = np.array(list(product(*map(range, levels))), np.int8).reshape(number, len(levels))
    unsuppressed = per_level(groups)
    bound = of_nodes(unsuppressed, nodes)
    most = int(models.max_suppressed * groups.rows)
    reaches = [
        reach(each, 1.0 if models.t is None else models.t, groups.rows, most)
        for each in groups.sensitive
    ]
    best: Found | None = None
    tried = 0
    order = np.lexsort((bound, -nodes.sum(1, dtype=np.int64)))
    nodes, bound = nodes[order], bound[order]
    open_ = np.ones(number, bool)
    at = 0
    while (at := _next(open_, at)) >= 0:
        node = tuple(map(int, nodes[at]))
        open_[at] = False
        tried += 1
        classes = classes_at(groups, node)
        if must_lose(classes, models, most, reaches) > most:
            open_ &= ~(nodes <= nodes[at]).all(1)
            continue
        wrong = broken(classes, models)
        if classes.rows(wrong) > most:
            continue
        found = _measured(groups, classes, wrong, node, unsuppressed)
        if best is None or (found.loss, found.node) < (best.loss, best.node):
            best = found
            open_ &= bound <= best.loss
    if best is None:
        raise _impossible(groups, models)
    return Found(
        best.node, best.loss, best.losses, best.suppressed, best.smallest, best.classes,
        tried, number,
    )  # fmt: skip


def _next(open_: Flags, start: int) -> int:
    """Returns the first place from ``start`` on that is open, or -1."""
    ahead = int(open_[start:].argmax()) + start
    return ahead if ahead < len(open_) and open_[ahead] else -1


def per_level(groups: Groups) -> list[NDArray[np.float64]]:
    """Returns each column's loss at each of its levels, without suppressed rows."""
    rows = max(groups.rows, 1)
    losses = []
    for domain, codes in zip(groups.domains, groups.codes, strict=True):
        weights = np.bincount(codes, weights=groups.counts, minlength=domain.codes.shape[1])
        losses.append(np.array([
            (shares[labels] * weights).sum() / rows
            for shares, labels in zip(domain.shares, domain.codes, strict=True)
        ]))  # fmt: skip
    return losses


def _measured(
    groups: Groups,
    classes: Classes,
    wrong: Flags,
    node: tuple[int, ...],
    unsuppressed: list[NDArray[np.float64]],
) -> Found:
    """Measures one node, of which some classes are left out."""
    out = np.flatnonzero(wrong[classes.member])
    weights, rows = groups.counts[out], max(groups.rows, 1)
    losses = []
    for column, (domain, level) in enumerate(zip(groups.domains, node, strict=True)):
        # Of a suppressed row all is lost, not its label's share.
        shares = domain.shares[level][domain.codes[level][groups.codes[column, out]]]
        more = float(((1 - shares) * weights).sum())
        losses.append(float(unsuppressed[column][level]) + more / rows)
    left = classes.sizes[~wrong & (classes.sizes > 0)]
    smallest = int(left.min()) if len(left) else 0
    return Found(
        node, of_table(losses), tuple(losses), int(weights.sum()), smallest, len(left), 1, 1
    )


def suppressed_groups(groups: Groups, models: Models, node: tuple[int, ...]) -> Flags:
    """Returns the groups whose rows are left out at a node."""
    classes = classes_at(groups, node)
    out: Flags = broken(classes, models)[classes.member] & (groups.counts > 0)
    return out


def _impossible(groups: Groups, models: Models) -> PolicyError:
    classes = classes_at(groups, tuple(len(domain.names) - 1 for domain in groups.domains))
    out = classes.rows(broken(classes, models))
    return PolicyError(
        Text(
            f"no combination of levels meets the models: at the coarsest one, {out:,} "
            f"of {groups.rows:,} rows would have to be left out",
            f"没有满足模型要求的层级组合：即使在最粗的层级，{groups.rows:,} 行中仍需删除 "
            f"{out:,} 行",
        ),
        remedy=Text(
            'end each hierarchy with "*", raise max_suppressed, or ask for a smaller k, l or '
            "entropy_l, or a greater t or delta",
            '请让每个层级以 "*" 结尾，提高 max_suppressed，或降低 k、l、entropy_l，或放宽 t、delta',
        ),
        code="lattice.impossible",
    )
