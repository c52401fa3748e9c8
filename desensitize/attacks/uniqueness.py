"""Uniqueness: how many people are alone with what the masks leave of all their columns together."""

# ruff: noqa: S608 - own SQL: names of our own columns

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from desensitize.attacks.findings import Finding
from desensitize.attacks.view import HERE, View, code, text
from desensitize.masking.format_preserving import FormatPreserving
from protos.language import Text

_MEASURES: Final = Text("share of rows that are alone", "独一无二的行占比")


def attack(view: View) -> Finding:
    """Puts all columns together that somebody could know: direct ones, masked, and quasi ones."""
    clear = _left_clear(view)
    names = (*view.identifying(), *clear)
    count, alone = _alone(view, names, clear)
    alone = alone if names else 0
    share = alone / view.rows if view.rows else 0.0
    limit = view.policy.attacks.unique_share_max
    broken = limit is not None and share > limit
    worst = _worst(view, names, clear) if broken else ""
    said, said_zh = ", ".join(names) or "no column", "、".join(names) or "（无可用列）"
    return Finding(
        "uniqueness", names, share, _MEASURES, limit,
        Text(
            f"{alone:,} of {view.rows:,} rows are the only ones with their {said}",
            f"{view.rows:,} 行中有 {alone:,} 行在{said_zh}上独一无二",
        ),
        Text(
            f"would help most: drop or coarsen {worst!r}; a hierarchy with models.k leaves no row "
            "alone",
            f"最有效的做法：删除或泛化“{worst}”；使用层级并设置 models.k 后不会有独一无二的行",
        ) if broken else Text("", ""),
        Text(
            "the attacker knows these columns of a person exactly", "攻击者准确掌握某人的这些列"
        ),
        figures={"rows_alone": alone, "classes": count},
    )  # fmt: skip


def _left_clear(view: View) -> dict[str, str]:
    """The characters that FF1 leaves: of a resident id they may be district and month of birth."""
    found = {}
    for column in view.policy.published:
        last = column.methods[-1] if column.methods else None
        known = column.role == "direct" or column.quasi
        if known and isinstance(last, FormatPreserving) and last.clear:
            found[column.name] = code(f"left({text(view.release, column.name)}, {last.clear})")
    return found


def _alone(view: View, names: Sequence[str], clear: Mapping[str, str]) -> tuple[int, ...]:
    """Counts the classes of the release, and the rows that are a class of their own."""
    counted = view.classes([name for name in names if name not in clear])
    if beside := [sql for name, sql in clear.items() if name in names]:
        keys = [f"{HERE}.{key}" for key in view.keys([n for n in names if n not in clear])]
        keys += [f"f{place}" for place in range(len(beside))]
        listed = ", ".join(f"{sql} AS f{place}" for place, sql in enumerate(beside))
        rows = f"{HERE} POSITIONAL JOIN (SELECT {listed} FROM {view.release.sql})"
        counted = f"(SELECT count(*) AS here FROM {rows} GROUP BY {', '.join(keys)})"
    sql = f"SELECT count(*) FILTER (here > 0 OR {not names}), count(*) FILTER (here = 1)"
    return view.ask(f"{sql} FROM {counted}")


def _worst(view: View, names: Sequence[str], clear: Mapping[str, str]) -> str:
    """The column without which fewest rows are alone."""
    left = {name: _alone(view, [n for n in names if n != name], clear)[1] for name in names}
    return min(left, key=lambda name: left[name])
