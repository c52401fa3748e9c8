"""Certificates issued and logged, verified, and tampered with.

    python -m benchmarks.certificates [--count 5000] [--log 1000000] [--tamperings 1000]

Issued: signed (ES256), logged under a new checkpoint, on disk (SQLite, WAL, synchronous = FULL):
one by one, and a hundred in a transaction. Verified: whole bundles as bytes, with witnesses, status
lists and a log of so many entries, on one processor; then on all of them. Tampered with: one random
character of a bundle is another one, and verification must say so. No peer does the same.
"""

from __future__ import annotations

import argparse
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from benchmarks import summary
from catalog.certificates.evidence import Trust
from catalog.certificates.office import Application
from catalog.certificates.verification import verify_bundle
from catalog.transparency.audit import audit
from catalog.transparency.policy import LogPolicy
from protos.signing import Pins
from tests.certificate_world import NOW, VISITS, Office

TEXT = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=.:, "


def application(number: int) -> Application:
    """A registration like no other."""
    return Application(replace(VISITS, dataset_digest=f"{number:064x}"), NOW + 10_000)


def rate(work: Callable[[], object], count: int) -> float:
    """How many a second."""
    begin = time.perf_counter()
    work()
    return count / (time.perf_counter() - begin)


def held(content: list[bytes], pins: bytes, policy: str) -> int:
    """How many bundles hold, in a process of its own."""
    trust = Trust(NOW, Pins.load(Path(os.fsdecode(pins))), LogPolicy.parse(policy))
    return sum(verify_bundle(each, trust).ok for each in content)


def tampered(content: bytes) -> bytes:
    """One random character is another one."""
    at = secrets.randbelow(len(content))
    other = secrets.choice([byte for byte in TEXT if byte != content[at]])
    return content[:at] + bytes([other]) + content[at + 1 :]


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--log", type=int, default=1_000_000)
    parser.add_argument("--tamperings", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), options.count, options.log, options.tamperings)


def run(folder: Path, count: int, entries: int, tamperings: int) -> None:
    """Fills a log, issues, verifies, tampers."""
    office = Office(folder)
    fill(office, entries)
    singly = count // 10
    numbers = iter(range(10 * count))
    alone = rate(lambda: [office.office.issue(application(next(numbers))) for _ in range(singly)],
                 singly)  # fmt: skip
    print(f"issued and logged, one by one     {alone:10,.0f}/s   each waits for the disk")
    summary.record("certificates issued, one by one", alone, "a second")
    batches = rate(
        lambda: [office.office.issue_all([application(next(numbers)) for _ in range(100)])
                 for _ in range(count // 100)], count)  # fmt: skip
    print(f"issued and logged, 100 at a time  {batches:10,.0f}/s")
    summary.record("certificates issued, 100 at a time", batches, "a second", least=500)
    office.cosign()
    # Two of two: with a third witness, a lost line of one of them would change nothing.
    policy = replace(office.policy, groups={"both": (2, ("guangzhou", "shenzhen"))}, quorum="both")
    begin = time.perf_counter()
    bundles = [office.office.bundle(record).to_bytes() for record in office.office.listed()]
    seconds = time.perf_counter() - begin
    print(f"bundles put together              {len(bundles) / seconds:10,.0f}/s   "
          f"{len(bundles[0]):,} bytes each")  # fmt: skip
    pins = folder / "pins.toml"
    office.pins.save(pins)
    work = (bundles * (1 + count // len(bundles)))[:count]
    found = 0

    def verify_all() -> None:
        nonlocal found
        found = held(work, os.fsencode(pins), str(policy))

    spent = time.process_time()
    one = rate(verify_all, count)
    spent = time.process_time() - spent
    assert found == count  # noqa: S101 - a benchmark of what does not hold tells nothing
    print(f"verified, one process             {one:10,.0f}/s   "
          f"{count / spent:,.0f} a second of processor time")  # fmt: skip
    summary.record("certificates verified, one process", one, "a second")
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores) as pool:
        list(pool.map(abs, range(cores)))  # started
        parts = [work[start::cores] for start in range(cores)]

        def together() -> None:
            nonlocal found
            names, texts = [os.fsencode(pins)] * cores, [str(policy)] * cores
            found = sum(pool.map(held, parts, names, texts))

        several = rate(together, count)
    assert found == count  # noqa: S101
    print(f"verified, {cores} processes           {several:10,.0f}/s")
    summary.record(f"certificates verified, {cores} processes", several, "a second", least=5000)
    trust = office.trust(policy=policy)
    wrong = sum(
        not verify_bundle(tampered(secrets.choice(bundles)), trust).ok for _ in range(tamperings)
    )
    print(f"tamperings found                  {wrong:,} of {tamperings:,}")
    summary.record("tamperings found", 100 * wrong / tamperings, "%", least=100)


def fill(office: Office, entries: int) -> None:
    """A log as it is after years; then it is audited."""
    log = office.office.log
    begin = time.perf_counter()
    with office.office.db.write() as db:
        log.append(db, (number.to_bytes(32) for number in range(entries)))
    seconds = time.perf_counter() - begin
    print(f"log of {entries:,} entries filled in {seconds:.1f} s")
    begin = time.perf_counter()
    with office.office.db.read() as db:
        audit(log.entries(db), stored=lambda level, at: log.node(db, level, at))
    seconds = time.perf_counter() - begin
    print(f"… and audited with all hashes     {entries / seconds:10,.0f} entries/s")


if __name__ == "__main__":
    main()
