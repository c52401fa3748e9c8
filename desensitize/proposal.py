"""Proposes a policy from a scan: one method for each column, and in a comment why.

What is proposed is a beginning. It fails closed: free text, what names people and what nothing is
known about is dropped. It keeps what datasets are opened for: figures, coarse places and times.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from desensitize.findings import ColumnFinding, ScanReport
from desensitize.show import ROLES
from protos.language import Text, joined

_TOKENS: Final = frozenset(
    {"cn_resident_id", "cn_passport", "cn_hk_macao_permit", "cn_taiwan_permit"}
    | {"cn_driving_licence", "cn_social_security", "medical_record"}
)
_DATES: Final = frozenset({"birth_date", "event_date"})
_PLACES: Final = frozenset({"cn_address", "division"})
_AMOUNTS: Final = frozenset({"income", "amount"})
_STEP: Final = 100


@dataclass(frozen=True)
class Proposed:
    """What is proposed for one column.

    Attributes:
        why: For people.
        method: As a policy writes it (TOML); empty if the column gets a hierarchy.
        hierarchy: Levels from fine to coarse; empty if it gets a method.
    """

    why: Text
    method: str = ""
    hierarchy: tuple[str, ...] = ()


def propose(column: ColumnFinding, domain: str) -> Proposed:
    """Proposes what becomes of one column.

    Args:
        column: As the scan found it.
        domain: Of token keys.
    """
    leaks = any(count.inside for count in column.counts.values()) or column.type == "free_text"
    if leaks and column.type not in _PLACES:
        return Proposed(
            Text(
                "text in which people are named cannot be masked reliably; review it by hand if it "
                "is needed",
                "文本中可能出现个人信息，无法可靠脱敏；如确有需要，请人工审核",
            ),
            method='"drop"',
        )
    if column.type in _TOKENS:
        return Proposed(
            Text(
                "rows of one person stay linkable, and only the key holder can make tokens; "
                "drop it if nothing is linked",
                "同一人的记录仍可关联，仅密钥持有者可生成令牌；无需关联时请改为 drop",
            ),
            method=f'{{ token = "{domain}" }}',
        )
    if column.type in _PLACES:
        return Proposed(
            Text(
                "the division is enough for statistics; the models choose how coarse",
                "统计用到行政区划即可，粗细由隐私模型选定",
            ),
            hierarchy=("district", "city", "province", "*"),
        )
    if column.role == "direct" or column.type == "secret":
        return Proposed(
            Text(
                "names a person or opens an account; nothing is computed with it",
                "可直接识别个人或账户，统计中用不到",
            ),
            method='"drop"',
        )
    if column.type in _DATES and column.role == "quasi":
        return Proposed(
            Text(
                "a day of birth singles people out; the models choose how coarse",
                "出生日期等可辨识个人，粗细由隐私模型选定",
            ),
            hierarchy=("month", "year", "5y", "10y", "*"),
        )
    if column.type == "age":
        return Proposed(
            Text("bands of years; the models choose how wide", "按年龄段分组，宽度由隐私模型选定"),
            hierarchy=("5", "10", "20", "*"),
        )
    if column.role == "quasi":
        return Proposed(
            Text("kept unless the models need it gone", "除非隐私模型要求，否则保留"),
            hierarchy=("*",),
        )
    if column.type in _AMOUNTS:
        return Proposed(
            Text(
                "the greatest amounts are known in public; exact ones can be looked up",
                "最大的金额众所周知，精确金额可用于比对",
            ),
            method=f'{{ top_code = "p99.5", round = {_STEP} }}',
        )
    if column.role == "sensitive":
        return Proposed(
            Text(
                "what the dataset is about; l and t keep it from being learnt about a person",
                "数据集的研究内容；由 l 与 t 防止推断到个人",
            ),
            method='"keep"',
        )
    return Proposed(
        Text(
            'nothing is known about it: write "keep" if everybody may read it',
            '内容不明：如确认可公开，请改为 "keep"',
        ),
        method='"drop"',
    )


def proposal(report: ScanReport) -> str:
    """Returns a policy file as text, in the language of this process."""
    dataset = dataset_name(report.source)
    proposed = {column.name: propose(column, dataset) for column in report.columns}
    lines = [*_head(report), f'dataset = "{dataset}"', 'open = "conditional"', ""]
    for column in report.columns:
        lines += _column(column)
    lines += ["[publish]", 'unknown_column = "drop"', 'gate = { rescan = "fail_on_any_hit" }']
    if any(each.hierarchy for each in proposed.values()):
        lines += _models(report)
    lines.append("")
    for part in ("methods", "hierarchies"):
        own = [(name, _value(each, part), each.why) for name, each in proposed.items()]
        if own := [(name, value, why) for name, value, why in own if value]:
            lines.append(f"[publish.{part}]")
            for name, value, why in own:
                lines += [f"# {_line(why)}", f"{quoted_key(name)} = {value}"]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def dataset_name(source: str) -> str:
    """Returns a name of a dataset from that of a file: small letters, digits, underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", PurePath(source).stem.lower()).strip("_")
    return (name if name[:1].isalpha() else f"dataset_{name}".strip("_"))[:63]


def quoted_key(name: str) -> str:
    """Returns a name as a quoted key of TOML; headers have blanks and line breaks in them."""
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(each: Proposed, part: str) -> str:
    if part == "methods":
        return each.method
    return json.dumps(each.hierarchy) if each.hierarchy else ""


def _head(report: ScanReport) -> Iterator[str]:
    yield "# " + _line(
        Text(
            f"Proposed for {report.source} by 'veil desensitize plan'. Read it line by line: "
            "a scan does not know what a column is for.",
            f"由 veil desensitize plan 为 {report.source} 生成的建议策略。请逐行审阅：扫描并不知道"
            "各列的用途。",
        )
    )
    if not report.complete:
        yield "# " + _line(
            Text(
                f"It rests on a sample of {report.rows:,} rows; plan from all rows before you "
                "release.",
                f"仅依据 {report.rows:,} 行抽样；发布前请用全量扫描重新生成。",
            )
        )
    yield "# " + _line(
        Text("Columns that [publish] does not name are dropped.", "[publish] 未提及的列会被删除。")
    )
    yield ""


def _column(column: ColumnFinding) -> Iterator[str]:
    title = column.title if str(column.title) else Text("unknown", "未知")
    why = joined(column.evidence) if column.evidence else Text("", "")
    yield f"# {_line(title)} – {_line(ROLES[column.role])}" + (f" – {_line(why)}" if why.en else "")
    yield f"[columns.{quoted_key(column.name)}]"
    if column.type:
        yield f'type = "{column.type}"'
    yield f'role = "{column.role}"'
    yield f"grade = {column.grade}"
    yield ""


def _models(report: ScanReport) -> Iterator[str]:
    sensitive = any(column.role == "sensitive" for column in report.columns)
    yield "# " + _line(
        Text(
            "Every combination of quasi-identifiers is shared by at least k people; at most 2 % of "
            "the rows may be left out for it.",
            "每一种准标识符组合至少由 k 人共有；为此最多可删去 2% 的记录。",
        )
    )
    extra = ", l = 2" if sensitive else ""
    yield f"models = {{ k = 5{extra}, max_suppressed = 0.02 }}"


def _line(text: Text) -> str:
    """A text as one line of a comment."""
    return " ".join(str(text).split())
