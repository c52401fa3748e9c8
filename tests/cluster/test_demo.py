"""`veil demo` as people run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exchange.cluster.processes import held_back

VEIL = Path(sys.executable).with_name("veil")
MOST_S = 170.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def processes_in(directory: Path) -> list[str]:
    """Command lines that name this directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(directory) in line and int(entry.name) != os.getpid():
            found.append(line)
    return found


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo makes its temporary directory."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_it_plays_every_act_and_leaves_nothing(temporary: Path) -> None:
    began = time.monotonic()
    said = subprocess.run(
        [VEIL, "demo"], capture_output=True, text=True, timeout=MOST_S, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert time.monotonic() - began < MOST_S
    for text in (
        "8/8", "✗ Exchange's signature on the receipt: the signature does not hold",
        "zhuhai dropped out", "each exactly the true one", "above the ceiling",
    ):  # fmt: skip
        assert text in said.stdout, text
    assert list(temporary.iterdir()) == []
    assert processes_in(temporary) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_cleans_up_when_it_is_stopped(temporary: Path, number: signal.Signals) -> None:
    demo = subprocess.Popen([VEIL, "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    end = time.monotonic() + 60
    while len(processes_in(temporary)) < 4 and time.monotonic() < end:
        time.sleep(0.05)
    demo.send_signal(number)
    demo.communicate(timeout=60)
    assert demo.returncode != 0
    assert list(temporary.iterdir()) == []
    assert processes_in(temporary) == []


def test_an_interruption_waits_until_who_was_started_is_in_the_list() -> None:
    started: list[str] = []
    with pytest.raises(KeyboardInterrupt), held_back():
        signal.raise_signal(signal.SIGINT)  # as it comes between a start and the list
        started.append("node")
    assert started == ["node"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
