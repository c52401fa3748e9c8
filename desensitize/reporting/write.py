"""The verb `report`: writes the page, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from desensitize.engines.costs_file import costs_file
from desensitize.engines.snapshot import LoadLimits
from desensitize.generalise.alternatives import Alternative
from desensitize.policy_file import read_policy
from desensitize.releasing.facts import POLICY, read_copy
from desensitize.releasing.originals import original as opened_original
from desensitize.reporting.contents import Contents, read_contents
from desensitize.reporting.page import page
from desensitize.salt import salt_of
from protos.faults import InputError
from protos.language import Language, Text, language
from protos.whole_file import check_place, write_whole

REPORT = "report.html"


def report(
    directory: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    original: object = None,
    salt: str | os.PathLike[str] | None = None,
    first: Language | None = None,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Contents:
    """Writes the report on a release: one HTML page for those who sign for it.

    Args:
        directory: The release, attested or not.
        out: The page, a new file; ``report.html`` in the current directory by default.
        original: What the release was made from, a file or the DataFrame, Arrow object or DuckDB
            relation; with it the page shows what other k would cost.
        salt: File of the release's salt; the one beside the directory by default.
        first: Language that is shown first; this process's by default.
        sheet: Sheet of the original.
        limits: What the process that reads the original may use.
        progress: Told how many of the searches over the original are done.

    Returns:
        What the page says.

    Raises:
        InputError: It is no release, ``out`` exists or cannot be written.
        TrustError: A file is not the one that the manifest speaks of.
        UnavailableError: The disk is full, or memory or time did not suffice.
    """
    place, path = Path(directory), Path(out if out is not None else REPORT)
    check_new(path)
    costs: Sequence[Alternative] = ()
    if original is not None:
        release = read_copy(place)
        secret = salt_of(place, salt)
        rules = read_policy(place / POLICY)
        with opened_original(original) as origin:
            origin.check(release, secret, "report.original")
            if rules.models.asked:
                found = costs_file(
                    origin.path, rules, sheet=sheet, limits=limits, progress=progress
                )
                costs = found.alternatives
    contents = read_contents(place, alternatives=costs)
    _write(path, page(contents, first or language()))
    return contents


def check_new(path: Path) -> None:
    """Refuses, before any work, a file that exists or could not be written.

    Raises:
        InputError: It is so.
    """
    if path.exists():
        raise InputError(
            Text(f"{path} exists already", f"{path} 已存在"),
            remedy=Text("name another file with --out", "请用 --out 指定其他文件"),
            code="report.exists",
        )
    check_place(path)


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode(), mode=0o644, new=True)
    except FileExistsError:
        check_new(path)
        raise
