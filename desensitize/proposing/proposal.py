"""Writes the policy that a scan proposes: a method for each column, and in a comment why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Final

from rich.cells import cell_len

from desensitize.generalise.alternatives import Alternative
from desensitize.generalise.levels import ANYTHING
from desensitize.proposing.costs import SUPPRESSED, Costs, K
from desensitize.proposing.few_facts import Trial
from desensitize.proposing.rules import Rule, is_judged, proposed
from desensitize.scanning.days import DATED
from desensitize.scanning.findings import ColumnFinding, ScanReport
from desensitize.show.scan import ROLES
from protos.language import Text, joined

FACTS_MAX: Final = 0.05
"""Greatest share of people whom three facts may find: one in twenty."""
_BAR: Final = 20
_WORDS: Final = {"health", "belief", "record"}
"""Sensitive types whose values are words, so that two can mean the same."""
_LESS: Final = {
    "l": Text("k = {k} without l:", "k = {k}，不要求 l："),
    "max_suppressed": Text(
        f"k = {{k}}, up to {SUPPRESSED:.0%} out:", f"k = {{k}}，最多删 {SUPPRESSED:.0%}："
    ),
}
_LESS_LOSS: Final = 0.005
_NONE: Final = Costs()
_FIRST: Final = Trial(0, 0, {}, (), (), 0.0)
_TWO_DIGITS: Final = Text("two digits", "两位有效数字")


def proposal(report: ScanReport, costs: Costs = _NONE) -> str:
    """Returns a policy file as text, in the language of this process.

    Args:
        report: What was found.
        costs: What was tried; it is shown, and decides about k and how coarse amounts are.
    """
    dataset = dataset_name(report.source)
    lines = [*_head(report), f'dataset = "{dataset}"', 'open = "conditional"', ""]
    columns = {column.name: column for column in report.columns}
    last = costs.trials[-1] if costs.trials else _FIRST
    rules = proposed(columns, last.dropped)
    for column in report.columns:
        lines += _column(column, rules[column.name])
    lines += ["[publish]", 'unknown_column = "drop"', 'gate = { rescan = "fail_on_any_hit" }']
    lines += _limits(costs.trials)
    if any(isinstance(rule.method, tuple) for rule in rules.values()):
        lines += _models(report, rules, costs)
    methods = {name: rule for name, rule in rules.items() if isinstance(rule.method, str)}
    hierarchies = {name: rule for name, rule in rules.items() if name not in methods}
    for part, named in (("methods", methods), ("hierarchies", hierarchies)):
        if named:
            lines += ["", f"[publish.{part}]"]
        for name, rule in named.items():
            lines += [
                f"# {_line(rule.why).replace('DATASET', dataset)}",
                *_unclear(columns[name], rule),
                f"{quoted_key(name)} = {_written(rule, dataset, columns[name], last.bases)}",
            ]
    return "\n".join(lines) + "\n"


def _limits(trials: Sequence[Trial]) -> Iterator[str]:
    yield "# " + _line(Text(
        "What attacks must not achieve: fewer candidates for a mask, people whose row is named "
        "rightly or found by three facts, cells in which two releases differ by a few people.",
        "攻击不得达到的结果：掩码候选值过少、指认出本人记录、凭三项信息找到记录、两次发布相减得出"
        "极少数人。",
    ))  # fmt: skip
    yield from map("# {}".format, trials_table(trials))
    yield (
        f"attacks = {{ mask_candidates_min = 1000, linkage_correct_max = 0.001, "
        f"singling_out_max = {FACTS_MAX}, small_cell_differences = 0 }}"
    )


def trials_table(trials: Sequence[Trial]) -> Iterator[str]:
    """Draws what three facts find in plain text, a line for each trial; none draws nothing."""
    if not trials:
        return
    yield _line(Text(
        "Share of people whose row is found by the three facts about them that tell most: into "
        "how many steps amounts are rounded, what is found then, and by which facts.",
        "凭最能说明问题的三项信息可找到其记录的人员占比：金额取整为多少级、占比、所用列。",
    ))  # fmt: skip
    if sample := trials[0].sample:
        yield _line(Text(
            f"Told from {sample:,} rows that were drawn: with the same levels, they find a smaller "
            "share of all rows.",
            f"按抽取的 {sample:,} 行估计：层级相同时，以全部行计占比更小。",
        ))  # fmt: skip
    shown = [each for each in trials if each.dropped == trials[-1].dropped]
    for each in shown[1:] if trials[-1].dropped and len(shown) > 1 else shown:
        mark = "→" if each is trials[-1] else " "
        bar = "█" * round(each.share * _BAR) or "▏"
        facts = ", ".join(" ".join(name.split()) for name in each.facts)
        steps = Text(f"{each.steps} steps", f"{each.steps} 级") if each.steps else _TWO_DIGITS
        raised = f", k = {each.k}" if each.k > K else ""
        said = f"{each.share:6.1%} {bar:<{_BAR}}  {facts}"
        yield f"{mark} {_wide(f'{steps}{raised}', 20)} {said}".rstrip()


def _models(report: ScanReport, rules: Mapping[str, Rule], costs: Costs) -> Iterator[str]:
    k = K if costs.chosen is None else costs.chosen.k
    sensitive = any(is_judged(column, rules[column.name]) for column in report.columns)
    yield "# " + _line(
        Text(
            f"Every combination of quasi-identifiers is shared by at least {k} rows"
            f"{', with at least two sensitive values' if sensitive else ''}; at most 2 % of the "
            "rows may be left out for it.",
            f"每一种准标识符组合至少有 {k} 行"
            f"{'，且敏感值至少有两种' if sensitive else ''}；为此最多可删去 2% 的行。",
        )
    )
    yield from map("# {}".format, costs_table(costs.alternatives, k))
    yield from map("# {}".format, relaxed_lines(costs))
    yield from _remarks(costs)
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
        "What each k would cost: loss of detail beyond the finest levels below (0 % none, 100 % "
        "nothing is left), rows left out, and what becomes coarser.",
        "不同 k 的代价：相对下文最细层级的信息损失（0% 为无损失，100% 为全部丢失）、"
        "删去的行，以及变粗的列。",
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
        yield f"{mark} k = {each.k:<4} {_cost(each)}".rstrip()


def relaxed_lines(costs: Costs) -> Iterator[str]:
    """Says what the usual k would cost if less were asked beside it, where that is less."""
    for name, each in costs.relaxed.items():
        dear = next((other.loss for other in costs.alternatives if other.k == each.k), 1.0)
        if each.met and each.loss < dear - _LESS_LOSS:
            yield f"  {_wide(str(_LESS[name].format(k=each.k)), 22)} {_cost(each)}".rstrip()


def _wide(text: str, cells: int) -> str:
    """Fills up to a width; a Chinese character is as wide as two others."""
    return text + " " * (cells - cell_len(text))


def _remarks(costs: Costs) -> Iterator[str]:
    """Says what a steward may want otherwise: columns that are lost, or that nothing is met."""
    if costs.alternatives and costs.chosen is None:
        yield "# ! " + _line(Text(
            "No levels meet these models, so 'run' will refuse: there are fewer rows than k, or a "
            "sensitive column has too few different values. Name more rows, or ask less.",
            "没有层级能满足这些模型，run 将拒绝：行数少于 k，或敏感列取值过少。"
            "请提供更多行，或降低要求。",
        ))  # fmt: skip
    levels = {} if costs.chosen is None else costs.chosen.levels
    if lost := [" ".join(name.split()) for name, level in levels.items() if level == ANYTHING]:
        said, said_zh = ", ".join(lost), "、".join(lost)
        yield "# " + _line(Text(
            f'Nothing is left of {said}. To keep a column, take "*" out of its levels: others '
            "become coarser for it.",
            f'{said_zh}将不保留任何信息。如需保留某列，请从其层级中删去 "*"，其他列会因此变粗。',
        ))  # fmt: skip


def _cost(each: Alternative) -> str:
    bar = "█" * round(each.loss * _BAR) or "▏"
    coarser = ", ".join(f"{' '.join(n.split())} {each.levels[n]}" for n in each.coarser)
    return f"{each.loss:6.1%} {bar:<{_BAR}} {each.suppressed:6.2%}  {coarser}"


def _written(rule: Rule, dataset: str, column: ColumnFinding, bases: Mapping[str, int]) -> str:
    if isinstance(rule.method, tuple):
        return json.dumps(rule.method)
    step = str(bases.get(column.name, 10 ** max(column.magnitude - 1, 0)))
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
    yield "# " + _line(
        Text(
            "To compute on the table too, write uses beside the columns for it, and [query]: a "
            "node takes this same file.",
            "如还需用于联合查询，请为相应列加 uses，并加 [query]：节点使用同一文件。",
        )
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
