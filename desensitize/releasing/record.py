"""What was done to every column, as the manifest records it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from desensitize.attacks import AttackReport
from desensitize.generalise.levels import methods_of
from desensitize.masking import KINDS
from desensitize.masking.base import Method, conclusion_of
from desensitize.policy import PublishedColumn, PublishPolicy
from desensitize.releasing.facts import (
    ColumnFacts,
    Done,
    FileFacts,
    Release,
    RescanFacts,
    sha256_of,
)
from desensitize.releasing.masked import Masked
from desensitize.risks import RiskReport
from desensitize.scanning.values import headers_as_told

_PACKAGES: Final = ("veil-exchange", "duckdb", "pyarrow", "cryptography", "opendp")
_KIND_OF: Final = {kind.make: kind for kind in reversed(KINDS)}


def record(
    policy: PublishPolicy,
    masked: Masked,
    path: Path,
    rescan: RescanFacts,
    risk: RiskReport | None,
    attacked: AttackReport | None,
) -> Release:
    """Puts together what the manifest says of a release.

    Args:
        policy: What was asked for.
        masked: What went in, and what the masking says of its work.
        path: The Parquet file.
        rescan: What the scan of the output found.
        risk: What was measured; None without quasi-identifiers.
        attacked: What the attacks came to; None if none were tried.
    """
    written = masked.written
    return Release(
        dataset=policy.dataset,
        open=policy.open,
        input=masked.source,
        output=FileFacts(path.name, sha256_of(path), written.rows_out, path.stat().st_size),
        policy_sha256=policy.digest,
        files=masked.occasion.files,
        population=masked.occasion.population,
        versions=versions(),
        columns=tuple(
            ColumnFacts(
                column.name,
                written.stored[column.name],
                column.type,
                column.role,
                _all_done(column, policy, written.levels),
                written.lost.get(column.name, 0),
                written.unclear.get(column.name, 0),
            )
            for column in policy.published
        ),
        dropped=tuple(column.name for column in policy.columns.values() if column.dropped),
        unmentioned=headers_as_told(written.unmentioned),
        levels=written.levels,
        suppressed_rows=written.suppressed,
        token_keys=masked.occasion.keys,
        repeatable=not written.fresh,
        drawn=masked.occasion.drawn,
        fresh=written.fresh,
        rescan=rescan,
        notes=written.notes,
        figures=written.figures
        | ({} if risk is None else {"risk": risk.to_dict()})
        | ({} if attacked is None else {"attacks": attacked.to_dict()}),
    )


def versions() -> dict[str, str]:
    """Returns the versions of what reads, computes and writes."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


def _all_done(
    column: PublishedColumn, policy: PublishPolicy, levels: Mapping[str, str]
) -> tuple[Done, ...]:
    if column.hierarchy is None or column.name not in levels:
        return tuple(map(_done, column.methods))
    [method] = methods_of(column, policy, levels)
    return (Done("level", {"level": levels[column.name]}, conclusion_of(method)),)


def _done(method: Method) -> Done:
    kind = _KIND_OF[type(method)]
    written = {kind.value: kind.name} | {name: key for key, name in kind.options.items()}
    parameters = {written[f.name]: _plain(getattr(method, f.name)) for f in fields(method)}
    return Done(kind.name, parameters, conclusion_of(method))


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return f"{value:f}" if isinstance(value, Decimal) else value
