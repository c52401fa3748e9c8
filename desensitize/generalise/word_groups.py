"""A level that a list of the package gives: the group of a degree, a trade or a country."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import pyarrow as pa

from desensitize.masking.base import Cell, Function, Workshop
from desensitize.masking.readings import as_text
from desensitize.spelling import plain
from desensitize.vocabulary import OTHER, TITLES, level_names, vocabulary
from protos.language import Text

_SHOWN: Final = 4


@dataclass(frozen=True)
class WordGroup:
    """The group of a word; of one that the list does not have, ``other``. Conclusions: the group.

    Attributes:
        level: Name of the level, such as ``degree``; see `desensitize.vocabulary.LISTS`.
    """

    level: str

    title: ClassVar = Text("group of words", "按词表归类")
    concludes: ClassVar = Text("to which group of words it belongs", "可知所属类别")

    @property
    def conclusion(self) -> Text:
        """What this level leaves."""
        name, place = level_names()[self.level]
        labels, title = vocabulary(name).labels[place], TITLES[self.level]
        many = len(labels["en"]) + 1
        return Text(
            f"{title.en}, one of {many}: {_listed(labels['en'], ', ')}{OTHER['en']}",
            f"可知{title.zh}（{many} 类之一：{_listed(labels['zh'], '、')}{OTHER['zh']}）",
        )

    def apply(self, cell: Cell, shop: Workshop) -> Cell:
        """Returns names of groups."""
        name = shop.function(Function(self._look_up))
        return Cell(f"{name}(nullif(trim({as_text(cell).sql}), ''))", "VARCHAR")

    def _look_up(self, values: pa.Array) -> pa.Array:
        name, place = level_names()[self.level]
        groups = vocabulary(name).groups[place]
        values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        coded = values.dictionary_encode()
        words = coded.dictionary.to_pylist()
        found = [
            groups.get(written, OTHER["en" if word.isascii() else "zh"])
            for word, written in zip(words, plain(words), strict=True)
        ]
        return pa.array(found, pa.string()).take(coded.indices)


def _listed(labels: tuple[str, ...], between: str) -> str:
    """The first groups, each with what divides it from the next."""
    shown = [*labels[:_SHOWN], *("…" for _ in labels[_SHOWN : _SHOWN + 1])]
    return "".join(f"{label}{between}" for label in shown)
