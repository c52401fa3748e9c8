"""Names of columns that are somebody's values: a table came without a header line.

A policy is published as it was written, so what it calls its columns is published, too. Told is
only the place of such a column.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from desensitize.policy import PublishedColumn, PublishPolicy
from desensitize.recognisers import by_name
from desensitize.recognisers.base import Mask
from desensitize.recognisers.person import PERSON
from desensitize.scanning.finder import find, whole
from protos.faults import PolicyError
from protos.language import Text, joined

_FEWEST: Final = 3
_SHORT: Final = 2


def values_in(policy: PublishPolicy) -> dict[int, str]:
    """Returns which columns of a policy have an identifier as their name, and its type.

    An identifier with a form of its own counts anywhere. A name of a person has none (成本 could
    be one): it counts where the column is said to hold names, or nothing but who somebody is. It
    counts over numbers too, and where nothing is said, if another header is somebody's value (the
    line of headers is missing) or most are names (a column for each person).

    Args:
        policy: Whose columns, those that it drops among them.

    Returns:
        Names of recognisers by place, from 0, in the order of the policy.
    """
    columns = tuple(policy.columns.values())
    names = pa.array([column.name.strip() for column in columns], pa.string())
    persons = whole(names, PERSON) & PERSON.valid(names)
    found = {
        place: PERSON.name
        for place, column in enumerate(columns)
        if persons[place] and _may_name(column)
    }
    for hit in find([column.name for column in columns]):
        if hit.recogniser.role == "direct":
            found.setdefault(hit.cell, hit.recogniser.name)
    if found or _for_each_person(names, persons):
        for place in np.flatnonzero(persons).tolist():
            if columns[place].type not in by_name():
                found.setdefault(place, PERSON.name)
    return dict(sorted(found.items()))


def check_headers(policy: PublishPolicy) -> None:
    """Refuses a policy that would publish somebody's values as names of columns.

    Raises:
        PolicyError: It would, and its gate is ``fail_on_any_hit``.
    """
    found = values_in(policy)
    if not found or policy.gate.rescan != "fail_on_any_hit":
        return
    titles = {place: by_name()[kind].title for place, kind in found.items()}
    said = joined(
        Text(f"column {place + 1} ({title.en})", f"第 {place + 1} 列（{title.zh}）")
        for place, title in titles.items()
    )
    raise PolicyError(
        Text(
            f"names of columns in the policy look like somebody's values: {said.en}; the policy "
            "is published with the release. Nothing was published",
            f"策略中的列名形似个人数据：{said.zh}；策略会随发布一同公开。未发布任何内容",
        ),
        remedy=Text(
            "if the table came without a header line, write one into it, else rename these "
            "columns in the table and the policy (they are counted as the policy lists them); "
            'gate = { rescan = "report" } publishes them all the same, and the manifest says so',
            "如该表缺少表头行，请补上；否则请在表和策略中为这些列改名（按策略中的顺序计数）；"
            '如确需发布，可写 gate = { rescan = "report" }，清单中会如实记录',
        ),
        code="release.header",
    )


def _for_each_person(names: pa.StringArray, persons: Mask) -> bool:
    """Whether most headers are people's names.

    Many words of two characters could be one (方向, 范围), few of three: half must be longer.
    """
    long = int((persons & (pc.utf8_length(names).to_numpy() > _SHORT)).sum())
    people = int(persons.sum())
    return people >= _FEWEST and 2 * people > len(persons) and 2 * long >= people


def _may_name(column: PublishedColumn) -> bool:
    return column.type == PERSON.name or (column.role == "direct" and not column.type)
