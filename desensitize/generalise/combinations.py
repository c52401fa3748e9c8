"""A table of any size as the search sees it: combinations stay in the engine, which uses the disk.

The source is read once, into the combinations of finest labels that occur, with how often. A table
may have as many of them as rows. The search however begins where nearly everything is equal, and
what holds of coarse labels follows from few combinations: for a node, combinations are counted at
the finest levels below it at which they are few, and then serve all nodes above these.

Where even the node itself has many, its classes are taken, after it is clear that not too many rows
are in small ones: so they are at most rows / k, and the rows that may be left out. Their sensitive
values are looked at as a stream.
"""

# ruff: noqa: S608 - own SQL: names are made here

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import le
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from desensitize.engines.tables import make_table
from desensitize.generalise.domains import LEVELS
from desensitize.generalise.groups import Domain, Flags, Groups
from desensitize.generalise.spread import Column, Ints, Sensitive
from desensitize.generalise.streamed import BATCH, StreamedColumn, batches

FEW: Final = 1 << 20
"""Combinations, and cells of combinations and sensitive values, that are taken into memory."""
_QUICK: Final = 2
"""Of so many times fewer, classes are counted in no time: for those other nodes are taken along."""
_HELD: Final = 2
"""How many times as many are kept for the next nodes."""
LINES: Final = "veil_lines"
VALUES: Final = "veil_values"
_CLASSES: Final = "veil_classes"
_CELLS: Final = "veil_cells"
_COUNTED: Final = "veil_counted"

