"""Searches the sample province, beside SQLite's own tokenizers and tantivy on the same texts.

    python -m benchmarks.catalog_search [--datasets 41600] [--searches 400]

Words are cut out of the records at random: two characters (half of them), longer ones, two words,
English. Ours answers with a page of 20, how many there are, and counts by ten facets; the peers
only with the numbers of the first 20, best first, and how many there are. Recall is against a plain
look through all texts. tantivy gets pieces of two characters, as we do, and phrases of them.
"""

from __future__ import annotations

import argparse
import random
import re
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tantivy

from benchmarks.summary import record as note
from catalog.province.build import province, uses_of
from catalog.registry.record import Record
from catalog.registry.registry import create, opened
from catalog.search.find import Search
from catalog.search.index import in_a_row, rebuild
from catalog.search.query import Query
from catalog.search.terms import fields, spaced

Answer = Callable[[str], int]


@dataclass(frozen=True)
class Peer:
    """Something that answers searches with how many hits there are."""

    name: str
    build_s: float
    answer: Answer


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=41_600)
    parser.add_argument("--searches", type=int, default=400)
    arguments = parser.parse_args()
    records = list(province(arguments.datasets))
    texts = [" ˙ ".join(filter(None, fields(record))) for record in records]
    searches = words_of(records, arguments.searches)
    plain = [spaced(fields(record)) for record in records]
    truth = {words: look_through(plain, words) for words in set(searches)}
    two = sum(bool(re.fullmatch("[一-鿿]{2}", words)) for words in searches)
    print(f"{len(records):,} datasets, {len(searches)} searches, {two} of two characters")
    with tempfile.TemporaryDirectory() as folder:
        ours(Path(folder) / "catalog", records, searches, truth)
        for peer in (
            fts5(texts, "trigram", Path(folder) / "t.db"),
            fts5(texts, "unicode61", Path(folder) / "u.db"),
            tantivy_pieces(texts, Path(folder) / "tantivy"),
        ):
            show(peer.name, peer.build_s, *measure(peer.answer, searches, truth))


def words_of(records: Sequence[Record], count: int) -> list[str]:
    """Draws searches out of the records; the same each time."""
    draw = random.Random(7)  # noqa: S311 - no secret

    def cut(length: int) -> str:
        record = draw.choice(records)
        text = draw.choice([record.name, *(item.name for item in record.items)])
        runs = [run for run in re.findall("[一-鿿]+", text) if len(run) >= length]
        if not runs:
            return cut(length)
        run = draw.choice(runs)
        begin = draw.randrange(len(run) - length + 1)
        return run[begin : begin + length]

    kinds: list[Callable[[], str]] = [
        lambda: cut(2), lambda: cut(2), lambda: cut(2), lambda: cut(4),
        lambda: f"{cut(2)} {cut(2)}",
        lambda: draw.choice(["health", "schools", "Guangzhou transport", "licences", "look-up"]),
    ]  # fmt: skip
    return [kinds[number % len(kinds)]() for number in range(count)]


def look_through(texts: Sequence[str], words: str) -> int:
    """How many texts have all the words, found by looking at each."""
    rows = [in_a_row(word) for word in words.split()]
    return sum(all(row in text for row in rows) for text in texts)


# ---- ours --------------------------------------------------------------------------------------


def ours(
    directory: Path, records: Sequence[Record], searches: Sequence[str], truth: dict[str, int]
) -> None:
    """Imports, rebuilds and searches the catalog."""
    create(directory)
    with opened(directory) as registry:
        begin = time.perf_counter()
        with registry.writing() as writer:
            writer.enrol(record.provider for record in records)
            writer.put(records)
        took = time.perf_counter() - begin
        registry.count_uses(uses_of(list(records)))
        print(f"registered with items, versions and index: {took:.1f} s")
        begin, busy = time.perf_counter(), time.process_time()
        with registry.database.write() as (connection, _):
            rebuild(connection)
        built = time.perf_counter() - begin
        print(f"rebuild: {time.process_time() - busy:.1f} s of processor time")
        search = Search(registry.database)
        begin = time.perf_counter()
        search.find(Query("医疗"))
        print(f"first search of a process: {1000 * (time.perf_counter() - begin):.0f} ms")
        times, recall = measure(lambda words: search.find(Query(words)).total, searches, truth)
        show("ours, with ten facets", built, times, recall)
        filtered, _ = measure(
            lambda words: (
                search.find(
                    Query(words, {"opening": ("unconditional",), "place": ("440100",)}, "date")
                ).total
            ),
            searches,
            {},
        )
        print(f"{'… with two filters, by date':28} {'':16} {spread(filtered)}")
        begin = time.perf_counter()
        changed = registry.entry(*records[0].key).record
        registry.register([replace(changed, name=f"{changed.name}（新）")])
        search.find(Query("医疗"))
        print(f"a write, and the first search after it: "
              f"{1000 * (time.perf_counter() - begin):.0f} ms")  # fmt: skip
    note("catalog: search with ten facets, p95", percentile(times, 95), "ms", most=50)
    note("catalog: recall of searches", 100 * recall, "%", least=100)
    note(f"catalog: rebuild of the index, {len(records):,} datasets", built, "s", most=10)


