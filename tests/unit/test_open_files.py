"""A server takes as many open files as the system lets it have."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import resource, sys
from protos.open_files import allow_files
resource.setrlimit(resource.RLIMIT_NOFILE, tuple(map(int, sys.argv[1:3])))
print(allow_files(900), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def limits(soft: int, hard: int) -> list[int]:
    """Returns what it says, and the limits of such a process afterwards."""
    command = [sys.executable, "-c", CODE, str(soft), str(hard)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    return [int(each) for each in ran.stdout.split()]


def test_the_soft_limit_is_raised_as_far_as_is_needed_and_allowed() -> None:
    assert limits(100, 800) == [800, 800, 800]
    assert limits(100, 1000) == [900, 900, 1000]
    assert limits(950, 1000) == [950, 950, 1000]
