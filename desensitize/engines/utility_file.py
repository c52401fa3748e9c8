"""Compares a release with its original in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from desensitize.engines.child import call
from desensitize.engines.scratch import scratch
from desensitize.engines.snapshot import LoadLimits
from desensitize.policy_file import GivenPolicy, given_policy
from desensitize.releasing.facts import POLICY, read_copy
from desensitize.releasing.originals import original as opened_original
from desensitize.salt import salt_of
from desensitize.usefulness import MODELS, UtilityReport, from_dict
from protos.faults import InputError
from protos.language import Text


def utility(
    original: object,
    release: str | os.PathLike[str],
    target: str,
    *,
    models: Sequence[str] = tuple(MODELS),
    policy: GivenPolicy | None = None,
    seed: int = 1,
    salt: str | os.PathLike[str] | None = None,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> UtilityReport:
    """Measures what a release is still good for: the same model from original and released rows.

    Each model learns twice, from the original rows and from the released ones, and is tested on
    the same people, whom it has not seen; the second reads them as the release would show them.
    Beside that: what each column has lost, and how far marginals have moved. The figures are for
    the steward, for they speak of the original. Both files are read in a child process with limits
    on memory, disk and time and without network.

    Args:
        original: What went in: CSV, Parquet, Excel or OpenDocument, the very bytes; or the
            DataFrame, Arrow object or DuckDB relation.
        release: Directory of the release.
        target: Published column that the models tell from the others.
        models: ``boosting``, ``linear``, or both.
        policy: The policy where its files lie; the release's copy by default.
        seed: Of the parts that are held out, and of the models.
        salt: File of the release's salt; the one beside the directory by default.
        sheet: Sheet of the original, if it is a workbook.
        limits: What the process may use.
        progress: Told how far it is.

    Raises:
        InputError: A file is missing or wrong, or the release does not show the target.
        TrustError: A file of the release, or the original, is not the one of the manifest.
        UnavailableError: Memory, disk or time did not suffice.
    """
    place = Path(release)
    if unknown := [name for name in models if name not in MODELS] or not models:
        raise InputError(
            Text(f"there is no model {unknown}", f"没有模型 {unknown}"),
            remedy=Text(f"models: {', '.join(MODELS)}", f"可用的模型：{'、'.join(MODELS)}"),
            code="utility.model",
        )
    facts = read_copy(place)
    secret = salt_of(place, salt)
    rules = given_policy(place / POLICY if policy is None else policy)
    with opened_original(original) as origin, scratch("utility") as room:
        origin.check(facts, secret, "utility.original")
        task = {
            "sheet": sheet,
            "release": str((place / facts.output.name).resolve()),
            "policy": rules.text,
            "folder": str(rules.folder.resolve()),
            "levels": dict(facts.levels),
            "order": secret.order(origin.digest, facts.occasion(sheet)).hex(),
            "target": target,
            "models": list(models),
            "seed": seed,
        }
        return from_dict(
            call(
                "desensitize.engines.utility_child",
                origin.path,
                task,
                scratch=room,
                limits=limits or LoadLimits(),
                program=Text("comparison", "效用比较程序"),
                progress=progress,
            )
        )
