"""When two texts are one value that is written in two ways, such as HIV and ``Ｈｉｖ``.

Not counted are case, the width of characters, blanks, and punctuation but for what belongs to a
number (1.5 is not 15; 1,000 is 1000) and for signs (HIV+ is not HIV-). Synonyms stay different,
since nobody can list them all, but for those that a policy lists of its own column. The rules are
RE2, which the engine and Arrow both speak, so both give the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from desensitize.engines.stored_values import literal
from protos.faults import InputError
from protos.language import Text

Same = Sequence[Sequence[str]]
"""Groups of words that mean the same, as a policy lists them."""
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


def plain_array(values: pa.Array, same: Same = ()) -> pa.Array:
    """Returns the same of an array of texts, each different one looked at once.

    Args:
        values: The texts.
        same: Which of them mean the same.
    """
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    coded = values.dictionary_encode()
    first = first_of(same)
    written = [first.get(each, each) for each in plain(coded.dictionary.to_pylist())]
    return pa.array(written, pa.string()).take(coded.indices)


def check_texts(column: str, same: Same) -> None:
    """Refuses words that mean the same of a column that holds no texts.

    Raises:
        InputError: There are some.
    """
    if same:
        raise InputError(
            Text(f"same is about texts, and {column!r} holds none",
                 f"same 用于文本，而“{column}”不是文本列"),
            remedy=Text("leave same out of the policy", "请从策略中删去 same"),
            code="policy.same",
        )  # fmt: skip


def first_of(same: Same) -> dict[str, str]:
    """Returns what counts for each word but the first of its group, both written plainly."""
    groups = [plain(group) for group in same]
    return {word: group[0] for group in groups for word in group[1:] if word != group[0]}


def plain_sql(text: str, same: Same = ()) -> str:
    """Returns the expression of a text as it is written plainly; NULL stays NULL.

    Args:
        text: Expression of a VARCHAR.
        same: Which texts mean the same.
    """
    written = f"lower(translate({text}, {literal(_WIDE)}, {literal(_NARROW)}))"
    for pattern, left in _RULES:
        written = f"regexp_replace({written}, {literal(pattern)}, {literal(left)}, 'g')"
    if first := first_of(same):
        turns = "".join(f" WHEN {literal(word)} THEN {literal(one)}" for word, one in first.items())
        return f"CASE {written}{turns} ELSE {written} END"
    return written
