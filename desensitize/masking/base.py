"""What every masking method is: parameters that were checked, and the SQL that it becomes.

A method sees one column as a `Cell`, an expression with the type of its values, and returns the
`Cell` that it becomes. What cannot stand in the text of a statement (keys, random secrets) it
leaves with the `Workshop`, which gives it a name. All methods keep these rules:

- NULL stays NULL, and an empty text is NULL;
- a value that is not of the kind that the method works on (a word where a number is needed)
  becomes NULL, is counted, and the release says how many there were: nothing passes unmasked
  because it could not be read;
- equal input, parameters and keys give equal output, but for what says that it is fresh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Protocol

from pydantic import StringConstraints

from protos.language import Text

Domain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
"""Name of a token key: equal values have equal tokens within one domain."""
Bounds = tuple[Decimal, Decimal] | tuple[date, date]
"""Least and greatest value, both included."""
ROW: Final = "veil_row"

NUMBERS: Final = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL"}
    | {"UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"}
)
WHOLE_NUMBERS: Final = NUMBERS - {"FLOAT", "DOUBLE", "DECIMAL"}


@dataclass(frozen=True)
class Function:
    """What Python computes for the engine, a batch of values at a time.

    Attributes:
        compute: From an Arrow array to one of the same length; NULL comes in and goes out.
        takes: The engine's type of what comes in.
        gives: … and of what goes out.
        pure: Whether equal values give equal results, so that the engine may ask once for many.
        unclear: Says of values that became NULL whether they could mean several things; None if
            there is no such reason.
    """

    compute: Callable[[Any], Any]
    takes: str = "VARCHAR"
    gives: str = "VARCHAR"
    pure: bool = True
    unclear: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Late:
    """A call of Python that can be made after the engine has done its part.

    Attributes:
        argument: What the engine computes.
        function: What is left to do.
    """

    argument: str
    function: Function


@dataclass(frozen=True)
class Cell:
    """One column on its way.

    Attributes:
        sql: Expression over what the layer below gives.
        stored: The engine's type of its values, such as VARCHAR.
        late: The same in two parts, if the expression is a call of Python: what the engine
            computes, and the call on the rows that leave it. Quicker, for there a batch has
            131,072 values, and in the engine 2,048.
    """

    sql: str
    stored: str
    late: Late | None = None

    @property
    def family(self) -> str:
        """The type without its width: DECIMAL of DECIMAL(18,2)."""
        return self.stored.split("(", maxsplit=1)[0]


@dataclass(frozen=True)
class Percentile:
    """A figure of all rows that a method has to know before.

    Attributes:
        number: Expression of the values over what the layer below gives; NULL counts for nothing.
        share: Of the values, those not above it; 0 to 1.
    """

    number: str
    share: Decimal


class Secrets(Protocol):
    """Gives keys by the name of a domain; see ``desensitize.keys``."""

    def subkey(self, domain: str, purpose: str) -> bytes:
        """Returns the key of a domain for one purpose, 32 bytes.

        Raises:
            InputError: There is no such domain.
        """
        ...


@dataclass
class Workshop:
    """What the methods of one release share while its statement is put together.

    Attributes:
        secrets: Keys by domain.
        columns: Every column of the source, by name: for methods that look at another one.
        column: The column at work.
        bounds: Least and greatest value that the policy declares for it.
        occasion: Secret bytes of this release: what is drawn under a key is drawn for it alone.
        variables: Bytes that the statement refers to as ``getvariable(name)``; never in its text.
        functions: What Python computes.
        helpers: Expressions that the next layer needs as columns (windows cannot be nested).
        numbered: Whether rows need their numbers.
        unordered: Whether rows leave their order, so that it has to be made again.
        fresh: Columns that come out differently each time.
        told: Variables and functions that the engine knows.
        figures: Of the rows below, by the percentile that was asked for; None if there is none.
    """

    secrets: Secrets
    columns: Mapping[str, Cell]
    column: str = ""
    bounds: Bounds | None = None
    occasion: bytes = field(default=b"", repr=False)
    variables: dict[str, bytes] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    helpers: dict[str, str] = field(default_factory=dict)
    numbered: bool = False
    unordered: bool = False
    fresh: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    figures: dict[Percentile, Any] = field(default_factory=dict)
    _made: int = 0

    def variable(self, content: bytes) -> str:
        """Keeps bytes out of the statement's text; returns the expression that stands for them."""
        for name, known in self.variables.items():
            if known == content:
                return f"getvariable('{name}')"
        name = self._name("secret")
        self.variables[name] = content
        return f"getvariable('{name}')"

    def function(self, function: Function) -> str:
        """Makes a function known to the engine; returns its name."""
        name = self._name("function")
        self.functions[name] = function
        return name

    def call(self, function: Function, argument: str) -> Cell:
        """Returns a cell that is the result of a function."""
        late = Late(argument, function)
        return Cell(f"{self.function(function)}({argument})", function.gives, late)

    def helper(self, sql: str) -> str:
        """Has an expression computed one layer below; returns its column."""
        name = self._name("helper")
        self.helpers[name] = sql
        return name

    def row_number(self) -> str:
        """Returns the column with a row's number in the source, from 1."""
        self.numbered = True
        return ROW

    def _name(self, what: str) -> str:
        self._made += 1
        return f"veil_{what}_{self._made}"


