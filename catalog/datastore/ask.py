"""What may be asked of a public table in fields and filters, and the SQL that we make of it.

Names are compared with the table's columns, values are bound: nothing that a caller writes is part
of a statement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from desensitize.engines.stored_values import quoted
from protos.faults import InputError
from protos.language import Text

Value = str | int | float | bool | None
Comparison = Literal["eq", "ne", "lt", "lte", "gt", "gte"]
COMPARISONS: Final[tuple[Comparison, ...]] = get_args(Comparison)
_SIGNS: Final[Mapping[Comparison, str]] = {
    "eq": "=", "ne": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=",
}  # fmt: skip
MOST_ROWS: Final = 32_000
"""On one page, as CKAN's own ``ckan.datastore.search.rows_max``."""
MOST_OFFSET: Final = 2**53
_MOST_VALUES: Final = 1000
_MOST_WORDS: Final = 16
_QUOTED: Final = re.compile(r'"((?:[^"]|"")+)"')


class AskError(InputError):
    """Something of a request does not fit the table.

    Args:
        about: Which part: filters, sort, fields, q, limit or offset.
        said: What is wrong with it.
    """

    def __init__(self, about: str, said: Text) -> None:
        super().__init__(
            Text(f"{about}: {said.en}", f"{about}：{said.zh}"),
            remedy=Text("datastore_info lists the columns", "列名见 datastore_info"),
            code="datastore.ask",
        )
        self.about = about
        self.reason = said


@dataclass(frozen=True)
class Ask:
    """Which rows are wanted.

    Attributes:
        fields: Columns, in this order; empty for all, the row's number among them.
        filters: Column → what it must be, one of several values, or comparisons.
        words: That must stand somewhere in the row, whatever their case.
        words_of: Column → words that must stand in it.
        sort: Column, and whether downwards; rows of the same rank stay in the file's order.
        distinct: Each combination of values once.
        offset: Number of the first row, from 0.
        limit: How many at most; None for all.
    """

    fields: tuple[str, ...] = ()
    filters: Mapping[str, Value | Sequence[Value] | Mapping[str, Value]] = field(
        default_factory=dict
    )
    words: tuple[str, ...] = ()
    words_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sort: tuple[tuple[str, bool], ...] = ()
    distinct: bool = False
    offset: int = 0
    limit: int | None = 100

    @property
    def whole(self) -> bool:
        """Whether no row is left out but by offset and limit."""
        return not (self.filters or self.words or self.words_of or self.distinct)


@dataclass(frozen=True)
class Made:
    """SQL of ours.

    Attributes:
        columns: Of the answer: name → type.
        source: FROM and WHERE, without its values.
        part: Which of these rows, and in which order; empty for all, in the file's order.
        values: For the parameters.
    """

    columns: Mapping[str, str]
    source: str
    part: str
    values: tuple[Value, ...]

    @property
    def rows(self) -> str:
        """FROM and all that follows."""
        return self.source + self.part


def made(ask: Ask, table: Mapping[str, str]) -> Made:
    """Turns what is asked into SQL over the table ``data``.

    Rows lie in the order of their numbers, and the engine keeps it (`tables`): nothing is sorted
    that nobody asks to be sorted, so a page ends as soon as it has its rows.

    Args:
        ask: What.
        table: Name → type of its columns, the row's number first.

    Raises:
        AskError: It names what the table has not, or is out of range.
    """
    if not 0 <= ask.offset <= MOST_OFFSET:
        raise AskError("offset", Text("it begins at 0", "须从 0 开始"))
    if ask.limit is not None and ask.limit < 0:
        raise AskError("limit", Text("it is not negative", "不能为负数"))
    number, *others = table
    columns = {name: table[_in(name, table, "fields")] for name in ask.fields or tuple(table)}
    values: list[Value] = []
    where = [*_filters(ask, table, values), *_words(ask, others, table, values)]
    order = [
        f"{quoted(_in(name, table, 'sort'))} {'DESC' if down else 'ASC'} NULLS LAST"
        for name, down in ask.sort
    ]
    source, by = "data", quoted(number)
    if ask.distinct:
        kept = [name for name in columns if name != number] or others
        columns = {name: table[name] for name in kept}
        listed = ", ".join(quoted(name) for name in kept)
        inner = f"SELECT DISTINCT {listed} FROM data{_where(where)}"  # noqa: S608 - names are the table's
        if unknown := [name for name, _ in ask.sort if name not in columns]:
            raise AskError("sort", Text(f"{unknown[0][:80]} is not among the fields",
                                        f"{unknown[0][:80]} 不在所选字段中"))  # fmt: skip
        source, where, by = f"({inner}) AS data", [], "ALL"
        order = order or [by]
    elif ask.whole and not ask.sort:
        # A range of numbers: a far page costs as much as the first.
        end = "" if ask.limit is None else f" AND {by} <= {ask.offset + ask.limit}"
        return Made(columns, f"FROM data WHERE {by} > {ask.offset}{end}", "", ())
    elif order:
        order.append(by)
    part = f" ORDER BY {', '.join(order)}" if order else ""
    part += "" if ask.limit is None else f" LIMIT {ask.limit}"
    part += f" OFFSET {ask.offset}" if ask.offset else ""
    return Made(columns, f"FROM {source}{_where(where)}", part, tuple(values))


