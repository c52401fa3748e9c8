"""Measures the risk of a file in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from desensitize.engines.child import call
from desensitize.engines.snapshot import LoadLimits
from desensitize.risks import RiskReport, from_dict
from protos.faults import InputError
from protos.language import Text


def risk_file(
    source: Path,
    quasi: Sequence[str],
    sensitive: Sequence[str] = (),
    *,
    population: Path | None = None,
    direct: Sequence[str] | None = None,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> RiskReport:
    """Measures the risk of a file in a process of its own.

    Args:
        source: CSV (UTF-8 or GB18030), Parquet, Excel or OpenDocument.
        quasi: Columns that an attacker is taken to know.
        sensitive: Columns that he wants to know.
        population: File with everybody from whom the rows were drawn.
        direct: Columns in which a scan has found direct identifiers; None to scan here.
        sheet: Sheet of a workbook; empty for the first.
        limits: What the process may use.
        progress: Told about rows that have been looked at.

    Raises:
        InputError: There is no such file or column, or a file is wrong.
        UnavailableError: Memory, disk or time did not suffice.
    """
    if population is not None and not population.is_file():
        raise InputError(
            Text(f"{population} is no file", f"{population} 不是文件"), code="source.not_found"
        )
    task = {
        "sheet": sheet,
        "quasi": list(quasi),
        "sensitive": list(sensitive),
        "direct": None if direct is None else list(direct),
        "population": "" if population is None else str(population.resolve()),
    }
    with tempfile.TemporaryDirectory(prefix="veil-risk-") as scratch:
        return from_dict(
            call(
                "desensitize.engines.risk_child",
                source,
                task,
                scratch=Path(scratch),
                limits=limits or LoadLimits(),
                program=Text("risk measurement", "风险度量程序"),
                progress=progress,
            )
        )