class Method(Protocol):
    """One masking method with its parameters; a frozen dataclass.

    Attributes:
        title: For people.
        concludes: What a reader of the release can still conclude about a person.
    """

    # Seven more that only some have: ``percentiles``, what is measured before (`percentiles_of`),
    # ``domain``, the name of its key, ``needs``, the other columns
    # that it looks at, ``fresh``, whether it draws anew each time, ``reads_division``,
    # ``reads_days``, and ``conclusion``, which says what it concludes with these parameters; see
    # `domain_of`, `needs_of`, `is_fresh`, `reads_division`, `reads_days` and `conclusion_of`.

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    title: ClassVar[Text]
    concludes: ClassVar[Text]

    def apply(self, cell: Cell, shop: Workshop) -> Cell:
        """Returns what the column becomes.

        Raises:
            InputError: The column is of no type that the method works on.
        """
        ...


@dataclass(frozen=True)
class Kind:
    """How a method is written in a policy.

    Attributes:
        name: The key that begins it: ``{ name = value }``, or ``"name"`` alone.
        make: Its dataclass.
        value: Field that the value fills; empty if it has none.
        options: Other keys that belong to it, and the fields that they fill.
    """

    name: str
    make: type[Any]
    value: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


def is_fresh(method: Method) -> bool:
    """Whether the method draws anew each time, so that no two releases are alike."""
    return bool(getattr(method, "fresh", False))


def percentiles_of(method: Method, cell: Cell) -> tuple[Percentile, ...]:
    """Returns the percentiles of a column that the method looks up in `Workshop.figures`."""
    asked = getattr(method, "percentiles", None)
    return () if asked is None else tuple(asked(cell))


def reads_division(method: Method | None) -> bool:
    """Whether the method reads a text as a division, whose name several can have."""
    return bool(getattr(method, "reads_division", False))


def reads_days(method: Method | None) -> bool:
    """Whether the method works on days, however they are written."""
    return bool(getattr(method, "reads_days", False))


def domain_of(method: Method) -> str:
    """Returns the domain whose key the method uses; empty for none."""
    return getattr(method, "domain", None) or ""


def needs_of(method: Method) -> tuple[str, ...]:
    """Returns the names of other columns that the method looks at."""
    return tuple(getattr(method, "needs", ()))


def conclusion_of(method: Method) -> Text:
    """Returns what a reader can conclude from this very method, with its parameters."""
    said: Text = getattr(method, "conclusion", method.concludes)
    return said
