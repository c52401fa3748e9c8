"""When two texts are one value that is written in two ways, such as HIV and ``Ｈｉｖ``.

Not counted are case, the width of characters, blanks, and punctuation but for what belongs to a
number (1.5 is not 15; 1,000 is 1000) and for signs (HIV+ is not HIV-). Synonyms stay different:
nobody can list them. The rules are RE2, which the engine and Arrow both speak, so both give the
same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from desensitize.engines.stored_values import literal

_WIDE: Final = "".join(map(chr, range(0xFF01, 0xFF5F))) + "　−"
_NARROW: Final = "".join(map(chr, range(0x21, 0x7F))) + " -"
_MARK: Final = r"[^\P{P}-]"  # punctuation, but no hyphen
_RULES: Final = (
    (r"[\s\p{Z}\p{C}]+", ""),
    (r"[,'’]([0-9]{3})", r"\1"),  # 1,000; also in 1,0005: who takes two for one is the stricter
    (rf"(^|[^0-9]){_MARK}+", r"\1"),
    (rf"{_MARK}+([^0-9]|$)", r"\1"),
    (r"-+(\p{L})", r"\1"),
    (r"(\p{L})-+([0-9])", r"\1\2"),
)


def plain(texts: Iterable[str]) -> list[str]:
    """Returns how each text is written plainly; equal for what is one value."""
    narrow = str.maketrans(_WIDE, _NARROW)
    written = pc.utf8_lower(pa.array([text.translate(narrow) for text in texts], pa.string()))
    for pattern, left in _RULES:
        written = pc.replace_substring_regex(written, pattern, left)
    plainly: list[str] = written.to_pylist()
    return plainly


def plain_array(values: pa.Array) -> pa.Array:
    """Returns the same of an array of texts, each different one looked at once."""
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    coded = values.dictionary_encode()
    return pa.array(plain(coded.dictionary.to_pylist()), pa.string()).take(coded.indices)


def plain_sql(text: str) -> str:
    """Returns the expression of a text as it is written plainly; NULL stays NULL.

    Args:
        text: Expression of a VARCHAR.
    """
    written = f"lower(translate({text}, {literal(_WIDE)}, {literal(_NARROW)}))"
    for pattern, left in _RULES:
        written = f"regexp_replace({written}, {literal(pattern)}, {literal(left)}, 'g')"
    return written