def counting(ask: Ask, table: Mapping[str, str]) -> Made:
    """Returns SQL that yields as many rows as there are in all, whatever page is asked for."""
    everything = Ask(ask.fields, ask.filters, ask.words, ask.words_of, (), ask.distinct, 0, None)
    whole = made(everything, table)
    return Made(whole.columns, whole.source, "", whole.values)


def read_sort(text: str) -> tuple[tuple[str, bool], ...]:
    """Reads ``a, "b c" desc``.

    Raises:
        AskError: It is written otherwise.
    """
    parts = [part.strip() for part in _between_commas(text)]
    if not parts[-1]:  # behind a comma at the end, or of nothing
        parts.pop()
    if len(parts) > _MOST_WORDS:
        raise _no_sort()
    return tuple(map(_read_order, parts))


def _between_commas(text: str) -> list[str]:
    """Divides a text; a comma within quotes is none. One pass: strangers write it."""
    parts, begin, within = [], 0, False
    for at, sign in enumerate(text):
        within ^= sign == '"'
        if sign == "," and not within:
            parts.append(text[begin:at])
            begin = at + 1
    return [*parts, text[begin:]]


def _read_order(part: str) -> tuple[str, bool]:
    """Reads a column and its direction, from the end: a column may have blanks in its name."""
    before = _without(part, "last")
    part = _without(before or "", "nulls") or part
    up, down = _without(part, "asc"), _without(part, "desc")
    name = up or down or part
    match = _QUOTED.fullmatch(name)
    if not name or (match is None and '"' in name):
        raise _no_sort()
    return match[1].replace('""', '"') if match else name, down is not None


def _without(text: str, word: str) -> str | None:
    """Returns what stands before a last word; None if the text has another, or nothing else."""
    head = text[: -len(word)]
    if text[-len(word) :].lower() != word or head == head.rstrip():
        return None
    return head.rstrip()


def _no_sort() -> AskError:
    return AskError("sort", Text("write: column asc, column desc", "请写：列名 asc, 列名 desc"))


def read_words(text: str) -> tuple[str, ...]:
    """Reads words that are searched for.

    Raises:
        AskError: They are too many.
    """
    words = tuple(dict.fromkeys(text.split()))
    if len(words) > _MOST_WORDS:
        raise AskError("q", Text(f"at most {_MOST_WORDS} words", f"最多 {_MOST_WORDS} 个词"))
    return words


def _in(name: str, known: Mapping[str, str], about: str) -> str:
    if name not in known:
        raise AskError(about, Text(f"there is no column {name[:80]!r}", f"没有列“{name[:80]}”"))
    return name


def _where(parts: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(parts)}" if parts else ""


def _filters(ask: Ask, table: Mapping[str, str], values: list[Value]) -> list[str]:
    parts = []
    for name, wanted in ask.filters.items():
        column, kind = quoted(_in(name, table, "filters")), table[name]
        if isinstance(wanted, Mapping):
            for sign, value in wanted.items():
                if sign not in COMPARISONS or value is None:
                    raise AskError("filters", Text(
                        f"compare with {', '.join(COMPARISONS)}",
                        f"比较方式：{'、'.join(COMPARISONS)}",
                    ))  # fmt: skip
                values.append(value)
                parts.append(f"{column} {_SIGNS[sign]} {_bound(kind, len(values))}")
            continue
        several = (
            [wanted] if isinstance(wanted, str) or not isinstance(wanted, Sequence) else wanted
        )
        if len(several) > _MOST_VALUES:
            raise AskError("filters", Text(f"at most {_MOST_VALUES:,} values",
                                           f"最多 {_MOST_VALUES:,} 个取值"))  # fmt: skip
        one_of = []
        for value in several:
            if value is None:
                one_of.append(f"{column} IS NULL")
                continue
            values.append(value)
            one_of.append(f"{column} = {_bound(kind, len(values))}")
        parts.append(f"({' OR '.join(one_of)})" if one_of else "false")
    return parts


def _bound(kind: str, number: int) -> str:
    return f"CAST(${number} AS {kind})"


def _words(
    ask: Ask, others: Sequence[str], table: Mapping[str, str], values: list[Value]
) -> list[str]:
    parts = []
    row = "concat_ws(' ', " + ", ".join(f"{quoted(name)}::VARCHAR" for name in others) + ")"
    asked = [(row, word) for word in ask.words]
    for name, words in ask.words_of.items():
        asked += [(f"{quoted(_in(name, table, 'q'))}::VARCHAR", word) for word in words]
    for text, word in asked:
        values.append(word)
        parts.append(f"contains(lower({text}), lower(${len(values)}::VARCHAR))")
    return parts
