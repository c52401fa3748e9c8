"""The process that forks limited children: what they have from it, and how they and it end."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from desensitize.engines import nursery
from desensitize.engines.child import Progress, call
from desensitize.engines.snapshot import LoadLimits
from protos.faults import UnavailableError
from protos.language import Text

Run = Callable[..., subprocess.CompletedProcess[str]]
MIB = 1 << 20


def asked(does: str = "", progress: Progress | None = None) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        source, scratch = Path(folder, "t.csv"), Path(folder, "scratch")
        source.touch()
        scratch.mkdir()
        return call(
            "tests.forked_child", source, {"sheet": does}, scratch=scratch, progress=progress,
            limits=LoadLimits(memory_bytes=256 * MIB, disk_bytes=7 * MIB, cpu_s=77),
            program=Text("reader", "读取程序"),
        )  # fmt: skip


def process() -> subprocess.Popen[bytes]:
    found = nursery._NURSERY._process
    assert found is not None
    return found


def test_a_directory_is_meant_as_the_caller_means_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("scratch").mkdir()
    Path("t.csv").touch()
    told = call(
        "tests.forked_child", Path("t.csv"), {"sheet": ""}, scratch=Path("scratch"),
        limits=LoadLimits(memory_bytes=256 * MIB), program=Text("reader", "读取程序"),
    )  # fmt: skip
    assert Path(told["directory"]) == tmp_path / "scratch"


def test_a_child_has_what_one_of_its_own_interpreter_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in (("TMPDIR", str(tmp_path)), ("LANG", "zh_CN.UTF-8"), ("TZ", "Asia/Tokyo")):
        monkeypatch.setenv(name, value)
    with (tmp_path / "inherited").open("wb") as file:
        os.set_inheritable(file.fileno(), True)
        first = asked()
        before = os.umask(0o027)
        try:
            second = asked()
        finally:
            os.umask(before)
    for child in (first, second):
        # Its input and output, and the file for its last words: nothing of us, of the nursery's
        # or of its siblings'.
        assert child["files"][:2] == ["socket", "socket"]
        assert child["files"][2].endswith("(deleted)")
        assert len(child["files"]) == 3
        assert set(child["environment"]) == {*nursery._ENVIRONMENT, "LC_CTYPE"}
        assert child["parent"] == process().pid
        assert child["threads"] == 1
        assert (child["cpu_s"], child["file_bytes"]) == (77, 7 * MIB)
        assert (child["core_bytes"], child["dumpable"], child["no_new_privileges"]) == (0, 0, 1)
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert bool(int(child["ignored"], 16) & 1 << signal.SIGINT - 1) is ignored
    assert first["directory"] != second["directory"]
    assert (first["umask"], second["umask"]) == (before, 0o027)
    assert first["network"] == second["network"]


def test_children_have_no_network(run: Run) -> None:
    code = (
        "import os\nfrom desensitize.engines.limits import isolate\n"
        "before = os.readlink('/proc/self/ns/net')\nisolate()\n"
        "print(before == os.readlink('/proc/self/ns/net'))"
    )
    if run(sys.executable, "-c", code).stdout.strip() == "True":
        pytest.skip("this system allows no network namespace")
    assert asked()["devices"] == ["lo"]


def test_siblings_draw_nothing_twice_and_what_draws_noise_is_not_shared() -> None:
    first, second = asked(), asked()
    assert first["parent"] == second["parent"]
    for one, other in zip(first["drawn"], second["drawn"], strict=True):
        assert one != other
    assert not {"opendp", "pandas"} & set(first["modules"])


def test_a_module_that_loads_what_draws_noise_is_not_forked(tmp_path: Path, run: Run) -> None:
    code = (
        "import sys\nfrom desensitize.engines import nursery\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\nnursery._load('draws')\n"
    )
    (tmp_path / "draws.py").write_text("import opendp\n", "utf-8")
    said = run(sys.executable, "-c", code)
    assert "RuntimeError: draws loads ['opendp']" in said.stderr
    (tmp_path / "draws.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n",
        "utf-8",
    )
    said = run(sys.executable, "-c", code)
    assert "RuntimeError: draws starts 1 threads" in said.stderr


def test_threads_share_it_and_it_outlives_the_one_that_began_it() -> None:
    nursery.end()
    found: list[int] = []

    def ask() -> None:
        found.append(asked()["parent"])

    def together(count: int) -> None:
        threads = [threading.Thread(target=ask) for _ in range(count)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    together(1)
    together(3)
    assert found == [process().pid] * 4


def test_a_caller_with_thousands_of_files_open() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        with ExitStack() as files:
            for _ in range(1100):
                files.enter_context(Path(os.devnull).open("rb"))
            assert len(asked()["files"]) == 3
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("who", ["nursery", "child"])
def test_killed_while_a_child_works_it_is_an_error_and_the_next_call_works(who: str) -> None:
    children: list[int] = []

    def kill(child: int, parent: int | None) -> None:
        children.append(child)
        assert parent == process().pid
        os.kill(parent if who == "nursery" else child, signal.SIGKILL)

    with pytest.raises(UnavailableError, match="ended before t\\.csv was read"):
        asked("waits", kill)
    assert gone(children[0])
    assert asked()["parent"] == process().pid


def test_what_children_used_is_counted_when_it_ends() -> None:
    nursery.end()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    assert asked("works")["worked_s"] >= 0.3
    nursery.end()
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before > 0.3


def test_memory_is_limited_beyond_what_was_loaded() -> None:
    with pytest.raises(UnavailableError) as caught:
        asked("fills its memory")
    assert "MemoryError" in caught.value.detail


@pytest.fixture
def caller() -> Iterator[subprocess.Popen[str]]:
    """Another process, with a child that waits; tells the numbers of its nursery and the child."""
    code = (
        "import signal\nfrom tests.unit.test_nursery import asked\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's & ignores it
        "try:\n    asked('waits', lambda *both: print(*both, flush=True))\n"
        "except KeyboardInterrupt:\n    print('interrupted', asked()['parent'], flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as other:
        yield other
        with suppress(ProcessLookupError):
            other.kill()


def numbers(caller: subprocess.Popen[str]) -> tuple[int, int]:
    assert caller.stdout is not None
    child, parent = caller.stdout.readline().split()
    return int(child), int(parent)


def test_a_caller_that_is_killed_takes_both_along(caller: subprocess.Popen[str]) -> None:
    child, parent = numbers(caller)
    caller.kill()
    assert gone(child)
    assert gone(parent)


def test_ctrl_c_ends_the_child_and_leaves_a_nursery_that_answers(
    caller: subprocess.Popen[str],
) -> None:
    child, parent = numbers(caller)
    os.killpg(caller.pid, signal.SIGINT)
    said = caller.communicate()[0].split()
    assert said == ["interrupted", str(parent)]
    assert gone(child)
    assert gone(parent), "it ends with its caller"


def gone(number: int) -> bool:
    """Waits for the end of a process that may not be ours; the test's own limit is the deadline."""
    while True:
        try:
            state = Path(f"/proc/{number}/stat").read_text("ascii").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        threading.Event().wait(0.01)


def test_one_that_was_idle_has_ended_and_the_next_call_begins_another() -> None:
    asked()
    first = process()
    first.kill()
    first.wait()
    asked()
    assert process() is not first


def test_a_process_that_was_forked_has_a_nursery_of_its_own(run: Run) -> None:
    code = (
        "import os\nfrom desensitize.engines import nursery\n"
        "from tests.unit.test_nursery import asked\n"
        "ours = asked()['parent']\n"
        "if child := os.fork():\n    assert os.waitpid(child, 0)[1] == 0\n"
        "else:\n    assert nursery._NURSERY._process is None\n"
        "    assert asked()['parent'] != ours\n    nursery.end()\n    os._exit(0)\n"
        "assert asked()['parent'] == ours\n"
    )
    said = run(sys.executable, "-c", code)
    assert said.returncode == 0, said.stderr