# ---- peers -------------------------------------------------------------------------------------


def fts5(texts: Sequence[str], tokenizer: str, path: Path) -> Peer:
    """SQLite's full-text search with one of its own tokenizers."""
    begin = time.perf_counter()
    file = sqlite3.connect(path)
    file.execute(f"CREATE VIRTUAL TABLE t USING fts5 (body, tokenize = '{tokenizer}')")
    file.executemany("INSERT INTO t (rowid, body) VALUES (?, ?)", enumerate(texts, 1))
    file.commit()
    built = time.perf_counter() - begin

    def answer(words: str) -> int:
        phrases = " ".join(f'"{word}"' for word in words.split())
        file.execute(
            "SELECT rowid FROM t WHERE t MATCH ? ORDER BY rank LIMIT 20", (phrases,)
        ).fetchall()
        return int(file.execute("SELECT count(*) FROM t WHERE t MATCH ?", (phrases,)).fetchone()[0])

    return Peer(f"FTS5 {tokenizer}", built, answer)


def tantivy_pieces(texts: Sequence[str], folder: Path) -> Peer:
    """Tantivy (Rust) with pieces of two characters."""
    begin = time.perf_counter()
    folder.mkdir()
    schema = tantivy.SchemaBuilder()
    schema.add_text_field("body", stored=False, tokenizer_name="pieces")
    schema.add_unsigned_field("number", stored=True)
    index = tantivy.Index(schema.build(), str(folder))
    pieces = tantivy.Tokenizer.ngram(min_gram=2, max_gram=2, prefix_only=False)
    analyzer = tantivy.TextAnalyzerBuilder(pieces).filter(tantivy.Filter.lowercase()).build()
    index.register_tokenizer("pieces", analyzer)
    writer = index.writer(128 << 20, 1)
    for number, text in enumerate(texts):
        writer.add_document(tantivy.Document(body=text, number=number))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    built = time.perf_counter() - begin
    searcher = index.searcher()

    def answer(words: str) -> int:
        parts = [f'"{word}"' for word in words.split()]
        query = index.parse_query(" AND ".join(parts), ["body"])
        found = searcher.search(query, limit=20, count=True)
        for _, address in found.hits:
            searcher.doc(address)["number"]
        return int(found.count or 0)

    return Peer("tantivy, pieces of two", built, answer)


# ---- figures -----------------------------------------------------------------------------------


def measure(
    answer: Answer, searches: Sequence[str], truth: dict[str, int]
) -> tuple[list[float], float]:
    """Returns milliseconds of each search, and the share of all hits that were found."""
    times, found, there = [], 0, 0
    for words in searches:
        begin = time.perf_counter()
        hits = answer(words)
        times.append(1000 * (time.perf_counter() - begin))
        found += min(hits, truth.get(words, hits))
        there += truth.get(words, hits)
    return times, found / max(there, 1)


def percentile(times: Sequence[float], which: int) -> float:
    """Returns a percentile."""
    return statistics.quantiles(times, n=100, method="inclusive")[which - 1]


def spread(times: Sequence[float]) -> str:
    """p50 and p95."""
    return f"p50 {percentile(times, 50):6.1f} ms  p95 {percentile(times, 95):6.1f} ms"


def show(name: str, built: float, times: Sequence[float], recall: float) -> None:
    """Prints one line."""
    print(f"{name:28} built in {built:5.1f} s {spread(times)}  recall {100 * recall:6.2f} %")


if __name__ == "__main__":
    main()
