"""Proposes a policy from a scan: one method for each column, and in a comment why.

What is proposed is a beginning. It fails closed: free text, what names people and what nothing is
known about is dropped. It keeps what datasets are opened for: figures, coarse places and times.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from desensitize.generalise.alternatives import Alternative
from desensitize.scanning.days import DATED
from desensitize.scanning.findings import ColumnFinding, ScanReport
from desensitize.scanning.places import PLACES
from desensitize.show.scan import ROLES
from desensitize.vocabulary import LISTS
from protos.language import Text, joined

_PERSONS: Final = frozenset(
    {"cn_resident_id", "cn_passport", "cn_hk_macao_permit", "cn_taiwan_permit"}
    | {"cn_driving_licence", "cn_social_security", "medical_record", "register_number"}
)


_K: Final = 5
_NUMBERS: Final = 0.95
_CODES: Final = 20
_LISTED: Final = 0.8
_BAR: Final = 20
_WORDS: Final = {"health", "belief", "record"}
"""Sensitive types whose values are words, so that two can mean the same."""
_NODES: Final = 100_000
"""Of a proposal's lattice: some seconds for each k, where what is allowed can take many minutes."""
_JUDGED: Final = 1_000_000
"""Of its nodes, each with each sensitive column."""


def _has_list(name: str) -> Callable[[ColumnFinding], bool]:
    """Whether a column is of an attribute whose list of groups has most of its words."""
    return lambda column: column.type == name and column.lists.get(name, 0.0) >= _LISTED


@dataclass(frozen=True)
class Rule:
    """What is proposed for one kind of column.

    Attributes:
        applies: To which columns.
        method: As a policy writes it (TOML), ``DATASET`` standing for the dataset's name and
            ``STEP`` for what leaves two digits of the usual value; or the levels of a hierarchy,
            from fine to coarse, of which the models choose one.
        why: For people.
    """

    applies: Callable[[ColumnFinding], bool]
    method: str | tuple[str, ...]
    why: Text


RULES: Final[tuple[Rule, ...]] = (
    Rule(lambda c: c.type != "cn_address" and _is_text(c), '"drop"', Text(
        "text in which people are named cannot be masked reliably; review it by hand if needed",
        "文本中可能出现个人信息，无法可靠脱敏；如确有需要，请人工审核")),
    Rule(lambda c: c.type in _PERSONS, '{ token = "DATASET" }', Text(
        "rows of one person stay linkable, and only the key holder can make tokens; drop it if "
        "nothing is linked",
        "同一人的记录仍可关联，仅密钥持有者可生成令牌；无需关联时请改为 drop")),
    Rule(lambda c: c.type == "cn_address", ("district", "city", "province", "*"), Text(
        "the division is enough for statistics; the models choose how coarse",
        "统计用到行政区划即可；粗细由隐私模型选定")),
    Rule(lambda c: c.type == "division" and c.divisions >= PLACES,
         ("district", "city", "province", "*"), Text(
        "divisions have levels of their own; the models choose how coarse",
        "行政区划自带层级；粗细由隐私模型选定")),
    Rule(lambda c: c.type == "household", '"drop"', Text(
        'names a household; { token = "DATASET" } would tell which rows are one family',
        '可识别一户；如改为 { token = "DATASET" }，读者可知哪些记录属同一家庭')),
    Rule(lambda c: c.role == "direct" or c.type == "secret", '"drop"', Text(
        "names a person or opens an account; nothing is computed with it",
        "可直接识别个人或账户，统计中用不到")),
    Rule(lambda c: c.type in DATED,
         ("month", "year", "5y", "10y", "*"), Text(
        "a day singles people out; the models choose how coarse",
        "具体日期可辨识个人；粗细由隐私模型选定")),
    Rule(lambda c: c.type == "age", ("value", "5", "10", "20", "*"), Text(
        "years or bands of them; the models choose how wide", "岁数或年龄段；宽度由隐私模型选定")),
    *(Rule(_has_list(name), ("value", *dict.fromkeys(levels), "*"), Text(
        "kept, or put into groups of a standard list as far as the models need; a word that no "
        "list has becomes 'other'",
        "在隐私模型允许时保留，否则按标准词表归类；词表中没有的词归入“其他”"))
      for name, levels in LISTS.items()),
    Rule(lambda c: c.role == "quasi", ("value", "*"), Text(
        "kept, unless the models need it gone; a file can give it levels between",
        "除非隐私模型要求，否则保留；可用文件给出中间层级")),
    Rule(lambda c: c.role == "sensitive" and _is_measured(c),
         '{ top_code = "p99.5", round = STEP }', Text(
        "the greatest amounts are known in public; exact ones can be looked up",
        "最大的金额众所周知，精确金额可用于比对")),
    Rule(lambda c: c.role == "sensitive", '"keep"', Text(
        "what the dataset is about; l keeps it from being learnt about a person",
        "数据集的研究内容；由 l 防止推断到个人")),
    Rule(lambda _: True, '"drop"', Text(
        'nothing is known about it: write "keep" if everybody may read it',
        '内容不明：如确认可公开，请改为 "keep"')),
)  # fmt: skip
"""The first that applies is proposed."""
_ONE_TOO_MANY: Final = Rule(lambda _: False, '"drop"', Text(
    "one quasi-identifier too many: nobody can be hidden in all of them at once; to keep it, give "
    "it levels under [publish.hierarchies] and drop another",
    "准标识符过多，无法同时保护；如需保留，请在 [publish.hierarchies] 中设置层级，"
    "并删除其他列"))  # fmt: skip


