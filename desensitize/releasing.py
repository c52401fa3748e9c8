"""From a table and a policy to a release: a directory that is there whole, or not at all."""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.metadata
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from desensitize.attacks import AttackReport
from desensitize.engines.attack_file import attack_file
from desensitize.engines.child import call
from desensitize.engines.risk_file import risk_file
from desensitize.engines.scan_file import scan_file
from desensitize.engines.snapshot import LoadLimits
from desensitize.engines.stored_values import quoted
from desensitize.findings import direct_cells
from desensitize.generalise.levels import hierarchy
from desensitize.keys import TokenKeys, read_keys
from desensitize.masking import KINDS
from desensitize.masking.apply import Progress, Written, write_masked
from desensitize.masking.base import Method
from desensitize.masking.format_preserving import FormatPreserving
from desensitize.policy import PublishedColumn, PublishPolicy, read_policy
from desensitize.publication import check_final, publication
from desensitize.recognisers import by_name
from desensitize.release import (
    POLICY,
    ColumnFacts,
    Done,
    FileFacts,
    Release,
    RescanFacts,
    sha256_of,
    write_manifest,
)
from desensitize.risks import RiskReport
from desensitize.sources import Table, open_object
from protos.faults import InputError, PolicyError, UnavailableError
from protos.language import Text, joined

_PACKAGES: Final = ("veil-exchange", "duckdb", "pyarrow", "cryptography", "opendp")
_ROUNDING: Final = 1e-9
_ORIGINAL: Final = "original.parquet"

Stages = Callable[[Text], Progress | None]
SCANNING: Final = Text("Scanning the output", "正在复扫输出")
MEASURING: Final = Text("Measuring its risk", "正在度量风险")
ATTACKING: Final = Text("Attacking it", "正在进行攻击测试")
_KIND_OF: Final = {kind.make: kind for kind in reversed(KINDS)}


def run(
    data: object,
    *,
    policy: Path | PublishPolicy,
    out: Path,
    token_keys: Path | TokenKeys | None = None,
    sheet: str = "",
    attack: bool = True,
    limits: LoadLimits | None = None,
    progress: Progress | None = None,
    stages: Stages | None = None,
) -> Release:
    """Makes a release: a desensitized copy, the policy, and a manifest of what was done.

    A file is read in a child process with limits on memory, disk and time and without network;
    an object is read in this process. Before the output gets its name it is scanned, measured and,
    where the policy sets limits for them, attacked.

    Args:
        data: Path of a CSV, Parquet, Excel or OpenDocument file; pandas DataFrame; Arrow table,
            batch or reader; DuckDB relation.
        policy: A policy file, or one that was read.
        out: Directory to make; must not exist.
        token_keys: Key file, or keys that were read; needed by tokens, FF1 and date shifts.
        sheet: Sheet of a workbook; empty for the first that has cells.
        attack: Try the attacks before publishing. The gate tries them in any case.
        limits: What the process that reads a file may use.
        progress: Called with the rows that are done and, if known, all there are.
        stages: Told what begins after the masking; returns whom to tell about rows.

    Returns:
        What stands in the manifest.

    Raises:
        InputError: The policy, the keys or the data are wrong, or ``out`` exists.
        TrustError: The key file is open to others, or a key is weak.
        PolicyError: The scan of the output found a direct identifier, a model does not hold of it,
            or an attack defeats it: nothing is published.
        UnavailableError: Memory, disk or time did not suffice: nothing is published.
    """
    rules = policy if isinstance(policy, PublishPolicy) else read_policy(policy)
    keys = token_keys if isinstance(token_keys, TokenKeys) else TokenKeys()
    if isinstance(token_keys, str | os.PathLike):
        keys = read_keys(Path(token_keys))
    keys.check(rules.domains)
    check_final(out)
    begins = stages or (lambda _: None)
    with publication(out) as draft:
        path = draft / f"{rules.dataset}.parquet"
        if isinstance(data, str | os.PathLike):
            source = Path(os.fspath(data))
            facts, written = _from_file(
                source, rules, keys, path, sheet, limits or LoadLimits(), progress
            )
        else:
            facts, written = _from_object(data, rules, keys, path, sheet, limits, progress)
        rescanned = _rescan(path, rules, begins(SCANNING))
        risk = _risk(path, rules, begins(MEASURING))
        attacked = None
        if attack and rules.attacks.asked:
            origin = Path(os.fspath(data)) if isinstance(data, str | os.PathLike) else None
            attacked = _attacked(origin, draft, path, rules, written, sheet, begins(ATTACKING))
        (draft / POLICY).write_bytes(rules.text.encode())
        release = _release(rules, keys, facts, written, path, rescanned, risk, attacked)
        write_manifest(release, draft)
    return release


