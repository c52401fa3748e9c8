"""Equivalence classes at one node of the lattice, and which of them break the models.

======================  =======================================================================
k-anonymity             every class has k rows (Sweeney 2002)
distinct l-diversity    every class has l different sensitive values (Machanavajjhala, Gehrke,
                        Kifer, Venkitasubramaniam, ICDE 2006)
entropy l-diversity     the entropy of a class's sensitive values is at least log l (the same)
t-closeness             the earth mover's distance between a class's sensitive values and the
                        table's is at most t: ordered distance for numbers and dates, equal distance
                        for the rest (Li, Li, Venkatasubramanian, ICDE 2007)
δ-presence              of the people of a population who are like this, the share whose rows are
                        in the table is between δ min and δ max (Nergiz, Atzori, Clifton, SIGMOD
                        2007)
======================  =======================================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from desensitize.generalise.groups import Flags, Groups
from desensitize.generalise.spread import Column, Ints, Over
from desensitize.policy import Models

_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Classes:
    """The classes of one node.

    Attributes:
        member: Class of each group.
        sizes: Rows of each class; 0 where only the population has somebody.
        sensitive: The table's sensitive columns.
        people: Of the population, by class; None without one.
    """

    member: Ints
    sizes: Ints
    sensitive: tuple[Column, ...] = ()
    people: Ints | None = None

    @cached_property
    def spreads(self) -> tuple[Over, ...]:
        """How each sensitive column lies over them."""
        return tuple(each.over(self.member, self.sizes) for each in self.sensitive)

    def rows(self, flags: Flags) -> int:
        """Returns the rows of some of them."""
        return int(self.sizes[flags].sum())


def classes_at(groups: Groups, node: tuple[int, ...]) -> Classes:
    """Puts groups together that have the same labels at a node."""
    keys = np.zeros(len(groups.counts), np.int64)
    room = 1
    for column, (domain, level) in enumerate(zip(groups.domains, node, strict=True)):
        width = len(domain.labels[level])
        if room > (1 << 62) // max(width, 1):
            _, keys = np.unique(keys, return_inverse=True)
            room = int(keys.max(initial=0)) + 1
        keys = keys * width + domain.codes[level][groups.codes[column]]
        room *= max(width, 1)
    order = np.argsort(keys)
    ordered = keys[order]
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    member = np.empty(len(ordered), np.int64)
    member[order] = np.cumsum(new) - 1
    starts = np.flatnonzero(new)

    def summed(counts: Ints) -> Ints:
        total: Ints = np.add.reduceat(counts[order], starts) if len(starts) else counts
        return total

    people = None if groups.people is None else summed(groups.people)
    return Classes(member, summed(groups.counts), groups.sensitive, people)


def broken(classes: Classes, models: Models) -> Flags:
    """Returns the classes that break a model and have to be left out.

    What is published has to be close to itself: a reader knows no other table. So what breaks the
    other models goes first, for none of them depends on other classes. Leaving classes out changes
    the distribution that the rest has to be close to, so for t they are looked at again until none
    breaks it.
    """
    wrong = _alone(classes, models)
    if models.t is not None:
        before = -1
        while (now := int(wrong.sum())) != before:
            before = now
            kept = ~wrong
            for each in classes.spreads:
                wrong |= each.distances(kept) > models.t + _ROUNDING
    if _absent(classes, models):
        # Who is not in the table is certainly not: leaving more out mends nothing.
        wrong[:] = True
    return wrong


def _alone(classes: Classes, models: Models) -> Flags:
    """The classes that break a model, whatever becomes of the other classes."""
    wrong = np.zeros(len(classes.sizes), bool)
    if models.k is not None:
        wrong |= classes.sizes < models.k
    for each in classes.spreads if models.of_sensitive else ():
        if models.l is not None:
            wrong |= each.distinct < models.l
        if models.entropy_l is not None:
            wrong |= each.entropies < math.log(models.entropy_l) - _ROUNDING
    if models.delta is not None and classes.people is not None:
        wrong |= classes.sizes > models.delta.most * classes.people + _ROUNDING
    return wrong


def _absent(classes: Classes, models: Models) -> bool:
    """Whether of some of the population's people too few are in the table."""
    if models.delta is None or classes.people is None:
        return False
    return bool((classes.sizes < models.delta.least * classes.people - _ROUNDING).any())


def must_lose(classes: Classes, models: Models, most: int, reaches: Sequence[float]) -> int:
    """Returns how many rows every finer node has to leave out, at least.

    A class of this node is made of classes of a finer one, of which some are kept and some left
    out. If all models hold of the kept ones, a part of the class must be among those left out:

    - k, distinct l: they hold of a class once they hold of a part of it, so if they do not hold
      here, every part has to go;
    - entropy l: entropy is concave, so the kept parts together have log l at least, and the class
      has at least their share of it: 1 - entropy / log l of its rows have to go. (A class that
      holds, merged with one that does not, may cease to hold: entropy l is monotone only as long
      as nothing is left out, and so are the next two.)
    - δ: kept parts have at most δ of their people, so rows beyond δ of the class's people have to
      go; if it has too few, a part has too few as well, and nothing helps;
    - t: the distance is convex, at most 1, and of a kept part at most `reach` from the whole table,
      so (distance - reach) / (1 - reach) of the rows have to go.

    With nothing to be left out these are the models themselves; so a node that has to lose too
    many rules out all that are finer, whatever the models are.

    Args:
        classes: Of this node.
        models: What must hold.
        most: Rows that may be left out; counting ends beyond.
        reaches: Of each sensitive column; see `reach`.
    """
    sizes = classes.sizes
    if _absent(classes, models):
        return most + 1
    lost = np.zeros(len(sizes))
    if models.k is not None:
        lost = np.where(sizes < models.k, sizes, 0.0)
        if lost.sum() > most:  # the cheapest look comes first, and ends most of the search
            return int(lost.sum())
    if models.delta is not None and classes.people is not None:
        lost = np.maximum(lost, sizes - models.delta.most * classes.people)
    for each, far in zip(classes.spreads if models.of_sensitive else (), reaches, strict=False):
        if models.l is not None:
            lost = np.maximum(lost, np.where(each.distinct < models.l, sizes, 0.0))
        if models.entropy_l is not None:
            lost = np.maximum(lost, sizes * (1 - each.entropies / math.log(models.entropy_l)))
        if models.t is not None and far < 1:
            lost = np.maximum(lost, sizes * ((each.distances() - far) / (1 - far)))
    # Whole rows; rounding must not rule out what holds.
    return int(np.ceil(lost - 1e-6).sum())


def least_rows(models: Models) -> int:
    """Returns below how many rows a class is left out, and every part of it, whatever is in it.

    It has at most as many different values as rows, and no more entropy than their logarithm.
    """
    return max(models.k or 0, models.l or 0, math.ceil((models.entropy_l or 0) - 1e-6))


def reach(values: int, vanishing: int, t: float, share: float) -> float:
    """Returns how far from the whole table a class can be that is within t of what is kept.

    What is kept is at most the share of rows left out away from the whole, and distances add up.
    With order there is another scale, too: values that are in no kept row are not counted as
    steps, so each value that can vanish may be a step more.

    Args:
        values: Of the sensitive column.
        vanishing: How many of them can be in no kept row; 0 without an order.
        t: Of the model.
        share: Of the rows that may be left out.
    """
    return t + _ROUNDING + share + vanishing / max(values - 1, 1)
