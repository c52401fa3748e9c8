"""The first half of a run: masks a file in a limited process, or an object in this one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from desensitize.engines.snapshot import LoadLimits
from desensitize.keys import TokenKeys
from desensitize.masking.apply import Progress, Written, write_masked
from desensitize.policy import PublishPolicy
from desensitize.releasing.facts import OriginalFacts, digest_of
from desensitize.releasing.files import digests, population_of
from desensitize.releasing.originals import digest_of_rows
from desensitize.releasing.originals import lay_down as lay_down_rows
from desensitize.releasing.reading import in_child, opened, unchanged
from desensitize.row_order import Occasion
from desensitize.salt import Salt
from protos.faults import InputError
from protos.language import Text

ORIGINAL: Final = "original.parquet"


@dataclass(frozen=True)
class Masked:
    """What came of masking.

    Attributes:
        source: What went in, as it is told.
        written: What was done.
        occasion: What the order of the rows was drawn for.
        order: Its seed.
    """

    source: OriginalFacts
    written: Written
    occasion: Occasion
    order: bytes = field(repr=False)


def from_file(
    source: Path,
    policy: PublishPolicy,
    keys: TokenKeys,
    salt: Salt,
    path: Path,
    sheet: str,
    limits: LoadLimits,
    progress: Progress | None,
) -> Masked:
    """Masks a file into ``path`` in a child process.

    Args:
        source: CSV, Parquet, Excel or OpenDocument.
        policy: What is done to every column.
        keys: Where the policy's domains have theirs.
        salt: Of the release.
        path: The Parquet file to write, in the draft of a release.
        sheet: Sheet of a workbook.
        limits: What the child may use.
        progress: Called with the rows that are done and, if known, all there are.

    Raises:
        InputError: The file is missing, cannot be read, or changed meanwhile.
        UnavailableError: Memory, disk or time did not suffice.
    """
    delta = policy.models.delta
    if delta is not None and not (policy.folder / delta.file).is_file():
        raise InputError(
            Text(f"{policy.folder / delta.file}, which delta names, is no file",
                 f"delta 指定的 {policy.folder / delta.file} 不是文件"),
            remedy=Text("write its place relative to the policy's folder",
                        "请写相对于策略所在目录的路径"),
            code="source.not_found",
        )  # fmt: skip
    in_use = keys.in_use()
    with unchanged(source):
        occasion = _occasion(policy, keys, salt, path.parent, sheet)
        digest = digest_of(source)
        order = salt.order(digest, occasion)
        task = {
            "sheet": sheet,
            "policy": policy.text,
            "folder": str(policy.folder.resolve()),
            "population": "" if delta is None else str((policy.folder / delta.file).resolve()),
            "keys": [(d, in_use[d].id, in_use[d].secret.hex()) for d in policy.domains],
            "order": order.hex(),
            "out": str(path),
        }
        program = Text("masking process", "脱敏进程")
        child = "desensitize.engines.release_child"
        body = in_child(child, source, task, path.parent, limits, program, progress)
    written = Written.from_dict(body)
    told = OriginalFacts(source.name, salt.commitment(digest), written.rows_in)
    return Masked(told, written, occasion, order)


def from_object(
    data: object,
    policy: PublishPolicy,
    keys: TokenKeys,
    salt: Salt,
    path: Path,
    sheet: str,
    limits: LoadLimits | None,
    progress: Progress | None,
    *,
    lay_down: bool,
) -> Masked:
    """Masks a table in memory into ``path``; lays its rows beside it if attacks will need them.

    Args:
        data: DataFrame, Arrow object or DuckDB relation.
        policy: What is done to every column.
        keys: Where the policy's domains have theirs.
        salt: Of the release.
        path: The Parquet file to write, in the draft of a release.
        sheet: For files only: refused.
        limits: For files only: refused.
        progress: Called with the rows that are done and, if known, all there are.
        lay_down: Whether attacks will need the rows.

    Raises:
        InputError: The object is of no known kind, or options for files were given.
        UnavailableError: Memory did not suffice.
    """
    with opened(data, sheet, limits) as table:
        table.engine.execute("SET preserve_insertion_order = true").fetchall()
        occasion = _occasion(policy, keys, salt, path.parent, sheet)
        digest = digest_of_rows(table)
        order = salt.order(digest, occasion)
        written = write_masked(table, policy, keys, path, order=order, progress=progress)
        if lay_down:
            lay_down_rows(table, path.parent / ORIGINAL)
    told = OriginalFacts(table.name, salt.commitment(digest), written.rows_in)
    return Masked(told, written, occasion, order)


def _occasion(
    policy: PublishPolicy, keys: TokenKeys, salt: Salt, draft: Path, sheet: str
) -> Occasion:
    in_use = keys.in_use()
    return Occasion(
        policy.digest,
        {domain: in_use[domain].id for domain in policy.domains},
        digests(policy, draft),
        population_of(policy, salt),
        sheet,
        secrets.token_hex(16) if policy.fresh else "",
    )
