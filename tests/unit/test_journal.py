"""Journals of running jobs: a file that is cut anywhere still tells a prefix of what happened."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.coordinator.inputs import Input
from exchange.coordinator.journal import Begun, Journal, Journals
from protos.faults import InputError, ProtocolError, UnavailableError

JOB = "ab" * 16
BEGUN = Begun("ana", '{"plan":"x"}', ("card one", "card two"), 5, 1_700_000_000.5)
INPUTS = [
    Input("answer", "east", "main/advertise", "message", b"\0keys\xff"),
    Input("absent", "mid"),
    Input("expired"),
    Input("answer", "east", "counts/unmask", "message", b"", signature="the bitmap"),
    Input("answer", "mid", "plan", "fault", b"{}"),
]


def write(directory: Path) -> Path:
    times = iter(range(100))
    journal = Journals(directory, lambda: float(next(times))).of(JOB)
    journal.create(BEGUN)
    for taken in INPUTS:
        journal.append(replace(taken, signature=""))
        if taken.signature:
            journal.append(Input("signed", signature=taken.signature))
    journal.close()
    return directory / f"{JOB}.journal"


def read(directory: Path) -> tuple[Begun, list[tuple[float, Input]]]:
    journal = Journals(directory, lambda: 99.0).of(JOB)
    try:
        return journal.open(), list(journal.inputs())
    finally:
        journal.close()


@contextmanager
def full_disk(free: int, path: Path) -> Iterator[None]:
    """No file may grow beyond this one's present size and a few bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "running")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    begun, entries = read(tmp_path / "running")
    assert begun == BEGUN
    assert [taken for _, taken in entries] == INPUTS
    assert [at for at, _ in entries] == [0.0, 1.0, 2.0, 3.0, 5.0]


def test_cut_anywhere_it_tells_a_prefix_and_can_be_continued(tmp_path: Path) -> None:
    whole = write(tmp_path).read_bytes()
    path = tmp_path / f"{JOB}.journal"
    lengths, unsigned = set(), [replace(taken, signature="") for taken in INPUTS]
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        try:
            _, entries = read(tmp_path)
        except ProtocolError:
            assert size < 300, "only a cut in the first record leaves nothing"
            continue
        found = [replace(taken, signature="") for _, taken in entries]
        assert found == unsigned[: len(found)]
        lengths.add(len(found))
        journal = Journals(tmp_path, lambda: 99.0).of(JOB)
        journal.open()
        list(journal.inputs())
        journal.append(Input("expired"))
        journal.close()
        assert read(tmp_path)[1] == [*entries, (99.0, Input("expired"))]
    assert lengths == set(range(len(INPUTS)))


def test_a_changed_byte_ends_what_is_believed(tmp_path: Path) -> None:
    whole = write(tmp_path).read_bytes()
    path = tmp_path / f"{JOB}.journal"
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        try:
            begun, entries = read(tmp_path)
        except ProtocolError:
            continue
        assert begun == BEGUN
        found = [replace(taken, signature="") for _, taken in entries]
        assert found == [replace(taken, signature="") for taken in INPUTS][: len(found)]


def test_a_full_disk_keeps_nothing_of_the_input_and_all_before_it(tmp_path: Path) -> None:
    path = write(tmp_path)
    journal = Journals(tmp_path, lambda: 99.0).of(JOB)
    journal.open()
    list(journal.inputs())
    large = Input("answer", "mid", "main/masked", "message", bytes(10_000))
    with full_disk(5000, path), pytest.raises(UnavailableError) as error:
        journal.append(large)
    assert error.value.code == "exchange.store"
    assert [taken for _, taken in read(tmp_path)[1]] == INPUTS
    journal.append(large)  # there is room again
    journal.close()
    assert [taken for _, taken in read(tmp_path)[1]] == [*INPUTS, large]


def test_a_beginning_that_does_not_fit_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "size"
    path.touch()
    journal = Journals(tmp_path, lambda: 0.0).of(JOB)
    with full_disk(10, path), pytest.raises(UnavailableError):
        journal.create(BEGUN)
    assert list(tmp_path.glob("*.journal")) == []


def test_a_job_has_one_journal(tmp_path: Path) -> None:
    path = write(tmp_path)
    with pytest.raises(InputError):
        Journal(path, lambda: 0.0).create(BEGUN)
    assert read(tmp_path)[0] == BEGUN
    journals = Journals(tmp_path, lambda: 0.0)
    journals.keep_only({JOB})
    assert path.exists()
    journals.keep_only(())
    assert not path.exists()


@pytest.mark.parametrize("job", ["", "../../etc/passwd", "AB" * 16, f"{JOB}\n", "ab"])
def test_only_a_job_number_names_a_file(tmp_path: Path, job: str) -> None:
    with pytest.raises(InputError) as error:
        Journals(tmp_path, lambda: 0.0).of(job)
    assert error.value.code == "plan.job"
