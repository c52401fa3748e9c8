"""Measures the risk of a file in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from desensitize.engines.child import call
from desensitize.engines.scratch import scratch
from desensitize.engines.snapshot import LoadLimits
from desensitize.policy import PublishPolicy
from desensitize.risks import RiskReport, from_dict
from desensitize.spelling import Same
from protos.faults import InputError
from protos.language import Text


@dataclass(frozen=True)
class Everybody:
    """A population as it was before any masking, and what makes it comparable with a release.

    Attributes:
        file: Everybody from whom the rows were drawn.
        policy: What was done to the release's quasi-identifiers.
        levels: Level of each column that has a hierarchy.
    """

    file: Path
    policy: PublishPolicy
    levels: Mapping[str, str]


def risk_file(
    source: Path,
    quasi: Sequence[str],
    sensitive: Sequence[str] = (),
    *,
    population: Path | Everybody | None = None,
    direct: Sequence[str] | None = None,
    same: Mapping[str, Same] | None = None,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> RiskReport:
    """Measures the risk of a file in a process of its own.

    Args:
        source: CSV (UTF-8 or GB18030), Parquet, Excel or OpenDocument.
        quasi: Columns that an attacker is taken to know.
        sensitive: Columns that he wants to know.
        population: File with everybody from whom the rows were drawn, as they are published, or
            what makes it so.
        direct: Columns in which a scan has found direct identifiers; None to scan here.
        same: Texts of sensitive columns that mean the same, by column.
        sheet: Sheet of a workbook; empty for the first.
        limits: What the process may use.
        progress: Told about rows that have been looked at.

    Raises:
        InputError: There is no such file or column, or a file is wrong.
        UnavailableError: Memory, disk or time did not suffice.
    """
    masked = population if isinstance(population, Everybody) else None
    file = population.file if isinstance(population, Everybody) else population
    if file is not None and not file.is_file():
        raise InputError(
            Text(f"{file} is no file", f"{file} 不是文件"),
            remedy=Text(
                "a release does not carry the population along: name the policy where it lies",
                "发布目录不含总体数据：请指定总体数据所在处的策略文件",
            ) if masked else "",
            code="source.not_found",
        )  # fmt: skip
    task = {
        "sheet": sheet,
        "quasi": list(quasi),
        "sensitive": list(sensitive),
        "direct": None if direct is None else list(direct),
        "population": "" if file is None else str(file.resolve()),
        "policy": masked.policy.text if masked else "",
        "folder": str(masked.policy.folder.resolve()) if masked else "",
        "levels": dict(masked.levels) if masked else {},
        "same": {name: [list(group) for group in groups] for name, groups in (same or {}).items()},
    }
    with scratch("risk") as place:
        return from_dict(
            call(
                "desensitize.engines.risk_child",
                source,
                task,
                scratch=place,
                limits=limits or LoadLimits(),
                program=Text("risk measurement", "风险度量程序"),
                progress=progress,
            )
        )
