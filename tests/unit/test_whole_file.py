"""A file is there whole or not at all; what was there stays when something goes wrong."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from protos.faults import InputError, UnavailableError
from protos.whole_file import beside, check_place, write_whole


def names(directory: Path) -> list[str]:
    """What is there, drafts included."""
    return sorted(each.name for each in directory.iterdir())


def test_it_replaces_and_sets_the_rights(tmp_path: Path) -> None:
    path = tmp_path / "文件"
    umask = os.umask(0o077)
    try:
        write_whole(path, b"one", mode=0o644)
        write_whole(path, b"two", mode=0o644)
    finally:
        os.umask(umask)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    write_whole(path, b"three")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["文件"]


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    path, target = tmp_path / "new", tmp_path / "target"
    write_whole(path, b"one", new=True)
    with pytest.raises(FileExistsError):
        write_whole(path, b"two", new=True)
    assert path.read_bytes() == b"one"
    link = tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(FileExistsError):
        write_whole(link, b"two", new=True)
    assert not target.exists()
    assert names(tmp_path) == ["link", "new"]


def test_nothing_is_left_of_what_broke_off(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    write_whole(path, b"before")

    def breaks_off() -> None:
        with beside(path) as draft:
            draft.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks_off()
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["kept"]


def test_a_full_disk(run: Callable[..., object], tmp_path: Path) -> None:
    """The operating system's own limit on a file's size stands for the disk."""
    write_whole(tmp_path / "kept", b"before")
    program = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from pathlib import Path\n"
        "from protos.faults import UnavailableError\n"
        "from protos.whole_file import write_whole\n"
        "try:\n"
        f"    write_whole(Path({str(tmp_path / 'kept')!r}), bytes(5000))\n"
        "except UnavailableError as error:\n"
        "    print(error.code)\n"
    )
    said = run(sys.executable, "-c", program)
    assert getattr(said, "stdout", "").strip() == "file.unwritable"
    assert (tmp_path / "kept").read_bytes() == b"before"
    assert names(tmp_path) == ["kept"]


def test_a_place_that_is_none(tmp_path: Path) -> None:
    check_place(tmp_path / "fine")
    with pytest.raises(InputError, match="no directory"):
        check_place(tmp_path / "absent" / "file")
    with pytest.raises(UnavailableError, match="cannot write"):
        write_whole(tmp_path / "absent" / "file", b"")
