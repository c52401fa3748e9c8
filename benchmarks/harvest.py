"""A city's catalog, served by one process and harvested by another: feeds, then what is read.

    python -m benchmarks.harvest [--datasets 1000]

The city is served by ``veil portal serve``. Feeds are fetched whole, page after page, in each form.
The peer is a plain rdflib loop over the very same pages of Turtle, in the same run: it parses each
and reads the members of each dataset into a dictionary. It checks nothing and keeps nothing; ours
checks every record, settles who is the source of each datum, writes records, versions and the
search index in a transaction a page, and knows afterwards what is gone. For the way out the peer
is rdflib's own serialiser, with the same pages as graphs in memory.
"""

from __future__ import annotations

import argparse
import http.client
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import rdflib
from rdflib.namespace import DCAT, DCTERMS, RDF

from benchmarks.portal import portal
from benchmarks.summary import record as note
from catalog.harvest.dialects import Name
from catalog.harvest.run import fetcher, run
from catalog.harvest.sources import Harvest, add
from catalog.province.build import province
from catalog.registry.registry import Registry, create, opened

MOST_TIMES_OF_PEER = 2.0
FORMS = ("ttl", "jsonld", "xml")


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=1_000)
    arguments = parser.parse_args()
    records = [replace(each, source="local") for each in province(arguments.datasets)]
    with tempfile.TemporaryDirectory() as folder:
        city = Path(folder) / "city"
        create(city)
        with opened(city) as registry:
            registry.register(records)
        with portal(city) as address:
            shown = sum(1 for each in records if each.opening.attribute != "none")
            print(f"{len(records):,} datasets, {shown:,} of them open")
            out(address, shown)
            into(address, Path(folder))


def out(address: str, shown: int) -> None:
    """Prints how fast feeds are sent, and how fast rdflib would write the same pages."""
    written = {}
    for form in FORMS:
        fetch_all(address, form)  # the first one reads names
        begin = time.perf_counter()
        size = sum(map(len, fetch_all(address, form)))
        written[form] = shown / (time.perf_counter() - begin)
        print(f"  {form:<8} {written[form]:9,.0f} records/s   {size / 1e6:6.1f} MB")
    graphs = [rdflib.Graph().parse(data=page) for page in fetch_all(address, "ttl")]
    begin = time.perf_counter()
    for graph in graphs:
        graph.serialize(format="turtle")
    peer = shown / (time.perf_counter() - begin)
    print(f"  rdflib   {peer:9,.0f} records/s   (Turtle, from graphs in memory, nothing sent)")
    note("feed in Turtle, sent, beside rdflib's serialiser", written["ttl"] / peer, "x", least=5)


def into(address: str, folder: Path) -> None:
    """Prints how fast a catalog is harvested, and how fast rdflib reads it."""
    create(folder / "province")
    with opened(folder / "province") as registry:
        begin = time.perf_counter()
        read = plain_loop(address)
        peer = time.perf_counter() - begin
        print(f"  plain rdflib loop        {len(read) / peer:7,.0f} records/s")
        feed = kept(registry, "feed", f"{address}/catalog.ttl", "dcat")
        first = harvested(registry, feed, "harvest, DCAT in Turtle")
        harvested(registry, feed, "again, nothing changed")
        harvested(registry, kept(registry, "ckan", address, "ckan"), "harvest, CKAN")
        if registry.count() != 2 * len(read):
            raise RuntimeError(f"{registry.count()} records of twice {len(read)}")
    print(f"  harvest / plain loop     {first / peer:7.2f}")
    note("harvest of a feed / plain rdflib loop", first / peer, "x", most=MOST_TIMES_OF_PEER)


def kept(registry: Registry, name: str, url: str, dialect: Name) -> Harvest:
    """Keeps a harvest of something on this machine."""
    wanted = Harvest(name, url, dialect, ("127.0.0.0/8",), pause_ms=0)
    add(registry.database, wanted, registry.now())
    return wanted


def harvested(registry: Registry, wanted: Harvest, what: str) -> float:
    """Runs a harvest to its end, prints the figure, returns the seconds."""
    fetch = fetcher(wanted)
    begin = time.perf_counter()
    try:
        done, _ = run(registry, wanted, fetch)
    finally:
        fetch.close()
    taken = time.perf_counter() - begin
    if done.state != "complete":
        raise RuntimeError(f"{what}: {done.state}")
    seen = done.new + done.changed + done.unchanged
    print(f"  {what:<24} {seen / taken:7,.0f} records/s   {done.pages} pages, {taken:.1f} s")
    return taken


def plain_loop(address: str) -> list[dict[str, list[str]]]:
    """What a program of a few lines makes of a feed: datasets as dictionaries."""
    found = []
    for page in pages(address, "ttl"):
        graph = rdflib.Graph().parse(data=page)
        for dataset in graph.subjects(RDF.type, DCAT.Dataset):
            members: dict[str, list[str]] = {}
            for predicate, value in graph.predicate_objects(dataset):
                members.setdefault(str(predicate), []).append(str(value))
            if str(DCTERMS.title) in members:
                found.append(members)
    return found


def fetch_all(address: str, form: str) -> list[bytes]:
    """Fetches every page of a feed."""
    return list(pages(address, form))


def pages(address: str, form: str) -> Iterator[bytes]:
    """Yields pages of a feed; where the next one is stands in each form."""
    after = 0
    while True:
        path = f"/catalog.{form}?after={after}"
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()  # whoever parses a page takes longer than an idle one may stay open
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        yield body
        following = max(map(int, re.findall(rb"[?&;]after=(\d+)", body)), default=0)
        if following <= after:
            return
        after = following


if __name__ == "__main__":
    main()
