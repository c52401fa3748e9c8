"""Children that read foreign files: another try where memory was short, and a light start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from desensitize.engines.child import call
from desensitize.engines.snapshot import LoadLimits
from protos.faults import UnavailableError
from protos.language import Text

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(("processors", "tried"), [(64, [8, 1]), (2, [2, 1]), (1, [1])])
def test_memory_that_is_too_little_for_many_threads_may_suffice_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processors: int, tried: list[int]
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    source, scratch = tmp_path / "t.csv", tmp_path / "scratch"
    source.touch()

    def asked(sheet: str) -> tuple[list[int], dict[str, object]]:
        seen: list[int] = []
        scratch.mkdir()
        try:
            answer = call(
                "tests.limited_child", source, {"sheet": sheet}, scratch=scratch,
                limits=LoadLimits(), program=Text("reader", "读取程序"),
                progress=lambda threads, _: seen.append(threads),
            )  # fmt: skip
        except UnavailableError as error:
            answer = {"code": error.code, "detail": error.detail}
        return seen, answer

    assert asked("") == (tried, {"threads": 1, "found": []})  # nothing is left of the first try
    assert source.exists()
    for path in (scratch / "spill" / "rows", scratch / "source.parquet"):
        path.unlink()
    (scratch / "spill").rmdir()
    scratch.rmdir()
    assert asked("endless") == (tried, {"code": "source.limits", "detail": "spill"})


def test_pandas_is_not_loaded_for_nothing(run: Run) -> None:
    code = (
        "import sys, desensitize.verbs\n"
        "assert 'pandas' not in sys.modules, 'by naming the verbs'\n"
        "from desensitize.engines.limits import without_pandas\n"
        "without_pandas()\n"
        "import pyarrow as pa\n"
        "assert pa.array(['x']).to_numpy(zero_copy_only=False)[0] == 'x'\n"
        "assert 'pandas' not in sys.modules, 'by the first array of a child'\n"
    )
    said = run(sys.executable, "-c", code)
    assert said.returncode == 0, said.stderr
