"""The typed algebra below the first aggregation: what nodes are asked to compute.

    Scan → Filter? → Aggregate

Every node is frozen, closed (no foreign SQL text anywhere) and has one canonical JSON form,
so that a signed plan means the same at every node. Values of numeric columns are *scaled
integers* throughout (value x 10**decimals); a node never sees a float.

Expression typing: ``bounds`` and ``decimals`` of an expression follow from the declared
columns alone (interval arithmetic), never from data; see ``catalog.typing_rules``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scalar = str | int | bool | None
CompareOp = Literal["=", "<>", "<", "<=", ">", ">="]
ArithOp = Literal["+", "-", "*"]
FunctionName = Literal[
    "abs", "coalesce", "upper", "lower", "substr", "year", "month", "greatest", "least"
]
MeasureKind = Literal["rows", "count", "sum", "sum_squares"]


@dataclass(frozen=True)
class ColumnRef:
    """A declared column of the scanned dataset."""

    name: str


@dataclass(frozen=True)
class Constant:
    """A constant. Numbers are scaled integers: ``value`` x 10**-``decimals``.

    Dates are days since 1970-01-01 with ``type`` "date".
    """

    value: Scalar
    type: Literal["integer", "decimal", "string", "date", "boolean", "null"]
    decimals: int = 0


@dataclass(frozen=True)
class Arith:
    """``left op right`` on numbers; + and - align decimals, * adds them."""

    op: ArithOp
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Compare:
    """``left op right``; both sides of one type family."""

    op: CompareOp
    left: Expr
    right: Expr


@dataclass(frozen=True)
class BoolOp:
    """AND or OR of two or more predicates."""

    op: Literal["and", "or"]
    args: tuple[Expr, ...]


@dataclass(frozen=True)
class Not:
    """Logical NOT (three-valued)."""

    arg: Expr


@dataclass(frozen=True)
class IsNull:
    """``arg IS NULL``."""

    arg: Expr


@dataclass(frozen=True)
class InList:
    """``arg IN (constants)``."""

    arg: Expr
    items: tuple[Constant, ...]


@dataclass(frozen=True)
class Like:
    """``arg LIKE pattern`` with % and _ only."""

    arg: Expr
    pattern: str


@dataclass(frozen=True)
class Case:
    """``CASE WHEN cond THEN value … ELSE default END``; ``default`` may be a null literal."""

    whens: tuple[tuple[Expr, Expr], ...]
    default: Expr


@dataclass(frozen=True)
class Function:
    """One of the few functions with the same meaning in every engine."""

    name: FunctionName
    args: tuple[Expr, ...]


Expr = (
    ColumnRef | Constant | Arith | Compare | BoolOp | Not | IsNull | InList | Like | Case | Function
)


@dataclass(frozen=True)
class Key:
    """A group key with its declared domain (in cell order; ``None`` is the NULL group)."""

    expr: Expr
    domain: tuple[Scalar, ...]


@dataclass(frozen=True)
class Measure:
    """One integer column of the released vector.

    ``rows``: number of rows. ``count``: rows where ``value`` is not NULL.
    ``sum``: sum of (value - offset). ``sum_squares``: sum of (value - offset)**2.
    ``value`` is None for ``rows`` only; ``offset`` is in the value's scaled units.
    """

    kind: MeasureKind
    value: Expr | None = None
    offset: int = 0


@dataclass(frozen=True)
class Aggregate:
    """``SELECT keys, measures FROM dataset WHERE predicate GROUP BY keys``.

    The released vector is measure-major: element ``m * cells + c``; cell ``c`` runs over the
    product of the keys' domains, last key fastest (C order). No keys means one cell.
    """

    dataset: str
    predicate: Expr | None
    keys: tuple[Key, ...]
    measures: tuple[Measure, ...]

    @property
    def cells(self) -> int:
        """Number of cells: the product of the domains' sizes."""
        total = 1
        for key in self.keys:
            total *= len(key.domain)
        return total
