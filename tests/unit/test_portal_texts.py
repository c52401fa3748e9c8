"""Every text of the portal's templates stands in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).resolve().parents[2] / "catalog" / "portal" / "templates"
FILES = sorted(TEMPLATES.glob("*.jinja"))
_CALL = re.compile(r"""\bt\(\s*"([^"]*)",\s*"([^"]*)"\s*\)""")
_CHINESE = re.compile(r"[一-鿿]")
# What is the same in every language: names of formats and tools, digits, marks.
_SAME = re.compile(r"^[\s\d\W]*$|^(of|is|visits)$")
# The language switch names each language in itself.
_SWITCH = "中文"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_texts_stand_in_both_languages(file: Path) -> None:
    text = file.read_text("utf-8")
    for english, chinese in _CALL.findall(text):
        assert not _CHINESE.search(english), english
        if not _SAME.match(english):
            assert _CHINESE.search(chinese), english
    rest = _CALL.sub("", re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL))
    assert not _CHINESE.search(rest.replace(_SWITCH, "").replace("“医疗机构”", "")), (
        "outside of t()"
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_no_words_stand_outside(file: Path) -> None:
    """Words between tags are said by t(), a filter or a value, but for names of things."""
    text = re.sub(
        r"\{#.*?#\}|<code>.*?</code>|<pre.*?</pre>", "", file.read_text("utf-8"), flags=re.DOTALL
    )
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "|", text, flags=re.DOTALL)
    plain = re.sub(r"<[^>]*>", "|", text, flags=re.DOTALL)
    words = set(re.findall(r"[A-Za-z]{2,}", plain))
    assert words <= {"English", "pandas", "DuckDB", "CKAN", "SQL", "SHA", "Atom", "RSS", "JSON",
                     "Parquet", "OpenAPI", "MB", "doctype", "html"}, words  # fmt: skip
