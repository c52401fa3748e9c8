"""Search finds exactly what a plain look finds, and what is kept in memory is what is there."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.registry.record import Record
from catalog.registry.registry import Registry, create, opened
from catalog.search.find import Search
from catalog.search.index import in_a_row
from catalog.search.query import ORDERS, Query
from catalog.search.terms import asked, pieces, spaced
from tests.catalog_world import HEALTH, LABOUR, POLICE, record

TEXTS = st.lists(st.text("ab1数据目录。 ·Ａ", max_size=8), min_size=1, max_size=5)
WORDS = st.text("ab1数据目录·", min_size=1, max_size=4)


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    file = sqlite3.connect(":memory:")
    file.execute("CREATE VIRTUAL TABLE t USING fts5 (body, tokenize = 'ascii', columnsize = 0)")
    yield file
    file.close()


def test_every_word_is_found_wherever_it_stands_and_nowhere_else(
    index: sqlite3.Connection,
) -> None:
    @given(TEXTS, WORDS)
    def holds(texts: list[str], word: str) -> None:
        found, is_open = asked(word)
        if not found:
            return
        index.execute("DELETE FROM t")
        # Two fields each: the same text again, behind a fence.
        for number, text in enumerate(texts):
            index.execute(
                "INSERT INTO t (rowid, body) VALUES (?, ?)", (number, pieces([text, texts[0]]))
            )
        phrase = f'"{" ".join(found)}"{" *" if is_open else ""}'
        hits = {row[0] for row in index.execute("SELECT rowid FROM t WHERE t MATCH ?", (phrase,))}
        row = in_a_row(word)
        assert hits == {n for n, text in enumerate(texts) if row in spaced([text, texts[0]])}

    holds()


def test_what_is_kept_from_search_to_search_is_what_is_there(tmp_path: Path) -> None:
    draw = random.Random(11)  # noqa: S311 - no secret
    create(tmp_path / "c")
    with opened(tmp_path / "c") as registry:
        kept, alive = Search(registry.database), {}
        for number in range(40):
            _something(registry, draw, alive, number)
            for query in (
                Query("", order=draw.choice(ORDERS)),
                Query(draw.choice(["信息", "医疗", "一", "卫生"])),
                Query("", {"theme": ("health",), "place": ("440100",)}),
            ):
                assert kept.find(query) == Search(registry.database).find(query)
            assert kept.find(Query("")).total == len(alive)


def _something(
    registry: Registry, draw: random.Random, alive: dict[str, Record], number: int
) -> None:
    """Registers, changes, withdraws or uses a dataset."""
    what = draw.randrange(4) if alive else 0
    if what == 0:
        name = "".join(draw.choice("医疗卫生信息一二三") for _ in range(6))
        themes = tuple(draw.sample(["health", "safety", "market"], draw.randrange(3)))
        place = draw.choice(["440100", "440103", "440300"])
        provider = draw.choice([HEALTH, POLICE, LABOUR])
        alive[f"A/{number}"] = record(
            f"A/{number}", name, themes=themes, place=place, provider=provider
        )
        registry.register([alive[f"A/{number}"]])
        return
    code = draw.choice(sorted(alive))
    if what == 1:
        alive[code] = replace(
            alive[code], name=alive[code].name[::-1] + str(number), themes=("market",), scenarios=()
        )
        registry.register([alive[code]])
    elif what == 2:
        registry.withdraw("local", code, reason="x", who="y")
        del alive[code]
    else:
        registry.count_uses({("local", code): number})
