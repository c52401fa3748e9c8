"""A query that wants too much: memory, time, files, network; and processes that die under it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from desensitize.engines.worker import QueryPool, QueryTask, RenderedSql
from protos.faults import UnavailableError

COUNT = "SELECT COUNT(*) AS n FROM data"
ENDLESS = "SELECT COUNT(*) AS n FROM range(1000000000000) a(i) WHERE i % 7 = 3"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("snapshot") / "s.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE data AS SELECT i AS id, i % 7 AS k FROM range(20000) t(i)")
    return path


@pytest.fixture(scope="module")
def pool() -> Iterator[QueryPool]:
    pool = QueryPool(memory_bytes=512 * 2**20, cpu_s=20, spare=1)
    pool.start()
    yield pool
    pool.close()


def query(pool: QueryPool, snapshot: Path, sql: str, deadline_s: float = 30) -> list[dict]:
    table = pool.run(QueryTask(snapshot, RenderedSql(sql)), deadline_s)
    return table.to_pylist()


def refused(pool: QueryPool, snapshot: Path, sql: str, deadline_s: float = 30) -> str:
    """Runs a query that must fail; returns the private reason."""
    with pytest.raises(UnavailableError) as caught:
        query(pool, snapshot, sql, deadline_s)
    assert caught.value.code == "engine.failed"
    assert caught.value.message == "the department's engine could not run this query"
    assert "detail" not in caught.value.public()
    return caught.value.detail


def test_answers(pool: QueryPool, snapshot: Path) -> None:
    assert query(pool, snapshot, COUNT) == [{"n": 20000}]
    groups = query(pool, snapshot, "SELECT k, SUM(id)::BIGINT AS s FROM data GROUP BY k ORDER BY k")
    assert [g["s"] for g in groups] == [sum(range(k, 20000, 7)) for k in range(7)]


def test_memory_hog_of_one_value(pool: QueryPool, snapshot: Path) -> None:
    assert "emory" in refused(pool, snapshot, "SELECT repeat('x', 2000000000) AS x FROM data")
    assert query(pool, snapshot, COUNT) == [{"n": 20000}]


def test_memory_hog_of_many_groups(pool: QueryPool, snapshot: Path) -> None:
    refused(
        pool,
        snapshot,
        "SELECT repeat(i::VARCHAR, 40) AS g, COUNT(*) FROM range(20000000) t(i) GROUP BY g",
    )
    assert query(pool, snapshot, COUNT) == [{"n": 20000}]


MANY_GROUPS = (
    "SELECT COUNT(*) AS groups FROM "
    "(SELECT repeat('x', 150) || i AS g, COUNT(*) FROM range(700000) t(i) GROUP BY g)"
)


def test_who_needs_more_memory_than_at_first_gets_it(pool: QueryPool, snapshot: Path) -> None:
    little = QueryPool(memory_bytes=120 * 2**20, cpu_s=20)
    little.start()
    try:
        assert "emory" in refused(little, snapshot, MANY_GROUPS)
    finally:
        little.close()
    assert query(pool, snapshot, MANY_GROUPS) == [{"groups": 700_000}]


def test_endless_query_is_killed_at_its_deadline(pool: QueryPool, snapshot: Path) -> None:
    start = time.monotonic()
    assert "deadline" in refused(pool, snapshot, ENDLESS, deadline_s=0.5)
    assert time.monotonic() - start < 2
    assert query(pool, snapshot, COUNT) == [{"n": 20000}]


def test_a_query_that_nobody_wants_any_more_leaves_its_place_to_others(snapshot: Path) -> None:
    """Cancelling is free, so it must not leave a node busy until the deadline."""
    pool = QueryPool(memory_bytes=512 * 2**20, cpu_s=60, most=2)
    pool.start()
    stops = [threading.Event() for _ in range(2)]
    reasons: list[str] = []

    def run(stop: threading.Event) -> None:
        with pytest.raises(UnavailableError) as caught:
            pool.run(QueryTask(snapshot, RenderedSql(ENDLESS)), 60, stop)
        reasons.append(caught.value.detail)

    threads = [threading.Thread(target=run, args=(stop,)) for stop in stops]
    try:
        for thread in threads:
            thread.start()
        with pytest.raises(UnavailableError, match="could not run") as waiting:
            pool.run(QueryTask(snapshot, RenderedSql(COUNT)), 0.5)
        assert "no place" in waiting.value.detail
        for stop in stops:
            stop.set()
        assert query(pool, snapshot, COUNT) == [{"n": 20000}]
        for thread in threads:
            thread.join(10)
        assert reasons == ["the job was cancelled; the worker was killed"] * 2
    finally:
        for stop in stops:
            stop.set()
        pool.close()


def test_cpu_limit_ends_a_query_without_any_deadline(snapshot: Path) -> None:
    pool = QueryPool(memory_bytes=512 * 2**20, cpu_s=1)
    pool.start()
    try:
        assert "limit" in refused(pool, snapshot, ENDLESS, deadline_s=30)
    finally:
        pool.close()


def test_killed_worker_is_an_error_and_the_next_query_runs(pool: QueryPool, snapshot: Path) -> None:
    victims: list[int] = []

    def kill() -> None:
        busy = _busiest_child(pool)
        victims.append(busy)
        os.kill(busy, signal.SIGKILL)

    timer = threading.Timer(0.5, kill)
    timer.start()
    reason = refused(pool, snapshot, ENDLESS)
    timer.join()
    assert victims
    assert "without an answer" in reason or "lost" in reason
    assert query(pool, snapshot, COUNT) == [{"n": 20000}]


def test_killed_zygote_is_restarted(pool: QueryPool, snapshot: Path) -> None:
    assert query(pool, snapshot, COUNT) == [{"n": 20000}]
    before = pool.zygote_pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)  # dead, and still the pool's to reap
    assert query(pool, snapshot, COUNT) == [{"n": 20000}]
    assert pool.zygote_pid not in {None, before}


def test_zygote_killed_while_a_query_runs_repeats_the_query(
    pool: QueryPool, snapshot: Path
) -> None:
    assert query(pool, snapshot, COUNT) == [{"n": 20000}]
    before = pool.zygote_pid
    assert before is not None
    timer = threading.Timer(0.2, os.kill, (before, signal.SIGKILL))
    timer.start()
    slow = "SELECT COUNT(*) AS n FROM range(300000000) t(i) WHERE i % 7 = 3"
    assert query(pool, snapshot, slow) == [{"n": 42857143}]
    timer.join()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "",
        "DROP TABLE data",
        "CREATE TABLE t AS SELECT 1",
        "COPY data TO '/tmp/rows.csv'",
        "SET threads = 4",
        "ATTACH '/etc/passwd' AS x",
        "INSTALL httpfs",
        "PRAGMA version",
        "EXPLAIN ANALYZE SELECT 1",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('http://127.0.0.1:9/x')",
        "SELECT getenv('HOME')",
        "SELECT nonsense FROM data",
        "not sql at all",
    ],
)
def test_no_other_statement_and_no_file(pool: QueryPool, snapshot: Path, sql: str) -> None:
    refused(pool, snapshot, sql)


def test_snapshot_cannot_be_written(pool: QueryPool, snapshot: Path) -> None:
    before = snapshot.read_bytes()
    refused(pool, snapshot, "INSERT INTO data VALUES (1, 1)")
    refused(pool, snapshot, "DELETE FROM data")
    assert snapshot.read_bytes() == before


@pytest.mark.parametrize("keep", [0, 100, 4096, 20000])
def test_truncated_snapshot(pool: QueryPool, snapshot: Path, tmp_path: Path, keep: int) -> None:
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(snapshot.read_bytes()[:keep])
    refused(pool, broken, COUNT)


def test_corrupt_snapshot(pool: QueryPool, snapshot: Path, tmp_path: Path) -> None:
    body = bytearray(snapshot.read_bytes())
    for place in range(12288, len(body), 512):  # past the headers: every block's checksum
        body[place] ^= 0xFF
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(body)
    refused(pool, broken, "SELECT SUM(id) FROM data")


def test_missing_snapshot(pool: QueryPool, tmp_path: Path) -> None:
    refused(pool, tmp_path / "none.duckdb", COUNT)


def test_worker_has_no_socket_left(tmp_path: Path) -> None:
    """Inside the limits of a worker not even a local socket can be made."""
    code = (
        "import resource, socket\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))\n"
        "try:\n    socket.socket()\nexcept OSError as error:\n    print(error.errno)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20
    )
    assert int(done.stdout) == 24  # EMFILE


def test_zygote_has_no_network(pool: QueryPool, snapshot: Path) -> None:
    query(pool, snapshot, COUNT)
    assert pool.zygote_pid is not None
    mine = Path("/proc/self/ns/net").readlink()
    try:
        its = Path(f"/proc/{pool.zygote_pid}/ns/net").readlink()
    except PermissionError:
        pytest.skip("this system does not show it")
    if its == mine:
        pytest.skip("this system allows no network namespace; RLIMIT_NOFILE alone stands")
    devices = Path(f"/proc/{pool.zygote_pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in devices] == ["lo"]


def test_everything_dies_with_the_node(snapshot: Path) -> None:
    """SIGKILL the process that owns the pool, in the middle of a query."""
    code = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from desensitize.engines.worker import QueryPool, QueryTask\n"
        "pool = QueryPool(512 * 2**20, 20)\n"
        "pool.start()\n"
        f"pool.run(QueryTask(Path({str(snapshot)!r}), {COUNT!r}), 30)\n"
        "print(pool.zygote_pid, flush=True)\n"
        f"pool.run(QueryTask(Path({str(snapshot)!r}), {ENDLESS!r}), 60)\n"
    )
    node = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert node.stdout is not None
    with node, node.stdout:
        zygote = int(node.stdout.readline())
        _until(lambda: len(_children(zygote)) >= 2)
        family = [zygote, *_children(zygote)]
        node.kill()
        node.wait()
    _until(lambda: not any(_runs(pid) for pid in family))


def test_pool_that_is_closed_refuses(snapshot: Path) -> None:
    pool = QueryPool(512 * 2**20, 20)
    refused(pool, snapshot, COUNT)
    pool.start()
    pool.close()
    refused(pool, snapshot, COUNT)
    pool.close()


def test_many_callers(pool: QueryPool, snapshot: Path) -> None:
    answers: list[list[dict]] = []
    callers = [
        threading.Thread(target=lambda: answers.append(query(pool, snapshot, COUNT)))
        for _ in range(8)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert answers == [[{"n": 20000}]] * 8


def _children(pid: int) -> list[int]:
    try:
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _busiest_child(pool: QueryPool) -> int:
    assert pool.zygote_pid is not None

    def ticks(pid: int) -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    return max(_children(pool.zygote_pid), key=ticks)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _until(true: object, limit_s: float = 10) -> None:
    assert callable(true)
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