def _from_file(
    source: Path,
    policy: PublishPolicy,
    keys: TokenKeys,
    path: Path,
    sheet: str,
    limits: LoadLimits,
    progress: Progress | None,
) -> tuple[FileFacts, Written]:
    if not source.is_file():
        raise InputError(
            Text(f"{source} is no file", f"{source} 不是文件"), code="source.not_found"
        )
    before = _version(source)
    sha256 = sha256_of(source)
    # On the disk of the output: what spills is as large as the data. It is gone before the
    # release has its name.
    scratch = path.parent / "scratch"
    scratch.mkdir(mode=0o700)
    in_use = keys.in_use()
    task = {
        "sheet": sheet,
        "policy": policy.text,
        "folder": str(policy.folder.resolve()),
        "keys": [(d, in_use[d].id, in_use[d].secret.hex()) for d in policy.domains],
        "out": str(path),
    }
    body = call(
        "desensitize.engines.release_child",
        source,
        task,
        scratch=scratch,
        limits=limits,
        program=Text("masking process", "脱敏进程"),
        progress=progress,
    )
    shutil.rmtree(scratch)
    if _version(source) != before:
        raise InputError(
            Text(f"{source.name} changed while it was read", f"{source.name} 在读取过程中被改动"),
            remedy=Text("run again when the export has ended", "请在导出结束后重新运行"),
            code="source.changed",
        )
    written = Written.from_dict(body)
    return FileFacts(source.name, sha256, written.rows_in, before[0]), written


def _from_object(
    data: object,
    policy: PublishPolicy,
    keys: TokenKeys,
    path: Path,
    sheet: str,
    limits: LoadLimits | None,
    progress: Progress | None,
) -> tuple[FileFacts, Written]:
    if sheet or limits is not None:
        raise InputError(
            Text("`sheet` and `limits` are for files", "`sheet` 和 `limits` 只用于文件"),
            remedy=Text(
                "leave them out; what is in memory is masked in this process",
                "请去掉这两个参数；内存中的数据在当前进程内脱敏",
            ),
            code="source.kind",
        )
    table = open_object(data)
    try:
        table.engine.execute("SET preserve_insertion_order = true").fetchall()
        sha256 = _sha256_of_rows(table)
        written = write_masked(table, policy, keys, path, progress=progress)
        if policy.attacks.asked:
            _lay_down(table, path.parent / _ORIGINAL)
    except (duckdb.Error, MemoryError) as error:
        raise UnavailableError(
            Text(
                f"the {table.name} table could not be masked in this process",
                f"无法在当前进程内对 {table.name} 表脱敏",
            ),
            remedy=Text(
                "free memory, or write the table to a Parquet file and release that",
                "请释放内存，或先写成 Parquet 文件再发布",
            ),
            code="source.limits",
            detail=f"{type(error).__name__}: {error}",
        ) from error
    finally:
        table.engine.close()
    return FileFacts(table.name, sha256, written.rows_in, 0), written


def _lay_down(table: Table, path: Path) -> None:
    """Writes an object's rows where the attacking process can read them."""
    listed = ", ".join(f"{column.raw} AS {quoted(column.name)}" for column in table.columns)
    reader = table.engine.sql(f"SELECT {listed} FROM {table.sql}").to_arrow_reader(65_536)  # noqa: S608
    with pq.ParquetWriter(path, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def _sha256_of_rows(table: Table) -> str:
    """Hashes an object's rows as an Arrow IPC stream."""
    listed = ", ".join(column.raw for column in table.columns)
    sql = f"SELECT {listed} FROM {table.sql}"  # noqa: S608 - own expressions
    hashed = hashlib.sha256()

    class _Sink:
        """What looks like a file and only hashes."""

        closed = False

        def write(self, content: memoryview) -> int:
            hashed.update(content)
            return len(content)

        def flush(self) -> None: ...

        def close(self) -> None: ...

    reader = table.engine.sql(sql).to_arrow_reader(65_536)
    with pa.ipc.new_stream(pa.PythonFile(_Sink(), "w"), reader.schema) as stream:
        for batch in reader:
            stream.write_batch(batch)
    return hashed.hexdigest()


# ---- the scan of the output --------------------------------------------------------------------


def _rescan(path: Path, policy: PublishPolicy, progress: Progress | None) -> RescanFacts:
    """Looks at every released cell for direct identifiers.

    Raises:
        PolicyError: There is one, and the policy's gate is ``fail_on_any_hit``.
    """
    facts = rescan(path, policy, progress)
    if facts.hits and policy.gate.rescan == "fail_on_any_hit":
        raise _refused(facts.hits)
    return facts


def rescan(path: Path, policy: PublishPolicy, progress: Progress | None = None) -> RescanFacts:
    """Looks at every cell of a released file for direct identifiers; refuses nothing."""
    report = scan_file(path, full=True, sample_rows=1, progress=progress)
    encrypted = {
        column.name
        for column in policy.published
        if column.methods and isinstance(column.methods[-1], FormatPreserving)
    }
    hits = direct_cells(report)
    return RescanFacts(
        report.rows,
        {name: found for name, found in hits.items() if name not in encrypted},
        # Encrypted in its format, a number looks like one of its kind by intention or by chance.
        {name: found for name, found in hits.items() if name in encrypted},
    )


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
            "drop, redact or tokenise these columns in the policy; "
            'gate = { rescan = "report" } publishes them all the same, and the manifest says so',
            "请在策略中对这些列使用 drop、redact 或 token；"
            '如确需发布，可写 gate = { rescan = "report" }，清单中会如实记录',
        ),
        code="release.rescan",
    )