def _is_text(column: ColumnFinding) -> bool:
    """Whether cells are sentences, or hold identifiers among other words."""
    return column.type == "free_text" or any(c.inside for c in column.counts.values())


def _is_measured(column: ColumnFinding) -> bool:
    """Whether values are amounts: numbers of three digits and more, and no codes."""
    return column.numeric >= _NUMBERS and column.magnitude >= 2 and column.different > _CODES


def propose(column: ColumnFinding) -> Rule:
    """Proposes what becomes of one column."""
    return next(rule for rule in RULES if rule.applies(column))


def proposal(report: ScanReport, costs: Sequence[Alternative] = ()) -> str:
    """Returns a policy file as text, in the language of this process.

    Args:
        report: What was found.
        costs: What each k would cost; shown beside the models, and the greatest k up to the usual
            one that any levels meet is proposed.
    """
    dataset = dataset_name(report.source)
    lines = [*_head(report), f'dataset = "{dataset}"', 'open = "conditional"', ""]
    columns = {column.name: column for column in report.columns}
    rules = _searchable(columns, {name: propose(column) for name, column in columns.items()})
    for column in report.columns:
        lines += _column(column, rules[column.name])
    lines += ["[publish]", 'unknown_column = "drop"', 'gate = { rescan = "fail_on_any_hit" }']
    lines += _limits()
    if any(isinstance(rule.method, tuple) for rule in rules.values()):
        lines += _models(report, costs)
    methods = {name: rule for name, rule in rules.items() if isinstance(rule.method, str)}
    hierarchies = {name: rule for name, rule in rules.items() if name not in methods}
    for part, named in (("methods", methods), ("hierarchies", hierarchies)):
        if named:
            lines += ["", f"[publish.{part}]"]
        for name, rule in named.items():
            lines += [
                f"# {_line(rule.why).replace('DATASET', dataset)}",
                *_unclear(columns[name], rule),
                f"{quoted_key(name)} = {_written(rule, dataset, columns[name])}",
            ]
    return "\n".join(lines) + "\n"


