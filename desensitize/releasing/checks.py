"""The second half of a run: refuses an output that a scan, a model or an attack finds wanting."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from desensitize.attacks import AttackReport
from desensitize.engines.attack_file import attack_file
from desensitize.engines.risk_file import Everybody, risk_file
from desensitize.engines.scan_file import scan_file
from desensitize.engines.snapshot import LoadLimits
from desensitize.generalise.levels import written_in
from desensitize.masking.apply import Progress
from desensitize.masking.format_preserving import FormatPreserving
from desensitize.policy import PublishPolicy
from desensitize.recognisers import by_name
from desensitize.releasing.earlier import EarlierRelease
from desensitize.releasing.facts import (
    POLICY,
    RescanFacts,
)
from desensitize.releasing.files import names
from desensitize.releasing.headers import values_in
from desensitize.releasing.masked import ORIGINAL, Masked
from desensitize.risks import RiskReport, asked
from desensitize.scanning.finder import find
from desensitize.scanning.findings import direct_cells
from protos.faults import PolicyError
from protos.language import Text, joined

# ---- the scan of the output --------------------------------------------------------------------


def checked_scan(
    path: Path,
    policy: PublishPolicy,
    progress: Progress | None,
    limits: LoadLimits | None = None,
) -> RescanFacts:
    """Looks at every released cell for direct identifiers.

    Raises:
        PolicyError: There is one, and the policy's gate is ``fail_on_any_hit``.
    """
    facts = rescan(path, policy, progress, limits)
    if facts.hits and policy.gate.rescan == "fail_on_any_hit":
        raise _refused(facts.hits)
    return facts


def rescan(
    path: Path,
    policy: PublishPolicy,
    progress: Progress | None = None,
    limits: LoadLimits | None = None,
) -> RescanFacts:
    """Looks at every cell of a released file for direct identifiers; refuses nothing.

    And at what is published with it: hierarchy files, which spell out what a level hides, and
    names of columns, which are values where a table came without a header.
    """
    report = scan_file(path, full=True, sample_rows=1, limits=limits, progress=progress)
    encrypted = {
        column.name
        for column in policy.published
        if column.methods and isinstance(column.methods[-1], FormatPreserving)
    }
    hits = direct_cells(report)
    return RescanFacts(
        report.rows,
        {name: found for name, found in hits.items() if name not in encrypted}
        | _listed(path.parent, policy),
        # Encrypted in its format, a number looks like one of its kind by intention or by chance.
        {name: found for name, found in hits.items() if name in encrypted},
    )


def _listed(directory: Path, policy: PublishPolicy) -> dict[str, dict[str, int]]:
    """Counts direct identifiers in a release's hierarchy files and header, by file and type."""
    texts = {
        name: written_in(directory / name)
        for name in names(policy)
        if (directory / name).is_file()  # synthetic rows bring none along
    }
    found: dict[str, dict[str, int]] = {}
    for name, listed in texts.items():
        hits = [hit for hit in find(listed) if hit.recogniser.role == "direct"]
        if cells := {(hit.cell, hit.recogniser.name) for hit in hits}:
            found[name] = dict(Counter(kind for _, kind in cells))
    if headers := values_in(policy):
        found[POLICY] = dict(Counter(headers.values()))
    return found


def _refused(hits: Mapping[str, Mapping[str, int]]) -> PolicyError:
    english, chinese = [], []
    for column, types in hits.items():
        for name, cells in types.items():
            title = by_name()[name].title
            english.append(f"{title.en} in {cells:,} cell{'s' * (cells != 1)} of {column!r}")
            chinese.append(f"“{column}”有 {cells:,} 个单元格含{title.zh}")
    return PolicyError(
        Text(
            f"the output still holds {'; '.join(english)}. Nothing was published",
            f"输出中仍有直接标识符：{'；'.join(chinese)}。未发布任何内容",
        ),
        remedy=Text(
            "drop, redact or tokenise these columns in the policy, and take such values out of "
            "hierarchy files, which are published with it; "
            'gate = { rescan = "report" } publishes them all the same, and the manifest says so',
            "请在策略中对这些列使用 drop、redact 或 token，并从随发布公开的层级文件中删去这些值；"
            '如确需发布，可写 gate = { rescan = "report" }，清单中会如实记录',
        ),
        code="release.rescan",
    )


