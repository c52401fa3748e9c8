"""Fixtures for all tests, and settings that make them repeatable."""

from __future__ import annotations

import functools
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from protos.signing import IdentityKey, SealingKey
from tests import seconds

if TYPE_CHECKING:
    from tests.publishing_world import World

ROOT = Path(__file__).resolve().parents[1]

# Some environments forbid it; each of our many child processes would compile every module anew,
# which costs two to three times what it does otherwise.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The tests share the processors as it is. Without this, scikit-learn's threads wait for each other
# by spinning: a fit to a few hundred rows took three to nine times the processor time. Read when
# the library is loaded, which is later; the product's own child processes set the same.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples in every run: a red build can be repeated by anybody.
settings.register_profile("veil", deadline=None, max_examples=60, derandomize=True, database=None)
settings.load_profile("veil")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begins with the files that take longest, if workers share the tests (see `seconds`)."""
    if hasattr(config, "workerinput"):
        known = seconds.read()
        files = {path: path.relative_to(ROOT).as_posix() for path in {item.path for item in items}}
        items.sort(key=lambda item: -known.get(files[item.path], seconds.UNKNOWN_S))


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests read English, whatever the locale of the machine; colours stay off."""
    monkeypatch.setenv("VEIL_LANG", "en")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@functools.cache
def only_desensitizes(path: Path) -> bool:
    """Whether a test module is about the pipeline alone, which makes no network call."""
    text = path.read_text("utf-8")
    above = re.search(r"^from (exchange|compute_nodes|catalog)\b", text, re.MULTILINE)
    return (
        above is None and re.search(r"^(from|import) desensitize\b", text, re.MULTILINE) is not None
    )


@pytest.fixture(autouse=True)
def network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Blocks sockets where only the pipeline is tested; its child processes block their own."""
    if not only_desensitizes(request.path):
        return "open"

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the pipeline asked for the network")

    def unless_local(ours: Callable[..., object]) -> Callable[..., object]:
        def guarded(asking: socket.socket, *rest: object) -> object:
            return ours(asking, *rest) if asking.family == socket.AF_UNIX else refuse()

        return guarded

    for name in ("connect", "connect_ex", "sendto", "sendmsg", "bind"):
        monkeypatch.setattr(socket.socket, name, unless_local(getattr(socket.socket, name)))
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    return "blocked"


@pytest.fixture
def root() -> Path:
    """The top of the repository."""
    return ROOT


@pytest.fixture
def identity() -> IdentityKey:
    """A fresh signing key."""
    return IdentityKey.generate()


@pytest.fixture
def sealing() -> SealingKey:
    """A fresh sealing key."""
    return SealingKey.generate()


@pytest.fixture
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command at the top of the repository and keeps what it printed."""

    def start(*command: str | Path, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    return start


@pytest.fixture(scope="session")
def publishing(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Attested releases and a catalog for them, made once: a release takes seconds."""
    from tests.publishing_world import World

    return World(tmp_path_factory.mktemp("publishing"))
