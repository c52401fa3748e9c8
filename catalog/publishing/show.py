"""What ``veil catalog`` prints about signers and publications."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from catalog.publishing.listing import Publication
from catalog.publishing.publish import PublicationRefusedError
from catalog.publishing.signers import ROLES, Signer
from catalog.registry.vocabulary import Vocabulary
from protos import terminal
from protos.language import Text

KINDS = Vocabulary(
    Text("kind of rows", "数据性质"),
    {"copy": Text("desensitized", "脱敏"), "synthetic": Text("synthetic", "合成")},
)


def show_signers(found: Sequence[Signer], now: int) -> None:
    """Prints enrolments."""
    columns = (Text("No.", "编号"), Text("Department", "部门"), Text("Role", "角色"),
               Text("Name", "姓名"), Text("Fingerprint", "指纹"), Text("Until", "有效期至"),
               Text("Enrolled by", "登记人"), Text("State", "状态"))  # fmt: skip
    rows = [
        (each.number, each.department, ROLES.title(each.role), each.name, each.fingerprint,
         _day(each.valid_until), each.enrolled_by, _state(each, now))
        for each in found
    ]  # fmt: skip
    styles = ["" if each.valid(now) else terminal.SOFT for each in found]
    terminal.table([str(column) for column in columns], rows, right=(0,), styles=styles)


def _state(signer: Signer, now: int) -> Text:
    if signer.removed_at is not None:
        when, by, why = _day(signer.removed_at), signer.removed_by, signer.removed_reason
        if signer.compromised_from is not None:
            return Text(f"compromised; removed on {when} by {by}: {why}",
                        f"密钥泄露；{when} 由{by}移除：{why}")  # fmt: skip
        return Text(f"removed on {when} by {by}: {why}", f"{when} 由{by}移除：{why}")
    return Text("enrolled", "在册") if signer.valid(now) else Text("expired", "已过期")


def show_publications(found: Sequence[Publication]) -> None:
    """Prints publications; not as a table, in which codes would be torn into pieces."""
    for each in found:
        gone = "" if each.state == "published" else terminal.SOFT
        terminal.say(f"{each.name}  {each.source}:{each.identifier}", style=gone or "bold", hang=2)
        kind, since = KINDS.title(each.kind), _day(each.published_at)
        facts = Text(
            f"version {each.number} · {kind.en} · {each.rows:,} rows · {each.bytes:,} bytes · "
            f"since {since} · {_ended(each)}",
            f"版本 {each.number} · {kind.zh} · {each.rows:,} 行 · {each.bytes:,} 字节 · "
            f"发布于 {since} · {_ended(each)}",
        )
        terminal.say(facts, indent=2, hang=2, style=gone)


def show_refusal(refused: PublicationRefusedError) -> None:
    """Prints every reason and what to do about it."""
    terminal.say(Text("Not published:", "未发布："), style=terminal.BAD)
    for each in refused.objections:
        terminal.say(f"✗ {each.said}", style=terminal.BAD, hang=2)
        terminal.say(f"  → {each.remedy}", hang=4)


def _ended(each: Publication) -> Text:
    if each.unpublished_at is None:
        return Text("public", "公开")
    return Text(f"unpublished {_day(each.unpublished_at)}", f"{_day(each.unpublished_at)} 撤下")


def _day(second: int) -> str:
    return f"{dt.datetime.fromtimestamp(second, dt.UTC):%Y-%m-%d}"


def say_gone(gone: Sequence[Publication]) -> None:
    """Says which versions are public no more."""
    for each in gone:
        terminal.say(
            Text(f"{each.identifier} version {each.number} is no longer public.",
                 f"{each.identifier} 版本 {each.number} 已撤下。")
        )  # fmt: skip