# ---- the risk of the output --------------------------------------------------------------------


def checked_risk(
    path: Path,
    policy: PublishPolicy,
    levels: Mapping[str, str],
    scanned: RescanFacts,
    progress: Progress | None,
    limits: LoadLimits | None = None,
) -> RiskReport | None:
    """Measures what was written, whatever the search has found: only this is published.

    Raises:
        PolicyError: A model does not hold of it.
    """
    report = measured(path, policy, levels, scanned, limits=limits, progress=progress)
    if report is None:
        return None
    if report.rows and (wrong := [each for each in asked(policy, report) if not each.held]):
        raise PolicyError(
            Text(
                f"the models do not hold of the output: {joined(e.said for e in wrong).en}. "
                "Nothing was published",
                f"输出不满足隐私模型：{joined(e.said for e in wrong).zh}。未发布任何内容",
            ),
            remedy=Text(
                "give every quasi-identifier a hierarchy, and none of them noise",
                "请为每个准标识符设置层级，且不要对其加噪声",
            ),
            code="release.models",
        )
    return report


def measured(
    path: Path,
    policy: PublishPolicy,
    levels: Mapping[str, str],
    scanned: RescanFacts,
    *,
    limits: LoadLimits | None = None,
    progress: Progress | None = None,
) -> RiskReport | None:
    """Measures a released file, beside a population if the policy names one; refuses nothing.

    Args:
        path: The file.
        policy: Which columns are what.
        levels: Level of each column that has a hierarchy, for the population.
        scanned: What a scan of it has found.
        limits: What the process may use.
        progress: Told about rows.

    Returns:
        None if no quasi-identifier is published.
    """
    # As the search sees it: what has levels is known of people, whatever the policy calls it.
    quasi = [column.name for column in policy.published if column.quasi]
    if not quasi:
        return None
    sensitive = [column.name for column in policy.published if column.sensitive]
    everybody = None
    if policy.models.delta is not None:
        everybody = Everybody(policy.folder / policy.models.delta.file, policy, levels)
    return risk_file(
        path, quasi, sensitive, population=everybody, direct=scanned.columns, limits=limits,
        progress=progress, same={name: policy.columns[name].same for name in sensitive},
    )  # fmt: skip


# ---- attacks on the output ---------------------------------------------------------------------


def checked_attacks(
    origin: Path | None,
    draft: Path,
    path: Path,
    policy: PublishPolicy,
    masked: Masked,
    earlier: Sequence[EarlierRelease],
    sheet: str,
    *,
    limits: LoadLimits | None = None,
    progress: Progress | None = None,
) -> AttackReport:
    """Tries the attacks for which the policy sets limits, and the others with them.

    Earlier releases of the dataset are read beside it.

    Raises:
        PolicyError: One of them breaks its limit, or could not be tried.
    """
    copy = draft / ORIGINAL
    report = attack_file(
        origin or copy,
        path,
        policy,
        levels=masked.written.levels,
        today=dt.datetime.now(dt.UTC).date(),
        order=masked.order,
        earlier=earlier,
        sheet=sheet,
        limits=limits,
        progress=progress,
    )
    copy.unlink(missing_ok=True)
    beaten = [
        finding
        for finding in report.findings
        if finding.verdict == "broken"
        or (finding.verdict == "unknown" and finding.threshold is not None)
    ]
    if beaten:
        raise PolicyError(
            Text(
                f"{joined(f.reason for f in beaten).en}. Nothing was published",
                f"{joined(f.reason for f in beaten).zh}。未发布任何内容",
            ),
            remedy=joined(dict.fromkeys(f.remedy for f in beaten if str(f.remedy))),
            code="release.attacks",
        )
    return report
