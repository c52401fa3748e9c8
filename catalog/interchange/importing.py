"""A file of records into the registry: all or nothing, in one transaction.

Everything is read and checked before anything is written, so every problem is told at once. What
the catalog itself objects to (a department under another name, a withdrawn code) is found within
the transaction. A run that is killed leaves the catalog as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from catalog.interchange.ckan import read_packages
from catalog.interchange.exporting import whole_text
from catalog.interchange.form import HEADERS, rows
from catalog.interchange.form_files import read_form, write_rows
from catalog.interchange.json_files import check_file, read_json, read_text
from catalog.interchange.problems import Parsed, Problem
from catalog.registry.registry import Registry
from catalog.registry.writing import Progress, Writer
from protos.faults import InputError
from protos.language import Text

_GRAPH_BYTES: Final = 64 << 20  # a graph takes fifty times as much memory as its text
_FORMS: Final = frozenset({".csv", ".txt", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})


@dataclass(frozen=True)
class Report:
    """What an import did, or would do.

    Attributes:
        records: Records in the file.
        new: Registered for the first time.
        changed: Registered as a new version.
        unchanged: Not touched.
        conflicts: Second claims to a datum that were found.
        problems: What is wrong with the others.
        bad: How many records have problems.
        written: Whether the catalog was changed.
    """

    records: int
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    conflicts: int = 0
    problems: Sequence[Problem] = ()
    bad: int = 0
    written: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        return {
            "records": self.records,
            "new": self.new,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "conflicts": self.conflicts,
            "bad": self.bad,
            "written": self.written,
            "problems": [problem.to_dict() for problem in self.problems],
        }


class _StoppedError(Exception):
    """Ends a transaction that is not to be kept."""


def read(path: Path, source: str, sheet: str = "") -> Iterator[Parsed]:
    """Yields the records of a file; its suffix says what it is.

    Args:
        path: ``.csv``, ``.xlsx`` and other workbooks are forms; ``.ttl`` and ``.jsonld`` DCAT;
            ``.json`` CKAN packages, or JSON-LD if it has a context.
        source: Catalog of records that do not say it.
        sheet: Of a workbook.

    Raises:
        InputError: It cannot be read, or is none of these.
    """
    suffix = path.suffix.lower()
    check_file(path)
    if suffix in _FORMS:
        return read_form(path, source, sheet)
    if suffix == ".json":
        body = read_json(path)
        if not (isinstance(body, dict) and "@context" in body):
            return read_packages(body, source)
    elif suffix not in {".ttl", ".jsonld"}:
        raise InputError(
            Text(f"it cannot be told what {path.name} is", f"无法判断 {path.name} 的格式"),
            remedy=Text(
                "name it .csv or .xlsx (national form), .json (CKAN), .jsonld or .ttl (DCAT)",
                "请使用 .csv、.xlsx（目录表格），.json（CKAN），.jsonld 或 .ttl（DCAT）",
            ),
            code="import.suffix",
        )
    from catalog.interchange.dcat_reading import graph_of, read_graph

    text = read_text(path, _GRAPH_BYTES)
    return read_graph(graph_of(text, "turtle" if suffix == ".ttl" else "json-ld"), source)


def import_file(
    registry: Registry,
    path: Path,
    *,
    source: str = "local",
    sheet: str = "",
    dry_run: bool = False,
    bad_file: Path | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Registers the records of a file.

    Args:
        registry: Open.
        path: See `read`.
        source: Catalog of records that do not say it.
        sheet: Of a workbook.
        dry_run: Find out everything, keep nothing.
        bad_file: Where records with problems are written, while the others are registered;
            None to register none if one has a problem. A new file: what is there stays.
        progress: Told how many records are done, and of how many.

    Returns:
        What was done; with problems and without ``bad_file``, nothing.

    Raises:
        InputError: The file cannot be read at all, or ``bad_file`` is there already.
        UnavailableError: The catalog cannot be written; nothing was.
    """
    if bad_file is not None and bad_file.exists():  # it might be the very file that is read
        raise InputError(
            Text(f"{bad_file} is there already", f"{bad_file} 已存在"),
            remedy=Text("name a new file for the records with problems",
                        "请为存在问题的记录指定一个新文件"),
            code="import.bad_file",
        )  # fmt: skip
    parsed = _without_repeats(_counted(read(path, source, sheet), progress))
    bad = [one for one in parsed if one.record is None]
    good = [one for one in parsed if one.record is not None]
    report = Report(len(parsed))
    if not parsed:
        return report
    try:
        with registry.writing() as writer:
            objected = _objections(writer, good)
            lines = {one.line for one in objected}
            good = [one for one in good if one.line not in lines]
            bad = sorted([*bad, *objected], key=lambda one: one.line)
            report = replace(report, problems=_problems(bad), bad=len(bad))
            if bad and bad_file is None:
                raise _StoppedError
            writer.put([one.record for one in good if one.record is not None], progress)
            report = replace(
                report,
                new=writer.outcomes["new"],
                changed=writer.outcomes["changed"],
                unchanged=writer.outcomes["unchanged"],
                conflicts=writer.claims.opened,
                written=not dry_run,
            )
            if dry_run:
                raise _StoppedError
            if bad_file is not None and bad:
                _write_bad(bad_file, bad)  # before the commit: no record is lost silently
    except _StoppedError:
        pass
    return report


