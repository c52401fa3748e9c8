"""Whatever is done to a journal between two looks at it is found, at the entry where it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.journal import GENESIS, HashChain, Head
from protos.faults import TrustError

RECORDS = st.lists(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=3),
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
        max_size=3,
    ),
    min_size=1,
    max_size=8,
)


def filled(records: list[dict[str, Any]]) -> tuple[HashChain, sqlite3.Connection]:
    chain, db = HashChain("log"), sqlite3.connect(":memory:")
    db.executescript(chain.schema)
    for record in records:
        chain.append(db, record)
    return chain, db


def broken_at(chain: HashChain, db: sqlite3.Connection) -> int:
    with pytest.raises(TrustError) as caught:
        chain.verify(db)
    assert caught.value.code == "journal.broken"
    db.close()
    return int(caught.value.message.rsplit(" ", 1)[1])


@given(RECORDS)
def test_reads_back_and_verifies(records: list[dict[str, Any]]) -> None:
    chain, db = filled(records)
    entries = list(chain.entries(db))
    assert [e.record for e in entries] == records
    assert [e.index for e in entries] == list(range(1, len(records) + 1))
    assert chain.verify(db) == entries[-1].hash == chain.head(db).hash
    db.close()


@given(RECORDS, st.data())
def test_altered(records: list[dict[str, Any]], data: st.DataObject) -> None:
    chain, db = filled(records)
    at = data.draw(st.integers(1, len(records)))
    db.execute("UPDATE log SET record = record || ' ' WHERE entry = ?", (at,))
    assert broken_at(chain, db) == at


@given(RECORDS, st.data())
def test_cut_anywhere(records: list[dict[str, Any]], data: st.DataObject) -> None:
    chain, db = filled(records)
    at = data.draw(st.integers(1, len(records)))
    db.execute("DELETE FROM log WHERE entry = ?", (at,))
    assert broken_at(chain, db) == at


@given(RECORDS, st.data())
def test_cut_at_the_end(records: list[dict[str, Any]], data: st.DataObject) -> None:
    chain, db = filled(records)
    keep = data.draw(st.integers(0, len(records) - 1))
    db.execute("DELETE FROM log WHERE entry > ?", (keep,))
    assert broken_at(chain, db) == keep + 1


@given(RECORDS, st.data())
def test_reordered(records: list[dict[str, Any]], data: st.DataObject) -> None:
    numbered = [record | {"n": i} for i, record in enumerate([*records, {}])]
    chain, db = filled(numbered)
    first = data.draw(st.integers(1, len(numbered) - 1))
    second = data.draw(st.integers(first + 1, len(numbered)))
    db.execute("UPDATE log SET entry = -1 WHERE entry = ?", (first,))
    db.execute("UPDATE log SET entry = ? WHERE entry = ?", (first, second))
    db.execute("UPDATE log SET entry = ? WHERE entry = -1", (second,))
    assert broken_at(chain, db) == first


@given(RECORDS)
def test_added_without_the_chain(records: list[dict[str, Any]]) -> None:
    chain, db = filled(records)
    db.execute(
        "INSERT INTO log SELECT entry + 1, record, hash FROM log ORDER BY entry DESC LIMIT 1"
    )
    assert broken_at(chain, db) == len(records) + 1


@given(RECORDS, RECORDS)
def test_a_whole_new_chain_shows_against_a_noted_head(
    records: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    chain, db = filled(records)
    noted = chain.head(db)
    db.close()
    chain, forged = filled([{"forged": 1}, *others])
    chain.verify(forged)
    with pytest.raises(TrustError):
        chain.verify(forged, noted)
    forged.close()
    chain, grown = filled([*records, *others])
    chain.verify(grown, noted)
    grown.close()


def test_empty() -> None:
    chain, db = HashChain("log"), sqlite3.connect(":memory:")
    db.executescript(chain.schema)
    assert chain.verify(db) == GENESIS
    assert chain.head(db) == Head(0, GENESIS)
    db.close()
    with pytest.raises(ValueError, match="not a table name"):
        HashChain("log; DROP TABLE x")


class _Written(HashChain):
    """A chain to which another connection appends between the reading of its rows and its head."""

    def __init__(self, other: sqlite3.Connection) -> None:
        super().__init__("log")
        self._other = other

    def head(self, db: sqlite3.Connection) -> Head:
        HashChain("log").append(self._other, {"late": True})
        self._other.commit()
        return super().head(db)


def test_a_chain_that_grows_while_it_is_checked_is_not_broken(tmp_path: Path) -> None:
    """A node writes while its operator looks: that is no alteration."""
    path = tmp_path / "log.db"
    with closing(sqlite3.connect(path)) as writer, closing(sqlite3.connect(path)) as reader:
        writer.execute("PRAGMA journal_mode = WAL").fetchall()
        writer.executescript(HashChain("log").schema)
        last = HashChain("log").append(writer, {"n": 1})
        writer.commit()
        assert _Written(writer).verify(reader) == last.hash
        assert not reader.in_transaction
        assert HashChain("log").verify(reader) == HashChain("log").head(reader).hash != last.hash
