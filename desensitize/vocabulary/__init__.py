"""Levels between a word and nothing: which group a degree, a trade, a marriage, a country is of.

Each list is a file beside this one, one line for each group and language: the language, the group,
the group of that, and the words that belong to it, divided by semicolons. The first lines of a file
say which standard its groups are of. Words count as `desensitize.spelling` says; a word that no
list has belongs to ``other`` (其他), so that nothing is kept because nobody knew it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from desensitize.spelling import plain
from protos.language import Text

OTHER: Final = {"en": "other", "zh": "其他"}
LISTS: Final[dict[str, tuple[str, str]]] = {
    "education": ("degree", "schooling"),
    "occupation": ("trade", "work"),
    "employment": ("employer", "paid"),
    "marital_status": ("marriage", "spouse"),
    "nationality": ("subregion", "continent"),
    "ethnicity": ("han", "han"),
}
"""The two levels that each list gives, from fine to coarse; one of them if they are the same."""

TITLES: Final[dict[str, Text]] = {
    "degree": Text("group of degrees", "学历层次"),
    "schooling": Text("stage of schooling", "受教育阶段"),
    "trade": Text("group of occupations", "职业大类"),
    "work": Text("kind of work", "工作类别"),
    "employer": Text("kind of employer", "用人单位类别"),
    "paid": Text("kind of employment", "就业形式"),
    "marriage": Text("marital status", "婚姻状况大类"),
    "spouse": Text("whether there is a spouse", "有无配偶"),
    "subregion": Text("part of the continent", "所属次区域"),
    "continent": Text("continent", "所属大洲"),
    "han": Text("majority or minority", "汉族或少数民族"),
}
"""What a level leaves, for people."""
_MOST_WORDS: Final = 400
"""A column of more different words is no column of such words."""


@dataclass(frozen=True)
class Vocabulary:
    """One list.

    Attributes:
        name: The attribute whose columns it is for.
        levels: Names of its levels, from fine to coarse.
        groups: Group of each plain word, by level.
        labels: Names of the groups in English and in Chinese, by level.
    """

    name: str
    levels: tuple[str, ...]
    groups: tuple[dict[str, str], ...]
    labels: tuple[dict[str, tuple[str, ...]], ...]


@cache
def vocabulary(name: str) -> Vocabulary:
    """Returns the list for an attribute.

    Raises:
        KeyError: There is none.
    """
    levels = tuple(dict.fromkeys(LISTS[name]))
    text = files(__package__).joinpath(f"{name}.tsv").read_text("utf-8")
    groups: tuple[dict[str, str], ...] = tuple({} for _ in levels)
    labels: tuple[dict[str, tuple[str, ...]], ...] = tuple({} for _ in levels)
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        language, fine, coarse, words = line.split("\t")
        for named, group in zip(labels, (fine, coarse), strict=False):
            known = (*named.get(language, ()), group)
            named[language] = tuple(dict.fromkeys(known))
        for word in plain([fine, *words.split(";")]):
            for under, group in zip(groups, (fine, coarse), strict=False):
                under[word] = group
    return Vocabulary(name, levels, groups, labels)


@cache
def level_names() -> dict[str, tuple[str, int]]:
    """Returns for the name of each level its list, and its place in it."""
    return {
        level: (name, place)
        for name in LISTS
        for place, level in enumerate(dict.fromkeys(LISTS[name]))
    }


def shares(words: list[str]) -> dict[str, float]:
    """Returns the share of words that each list has, 0 to 1; lists that have none are left out."""
    if not words or len(words) > _MOST_WORDS:
        return {}
    written = plain(words)
    known = {name: vocabulary(name).groups[0] for name in LISTS}
    found = {name: sum(word in groups for word in written) for name, groups in known.items()}
    return {name: round(count / len(words), 4) for name, count in found.items() if count}