def _counted(found: Iterator[Parsed], progress: Progress) -> Iterator[Parsed]:
    for number, one in enumerate(found, 1):
        if number % 500 == 0:
            progress(number, None)
        yield one


def _without_repeats(found: Iterator[Parsed]) -> list[Parsed]:
    """A record that comes twice has a problem the second time."""
    first: dict[tuple[str, str], int] = {}
    parsed: list[Parsed] = []
    for one in found:
        before = one.line
        if one.record is not None:
            before = first.setdefault(one.record.key, one.line)
        parsed.append(one if before == one.line else _repeated(one, before))
    return parsed


def _repeated(one: Parsed, before: int) -> Parsed:
    return _bad(
        one,
        Problem(
            one.line,
            HEADERS["identifier"],
            Text(f"the same code stands at {before} already", f"代码与第 {before} 行重复"),
            Text("a code is there once; put its lines together", "代码不得重复，请合并相关行"),
        ),
    )


def _bad(one: Parsed, problem: Problem) -> Parsed:
    raw = [] if one.record is None else list(rows(one.record))
    return Parsed(one.line, None, [problem], raw)


def _objections(writer: Writer, good: Sequence[Parsed]) -> list[Parsed]:
    writer.enrol(one.record.provider for one in good if one.record is not None)
    found = []
    for one in good:
        flaw = None if one.record is None else writer.objection(one.record)
        if flaw is not None:
            column = HEADERS.get(flaw.field, flaw.field)
            found.append(_bad(one, Problem(one.line, column, flaw.said, flaw.remedy)))
    return found


def _problems(bad: Sequence[Parsed]) -> list[Problem]:
    return sorted((p for one in bad for p in one.problems), key=lambda problem: problem.line)


def _write_bad(path: Path, bad: Sequence[Parsed]) -> None:
    """Writes what was not registered, and why: a form if it was one, else lines of JSON."""
    with whole_text(path) as file:
        if all(
            isinstance(row, dict) and row.keys() <= HEADERS.keys() for b in bad for row in b.raw
        ):
            write_rows(_explained(bad), file, more=("问题", "建议"))
        else:
            for one in bad:
                body = {
                    "line": one.line,
                    "problems": [problem.to_dict() for problem in one.problems],
                    "raw": list(one.raw),
                }
                file.write(json.dumps(body, ensure_ascii=False) + "\n")


def _explained(bad: Sequence[Parsed]) -> Iterator[dict[str, str]]:
    for one in bad:
        why = "；".join(f"第 {p.line} 行 {p.column}：{p.said.zh}" for p in one.problems)
        how = "；".join(dict.fromkeys(p.remedy.zh for p in one.problems))
        lines: Sequence[dict[str, str]] = one.raw or [{}]
        for number, row in enumerate(lines):
            yield {**row, **({"问题": why, "建议": how} if number == 0 else {})}
