"""Scans a generated Chinese table beside Presidio, which looks at one cell at a time.

    python -m benchmarks.scan [--rows 1000000] [--peer-rows 300] [--repeat 3]

Nine text columns: names, ids, mobile numbers, addresses, e-mails, bank cards, plates, companies,
and free text with a mobile number in one cell of a thousand. Ours: the whole scan, in memory, and
from a Parquet and a CSV file through the limited process. Presidio: its own ``PatternRecognizer``
with the same patterns, no NLP model, cell by cell, fewer rows; rates are compared.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from presidio_analyzer import AnalyzerEngine, Pattern, PatternRecognizer, RecognizerRegistry

import desensitize
from desensitize.presidio import LANGUAGE, NoNlp
from desensitize.recognisers import RECOGNISERS
from tests.chinese_tables import Maker

DISTINCT = 100_000
MIB = 1 << 20


def table(rows: int) -> pa.Table:
    """Makes the table; beyond 100,000 rows its values repeat, which no part of a scan notices."""
    make = Maker(7)
    count = min(rows, DISTINCT)

    def column(draw: Callable[[], str]) -> list[str]:
        return [draw() for _ in range(count)]

    notes = [
        f"{make.filler()},{make.filler()}" + (f"联系{make.mobile()}" if i % 1000 == 0 else "")
        for i in range(count)
    ]
    part = pa.table(
        {
            "姓名": column(make.person),
            "身份证号": column(make.resident_id),
            "手机号": column(make.mobile),
            "住址": column(make.address),
            "邮箱": column(make.email),
            "银行卡号": column(make.bank_card),
            "车牌": column(make.plate),
            "单位名称": column(make.company),
            "备注": notes,
        }
    )
    whole = pa.concat_tables([part] * -(-rows // count))
    return whole.slice(0, rows)


def best(repeat: int, work: Callable[[], object]) -> float:
    """Seconds of the quickest of several runs: other work on the machine only ever adds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def presidio(data: pa.Table) -> float:
    """Seconds that Presidio needs for all cells."""
    stock = [
        PatternRecognizer(
            supported_entity=each.name.upper(),
            supported_language=LANGUAGE,
            patterns=[Pattern(each.name, each.exact.pattern, 0.5)],
        )
        for each in RECOGNISERS
        if each.in_text
    ]
    registry = RecognizerRegistry(stock, supported_languages=[LANGUAGE])
    engine = AnalyzerEngine(registry, NoNlp(), supported_languages=[LANGUAGE])
    engine.analyze("暖身", language=LANGUAGE)  # compiles the patterns
    cells = [cell for column in data.columns for cell in column.to_pylist()]
    start = time.perf_counter()
    for cell in cells:
        engine.analyze(cell, language=LANGUAGE)
    return time.perf_counter() - start


def peak_mib(path: Path) -> float:
    """Peak memory of the process that scans a file, in a caller of its own."""
    code = (
        "import sys, resource, desensitize\n"
        "desensitize.scan(sys.argv[1])\n"
        "from desensitize.engines import nursery\nnursery.end()\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter, our own file
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    return int(done.stdout) / 1024


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=300)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    data = table(options.rows)
    megabytes = data.nbytes / MIB
    report = desensitize.scan(data)
    if report["备注"].counts["cn_mobile"].inside != len(range(0, options.rows, 1000)):
        raise SystemExit("a leak was lost")

    def show(name: str, rows: int, seconds: float, remark: str = "") -> None:
        print(f"{name:28}{rows:11,} rows {seconds:8.2f} s {rows / seconds:12,.0f} rows/s  {remark}")

    print(f"9 text columns, {megabytes:.0f} MB")
    ours = best(options.repeat, lambda: desensitize.scan(data))
    show("in memory", options.rows, ours, f"{megabytes / ours:.0f} MB/s; goal 1,000,000 rows/s")
    sampled = best(options.repeat, lambda: desensitize.scan(data, full=False))
    show("in memory, sample of 10,000", options.rows, sampled)
    with tempfile.TemporaryDirectory() as directory:
        parquet, csv = Path(directory) / "t.parquet", Path(directory) / "t.csv"
        pq.write_table(data, parquet)
        pyarrow.csv.write_csv(data, csv)
        for path in (parquet, csv):
            seconds = best(options.repeat, lambda path=path: desensitize.scan(path))
            show(f"{path.suffix} in its own process", options.rows, seconds,
                 f"peak {peak_mib(path):.0f} MiB")  # fmt: skip
        tenth = data.slice(0, options.rows // 10)
        pq.write_table(tenth, parquet)
        print(f"{'… a tenth of it':28}{tenth.num_rows:11,} rows peak {peak_mib(parquet):.0f} MiB")
    peer = presidio(data.slice(0, options.peer_rows))
    show("Presidio, cell by cell", options.peer_rows, peer)
    ratio = (options.rows / ours) / (options.peer_rows / peer)
    print(f"ratio {ratio:,.0f}   (goal 1,000)")
    print(
        f"peak of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    )


if __name__ == "__main__":
    main()
