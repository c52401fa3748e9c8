"""Lines for a screen: never too wide, nothing lost, no line begins with a full stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from protos.wrapping import wrapped

CLOSING = "，。；：、？！）》"


def test_words_stay_whole_and_further_lines_are_indented() -> None:
    assert wrapped("  the noise of each column", 16, indent=2) == "  the noise of\n  each column"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("每个分组的区间。", ["每个分组的", "区间。"]),
        ("噪声在以内。其他", ["噪声在以", "内。其他"]),
        ("只用（甲）", ["只用（甲）"]),
    ],
)
def test_chinese_breaks_between_characters_but_before_no_full_stop(
    text: str, lines: list[str]
) -> None:
    assert wrapped(text, 10).split("\n") == lines


@given(
    st.text(st.sampled_from("ab c中文，。（）12 "), max_size=80), st.integers(10, 40),
    st.sampled_from([0, 2]),
)  # fmt: skip
def test_nothing_is_lost_and_no_line_is_too_wide(text: str, width: int, indent: int) -> None:
    lines = wrapped(text, width, indent=indent).split("\n")
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert max(map(cell_len, lines)) <= max(width, 2 * indent + 8)
