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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desensitize.generalise.classes import (
    Classes,
    broken,
    classes_at,
    least_rows,
    must_lose,
    reach,
)
from desensitize.generalise.groups import Flags, Groups, Source
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


def search(source: Source, models: Models) -> Found:
    """Finds the node of least loss; of equal ones the one whose levels are the lowest.

    Raises:
        InputError: The lattice has too many nodes.
        PolicyError: No node meets the models.
    """
    return Search(source).least(models)


def check_size(levels: Sequence[int]) -> int:
    """Returns how many nodes a lattice has.

    Args:
        levels: Of each column, how many it has.

    Raises:
        InputError: They are too many to be searched.
    """
    if (number := prod(levels)) > MOST_NODES:
        # Hundreds of columns give a number of hundreds of digits.
        many = f"{number:,}" if number < 10**15 else f"10^{len(str(number)) - 1}"
        raise InputError(
            Text(
                f"{many} combinations of levels are more than {MOST_NODES:,}",
                f"层级组合有 {many} 种，超过上限 {MOST_NODES:,}",
            ),
            remedy=Text(
                "name fewer levels, or drop a quasi-identifier",
                "请减少层级，或删除一个准标识符",
            ),
            code="lattice.size",
        )
    return number


class Search:
    """Searches one table for several models, of which none is weaker than the one before.

    So what was ruled out once stays ruled out.
    """

    def __init__(self, source: Source) -> None:
        """Lays the lattice out.

        Raises:
            InputError: It has too many nodes.
        """
        levels = [len(domain.names) for domain in source.domains]
        number = check_size(levels)
        nodes = np.array(list(product(*map(range, levels))), np.int8).reshape(number, len(levels))
        self._source = source
        self._unsuppressed = per_level(source)
        bound = of_nodes(self._unsuppressed, nodes)
        order = np.lexsort((bound, -nodes.sum(1, dtype=np.int64)))
        self._nodes, self._bound = nodes[order], bound[order]
        self._possible = np.ones(number, bool)

    def least(self, models: Models) -> Found:
        """Finds the node of least loss; see `search`.

        Raises:
            PolicyError: No node meets the models.
        """
        source, nodes = self._source, self._nodes
        most = int(models.max_suppressed * source.rows)
        needed, reaches = least_rows(models), _reaches(source, models, most)
        best: Found | None = None
        open_ = self._possible.copy()
        tried, at = 0, 0
        while (at := _next(open_, at)) >= 0:
            node = tuple(map(int, nodes[at]))
            open_[at] = False
            tried += 1
            groups = None if source.hopeless(node, needed, most) else source.at(node)
            classes = None if groups is None else classes_at(groups, node)
            if (
                groups is None
                or classes is None
                or must_lose(classes, models, most, reaches) > most
            ):
                below = (nodes <= nodes[at]).all(1)
                open_ &= ~below
                self._possible &= ~below
                continue
            wrong = broken(classes, models)
            if classes.rows(wrong) > most:
                continue
            found = _measured(groups, classes, wrong, node, self._unsuppressed)
            if best is None or (found.loss, found.node) < (best.loss, best.node):
                best = found
                open_ &= self._bound <= best.loss
        if best is None:
            raise _impossible(source, models)
        return replace(best, tried=tried, nodes=len(nodes))


def _reaches(source: Source, models: Models, most: int) -> list[float]:
    if models.t is None:
        return [1.0] * len(source.sensitive)
    return [
        reach(
            each.values,
            source.vanishing(place, most) if each.ordered else 0,
            models.t,
            most / max(source.rows, 1),
        )
        for place, each in enumerate(source.sensitive)
    ]


def _next(open_: Flags, start: int) -> int:
    """Returns the first place from ``start`` on that is open, or -1."""
    ahead = int(open_[start:].argmax()) + start
    return ahead if ahead < len(open_) and open_[ahead] else -1


def per_level(source: Source) -> list[NDArray[np.float64]]:
    """Returns each column's loss at each of its levels, without suppressed rows."""
    rows = max(source.rows, 1)
    return [
        np.array([
            (shares[labels] * weights).sum() / rows
            for shares, labels in zip(domain.shares, domain.codes, strict=True)
        ])
        for domain, weights in zip(source.domains, source.marginals, strict=True)
    ]  # fmt: skip


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
        # Of a suppressed row all is lost, not its label's share. Rows are added up before losses
        # are: so they come to the same, to the last bit, from whatever combinations.
        labels = domain.codes[level][groups.codes[column, out]]
        gone = np.bincount(labels, weights=weights, minlength=len(domain.shares[level]))
        more = float(((1 - domain.shares[level]) * gone).sum())
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


def _impossible(source: Source, models: Models) -> PolicyError:
    node = tuple(len(domain.names) - 1 for domain in source.domains)
    classes = classes_at(source.at(node), node)
    out = classes.rows(broken(classes, models))
    return PolicyError(
        Text(
            f"no combination of levels meets the models: at the coarsest one, {out:,} "
            f"of {source.rows:,} rows would have to be left out",
            f"没有满足模型要求的层级组合：即使在最粗的层级，{source.rows:,} 行中仍需删除 "
            f"{out:,} 行",
        ),
        remedy=Text(
            'end each hierarchy with "*", raise max_suppressed, or ask for a smaller k, l or '
            "entropy_l, or a greater t or delta",
            '请让每个层级以 "*" 结尾，提高 max_suppressed，或降低 k、l、entropy_l，或放宽 t、delta',
        ),
        code="lattice.impossible",
    )
