"""Pages of the portal over a catalog of a province, from a server process of its own.

    python -m benchmarks.portal [--datasets 41600] [--pages 200]

Each kind of page is asked for with other words, cities and datasets each time, over one connection
that stays open. The time is that of a whole page as a client has it. The peer's figure (data.gov
on CKAN: 6.3 s on average, 20 queries of its index) is theirs, from the wide web; it is no ratio.
"""

from __future__ import annotations

import argparse
import http.client
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from benchmarks.catalog_search import words_of
from benchmarks.summary import record as note
from catalog.portal.links import link
from catalog.portal.tile_map import CITIES
from catalog.province.build import province, uses_of
from catalog.registry.record import Record
from catalog.registry.registry import create, opened
from catalog.registry.vocabulary import THEMES

P95_MS = 60.0


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=41_600)
    parser.add_argument("--pages", type=int, default=200)
    arguments = parser.parse_args()
    records = list(province(arguments.datasets))
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "c"
        create(directory)
        with opened(directory) as registry:
            registry.register(records)
            registry.count_uses(uses_of(records))
        print(f"{len(records):,} datasets, {arguments.pages} pages of each kind")
        with portal(directory) as address:
            worst = max(
                measured(address, name, make, arguments.pages)
                for name, make in kinds(records, arguments.pages)
            )
    note("portal: slowest kind of page, p95", worst, "ms", most=P95_MS)


def kinds(records: list[Record], count: int) -> list[tuple[str, Callable[[int], str]]]:
    """What is asked for, by kind: number → path."""
    draw = random.Random(5)  # noqa: S311 - no secret
    words = words_of(records, count)
    shown = [each for each in records if each.opening.attribute != "none"]
    some = [draw.choice(shown) for _ in range(count)]
    themes = list(THEMES.terms)
    return [
        ("first page", lambda _: link("zh", "")),
        ("search, words", lambda n: link("zh", "search", q=words[n])),
        ("search, a theme and a city",
         lambda n: link("en", "search", theme=themes[n % len(themes)], place=CITIES[n % 21])),
        ("search, all by name", lambda _: link("zh", "search", order="name")),
        ("dataset", lambda n: link("zh", "dataset", *some[n].key)),
        ("department", lambda n: link("zh", "department", some[n].provider.code)),
        ("city", lambda n: link("en", "city", CITIES[n % 21])),
        ("market", lambda _: link("zh", "market")),
        ("departments of a city", lambda n: link("zh", "departments", place=CITIES[n % 21])),
    ]  # fmt: skip


def measured(address: str, name: str, make: Callable[[int], str], count: int) -> float:
    """Prints how long pages take; returns the 95th percentile, milliseconds."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    times, sizes = [], []
    for number in range(-3, count):  # the first ones open files
        begin = time.perf_counter()
        connection.request("GET", make(max(number, 0)), headers={"Accept": "text/html"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{make(max(number, 0))}: {answer.status}")
        if number >= 0:
            times.append((time.perf_counter() - begin) * 1000)
            sizes.append(len(body))
    connection.close()
    p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    size = statistics.mean(sizes) / 1000
    print(f"  {name:<28} p50 {p50:6.1f} ms   p95 {p95:6.1f} ms   {size:5.0f} KB")
    return p95


@contextmanager
def portal(directory: Path) -> Iterator[str]:
    """Runs ``veil portal serve``; lends its address."""
    command = [str(Path(sys.executable).with_name("veil")), "portal", "serve",
               "--dir", str(directory), "--address", "127.0.0.1:0"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        found = re.search(r"https?://\S+", process.stdout.readline() if process.stdout else "")
        if found is None:
            raise RuntimeError("the portal did not start")
        try:
            yield quote(found[0], safe=":/")
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
