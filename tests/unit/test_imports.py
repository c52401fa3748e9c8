"""What a process does not need it does not import: memory and start-up of every node."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

NODE = """
import io
from pyarrow import csv
from catalog.algebra import Aggregate, ColumnRef, Key, Measure
from desensitize.budget import rho_for
from compute_nodes import daemon
from compute_nodes.engines.render import to_vector
from compute_nodes.noise import draw_noise

ask = Aggregate("d", None, (Key(ColumnRef("k"), ("a", "b")),), (Measure("rows"),))
table = csv.read_csv(io.BytesIO(b"k0,m0\\nb,3\\nc,9\\na,2\\n"))
assert to_vector(table, ask) == [2, 3]
assert len(draw_noise((rho_for(1.0, 1e-6) + 2.0,), 2)) == 2
"""
ANALYST = """
from exchange import connect
from exchange.commands import sql
from catalog.sql_gate import parse
parse("SELECT COUNT(*) AS n FROM visits")
"""
NOISE = """
from desensitize.synthesis.noise import noisy_choice, noisy_counts
assert len(noisy_counts([1, 2], 1.0, 1).counts) == 2
assert noisy_choice([0, 1], 1.0, 1)[0] in (0, 1)
"""
HEAVY = ("pandas", "sklearn", "tenseal", "phe", "IPython", "matplotlib", "jupyter_client")


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (NODE, (*HEAVY, "duckdb")),
        (ANALYST, (*HEAVY, "opendp")),
        ("import exchange.serving.serve", HEAVY),
        ("import catalog.web.app", HEAVY),
        ("import desensitize", (*HEAVY, "duckdb")),
        ("from desensitize import utility", ("sklearn", "scipy")),
        (NOISE, HEAVY),
    ],
    ids=["node", "analyst", "exchange", "catalog", "steward", "utility", "synthesis"],
)
def test_nothing_heavy_is_imported_ahead_of_need(
    run: Run, code: str, absent: tuple[str, ...]
) -> None:
    asked = f"{code}\nimport sys\nprint(sorted(set({absent!r}) & set(sys.modules)))"
    done = run(sys.executable, "-c", asked)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stdout + done.stderr
