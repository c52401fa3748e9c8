"""A file that somebody names is read no further than it can be of use."""

from __future__ import annotations

from pathlib import Path

import pytest

from protos.bounded_file import read_bounded
from protos.faults import InputError, UnavailableError


def test_what_is_short_enough(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1234")
    assert read_bounded(tmp_path / "f", 4) == b"1234"


def test_what_is_longer_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    with pytest.raises(InputError, match="longer than 4 bytes"):
        read_bounded(tmp_path / "f", 4)
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UnavailableError, match="cannot read"):
            read_bounded(path, 4)


def test_a_file_without_an_end() -> None:
    with pytest.raises(InputError, match="longer"):
        read_bounded(Path("/dev/zero"), 1 << 20)
