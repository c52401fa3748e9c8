"""What a program asks of this package.

`scan` finds, `plan` proposes, `alternatives` says what each k would cost, `run` makes a release,
`risk` measures it, `attack` attacks it, `utility` says what it is still good for, `gate` attests it
or refuses, `report` writes what those read who sign for it, `verify` checks what was attested,
`revoke` takes it back, and `synthesise` makes rows that are nobody's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from desensitize.attacking import attack
from desensitize.attesting.gate import gate
from desensitize.attesting.revocation import revoke
from desensitize.attesting.verify import verify
from desensitize.engines.costs_file import costs_file
from desensitize.engines.risk_file import risk_file
from desensitize.engines.scan_file import scan_file
from desensitize.engines.snapshot import LoadLimits
from desensitize.engines.utility_file import utility
from desensitize.generalise.alternatives import KS, Alternative
from desensitize.policy import PublishPolicy
from desensitize.policy_file import GivenPolicy, given_policy, parse_policy
from desensitize.proposing.costs import Costs
from desensitize.proposing.costs import costs as tried
from desensitize.proposing.proposal import FACTS_MAX, proposal
from desensitize.releasing.facts import POLICY, read_copy
from desensitize.releasing.run import run
from desensitize.releasing.stages import Stages
from desensitize.releasing.synthetic import synthesise
from desensitize.reporting.write import report
from desensitize.risks import RiskReport, measure
from desensitize.scanning.findings import ScanReport, direct_cells
from desensitize.scanning.table_scan import SAMPLE_ROWS, Progress, scan_table
from desensitize.sources import open_object
from desensitize.spelling import Same
from protos.faults import InputError
from protos.language import Text

__all__ = [
    "alternatives", "attack", "gate", "plan", "report", "revoke", "risk", "run", "scan",
    "synthesise", "utility", "verify",
]  # fmt: skip


def scan(
    data: object,
    *,
    full: bool = True,
    sample_rows: int = SAMPLE_ROWS,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Progress | None = None,
) -> ScanReport:
    """Scans a table.

    A file is read in a child process with limits on memory, disk and time and without network;
    an object is scanned in this process. Nothing is changed, nothing is sent.

    Args:
        data: Path of a CSV, Parquet, Excel or OpenDocument file; pandas DataFrame; Arrow table,
            batch or reader; DuckDB relation.
        full: Look at every row. A sample is enough to see what columns are; it misses what is
            rare, so nothing may be released on it: of one leak in 10,000 cells, a sample of
            10,000 sees nothing in 37 of 100 cases.
        sample_rows: Size of the sample.
        sheet: Sheet of a workbook; empty for the first that has cells.
        limits: What the process that reads a file may use.
        progress: Called with the rows that are done and, if known, all there are.

    Raises:
        InputError: The data cannot be read, or is of no known kind.
        UnavailableError: Memory, disk or time did not suffice.
    """
    if not isinstance(data, str | os.PathLike):
        if sheet or limits is not None:
            raise _for_files(Text("`sheet` and `limits` are", "`sheet` 和 `limits` "))
        return scan_table(open_object(data), full=full, sample_rows=sample_rows, progress=progress)
    return scan_file(
        Path(os.fspath(data)),
        full=full,
        sample_rows=sample_rows,
        sheet=sheet,
        limits=limits,
        progress=progress,
    )


def plan(
    data: object,
    *,
    full: bool = True,
    sample_rows: int = SAMPLE_ROWS,
    sheet: str = "",
    limits: LoadLimits | None = None,
    stages: Stages | None = None,
) -> str:
    """Proposes a policy: scans, and says beside the models what each k would cost.

    Args:
        data: As for `scan`.
        full: Look at every row.
        sample_rows: Size of the sample.
        sheet: Sheet of a workbook.
        limits: What the process that reads a file may use.
        stages: Told what begins; returns whom to tell about rows.

    Returns:
        The text of a policy file (TOML) with comments that say why, in the language of this
        process; `run` takes it as it is, or save it and edit it.

    Raises:
        InputError: The data cannot be read, or have no rows.
        UnavailableError: Memory, disk or time did not suffice.
    """
    begins = stages or (lambda _: None)
    if isinstance(data, pa.RecordBatchReader):  # is read twice
        data = data.read_all()
    name = Path(os.fspath(data)).name if isinstance(data, str | os.PathLike) else "data"
    report = scan(
        data, full=full, sample_rows=sample_rows, sheet=sheet, limits=limits,
        progress=begins(Text(f"Scanning {name}", f"正在扫描 {name}")),
    )  # fmt: skip
    if not report.rows:
        raise InputError(
            Text(f"{report.source} has no rows: headers alone do not say what a column holds",
                 f"{report.source} 没有数据行：仅凭列名无法判断各列内容"),
            remedy=Text("name an export with its rows; in a workbook, name the sheet (--sheet)",
                        "请指定含数据的导出文件；工作簿请用 --sheet 指定工作表"),
            code="plan.empty",
        )  # fmt: skip
    draft = parse_policy(proposal(report))
    trying = Text(
        "Trying what each k would cost, and how coarse amounts must be",
        "正在比较不同 k 的代价，并试算金额的取整",
    )
    costs = _costs(
        data, draft, facts_max=FACTS_MAX, sheet=sheet, limits=limits, progress=begins(trying)
    )
    return proposal(report, costs)


def alternatives(
    data: object,
    policy: GivenPolicy,
    *,
    ks: Sequence[int] = KS,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Progress | None = None,
) -> tuple[Alternative, ...]:
    """Says what other values of k would cost: the least loss for each, nothing is written.

    Args:
        data: As for `scan`.
        policy: Whose hierarchies and other models are taken; a file, its text, or one that was
            read.
        ks: To try, each at least 2; the policy's own is added.
        sheet: Sheet of a workbook; empty for the first that has cells.
        limits: What the process that reads a file may use.
        progress: Told how many of the searches are done.

    Raises:
        InputError: The data cannot be read, or policy and data do not go together.
        UnavailableError: Memory, disk or time did not suffice.
    """
    rules = given_policy(policy)
    found = _costs(data, rules, ks=ks, sheet=sheet, limits=limits, progress=progress)
    return found.alternatives


def _costs(
    data: object,
    rules: PublishPolicy,
    *,
    ks: Sequence[int] = KS,
    facts_max: float | None = None,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Progress | None = None,
) -> Costs:
    if isinstance(data, str | os.PathLike):
        return costs_file(
            Path(os.fspath(data)), rules, ks=ks, facts_max=facts_max, sheet=sheet, limits=limits,
            progress=progress,
        )  # fmt: skip
    if sheet or limits is not None:
        raise _for_files(Text("`sheet` and `limits` are", "`sheet` 和 `limits` "))
    table = open_object(data)
    try:
        return tried(table, rules, ks=ks, facts_max=facts_max, progress=progress)
    finally:
        table.engine.close()


def risk(
    data: object,
    quasi: Sequence[str] = (),
    sensitive: Sequence[str] = (),
    *,
    population: str | os.PathLike[str] | None = None,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Progress | None = None,
) -> RiskReport:
    """Measures how identifying a table is; every cell is searched for direct identifiers too.

    Args:
        data: As for `scan`; or the directory of a release, whose policy says which columns are
            quasi-identifiers and which are sensitive.
        quasi: Columns that an attacker is taken to know.
        sensitive: Columns that he wants to know.
        population: File with everybody from whom the rows were drawn, with the same columns. For
            files only.
        sheet: Sheet of a workbook; empty for the first that has cells.
        limits: What the process that reads a file may use.
        progress: Called with the rows that are done and, if known, all there are.

    Raises:
        InputError: The data cannot be read, has no such columns, or no quasi-identifier is named.
        UnavailableError: Memory, disk or time did not suffice.
    """
    if isinstance(data, str | os.PathLike):
        source = Path(os.fspath(data))
        same: dict[str, Same] = {}
        if (place := source).is_dir():
            release = read_copy(place)
            source = place / release.output.name
            quasi = quasi or [c.name for c in release.columns if c.role == "quasi"]
            sensitive = sensitive or [c.name for c in release.columns if c.role == "sensitive"]
            said = given_policy(place / POLICY).columns
            same = {name: said[name].same for name in sensitive if name in said}
        return risk_file(
            source,
            quasi,
            sensitive,
            population=None if population is None else Path(os.fspath(population)),
            same=same,
            sheet=sheet,
            limits=limits,
            progress=progress,
        )
    if sheet or limits is not None or population is not None:
        raise _for_files(
            Text("`sheet`, `limits` and `population` are", "`sheet`、`limits` 和 `population` ")
        )
    table = open_object(data)
    try:
        found = scan_table(table, full=True, progress=progress)
        return measure(table, quasi, sensitive, direct=tuple(direct_cells(found)))
    finally:
        table.engine.close()


def _for_files(which: Text) -> InputError:
    return InputError(
        Text(f"{which.en} for files", f"{which.zh}只用于文件"),
        remedy=Text(
            "leave them out; what is in memory is read in this process",
            "请去掉这些参数；内存中的数据在当前进程内读取",
        ),
        code="source.kind",
    )
