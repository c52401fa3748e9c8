"""The verb `synthesise`: a release whose rows are nobody's, under differential privacy."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from desensitize.attesting.attestation import ATTESTATION, digest_of_manifest, write_attestation
from desensitize.attesting.signing import read_signing_key
from desensitize.attesting.synthetic import attest_synthetic
from desensitize.engines.snapshot import LoadLimits
from desensitize.masking.apply import Progress
from desensitize.policy_file import GivenPolicy, given_policy
from desensitize.releasing.checks import checked_scan
from desensitize.releasing.directory import check_final, publication
from desensitize.releasing.facts import (
    POLICY,
    ColumnFacts,
    Done,
    FileFacts,
    Release,
    sha256_of,
    write_manifest,
)
from desensitize.releasing.headers import check_headers
from desensitize.releasing.reading import in_child, opened, unchanged
from desensitize.releasing.record import versions
from desensitize.releasing.stages import SCANNING, Stages
from desensitize.synthesis.facts import StewardFigures, Synthesised
from desensitize.synthesis.spec import asked
from desensitize.synthesis.write import write_synthetic
from protos.language import Text

_CONCLUDES: Final = Text(
    "about the table: its distribution; about a person: what (ε, δ) allows, with all columns",
    "关于整表：其分布；关于个人：仅为各列合计的 (ε, δ) 所允许的内容",
)


@dataclass(frozen=True)
class Synthesis:
    """What came of it.

    Attributes:
        release: What stands in the manifest: public.
        steward: Exact figures of the data: not protected, and written nowhere.
        attestation: The signed file; None if nobody was to sign.
    """

    release: Release
    steward: StewardFigures
    attestation: Path | None = None


def synthesise(
    data: object,
    *,
    policy: GivenPolicy,
    out: str | os.PathLike[str],
    epsilon: float | None = None,
    delta: float | None = None,
    rows: int | None = None,
    signing_key: str | os.PathLike[str] | None = None,
    valid_days: int = 365,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Progress | None = None,
    stages: Stages | None = None,
) -> Synthesis:
    """Makes synthetic rows of a table, as a release of their own.

    A file is read in a child process with limits on memory, disk and time and without network;
    an object is read in this process. Every run spends epsilon and delta anew on every subject of
    the table. No seed makes two runs equal: OpenDP takes none, and whoever knew it would know the
    noise.

    Args:
        data: Path of a CSV, Parquet, Excel or OpenDocument file; pandas DataFrame; Arrow table,
            batch or reader; DuckDB relation.
        policy: A policy file with ``[publish.synthesis]``, the text of one, or one that was read.
        out: Directory to make; must not exist.
        epsilon: To spend less than the policy allows.
        delta: The same.
        rows: How many to draw, which costs nothing; else what the policy says, else about as many
            as there are.
        signing_key: Key file of whoever answers for it: signs an attestation. Later nobody can, for
            no rows show whether there was noise.
        valid_days: Days for which the attestation holds.
        sheet: Sheet of a workbook; empty for the first that has cells.
        limits: What the process that reads a file may use.
        progress: Called with the rows that were read.
        stages: Told what begins after the rows are written; returns whom to tell about rows.

    Raises:
        InputError: The policy or the data are wrong, more is asked than the policy allows, or
            ``out`` exists.
        TrustError: Others can read the signing key, or it is none.
        PolicyError: The scan of the output found a direct identifier: the policy's own codes are
            such.
        UnavailableError: Memory, disk or time did not suffice: nothing is published.
    """
    rules = given_policy(policy)
    wanted = asked(rules.synthesis, epsilon, delta, rows)
    final = Path(out)
    check_headers(rules)
    check_final(final)
    key = None if signing_key is None else read_signing_key(Path(signing_key))
    begins = stages or (lambda _: None)
    with publication(final) as draft:
        # The name goes where the file goes, also without its directory.
        path = draft / f"{rules.dataset}.synthetic.parquet"
        if isinstance(data, str | os.PathLike):
            source = Path(os.fspath(data))
            task = {
                "sheet": sheet,
                "policy": rules.text,
                "folder": str(rules.folder.resolve()),
                "epsilon": epsilon,
                "delta": delta,
                "rows": rows,
                "out": str(path),
            }
            with unchanged(source):
                made = Synthesised.from_dict(
                    in_child(
                        "desensitize.engines.synthesis_child",
                        source,
                        task,
                        draft,
                        limits or LoadLimits(),
                        Text("synthesis process", "合成进程"),
                        progress,
                    )
                )
        else:
            with opened(data, sheet, limits) as table:
                made = write_synthetic(table, rules, wanted, path, progress=progress)
        scanned = checked_scan(path, rules, begins(SCANNING))
        (draft / POLICY).write_bytes(rules.text.encode())
        release = Release(
            dataset=rules.dataset,
            open=rules.open,
            input=None,
            output=FileFacts(path.name, sha256_of(path), made.rows, path.stat().st_size),
            policy_sha256=rules.digest,
            versions=versions(),
            columns=tuple(
                ColumnFacts(
                    name,
                    made.stored[name],
                    rules.columns[name].type,
                    rules.columns[name].role,
                    (Done("synthetic", domain, _CONCLUDES),),
                )
                for name, domain in made.facts.domains.items()
            ),
            dropped=tuple(name for name in rules.columns if name not in made.facts.domains),
            repeatable=False,
            fresh=tuple(made.facts.domains),
            rescan=scanned,
            synthesis=made.facts,
        )
        write_manifest(release, draft)
        if key is not None:
            now, manifest = dt.datetime.now(dt.UTC), digest_of_manifest(draft)
            signed = attest_synthetic(release, rules, manifest, key, now=now, valid_days=valid_days)
            write_attestation(signed, draft)
    return Synthesis(release, made.steward, None if key is None else final / ATTESTATION)
