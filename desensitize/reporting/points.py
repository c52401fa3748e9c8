"""What whoever signs for a release should weigh: true of this release, and easily overlooked.

Each rule looks at the contents and says something or nothing. None of it is a refusal: what must
hold is the policy's, and the gate's to judge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from desensitize.column import Role
from desensitize.generalise.levels import ANYTHING
from desensitize.masking import HIDING
from desensitize.reporting.contents import Contents
from desensitize.risks import PRESENT
from desensitize.scanning.role_of_name import role_of_name
from desensitize.shares import share
from protos.language import Text

_OPEN_LEVEL: Final = 3
_MANY: Final = 0.1
_ROLES: Final[dict[Role, Text]] = {
    "direct": Text("a direct identifier", "直接标识符"),
    "quasi": Text("a quasi-identifier", "准标识符"),
    "sensitive": Text("sensitive", "敏感属性"),
}
_LINKING: Final = frozenset({"token", "ff1"})

Rule = Callable[[Contents], Text | None]


def points(contents: Contents) -> list[Text]:
    """Returns what is to be weighed, the gravest first."""
    return [said for rule in RULES if (said := rule(contents)) is not None]


def _identifiers_left(contents: Contents) -> Text | None:
    if contents.rescan is None or not contents.rescan.hits:
        return None
    named = list(contents.rescan.hits)
    return Text(
        f"Direct identifiers are still in {', '.join(named)}: the policy only asks to report them.",
        f"{'、'.join(named)} 中仍有直接标识符：策略仅要求报告。",
    )


def _people_alone(contents: Contents) -> Text | None:
    risk = contents.risk
    if risk is None or not risk.unique_rows:
        return None
    part = share(risk.unique_rows / risk.rows)
    return Text(
        f"{risk.unique_rows:,} rows ({part}) are alone with what others may know of them.",
        f"有 {risk.unique_rows:,} 行（{part}）在他人可能掌握的列上独一无二。",
    )


def _sensitive_told(contents: Contents) -> Text | None:
    risk = contents.risk
    if risk is None or not (rows := sum(c.homogeneous_rows for c in risk.sensitive)):
        return None
    return Text(
        f"{rows:,} sensitive values are certain for whoever knows the person.",
        f"有 {rows:,} 个敏感取值可被了解此人者确定。",
    )


def _counted_as_one(contents: Contents) -> Text | None:
    """What a policy merges makes l harder to reach, and t easier."""
    said = {
        " ".join(column.name.split()): "; ".join(" = ".join(group) for group in column.same)
        for column in contents.policy.published
        if column.same
    }
    if not said:
        return None
    return Text(
        "The models take these values for one, because the policy says that they mean the same: "
        + ", ".join(f"{name} ({words})" for name, words in said.items())
        + ". Check that they do: t is easier to reach with fewer values.",
        "策略声明以下取值同义，隐私模型按同一取值计算："
        + "、".join(f"{name}（{words}）" for name, words in said.items())
        + "。请核实：取值合并后 t 更容易满足。",
    )


def _called_other(contents: Contents) -> Text | None:
    """No model, and few attacks, look at a column of which the policy says that nobody knows it."""
    seem = {
        " ".join(column.name.split()): _ROLES[role]
        for column in contents.policy.published
        if column.role == "other" and not column.quasi
        and not any(isinstance(method, HIDING) for method in column.methods)
        and (role := role_of_name(column.name, column.type)) != "other"
    }  # fmt: skip
    if not seem:
        return None
    return Text(
        "The policy calls these columns other, so nothing is measured of them, though name or type "
        "say something else: "
        + ", ".join(f"{name} ({role.en})" for name, role in seem.items())
        + ". Check that outsiders neither know nor want to know them of a person.",
        "策略将以下列标为 other，因此不对其度量，但列名或类型另有所指："
        + "、".join(f"{name}（{role.zh}）" for name, role in seem.items())
        + "。请确认外人既不掌握、也不关心某人的这些取值。",
    )


def _nothing_left(contents: Contents) -> Text | None:
    """A model that asks too much, often t of numbers that are stored as text."""
    levels = contents.release.levels
    if not levels or any(level != ANYTHING for level in levels.values()):
        return None
    hint, hint_zh = "", ""
    if contents.policy.models.t is not None:
        hint = (
            ' t weighs numbers that stand in a text column as words; type = "integer" orders them.'
        )
        hint_zh = '文本列中的数字按词语计算 t；写 type = "integer" 后按大小计算。'
    return Text(
        f"Nothing is left of {', '.join(levels)}: the models were met only where all rows are "
        f"alike. Ask for less, or give finer levels.{hint}",
        f"{'、'.join(levels)}已全部泛化为相同：只有如此才能满足模型。请降低要求或设置更细的层级。"
        f"{hint_zh}",
    )


def _not_for_everybody(contents: Contents) -> Text | None:
    risk = contents.risk
    if risk is None or not risk.rows or risk.gbt42460_level >= _OPEN_LEVEL:
        return None
    part = share(risk.above_present / risk.rows)
    return Text(
        f"For {part} of the rows the chance to be found is above {PRESENT:.0%}, which is what is "
        "accepted for publication to everybody (grade 3 of GB/T 42460); to reach it, ask for "
        f"k = {round(1 / PRESENT)}.",
        f"有 {part} 的行被选中的概率高于 {PRESENT:.0%}，即完全公开的可接受值"
        f"（GB/T 42460 第 3 级）；如需达到，请要求 k = {round(1 / PRESENT)}。",
    )


def _found_by_facts(contents: Contents) -> Text | None:
    """Published values that are as good as a name for whoever knows a few of them already."""
    found = contents.attacks.of("singling_out") if contents.attacks is not None else []
    if not found or found[0].figure is None or not contents.attacks:
        return None
    rows, people = contents.attacks.rows, found[0].figures.get("people", 0)
    if found[0].threshold is None and people >= _MANY * rows:
        return Text(
            f"Somebody who knows {', '.join(found[0].columns)} of a person finds the row of "
            f"{people:,.0f} of {rows:,} people, and learns the rest of it. The models do not speak "
            "of this, and the policy sets no limit (singling_out_max).",
            f"掌握某人{'、'.join(found[0].columns)}者，可在 {rows:,} 人中找到 {people:,.0f} 人的"
            "记录，并得知其余各列。隐私模型不涵盖这种情形，策略也未设限（singling_out_max）。",
        )
    alone = found[0].figures.get("by_all", 0)
    if alone < _MANY * rows:
        return None
    return Text(
        f"{alone:,.0f} of {rows:,} rows are the only ones with all their values: whoever already "
        f"has nearly all of them recognises the person's row. Three facts find {people:,.0f}.",
        f"{rows:,} 行中有 {alone:,.0f} 行的全部取值独一无二：已几乎掌握全部取值者可认出该行。"
        f"凭三项信息可找到 {people:,.0f} 行。",
    )


def _rows_of_one(contents: Contents) -> Text | None:
    """The models count rows; a token tells which of them are one person's."""
    named = [
        " ".join(column.name.split())
        for column in contents.release.columns
        if column.role == "direct" and {each.method for each in column.methods} & _LINKING
    ]
    if not named or contents.risk is None:
        return None
    return Text(
        f"{', '.join(named)}: rows with the same token are one person's. k, l and t count rows, so "
        "whoever has several of them is protected less. If nobody has to link rows, drop the "
        "column.",
        f"{'、'.join(named)}：令牌相同的行属于同一人。k、l、t 按行计算，多行属于同一人时保护程度会"
        "降低。如无需关联各行，请删除该列。",
    )


