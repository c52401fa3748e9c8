"""Fixtures for all tests, and settings that make them repeatable."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from protos.signing import IdentityKey, SealingKey

ROOT = Path(__file__).resolve().parents[1]

# The same examples in every run: a red build can be repeated by anybody.
settings.register_profile("veil", deadline=None, max_examples=60, derandomize=True, database=None)
settings.load_profile("veil")


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests read English, whatever the locale of the machine; colours stay off."""
    monkeypatch.setenv("VEIL_LANG", "en")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


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
