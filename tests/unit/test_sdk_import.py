"""`from exchange import connect` works, and `import exchange` alone costs nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

import exchange

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_importing_the_package_imports_no_library(run: Run) -> None:
    code = (
        "import sys, exchange\n"
        "print(sorted({'grpc', 'pandas', 'duckdb', 'pydantic', 'opendp'} & set(sys.modules)))\n"
        "from exchange import connect\n"
        "print(connect.__module__)"
    )
    assert run(sys.executable, "-c", code).stdout == "[]\nexchange.analyst.client\n"


def test_other_names_are_missing_as_usual() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = exchange.nonsense
    assert {"connect", "Veil"} <= set(dir(exchange))
