"""What people see of certificates: lists, one certificate, a log, a verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from catalog.certificates.kinds import TITLES
from catalog.certificates.records import Record
from catalog.certificates.report import Report
from catalog.certificates.status import Purpose
from catalog.transparency.policy import LogPolicy, Seen
from exchange.proof.receipt_views import show_checks
from protos import terminal
from protos.identity import unverified_claims
from protos.language import Text, joined


@dataclass(frozen=True)
class Waiting:
    """What has no certificate yet.

    Attributes:
        what: Kind of the certificate.
        about: Job, or owner of the grant.
        problem: Why none can be issued; "" if it is only not its turn.
    """

    what: str
    about: str
    problem: str


def show_records(records: Sequence[Record], states: Sequence[Mapping[Purpose, bool]]) -> None:
    """Prints a line for each certificate."""
    if not records:
        terminal.say(_NONE)
        return
    columns = (_ID, _KIND, _DATASET, _ISSUED, _UNTIL, _STATE)
    rows = [
        (record.id[:12], TITLES[record.kind], record.dataset, _day(record.issued_at),
         _day(record.valid_until), _state(state))
        for record, state in zip(records, states, strict=True)
    ]  # fmt: skip
    terminal.table([str(column) for column in columns], rows)


def as_dicts(
    records: Sequence[Record], states: Sequence[Mapping[Purpose, bool]]
) -> list[dict[str, Any]]:
    """Returns what a list shows, for programs: whole ids, times in Unix seconds."""
    return [
        {"id": record.urn, "kind": record.kind, "dataset": record.dataset,
         "issued_at": record.issued_at, "valid_until": record.valid_until, "entry": record.entry,
         "revoked": state["revocation"], "suspended": state["suspension"]}
        for record, state in zip(records, states, strict=True)
    ]  # fmt: skip


def show_waiting(found: Sequence[Waiting]) -> None:
    """Prints what has no certificate yet."""
    if not found:
        terminal.done(Text("Everything has its certificate.", "所有事项均已有证书。"))
        return
    columns = (_KIND, Text("About", "事项"), Text("Problem", "问题"))
    rows = [
        (
            str(TITLES[each.what]),
            each.about,
            each.problem or str(Text("not yet its turn", "待签发")),
        )
        for each in found
    ]
    terminal.table([str(column) for column in columns], rows)


def show_record(
    record: Record,
    state: Mapping[Purpose, bool],
    cites: Sequence[Record],
    citing: Sequence[Record],
) -> None:
    """Prints one certificate, what it leads to, and what leads to it."""
    from catalog.certificates.qr import fingerprint_of

    claims = unverified_claims(record.token)
    terminal.heading(f"{TITLES[record.kind]} {claims['id']}")
    for name, value in claims["credentialSubject"].items():
        terminal.say(f"{name}: {_short(value)}", indent=2)
    terminal.say(
        f"{_ISSUED}: {_day(record.issued_at)}   {_UNTIL}: {_day(record.valid_until)}", indent=2
    )
    terminal.say(f"{_STATE}: {_state(state)}", indent=2)
    terminal.say(f"{_ENTRY}: {record.entry}", indent=2)
    terminal.say(f"{_FINGERPRINT}: {fingerprint_of(record.token)}", indent=2)
    for heading, others in ((_LEADS_TO, cites), (_LED_FROM, citing)):
        if others:
            terminal.heading(heading)
            for other in others:
                terminal.say(f"{other.id[:12]}  {TITLES[other.kind]}  {other.dataset}", indent=2)


def show_log(seen: Seen, policy: LogPolicy, behind: Mapping[str, int]) -> None:
    """Prints the latest checkpoint, and where each witness stands."""
    terminal.heading(seen.checkpoint.origin)
    terminal.say(f"{_ENTRIES}: {seen.checkpoint.size}", indent=2)
    terminal.say(f"{_ROOT}: {seen.checkpoint.root.hex()}", indent=2)
    terminal.say(f"{_QUORUM}: {policy.asked}", indent=2)
    rows = [
        (name, behind[name], _day(seen.witnesses.get(name)) or _NOT_YET)
        for name in policy.witnesses
    ]
    if rows:
        terminal.table([str(_WITNESS), str(_SEEN), str(_COSIGNED)], rows, right=[1])


def show_verification(report: Report, *, ours: bool = True) -> None:
    """Prints every question about a certificate with its answer, then the verdict in one line.

    Args:
        report: Of a bundle, or of somebody else's credential.
        ours: Whether it is a bundle.
    """
    show_checks(report, _BROKEN)
    if report.sound and report.lacking:
        lacking = joined((check.name for check in report.lacking), Text(" · ", "、"))
        said = Text(f"– {_INCOMPLETE.en}: {lacking.en}", f"– {_INCOMPLETE.zh}：{lacking.zh}")
        terminal.say(said, style=terminal.BAD, hang=2)
    elif report.ok:
        unasked = any(check.ok is None for check in report.checks)
        terminal.done(_HOLDS_PARTLY if unasked else _HOLDS)
    terminal.say(_SCOPE if ours else _FOREIGN_SCOPE, style=terminal.SOFT)


def _state(state: Mapping[Purpose, bool]) -> Text:
    if state["revocation"]:
        return Text("revoked", "已撤销")
    return Text("suspended", "已暂停") if state["suspension"] else Text("stands", "有效")


def _day(seconds: int | None) -> str:
    return (
        "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
    )


def _short(value: object) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{name} {_short(part)}" for name, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


_NONE: Final = Text("No certificate yet.", "尚无证书。")
_ID: Final = Text("Id", "编号")
_KIND: Final = Text("Kind", "类型")
_DATASET: Final = Text("Dataset", "数据集")
_ISSUED: Final = Text("Issued (UTC)", "签发时间（UTC）")
_UNTIL: Final = Text("Valid until", "有效期至")
_STATE: Final = Text("State", "状态")
_ENTRY: Final = Text("Entry of the log", "日志条目")
_FINGERPRINT: Final = Text("Fingerprint", "指纹")
_LEADS_TO: Final = Text("Leads to", "引用")
_LED_FROM: Final = Text("Led to by", "被引用于")
_ENTRIES: Final = Text("Entries", "条目数")
_ROOT: Final = Text("Root", "根哈希")
_QUORUM: Final = Text("Must cosign", "须会签")
_WITNESS: Final = Text("Witness", "见证方")
_SEEN: Final = Text("Has seen", "已见条目数")
_COSIGNED: Final = Text("Cosigned this one", "会签本检查点")
_NOT_YET: Final = Text("not yet", "尚未")
_INCOMPLETE: Final = Text(
    "Incomplete, the file lacks what the certificate names (ask for the one that show --linked "
    "writes, or be content with --partial)",
    "不完整，文件缺少证书所指明的内容"
    "（请索取以 show --linked 写出的文件，或加 --partial 接受部分核验）",
)
_BROKEN: Final = Text("The certificate does not hold", "证书不成立")
_HOLDS: Final = Text("Everything holds.", "全部成立。")
_HOLDS_PARTLY: Final = Text(
    "Nothing is wrong with what was checked; the lines marked – were not checked.",
    "已检查部分均成立；标记为 – 的项目未检查。",
)
_SCOPE: Final = Text(
    "A certificate proves who signed what, that it is in the log that the witnesses have seen, and "
    "that it stood on the day of its status list. It does not prove that what was signed is true.",
    "证书证明由谁签署、已收录于见证方所见的日志，以及在状态列表日期时有效；不证明所签内容属实。",
)
_FOREIGN_SCOPE: Final = Text(
    "The proof shows that this key signed these words. Neither their truth, nor whose key it is, "
    "nor a revocation was looked into.",
    "证明只说明这把密钥签署了这些内容；未核查内容是否属实、密钥归属及是否已撤销。",
)
