"""Attribute inference: what belonging to a class tells about a sensitive column.

Homogeneity: everybody who looks alike has the same value, so one need not know which row is whose
(Machanavajjhala et al. 2007). Prediction: the commonest value of a class, against what the person's
own presence adds. The guess without the person's own row is what anybody learns about people of
that kind; only what goes beyond it is the release's doing (Giomi et al. 2023, the control group of
Anonymeter).
"""

# ruff: noqa: S608 - own SQL over our own tables

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from desensitize.attacks.findings import Finding
from desensitize.attacks.view import HERE, View, code, column_of, make, number, text
from desensitize.spelling import plain_sql
from protos.language import Text

_BINS: Final = 10
_FEW: Final = 20
_ROWS: Final = "veil_rows"
_NUMBERS: Final = "veil_numbers"
_SORTED: Final = "veil_sorted"
_WORDS: Final = "veil_words"
_MEASURES: Final = Text(
    "share of rows whose value is told for certain by what they look like",
    "仅凭同类即可确定其取值的行占比",
)


def attack(view: View) -> list[Finding]:
    """Guesses each sensitive column of the release from what somebody can know."""
    return [
        _column(view, view.identifying(), column.name)
        for column in view.policy.published
        if column.sensitive
    ]


def _column(view: View, names: tuple[str, ...], name: str) -> Finding:
    limit = view.policy.attacks.inference_share_max
    rows = view.rows
    if not rows:
        return Finding("inference", (name,), 0.0, _MEASURES, limit,
                       Text("the release is empty", "发布数据为空"))  # fmt: skip
    told, with_own, without, commonest = _guess(view, names, _values(view, name))
    with_self, alone, base, figure = (n / rows for n in (with_own, without, commonest, told))
    broken = limit is not None and figure > limit
    known, known_zh = ", ".join(names) or "nothing", "、".join(names) or "（无可用列）"
    return Finding(
        "inference", (name, *names), figure, _MEASURES, limit,
        Text(
            f"{name!r} of {told:,} rows is certain for whoever knows their {known}; the commonest "
            f"value is right for {with_self:.1%} of rows, without the person's own row for "
            f"{alone:.1%}, without knowing anything for {base:.1%}",
            f"掌握{known_zh}即可确定 {told:,} 行的“{name}”；按同类最常见取值猜测，正确率为 "
            f"{with_self:.1%}，去掉本人记录后为 {alone:.1%}，一无所知时为 {base:.1%}",
        ),
        Text(
            "would hold: models.l = 2 or more (and models.t), with coarser levels",
            "可行的做法：设置 models.l ≥ 2（以及 models.t），并提高泛化层级",
        ) if broken else Text("", ""),
        Text(
            f"numbers with more than {_FEW} values are guessed to within a tenth of the rows",
            f"取值超过 {_FEW} 种的数字按十分位猜测",
        ),
        figures={
            "right_with_own_row": with_self,
            "right_without_own_row": alone,
            "base_rate": base,
            "own_row_adds": with_self - alone,
        },
    )  # fmt: skip


def _guess(view: View, names: Sequence[str], value: str) -> tuple[int, ...]:
    """Counts rows whose value is guessed rightly.

    Args:
        view: The release.
        names: What is known.
        value: Expression of the value over `_ROWS`.

    Returns:
        Rows of classes with one value; rows that have the commonest value of their class; those of
        them that still do when they do not count themselves; rows with the commonest value of all.
    """
    keys = ", ".join(view.keys(names))
    listed, by = (f"{keys}, ", f"PARTITION BY {keys} ") if keys else ("", "")
    of_their_class = view.count(
        _ROWS, names,
        lambda turn: "WITH ranked AS (SELECT n, row_number() OVER w AS nth, "
        "first_value(n) OVER w AS best, lead(n, 1, 0) OVER w AS next "
        f"FROM (SELECT {listed}{value} AS v, count(*) AS n FROM {_ROWS} WHERE {turn} GROUP BY ALL) "
        f"WINDOW w AS ({by}ORDER BY n DESC)) "
        "SELECT sum(n) FILTER (nth = 1 AND next = 0), sum(n) FILTER (n = best), "
        # Two values that are equally common: without himself it is the other.
        "sum(n) FILTER (nth = 1 AND (n - 1 > next OR (n - 1 = next AND next > 0))) FROM ranked",
        within=value,
    )  # fmt: skip
    return *of_their_class, *view.ask(
        f"SELECT max(n) FROM (SELECT count(*) AS n FROM {_ROWS} GROUP BY {value})"
    )


def _values(view: View, name: str) -> str:
    """Returns the expression of a row's value over `_ROWS`; of many numbers, which tenth it is."""
    rows, place = _written_alike(view, name)
    view.release.engine.execute(f"CREATE OR REPLACE TEMP VIEW {_ROWS} AS FROM {rows}").fetchall()
    [labels] = view.ask(
        f"SELECT count(*) FROM (SELECT DISTINCT {place} FROM {_ROWS} LIMIT {_FEW + 1})"
    )
    if labels <= _FEW:
        return place
    make(
        view.release, _NUMBERS, f"SELECT {number(view.release, name)} AS x FROM {view.release.sql}"
    )
    [numeric] = view.ask(f"SELECT count(*) FROM {_NUMBERS} WHERE isfinite(x)")
    if numeric / view.rows < 0.5:
        return place
    view.release.engine.execute(
        f"CREATE OR REPLACE TEMP VIEW {_ROWS} AS FROM {HERE} POSITIONAL JOIN {_NUMBERS}"
    ).fetchall()
    edges = " + ".join(f"(x >= '{edge!r}'::DOUBLE)::INTEGER" for edge in _edges(view, numeric))
    return f"CASE WHEN isfinite(x) THEN {edges} ELSE {_BINS} END"


def _written_alike(view: View, name: str) -> tuple[str, str]:
    """Returns rows, and where they have a code of the value, however it is written: hiv is HIV."""
    place, cell = view.codes[name], text(view.release, name)
    if column_of(view.release, name).stored != "VARCHAR":
        return HERE, place
    same = view.policy.columns[name].same
    make(
        view.release, _WORDS,
        f"SELECT {code('t')} AS spelt, {code(plain_sql('t', same))} AS word "
        f"FROM (SELECT DISTINCT {cell} AS t FROM {view.release.sql})",
    )  # fmt: skip
    return f"(SELECT h.*, w.word FROM {HERE} h JOIN {_WORDS} w ON h.{place} = w.spelt)", "word"


def _edges(view: View, numeric: int) -> list[float]:
    """Returns where tenths of the numbers end: between two neighbours as `numpy.quantile` does."""
    make(view.release, _SORTED, f"SELECT x FROM {_NUMBERS} WHERE isfinite(x) ORDER BY x")
    places = np.linspace(0, 1, _BINS + 1)[1:-1] * (numeric - 1)
    below = np.floor(places).astype(np.int64)
    wanted = sorted({*below.tolist(), *np.minimum(below + 1, numeric - 1).tolist()})
    rows = view.fetch(
        f"SELECT rowid AS nth, x FROM {_SORTED} WHERE rowid IN ({', '.join(map(str, wanted))})"
    )
    value = dict(zip(rows["nth"].to_pylist(), rows["x"].to_pylist(), strict=True))
    return [
        float(np.quantile([value[low], value[min(low + 1, numeric - 1)]], place - low))
        for low, place in zip(below.tolist(), places.tolist(), strict=True)
    ]