def _searchable(columns: Mapping[str, ColumnFinding], rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """Drops quasi-identifiers beyond those whose levels can be searched together, in their order.

    Rows that differ in hundreds of columns are alike in none (Aggarwal, VLDB 2005): no levels of
    all of them are both safe and of use.
    """
    sensitive = sum(_is_judged(columns[name], rule) for name, rule in rules.items())
    most = min(_NODES, _JUDGED // max(sensitive, 1))
    kept: dict[str, Rule] = {}
    nodes = 1
    for name, rule in rules.items():
        levels = len(rule.method) if isinstance(rule.method, tuple) else 1
        searched = nodes * levels <= most
        kept[name] = rule if searched else _ONE_TOO_MANY
        nodes *= levels if searched else 1
    return kept


def _is_judged(column: ColumnFinding, rule: Rule) -> bool:
    return column.role == "sensitive" and rule.method != '"drop"'


def _limits() -> Iterator[str]:
    yield "# " + _line(Text(
        "What attacks must not achieve: fewer candidates for a mask, people whose row is named "
        "rightly, cells in which two releases differ by a few people.",
        "攻击不得达到的结果：掩码候选值过少、指认出本人记录、两次发布相减得出极少数人。",
    ))  # fmt: skip
    yield (
        "attacks = { mask_candidates_min = 1000, linkage_correct_max = 0.001, "
        "small_cell_differences = 0 }"
    )


def _models(report: ScanReport, costs: Sequence[Alternative]) -> Iterator[str]:
    met = [each.k for each in costs if each.met and each.k <= _K]
    k = max(met, default=_K)
    sensitive = any(_is_judged(column, propose(column)) for column in report.columns)
    yield "# " + _line(
        Text(
            f"Every combination of quasi-identifiers is shared by at least {k} rows"
            f"{', with at least two sensitive values' if sensitive else ''}; at most 2 % of the "
            "rows may be left out for it.",
            f"每一种准标识符组合至少有 {k} 行"
            f"{'，且敏感值至少有两种' if sensitive else ''}；为此最多可删去 2% 的行。",
        )
    )
    yield from map("# {}".format, costs_table(costs, k))
    yield f"models = {{ k = {k}{', l = 2' if sensitive else ''}, max_suppressed = 0.02 }}"


def costs_table(costs: Sequence[Alternative], chosen: int) -> Iterator[str]:
    """Draws loss against k in plain text, a line for each k.

    Args:
        costs: To draw; none draws nothing.
        chosen: The k that is proposed.
    """
    if not costs:
        return
    yield str(Text(
        "What each k would cost: loss of detail (0 % all is kept, 100 % nothing), rows left out, "
        "and what becomes coarser.",
        "不同 k 的代价：信息损失（0% 为全部保留，100% 为全部丢失）、删去的行，以及变粗的列。",
    ))  # fmt: skip
    if sample := costs[0].sample:
        yield str(Text(
            f"Told from {sample:,} rows that were drawn: with all rows no k costs more, and 'run' "
            "looks at all of them.",
            f"按抽取的 {sample:,} 行估计：以全部行计，各 k 的代价不会更高；run 会计算全部行。",
        ))  # fmt: skip
    for each in costs:
        mark = "→" if each.k == chosen else " "
        if not each.met:
            none = Text("no levels meet the models", "没有层级能满足模型")
            yield f"{mark} k = {each.k:<4} {none}"
            continue
        bar = "█" * round(each.loss * _BAR) or "▏"
        coarser = ", ".join(f"{' '.join(n.split())} {each.levels[n]}" for n in each.coarser)
        said = f"{each.loss:6.1%} {bar:<{_BAR}} {each.suppressed:6.2%}  {coarser}"
        yield f"{mark} k = {each.k:<4} {said}".rstrip()


def _written(rule: Rule, dataset: str, column: ColumnFinding) -> str:
    if isinstance(rule.method, tuple):
        return json.dumps(rule.method)
    step = str(10 ** max(column.magnitude - 1, 0))
    return rule.method.replace("DATASET", dataset).replace("STEP", step)


def dataset_name(source: str) -> str:
    """Returns a name of a dataset from that of a file: small letters, digits, underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", PurePath(source).stem.lower()).strip("_")
    return (name if name[:1].isalpha() else f"dataset_{name}".strip("_"))[:63]


def quoted_key(name: str) -> str:
    """Returns a name as a quoted key of TOML; headers have blanks and line breaks in them."""
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")


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
    yield from (f"# ! {_line(note)}" for note in report.notes)
    yield "# " + _line(
        Text("Columns that [publish] does not name are dropped.", "[publish] 未提及的列会被删除。")
    )
    yield ""


def _unclear(column: ColumnFinding, rule: Rule) -> Iterator[str]:
    """Says what becomes of names that several divisions have, where no other column decides."""
    if "district" not in rule.method or not column.unclear or column.within:
        return
    yield "# " + _line(Text(
        f"{column.unclear:,} of the first values name districts that several cities have, such as "
        "鼓楼区; no other column says which city, so they will be empty. Mend: a column of cities "
        f'or division codes in the table, and within = "THAT COLUMN" under [columns.{column.name}]',
        f"开头的值中有 {column.unclear:,} 个是多个城市同名的区县（如鼓楼区）；表中没有其他列可判定"
        "所属城市，这些值将被置空。补救：在表中补充城市或行政区划代码列，并在 "
        f'[columns.{column.name}] 下写 within = "该列"',
    ))  # fmt: skip


def _column(column: ColumnFinding, rule: Rule) -> Iterator[str]:
    title = column.title if str(column.title) else Text("unknown", "未知")
    why = joined(column.evidence) if column.evidence else Text("", "")
    yield f"# {_line(title)} – {_line(ROLES[column.role])}" + (f" – {_line(why)}" if why.en else "")
    yield f"[columns.{quoted_key(column.name)}]"
    if column.type:
        yield f'type = "{column.type}"'
    yield f'role = "{column.role}"'
    yield f"grade = {column.grade}"
    yield from _days(column)
    if column.role == "sensitive" and column.type in _WORDS:
        yield "# " + _line(Text(
            'words that mean the same count as two, unless you list them: '
            'same = [["HIV", "艾滋病"]]',
            '同义词默认按不同取值计算；如有，请列出：same = [["HIV", "艾滋病"]]',
        ))  # fmt: skip
    if column.within and "district" in rule.method:
        yield "# " + _line(Text(
            "says which district is meant where several cities have its name",
            "区县在多个城市同名时，据此列判定",
        ))  # fmt: skip
        yield f"within = {quoted_key(column.within)}"
    yield ""


def _days(column: ColumnFinding) -> Iterator[str]:
    """Says which days will be empty, and which comes first where the column itself tells."""
    if column.type not in DATED:
        return
    if column.undated:
        yield "# " + _line(Text(
            f"{column.undated:,} of the first values say no day in any form that is read: they "
            "will be empty",
            f"开头的值中有 {column.undated:,} 个不是可识别的日期，将被置空",
        ))  # fmt: skip
    if column.either and column.day_first is None:
        yield "# " + _line(Text(
            f"{column.either:,} of the first values could be two days, such as 03/07/1990: they "
            "will be empty unless you write here day_first = true (in July) or false (in March)",
            f"开头的值中有 {column.either:,} 个可作两种理解（如 03/07/1990），将被置空；"
            "请在此写明 day_first = true（7 月）或 false（3 月）",
        ))  # fmt: skip
    elif column.either:
        yield "# " + _line(Text(
            "whether 03/07/1990 is in July, as other values of the column tell",
            "03/07/1990 是否为 7 月，据该列其他值判定",
        ))  # fmt: skip
        yield f"day_first = {str(column.day_first).lower()}"


def _line(text: Text) -> str:
    """A text as one line of a comment; names of columns in it may hold any character."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(str(text).split()))
