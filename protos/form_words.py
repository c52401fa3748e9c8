"""What pydantic says of a value that does not fit, in Chinese: it speaks English only."""

from __future__ import annotations

import re
from typing import Final

from protos.language import Text

_SAYINGS: Final = tuple(
    (re.compile(pattern), chinese)
    for pattern, chinese in (
        (r"Input should be a valid integer.*", "应为整数"),
        (r"Input should be a valid (?:number|decimal).*", "应为数值"),
        (r"Input should be a valid boolean.*", "应为 true 或 false"),
        (r"Input should be a valid string", "应为文本"),
        (r"Input should be a valid (?:list|array).*", "应为列表"),
        (r"Input should be a valid (?:dictionary|object).*", "应为 JSON 对象"),
        (r"Input should be a valid (?:date|datetime).*", "应为日期，如 2025-01-31"),
        (r"Input should be greater than or equal to (\S+)", r"不得小于 \1"),
        (r"Input should be less than or equal to (\S+)", r"不得大于 \1"),
        (r"Input should be greater than (\S+)", r"应大于 \1"),
        (r"Input should be less than (\S+)", r"应小于 \1"),
        (r"Input should be ('.*')", r"可选值：\1"),
        (r"Field required", "缺少此项"),
        (r"Extra inputs are not permitted", "不支持此项"),
        (r"String should have at most (\d+) characters?", r"不得超过 \1 个字符"),
        (r"String should have at least (\d+) characters?", r"不得少于 \1 个字符"),
        (r"String should match pattern '(.*)'", r"格式应为 \1"),
        (r"(?:List|Dictionary|Tuple) should have at most (\d+) items? .*", r"不得超过 \1 项"),
        (r"(?:List|Dictionary|Tuple) should have at least (\d+) items? .*", r"不得少于 \1 项"),
        (r"JSON decode error", "不是有效的 JSON"),
        (r"Value error, (.*) does not match the formats? (.*?)\.?", r"\1 不符合格式 \2"),
    )
)


def misfit(said: str) -> Text:
    """Returns a validator's message in both languages; of an unknown one, that it does not fit."""
    for pattern, chinese in _SAYINGS:
        if found := pattern.fullmatch(said):
            return Text(said, found.expand(chinese).replace(" or ", "、").replace("', '", "'、'"))
    return Text(said, f"不符合要求（{said}）")
