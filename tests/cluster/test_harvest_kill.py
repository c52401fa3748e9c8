"""A city's portal and the province's harvest as real processes; the harvest is killed midway."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from catalog.harvest.sources import Harvest, add, last_run
from catalog.province.build import province as made_up
from catalog.registry.registry import create, opened
from tests.harvest_world import read

VEIL = Path(sys.executable).with_name("veil")


def run(province: Path) -> dict[str, Any]:
    """Runs the harvest to its end; gives what it says."""
    command = [VEIL, "catalog", "harvest", "run", "city", "--dir", province, "--json"]
    made = subprocess.run(command, check=True, capture_output=True, text=True, timeout=90)
    [said] = json.loads(made.stdout)
    assert isinstance(said, dict)
    return said


@contextmanager
def portal(directory: Path) -> Iterator[str]:
    """Serves a city's catalog in a process of its own; gives its address."""
    command = [VEIL, "portal", "serve", "--dir", directory, "--address", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, "the portal did not say where it is"
            yield found.group()
        finally:
            process.terminate()


def follow(place: Path, datasets: int, kills: int) -> None:
    """Harvests a city, killing the harvest after some pages, as often as is asked for."""
    city, province = place / "city", place / "province"
    create(city)
    create(province)
    with opened(city) as theirs:
        theirs.register(list(made_up(datasets, 1)))
    with portal(city) as url:
        with opened(province) as ours:
            page = f"{url}/catalog.ttl?limit=20"
            harvest = Harvest("city", page, networks=("127.0.0.0/8",), pause_ms=100)
            add(ours.database, harvest, ours.now())
        for kill in range(kills):
            with subprocess.Popen(
                [VEIL, "catalog", "harvest", "run", "city", "--dir", str(province)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            ) as process:  # fmt: skip
                pages = wait_for_pages(province, process, 2 * kill + 1)
                process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
            assert pages >= 2 * kill + 1
        last = run(province)
        assert (last["state"], last["number"], last["problems"]) == ("complete", 1, [])
        with opened(province) as ours:
            again, _ = read(ours, harvest)
        assert again.confirmed == again.pages == last["pages"]
    with opened(city) as theirs, opened(province) as ours:
        wanted = {r.identifier: r for r in theirs.records() if r.opening.attribute != "none"}
        found = {r.identifier: r for r in ours.records()}
        assert found.keys() == wanted.keys()
        assert last["new"] == len(wanted)
        assert all(found[code].items == wanted[code].items for code in wanted)
        assert {r.source for r in found.values()} == {"city.guangdong"}


def wait_for_pages(province: Path, process: subprocess.Popen[bytes], wanted: int) -> int:
    """Waits until a run has entered some pages."""
    with opened(province) as registry:
        while process.poll() is None:
            with registry.database.read() as connection:
                found = last_run(connection, "city")
            if found is not None and found.pages >= wanted:
                return found.pages
            time.sleep(0.02)
    pytest.fail("the harvest ended before it was killed")


def test_a_harvest_is_killed_once_and_goes_on(tmp_path: Path) -> None:
    follow(tmp_path, datasets=150, kills=1)


@pytest.mark.slow
def test_a_harvest_is_killed_again_and_again(tmp_path: Path) -> None:
    follow(tmp_path, datasets=2000, kills=12)