Node = tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A sensitive column without its lines; a `spread.Values`.

    Attributes:
        name: Of the column.
        values: How many distinct values it has.
        ordered: Whether its codes stand in the order of its values.
    """

    name: str
    values: int
    ordered: bool


@dataclass
class Combinations:
    """The combinations of a table, in an engine; a `groups.Source`.

    Attributes:
        engine: Which has them.
        domains: One per quasi-identifier.
        sensitive: What models ask about.
        marginals: Rows of each value of each column.
        rows: Of the table.
        lines: Combinations of finest labels and sensitive values.
        population: Whether people were counted beside the rows.
        few: How many combinations and cells are taken into memory.
    """

    engine: duckdb.DuckDBPyConnection
    domains: tuple[Domain, ...]
    sensitive: tuple[Value, ...]
    marginals: tuple[Ints, ...]
    rows: int
    lines: int
    population: bool
    few: int = FEW
    _held: dict[Node, Groups] = field(default_factory=dict)
    _many: dict[Node, int] = field(default_factory=dict)

    def hopeless(self, node: Sequence[int], least: int, most: int) -> bool:
        """See `groups.Source`."""
        aim = tuple(node)
        if least <= 1 or self._at_hand(aim) is not None:
            return False
        small = f"SELECT sum(n) FILTER (n < {least}) FROM ({self._grouped(aim)})"
        return (self.engine.sql(small).fetchall()[0][0] or 0) > most

    def at(self, node: Sequence[int]) -> Groups:
        """See `groups.Source`; streamed columns that were returned before are void then."""
        aim = tuple(node)
        if (floor := self._floor(aim)) is None:
            return self._streamed(aim)
        found = self._held.pop(floor, None) or self.taken(floor)
        self._held[floor] = found  # the last one that was of use
        while len(self._held) > 1 and sum(map(_size, self._held.values())) > _HELD * self.few:
            del self._held[next(iter(self._held))]
        return found

    def taken(self, floor: Node) -> Groups:
        """Takes all combinations and cells at some levels into memory."""
        columns = self._fetch(f"{self._grouped(floor)} ORDER BY ALL")
        groups = self._as_groups(floor, columns)
        real = np.flatnonzero(groups.counts)  # the others are of the population only
        cells = []
        for place, each in enumerate(self.sensitive):
            *labels, code, count = self._fetch(f"{self._celled(floor, place)} ORDER BY ALL")
            new = np.ones(len(count), bool)
            new[1:] = np.logical_or.reduce([label[1:] != label[:-1] for label in labels])
            group = real[np.cumsum(new) - 1]
            cells.append(Sensitive(
                each.name, each.values, each.ordered, group,
                code.astype(np.int64), count.astype(np.int64),
            ))  # fmt: skip
        return Groups(groups.domains, groups.codes, groups.counts, tuple(cells), groups.people)

    def vanishing(self, place: int, most: int) -> int:
        """See `groups.Source`."""
        added = f"SELECT sum(total) OVER (ORDER BY total, code) AS added FROM {VALUES}{place}"
        sql = f"SELECT count(*) FROM ({added}) WHERE added <= {most}"
        return int(self.engine.sql(sql).fetchall()[0][0])

    def rows_of(self, groups: Groups, some: Flags, node: Sequence[int]) -> tuple[Ints, ...]:
        """See `groups.Source`."""
        labels = {
            f"g{place}": pa.array(each.codes[level][codes[some]], pa.int32())
            for place, (each, level, codes) in enumerate(
                zip(self.domains, node, groups.codes, strict=True)
            )
        }
        _, joins = self._labels(node)
        same = " AND ".join(
            f"o.g{i} = d{i}.l{level}" if level else f"o.g{i} = q{i}" for i, level in enumerate(node)
        )
        finest = ", ".join(f"q{i}" for i in range(len(node)))
        self.engine.register("veil_out", pa.table(labels))
        make_table(
            self.engine, _CLASSES,
            f"SELECT {finest}, n FROM {LINES} {joins} SEMI JOIN veil_out o ON {same}",
        )  # fmt: skip
        self.engine.unregister("veil_out")
        return marginals(self.engine, _CLASSES, self.domains)

    @property
    def kept(self) -> tuple[Groups, ...]:
        """The combinations that are in memory."""
        return tuple(self._held.values())

    def drop(self) -> None:
        """Removes what is in the engine."""
        self._held.clear()
        width, beside = len(self.domains), len(self.sensitive)
        for name in (
            LINES, _CLASSES, _COUNTED, *(f"{LEVELS}{i}" for i in range(width)),
            *(f"{each}{i}" for i in range(beside) for each in (VALUES, _CELLS)),
        ):  # fmt: skip
            self.engine.execute(f"DROP TABLE IF EXISTS {name}")

    def _at_hand(self, node: Node) -> Node | None:
        """Returns levels below a node whose combinations are in memory, or few anyway."""
        if self.lines * (1 + len(self.sensitive)) <= self.few:
            return (0,) * len(node)
        held = [each for each in self._held if all(map(le, each, node))]
        return min(held, key=lambda each: _size(self._held[each]), default=None)

    def _floor(self, node: Node) -> Node | None:
        """Returns levels below a node at which combinations are few; None if there are none.

        From the finest on, the column with the most labels becomes coarser. Numbers are estimates
        (HyperLogLog), as exact as a limit on memory needs them, from one look at all combinations.
        """
        if (at_hand := self._at_hand(node)) is not None:
            return at_hand
        floor = [0] * len(node)
        floors = [tuple(floor)]
        while tuple(floor) != node:
            below = [place for place, level in enumerate(floor) if level < node[place]]
            widest = max(below, key=lambda i: len(self.domains[i].labels[floor[i]]))
            floor[widest] += 1
            floors.append(tuple(floor))
        self._estimate([each for each in floors if each not in self._many])
        quick = [each for each in floors if self._many[each] * _QUICK <= self.few]
        if quick or self._many[node] > self.few:
            return quick[0] if quick else None
        return node

    def _estimate(self, floors: Sequence[Node]) -> None:
        if not floors:
            return
        numbers = []
        for floor in floors:
            labels = ", ".join(f"d{i}.l{level}" for i, level in enumerate(floor))
            beside = [f", s{i}" for i in range(len(self.sensitive))]
            numbers.append(" + ".join(
                f"approx_count_distinct(hash({labels}{value}))" for value in ("", *beside)
            ))  # fmt: skip
        joins = " ".join(
            f"JOIN {LEVELS}{i} d{i} ON q{i} = d{i}.code" for i in range(len(self.domains))
        )
        [found] = self.engine.sql(f"SELECT {', '.join(numbers)} FROM {LINES} {joins}").fetchall()
        self._many |= dict(zip(floors, found, strict=True))

    def _streamed(self, node: Node) -> Groups:
        """Takes the classes of a node; their sensitive values stay in the engine."""
        listed = ", ".join(f"g{i}" for i in range(len(node)))
        make_table(
            self.engine, _CLASSES,
            f"SELECT *, row_number() OVER (ORDER BY {listed}) - 1 AS class "
            f"FROM ({self._grouped(node)})",
        )  # fmt: skip
        columns = self._fetch(f"SELECT {listed}, n, p FROM {_CLASSES} ORDER BY class")
        found = self._as_groups(node, columns)
        same = " AND ".join(f"c.g{i} = t.g{i}" for i in range(len(node)))
        beside: list[Column] = []
        for place, each in enumerate(self.sensitive):
            # Counted first, joined then: each takes what memory there is.
            make_table(self.engine, _COUNTED, self._celled(node, place))
            make_table(
                self.engine, f"{_CELLS}{place}",
                f"SELECT c.class, c.n AS size, t.n, t.s FROM {_COUNTED} t "
                f"JOIN {_CLASSES} c ON {same}",
            )  # fmt: skip
            self.engine.execute(f"DROP TABLE {_COUNTED}")
            beside.append(StreamedColumn(
                each.name, each.values, each.ordered, self.engine, f"{_CELLS}{place}"
            ))  # fmt: skip
        return Groups(found.domains, found.codes, found.counts, tuple(beside), found.people)

    def _labels(self, node: Sequence[int]) -> tuple[str, str]:
        """Returns the labels of lines at a node, as ``g0``, ``g1``, …, and the joins for them."""
        listed = ", ".join(
            f"d{i}.l{level} AS g{i}" if level else f"q{i} AS g{i}" for i, level in enumerate(node)
        )
        joins = " ".join(
            f"JOIN {LEVELS}{i} d{i} ON q{i} = d{i}.code" for i, level in enumerate(node) if level
        )
        return listed, joins

    def _grouped(self, node: Node) -> str:
        listed, joins = self._labels(node)
        summed = "sum(n)::BIGINT AS n, sum(p)::BIGINT AS p"
        return f"SELECT {listed}, {summed} FROM {LINES} {joins} GROUP BY ALL"

    def _celled(self, node: Node, place: int) -> str:
        listed, joins = self._labels(node)
        return (
            f"SELECT {listed}, s{place} AS s, sum(n)::BIGINT AS n FROM {LINES} {joins} "
            "WHERE n > 0 GROUP BY ALL"
        )

    def _as_groups(self, node: Node, columns: Sequence[NDArray[np.integer[Any]]]) -> Groups:
        *labels, counts, people = columns
        codes = np.empty((len(labels), len(counts)), np.int32)
        for place, (each, level) in enumerate(zip(self.domains, node, strict=True)):
            codes[place] = each.first_of(level)[labels[place]]
        return Groups(
            self.domains, codes, counts.astype(np.int64),
            people=people.astype(np.int64) if self.population else None,
        )  # fmt: skip

    def _fetch(self, sql: str) -> list[NDArray[np.integer[Any]]]:
        """Returns columns as arrays of their own width, batch by batch."""
        reader = self.engine.sql(sql).to_arrow_reader(BATCH)
        parts: list[list[NDArray[np.integer[Any]]]] = [[] for _ in reader.schema]
        for batch in reader:
            for part, column in zip(parts, batch.columns, strict=True):
                part.append(column.to_numpy())
        nothing = np.zeros(0, np.int64)
        return [np.concatenate(part) if part else nothing for part in parts]


def _size(groups: Groups) -> int:
    """Combinations and cells that are in memory."""
    cells = (len(each.code) for each in groups.sensitive if isinstance(each, Sensitive))
    return len(groups.counts) + sum(cells)


def marginals(
    engine: duckdb.DuckDBPyConnection, lines: str, domains: Sequence[Domain]
) -> tuple[Ints, ...]:
    """Counts the rows of each value of each column."""
    found = []
    for place, each in enumerate(domains):
        counted = np.zeros(each.codes.shape[1], np.int64)
        sql = f"SELECT q{place}, sum(n)::BIGINT FROM {lines} GROUP BY q{place}"
        for code, count in batches(engine, sql):
            counted[code] = count
        found.append(counted)
    return tuple(found)
