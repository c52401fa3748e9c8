"""A level that a list of the package gives: the group of a degree, a trade or a country."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from desensitize.masking.base import Cell, Function, Workshop
from desensitize.masking.readings import as_text
from desensitize.spelling import plain
from desensitize.vocabulary import OTHER, level_names, vocabulary
from protos.language import Text


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
        groups = len(set(vocabulary(name).groups[place].values()))
        return Text(
            f"to which group of the list it belongs ({self.level}; {groups} groups, in English "
            "and Chinese)",
            f"可知属于词表中的哪一类（{self.level}；中英文共 {groups} 类）",
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
