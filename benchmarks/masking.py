"""Masks a generated Chinese table of 12 columns, beside polars and presidio-anonymizer.

    python -m benchmarks.masking [--rows 1000000] [--peer-rows 2000] [--repeat 3]

One policy with a method of every frequent kind: drop, keyed token, FF1, ends, month, district, top
code and rounding, band, keep, redact. Ours: the rows handed over in memory; Parquet to Parquet in
this process; and a whole release (digests, a process of its own, the scan of the output). polars:
the same columns as its own expressions, the HMAC in Python because it has none, and no FF1 and no
district. presidio-anonymizer: one operator for each cell, with the spans given, so that nothing has
to be recognised; fewer rows; rates are compared.
"""

from __future__ import annotations

import argparse
import hmac
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from presidio_anonymizer import AnonymizerEngine
from presidio_anonymizer.entities import OperatorConfig, RecognizerResult

import desensitize
from benchmarks.summary import record
from desensitize.keys import TokenKey, TokenKeys
from desensitize.masking.apply import write_masked
from desensitize.masking.statement import prepare
from desensitize.policy_file import parse_policy
from desensitize.sources import ENGINE, Table, columns_of, open_object
from tests.chinese_tables import Maker

DISTINCT = 200_000
KEYS = TokenKeys((TokenKey("people", "0001", "", bytes(range(32))),))
POLICY = parse_policy("""
dataset = "bench"
[columns."姓名"]
[columns."身份证号"]
[columns."手机号"]
[columns."出生日期"]
[columns."住址"]
[columns."收入"]
[columns."年龄"]
[columns."性别"]
[columns."银行卡号"]
[columns."就诊日期"]
[columns."邮箱"]
[columns."费用"]
[publish.methods]
"姓名" = "drop"
"身份证号" = { token = "people" }
"手机号" = { keep_first = 3, keep_last = 4 }
"出生日期" = { date = "month" }
"住址" = { district = "district" }
"收入" = { top_code = 50000, round = 100 }
"年龄" = { band = 5 }
"性别" = "keep"
"银行卡号" = { ff1 = "people" }
"就诊日期" = { date = "week" }
"邮箱" = "redact"
"费用" = { round = 10 }
""")


