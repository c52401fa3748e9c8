"""Directories that do not outlive their process, also if it is killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from desensitize.engines.scratch import scratch

HOLDER = """
import sys, time
from desensitize.engines.scratch import scratch
with scratch("test") as place:
    (place / "spill").write_text("rows")
    print(place, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_leaves_is_swept_and_what_lives_is_not(temporary: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        held = Path(one.stdout.readline().strip())
        try:
            with scratch("test"):
                assert (held / "spill").exists(), "another process works there"
        finally:
            one.kill()
    assert held.parent == temporary
    assert (held / "spill").exists(), "a killed process sweeps nothing"
    with scratch("other"):
        assert held.exists(), "of another kind"
    with scratch("test") as mine:
        assert not held.exists()
        assert mine.stat().st_mode & 0o777 == 0o700
    assert list(temporary.iterdir()) == []


def test_links_lead_to_nothing_that_is_swept(temporary: Path) -> None:
    """Anybody may write into the temporary directory."""
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").touch()
    (temporary / "veil-locked-test-link").symlink_to(elsewhere)
    (temporary / "veil-locked-test-file").touch()
    with scratch("test"):
        assert (elsewhere / "mine").exists()
    assert (temporary / "veil-locked-test-file").exists()


def test_an_error_leaves_nothing(temporary: Path) -> None:
    with pytest.raises(RuntimeError), scratch("test") as place:
        (place / "spill").touch()
        raise RuntimeError
    assert list(temporary.iterdir()) == []