# ---- the risk of the output --------------------------------------------------------------------


def _risk(path: Path, policy: PublishPolicy, progress: Progress | None) -> RiskReport | None:
    """Measures what was written, whatever the search has found: only this is published.

    Raises:
        PolicyError: A model does not hold of it.
    """
    # As the search sees it: what has levels is known of people, whatever the policy calls it.
    quasi = [c.name for c in policy.published if c.role == "quasi" or c.hierarchy]
    if not quasi:
        return None
    sensitive = [c.name for c in policy.published if c.role == "sensitive" and c.name not in quasi]
    report = risk_file(path, quasi, sensitive, progress=progress)
    models, wrong = policy.models, []
    if report.rows:
        if models.k is not None and report.k < models.k:
            wrong.append(f"k = {report.k} < {models.k}")
        for each in report.sensitive:
            if models.l is not None and each.l < models.l:
                wrong.append(f"{each.name}: l = {each.l} < {models.l}")
            if models.t is not None and each.t > models.t + _ROUNDING:
                wrong.append(f"{each.name}: t = {each.t:.3f} > {models.t:g}")
    if wrong:
        raise PolicyError(
            Text(
                f"the models do not hold of the output: {'; '.join(wrong)}. Nothing was published",
                f"输出不满足隐私模型：{'；'.join(wrong)}。未发布任何内容",
            ),
            remedy=Text(
                "give every quasi-identifier a hierarchy, and none of them noise",
                "请为每个准标识符设置层级，且不要对其加噪声",
            ),
            code="release.models",
        )
    return report


# ---- attacks on the output ---------------------------------------------------------------------


def _attacked(
    origin: Path | None,
    draft: Path,
    path: Path,
    policy: PublishPolicy,
    written: Written,
    sheet: str,
    progress: Progress | None,
) -> AttackReport:
    """Tries the attacks for which the policy sets limits, and the others with them.

    Raises:
        PolicyError: One of them breaks its limit, or could not be tried.
    """
    copy = draft / _ORIGINAL
    report = attack_file(
        origin or copy,
        path,
        policy,
        levels=written.levels,
        today=dt.datetime.now(dt.UTC).date(),
        sheet=sheet,
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


# ---- the facts ---------------------------------------------------------------------------------


def _release(
    policy: PublishPolicy,
    keys: TokenKeys,
    source: FileFacts,
    written: Written,
    path: Path,
    rescan: RescanFacts,
    risk: RiskReport | None,
    attacked: AttackReport | None,
) -> Release:
    in_use = keys.in_use()
    return Release(
        dataset=policy.dataset,
        open=policy.open,
        input=source,
        output=FileFacts(path.name, sha256_of(path), written.rows_out, path.stat().st_size),
        policy_sha256=policy.digest,
        versions={name: importlib.metadata.version(name) for name in _PACKAGES},
        columns=tuple(
            ColumnFacts(
                column.name,
                written.stored[column.name],
                column.type,
                column.role,
                _all_done(column, written.levels.get(column.name), policy.folder),
                written.lost.get(column.name, 0),
            )
            for column in policy.published
        ),
        dropped=tuple(column.name for column in policy.columns.values() if column.dropped),
        unmentioned=written.unmentioned,
        levels=written.levels,
        suppressed_rows=written.suppressed,
        token_keys={domain: in_use[domain].id for domain in policy.domains},
        repeatable=not written.fresh,
        fresh=written.fresh,
        rescan=rescan,
        notes=written.notes,
        figures=written.figures
        | ({} if risk is None else {"risk": risk.to_dict()})
        | ({} if attacked is None else {"attacks": attacked.to_dict()}),
    )


def _all_done(column: PublishedColumn, level: str | None, folder: Path) -> tuple[Done, ...]:
    if column.hierarchy is None or level is None:
        return tuple(map(_done, column.methods))
    levels = hierarchy(column.name, column.hierarchy, folder)
    method = levels.methods[levels.names.index(level)]
    return (Done("level", {"level": level}, method.concludes),)


def _done(method: Method) -> Done:
    kind = _KIND_OF[type(method)]
    written = {kind.value: kind.name} | {name: key for key, name in kind.options.items()}
    parameters = {written[f.name]: _plain(getattr(method, f.name)) for f in fields(method)}  # type: ignore[arg-type]  # every method is a dataclass
    return Done(kind.name, parameters, method.concludes)


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return f"{value:f}" if isinstance(value, Decimal) else value


def _version(source: Path) -> list[int]:
    status = source.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
