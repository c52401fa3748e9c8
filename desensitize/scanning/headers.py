"""Reads column headers as people write them: 身份证号(必填), `id_card_no`, `SFZH`, broken lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

_WORD: Final = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[一-鿿]+")
_NOISE: Final = re.compile(r"[（(【\[][^）)】\]]*[）)】\]]|[\s*:：_/\\.#-]+")


def match(header: str, words: Iterable[str]) -> int:
    """Returns how many characters of the header the longest matching word explains; 0 for none.

    A Chinese word matches anywhere in the header; what has only Latin letters and digits must
    be whole words of it, so that ``tel`` is not found in ``hotel``. Brackets and their contents,
    blanks and line breaks count for nothing.
    """
    plain, runs = _parts(header)
    best = 0
    for word in words:
        if (word in plain if not word.isascii() else word in runs) and len(word) > best:
            best = len(word)
    return best


@cache
def _parts(header: str) -> tuple[str, frozenset[str]]:
    """The header without noise, and every run of its words joined: id, idcard, card."""
    spaced = _NOISE.sub(" ", header)
    words = [word.lower() for word in _WORD.findall(spaced)]
    runs = {"".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
    return spaced.replace(" ", "").lower(), frozenset(runs)
