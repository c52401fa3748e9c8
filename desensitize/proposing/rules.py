"""What is proposed for each kind of column, and why.

It fails closed: free text, what names people and what nothing is known about is dropped. It keeps
what datasets are opened for: figures, coarse places and times.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from desensitize.scanning.days import DATED
from desensitize.scanning.findings import FEW_CODES, NUMBERS, ColumnFinding
from desensitize.scanning.places import PLACES
from desensitize.vocabulary import LISTS
from protos.language import Text

_PERSONS: Final = frozenset(
    {"cn_resident_id", "cn_passport", "cn_hk_macao_permit", "cn_taiwan_permit"}
    | {"cn_driving_licence", "cn_social_security", "medical_record", "register_number"}
)


_LISTED: Final = 0.8
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
        "the greatest amounts are known in public, and exact ones are as good as a name",
        "最大的金额众所周知，而精确的金额几乎等同于姓名")),
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


_TELLING: Final = Rule(lambda _: False, '"drop"', Text(
    "it helps to find people, see attacks above; to keep it, make it coarser (bands, first "
    "characters, levels under [publish.hierarchies]), or raise singling_out_max and say why",
    "有助于找到个人，见上文 attacks；如需保留，请使其更粗（分段、只留开头，或在 "
    "[publish.hierarchies] 中设置层级），或提高 singling_out_max 并说明理由"))  # fmt: skip


def _is_text(column: ColumnFinding) -> bool:
    """Whether cells are sentences, or hold identifiers among other words."""
    return column.type == "free_text" or any(c.inside for c in column.counts.values())


def _is_measured(column: ColumnFinding) -> bool:
    """Whether values are amounts: numbers of three digits and more, and no codes."""
    return column.numeric >= NUMBERS and column.magnitude >= 2 and column.different > FEW_CODES


def propose(column: ColumnFinding) -> Rule:
    """Proposes what becomes of one column."""
    return next(rule for rule in RULES if rule.applies(column))


def proposed(
    columns: Mapping[str, ColumnFinding], telling: Collection[str] = ()
) -> dict[str, Rule]:
    """Proposes what becomes of each column, in their order.

    Args:
        columns: By name.
        telling: Those that are dropped because they would help to find people.
    """
    rules = {name: propose(column) for name, column in columns.items()}
    return _searchable(columns, rules) | {name: _TELLING for name in rules if name in telling}


def _searchable(columns: Mapping[str, ColumnFinding], rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """Drops quasi-identifiers beyond those whose levels can be searched together, in their order.

    Rows that differ in hundreds of columns are alike in none (Aggarwal, VLDB 2005): no levels of
    all of them are both safe and of use.
    """
    sensitive = sum(is_judged(columns[name], rule) for name, rule in rules.items())
    most = min(_NODES, _JUDGED // max(sensitive, 1))
    kept: dict[str, Rule] = {}
    nodes = 1
    for name, rule in rules.items():
        levels = len(rule.method) if isinstance(rule.method, tuple) else 1
        searched = nodes * levels <= most
        kept[name] = rule if searched else _ONE_TOO_MANY
        nodes *= levels if searched else 1
    return kept


def is_judged(column: ColumnFinding, rule: Rule) -> bool:
    """Whether models of sensitive values look at the column."""
    return column.role == "sensitive" and rule.method != '"drop"'