def _emptied(contents: Contents) -> Text | None:
    """Columns of which much could not be read: what is left may mislead who counts with it."""
    if contents.release.input is None or not (rows := contents.release.input.rows):
        return None
    found = {
        " ".join(each.name.split()): share(each.lost / rows)
        for each in contents.release.columns
        if each.lost / rows >= _MANY
    }
    if not found:
        return None
    return Text(
        "Values that could not be read or were out of bounds are empty: "
        + ", ".join(f"{part} of {name}" for name, part in found.items())
        + ". Readers should be told.",
        "无法识别或超出范围的值已置空："
        + "、".join(f"{name} {part}" for name, part in found.items())
        + "。请告知数据使用者。",
    )


def _unclear(contents: Contents) -> Text | None:
    """Divisions whose name several have: a reader may take their absence for something else."""
    found = {" ".join(c.name.split()): c.unclear for c in contents.release.columns if c.unclear}
    if not found:
        return None
    return Text(
        "Emptied because divisions of several cities have the name, so that none could be meant "
        "for sure: "
        + ", ".join(f"{count:,} values of {name}" for name, count in found.items())
        + ". They are not spread evenly: such districts are missing. A column of cities or "
        "division codes decides (within, in the policy).",
        "因多个城市有同名区县、无法判定而置空："
        + "、".join(f"{name} {count:,} 个值" for name, count in found.items())
        + "。缺失并非均匀分布，而是集中于这些区县。可在策略中用 within 指明城市或行政区划代码列。",
    )


def _no_limits(contents: Contents) -> Text | None:
    if contents.policy.attacks.asked:
        return None
    return Text(
        "The policy sets no limit to what an attack may achieve ([publish] attacks), so none was "
        "judged.",
        "策略未对攻击结果设限（[publish] attacks），因此各项攻击仅度量、未判定。",
    )


def _no_earlier(contents: Contents) -> Text | None:
    if (
        contents.earlier
        or contents.release.figures.get("earlier")
        or contents.standing != "attested"
    ):
        return None
    return Text(
        "No earlier release was compared. Make sure that there is none.",
        "未与此前的发布比较。请确认不存在此前的发布。",
    )


RULES: Final[tuple[Rule, ...]] = (
    _identifiers_left,
    _people_alone,
    _sensitive_told,
    _counted_as_one,
    _called_other,
    _found_by_facts,
    _nothing_left,
    _rows_of_one,
    _not_for_everybody,
    _emptied,
    _unclear,
    _no_limits,
    _no_earlier,
)
