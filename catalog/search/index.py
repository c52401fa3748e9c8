"""The text index: one row for each registered dataset, written in the record's own transaction.

SQLite keeps the pieces in FTS5 and answers words as phrases. PostgreSQL keeps them as a
``tsvector`` under GIN and looks, for words of several pieces, at the text itself again: its
positions end at 16,383. Words never reach either as a query's text: both are built from pieces,
which are letters and digits only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select, text

from catalog.registry.reading import item_texts, records
from catalog.registry.record import Record
from catalog.registry.tables import DatasetRow
from catalog.search.terms import asked, fields, own_fields, pieces, runs, spaced

Ids = NDArray[np.int64]
_ADD: Final = {
    "sqlite": "INSERT INTO search_index (rowid, body) VALUES (:dataset, :pieces)",
    "postgresql": "INSERT INTO search_index (dataset, body, tokens)"
    " VALUES (:dataset, :body, array_to_tsvector(string_to_array(:unique, ' ')))",
}
_DELETE: Final = {
    "sqlite": "DELETE FROM search_index WHERE rowid = :dataset",
    "postgresql": "DELETE FROM search_index WHERE dataset = :dataset",
}
_BATCH: Final = 2000


def add(connection: Connection, wanted: Iterable[tuple[int, Record]]) -> None:
    """Adds datasets that are not in the index.

    Args:
        connection: Of the write that registers them.
        wanted: Number of each, and its record.
    """
    _enter(connection, [(dataset, list(fields(record))) for dataset, record in wanted])


def _enter(connection: Connection, wanted: list[tuple[int, list[str]]]) -> None:
    name = connection.dialect.name
    rows = [_row(name, dataset, texts) for dataset, texts in wanted]
    if rows:
        connection.execute(text(_ADD[name]), rows)


def _row(dialect: str, dataset: int, texts: list[str]) -> dict[str, Any]:
    cut = pieces(texts)
    if dialect == "sqlite":
        return {"dataset": dataset, "pieces": cut}
    unique = " ".join(sorted(set(cut.split())))
    return {"dataset": dataset, "body": spaced(texts), "unique": unique}


def remove(connection: Connection, datasets: Sequence[int]) -> None:
    """Takes datasets out of the index."""
    if datasets:
        statement = text(_DELETE[connection.dialect.name])
        connection.execute(statement, [{"dataset": dataset} for dataset in datasets])


def rebuild(connection: Connection) -> int:
    """Makes the index anew from the records; returns how many there are."""
    connection.execute(text("DELETE FROM search_index"))
    ids = list(
        connection.execute(
            select(DatasetRow.id).where(DatasetRow.state == "registered").order_by(DatasetRow.id)
        ).scalars()
    )
    for begin in range(0, len(ids), _BATCH):
        some = ids[begin : begin + _BATCH]
        items = item_texts(connection, some)
        _enter(
            connection,
            [
                (dataset, [*own_fields(record), *items.get(dataset, ())])
                for dataset, record in records(connection, some, with_items=False)
            ],
        )
    if connection.dialect.name == "sqlite":
        connection.execute(text("INSERT INTO search_index (search_index) VALUES ('optimize')"))
    return len(ids)


def holding(connection: Connection, word: str) -> Ids | None:
    """Returns the datasets whose text has a word in it, ascending; None if it asks for nothing."""
    found, is_open = asked(word)
    if not found:
        return None
    if connection.dialect.name == "sqlite":
        sql = "SELECT group_concat(rowid) FROM search_index WHERE search_index MATCH :terms"
        parameters = {"terms": f'"{" ".join(found)}"{" *" if is_open else ""}'}
    else:
        # The planner does not know that looking at the rows means fetching all their texts.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        *closed, last = found
        terms = [f"'{piece}'" for piece in closed] + [f"'{last}'{':*' if is_open else ''}"]
        sql = (
            "SELECT string_agg(dataset::text, ',') FROM search_index"
            " WHERE tokens @@ CAST(:terms AS tsquery)"
        )
        parameters = {"terms": " & ".join(terms)}
        if len(found) > 1:  # all its pieces are there; do they also stand in a row?
            sql += " AND position(:row IN body) > 0"
            parameters["row"] = in_a_row(word)
    # One text for all numbers: 40,000 rows of one number each would take ten times as long.
    numbers = connection.execute(text(sql), parameters).scalar()
    return np.sort(np.fromstring(numbers or "", dtype=np.int64, sep=","))


def in_a_row(word: str) -> str:
    """Returns how a word stands in what `terms.spaced` gives; Latin words at their beginning."""
    parts = runs(word)
    begin = " " if parts[0].isascii() else ""
    return begin + " ".join(parts)
