"""What whoever signs for a release should weigh: true of this release, and easily overlooked.

Each rule looks at the contents and says something or nothing. None of it is a refusal: what must
hold is the policy's, and the gate's to judge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from desensitize.reporting.contents import Contents
from desensitize.risks import PRESENT
from desensitize.shares import share
from protos.language import Text

_OPEN_LEVEL: Final = 3
_MANY: Final = 0.1
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


def _known_otherwise(contents: Contents) -> Text | None:
    """Sensitive values that are as good as a name for whoever knows some of them already."""
    if contents.attacks is None:
        return None
    found = contents.attacks.of("singling_out")
    if not found or found[0].figure is None or found[0].threshold is not None:
        return None
    alone, rows = found[0].figures.get("isolate", 0), contents.attacks.rows
    if alone < _MANY * rows:
        return None
    return Text(
        "Somebody who already knows exact values of other published columns, such as amounts, "
        f"finds the person's row: {alone:,.0f} combinations that were tried hold for exactly one "
        f"of {rows:,} rows. The models do not speak of this.",
        "若他人已掌握其他已发布列（如金额）的准确取值，即可找到此人的记录：所试组合中有 "
        f"{alone:,.0f} 个在 {rows:,} 行中仅对应一行。隐私模型不涵盖这种情形。",
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
    _known_otherwise,
    _rows_of_one,
    _not_for_everybody,
    _emptied,
    _unclear,
    _no_limits,
    _no_earlier,
)