def table(rows: int) -> pa.Table:
    """Makes the table; beyond 200,000 rows its texts repeat."""
    make, count = Maker(11), min(rows, DISTINCT)

    def column(draw: Callable[[], str]) -> list[str]:
        return [draw() for _ in range(count)]

    part = pa.table(
        {
            "姓名": column(make.person),
            "身份证号": column(make.resident_id),
            "手机号": column(make.mobile),
            "出生日期": [f"19{50 + i % 50}-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(count)],
            "住址": column(make.address),
            "收入": [float(i * 7919 % 90_000) for i in range(count)],
            "年龄": [i * 31 % 90 for i in range(count)],
            "性别": ["男", "女"] * (count // 2) + ["男"] * (count % 2),
            "银行卡号": column(make.bank_card),
            "就诊日期": [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(count)],
            "邮箱": column(make.email),
            "费用": [float(i * 104_729 % 100_000) / 100 for i in range(count)],
        }
    )
    return pa.concat_tables([part] * -(-rows // count)).slice(0, rows).combine_chunks()


def best(repeat: int, work: Callable[[], object]) -> float:
    """Seconds of the quickest of several runs: other work on the machine only ever adds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def in_memory(data: pa.Table) -> int:
    """Masks a table and hands its rows over."""
    source = open_object(data)
    statement = prepare(source, POLICY, KEYS, late=list(POLICY.columns))
    rows = 0
    for batch in source.engine.sql(statement.sql).to_arrow_reader(65_536):
        for place, function in statement.late.items():
            function.compute(batch.column(place))
        rows += batch.num_rows
    return rows


def to_parquet(path: Path, out: Path) -> None:
    """Masks a Parquet file into another, in this process."""
    out.unlink(missing_ok=True)
    with duckdb.connect(config=ENGINE) as engine:
        sql = f"read_parquet('{path}')"
        write_masked(Table("bench", engine, sql, columns_of(engine, sql)), POLICY, KEYS, out)


def with_polars(path: Path) -> pl.DataFrame:
    """The same policy in polars, but for FF1 (dropped) and the district (its first letters)."""
    key = KEYS.subkey("people", "token")

    def tokens(values: pl.Series) -> pl.Series:
        return pl.Series([hmac.digest(key, v.encode(), "sha256").hex()[:32] for v in values])

    phone = pl.col("手机号")
    low = pl.col("年龄") // 5 * 5
    return (
        pl.scan_parquet(path)
        .select(
            pl.col("身份证号").map_batches(tokens, return_dtype=pl.String),
            phone.str.slice(0, 3) + "****" + phone.str.slice(-4),
            pl.col("出生日期").str.to_date().dt.strftime("%Y-%m"),
            pl.col("住址").str.slice(0, 9),
            (pl.col("收入").clip(upper_bound=50_000) / 100).round() * 100,
            pl.format("[{},{})", low, low + 5).alias("年龄"),
            pl.col("性别"),
            pl.col("就诊日期").str.to_date().dt.strftime("%G-W%V"),
            pl.lit("***").alias("邮箱"),
            (pl.col("费用") / 10).round() * 10,
        )
        .collect()
    )


def with_presidio(data: pa.Table) -> None:
    """One operator for each text cell; its spans are given."""
    engine = AnonymizerEngine()
    operators = {
        "身份证号": OperatorConfig("hash", {"hash_type": "sha256"}),
        "手机号": OperatorConfig(
            "mask", {"masking_char": "*", "chars_to_mask": 4, "from_end": False}
        ),
        "邮箱": OperatorConfig("replace", {"new_value": "***"}),
        "出生日期": OperatorConfig(
            "mask", {"masking_char": "*", "chars_to_mask": 3, "from_end": True}
        ),
        "住址": OperatorConfig("replace", {"new_value": "***"}),
        "银行卡号": OperatorConfig("hash", {"hash_type": "sha256"}),
    }
    for name, operator in operators.items():
        for cell in data.column(name).to_pylist():
            engine.anonymize(cell, [RecognizerResult("X", 0, len(cell), 1.0)], {"X": operator})


def peak_mib(path: Path, out: Path) -> float:
    """Peak memory of the process that masks a file, in a caller of its own."""
    code = (
        "import sys, resource, desensitize\n"
        "from pathlib import Path\n"
        "from benchmarks.masking import KEYS, POLICY\n"
        "desensitize.run(sys.argv[1], policy=POLICY, out=Path(sys.argv[2]), token_keys=KEYS)\n"
        "from desensitize.engines import nursery\nnursery.end()\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter, our own file
        [sys.executable, "-c", code, str(path), str(out)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout) / 1024


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=2_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    data = table(options.rows)

    def show(name: str, rows: int, seconds: float, remark: str = "") -> float:
        speed = rows / seconds
        print(f"{name:36}{rows:11,} rows {seconds:8.2f} s {speed:12,.0f} rows/s  {remark}")
        return speed

    print(f"12 columns, {data.nbytes / (1 << 20):.0f} MB")
    if in_memory(data) != options.rows:
        raise SystemExit("rows were lost")
    memory = show("in memory", options.rows, best(options.repeat, lambda: in_memory(data)))
    record("mask 12 columns, in memory", memory, "rows/s", least=500_000)
    with tempfile.TemporaryDirectory() as directory:
        source, out = Path(directory) / "t.parquet", Path(directory) / "out.parquet"
        pq.write_table(data, source)
        seconds = best(options.repeat, lambda: to_parquet(source, out))
        written = show("Parquet to Parquet", options.rows, seconds)
        record("mask 12 columns, Parquet to Parquet", written, "rows/s", least=200_000)
        releases = iter(Path(directory) / f"release{i}" for i in range(100))
        seconds = best(
            1,
            lambda: desensitize.run(source, policy=POLICY, out=next(releases), token_keys=KEYS),
        )
        peak = peak_mib(source, next(releases))
        show("a release, with the scan of it", options.rows, seconds, f"peak {peak:.0f} MiB")
        tenth = Path(directory) / "tenth.parquet"
        pq.write_table(data.slice(0, options.rows // 10), tenth)
        small = peak_mib(tenth, next(releases))
        print(f"{'… a tenth of it':36}{options.rows // 10:11,} rows peak {small:.0f} MiB")
        polars = show(
            "polars, in memory", options.rows, best(options.repeat, lambda: with_polars(source))
        )
    part = data.slice(0, options.peer_rows)
    presidio = show("presidio-anonymizer, 6 of 12 columns", part.num_rows,
                    best(1, lambda: with_presidio(part)))  # fmt: skip
    print(
        f"ratio to polars {memory / polars:,.1f}, to presidio-anonymizer {memory / presidio:,.0f}"
    )
    record("… beside polars' expressions", memory / polars, "x polars")
    record("… beside presidio-anonymizer", memory / presidio, "x presidio")


if __name__ == "__main__":
    main()
