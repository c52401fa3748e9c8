"""What somebody probably meant: Chinese input methods' punctuation, misspelt words, brackets.

Only guesses for people: nothing here decides what is accepted, but for `narrowed`, which writes
the eleven full-width signs that can mean one thing only as their ASCII twins.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sqlglot import Token

from protos.language import Text, Words

_TWINS: Final = str.maketrans("，（）；＝＜＞＋－＊／％　", ",();=<>+-*/% ")
TYPOGRAPHIC: Final = frozenset("‘’“”")  # text or name? Only the writer knows
_CLAUSES: Final = (
    "SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "DISTINCT", "BETWEEN", "CASE",
    "WHEN", "THEN", "ELSE",
)  # fmt: skip
_SHORT: Final = 3  # letters: such names are near to too many others
_OTHER_DIALECTS: Final[dict[str, Text]] = {
    "ISNULL": Text("use COALESCE, or x IS NULL", "请用 COALESCE，或 x IS NULL"),
    "DECODE": Text("use CASE WHEN … THEN … END", "请用 CASE WHEN … THEN … END"),
    "NOW": Text("write the date itself: '2025-01-31'", "请直接写日期：'2025-01-31'"),
    "GETDATE": Text("write the date itself: '2025-01-31'", "请直接写日期：'2025-01-31'"),
    "SYSDATE": Text("write the date itself: '2025-01-31'", "请直接写日期：'2025-01-31'"),
    "CURRENT_DATE": Text("write the date itself: '2025-01-31'", "请直接写日期：'2025-01-31'"),
    "TO_CHAR": Text("use YEAR(d), MONTH(d)", "请用 YEAR(d)、MONTH(d)"),
    "DATE_FORMAT": Text("use YEAR(d), MONTH(d)", "请用 YEAR(d)、MONTH(d)"),
    "MEAN": Text("use AVG", "请用 AVG"),
    "AVERAGE": Text("use AVG", "请用 AVG"),
    "VAR": Text("use VAR_SAMP or VAR_POP", "请用 VAR_SAMP 或 VAR_POP"),
    "STD": Text("use STDDEV", "请用 STDDEV"),
    "计数": Text("use COUNT", "请用 COUNT"),
    "求和": Text("use SUM", "请用 SUM"),
    "合计": Text("use SUM", "请用 SUM"),
    "平均": Text("use AVG", "请用 AVG"),
    "平均值": Text("use AVG", "请用 AVG"),
}


def narrowed(sql: str) -> str:
    """Writes full-width punctuation in half width, outside quotes and comments.

    Input methods write ，（）； where SQL has ,(); and they can mean nothing else there. The text
    keeps its length, so that places stay the same.
    """
    parts, at = [], 0
    for start, end in _quoted(sql):
        parts += [sql[at:start].translate(_TWINS), sql[start:end]]
        at = end
    return "".join([*parts, sql[at:].translate(_TWINS)])


def unclosed(sql: str) -> int:
    """Returns the offset of a quote or comment that never ends, or -1."""
    for start, end in _quoted(sql):
        opening = "--" if sql.startswith("--", start) else sql[start]
        if opening == "--":
            continue
        closing = "*/" if opening == "/" else opening
        if end - start < len(closing) + 1 or not sql[start:end].endswith(closing):
            return start
    return -1


def _quoted(sql: str) -> Iterator[tuple[int, int]]:
    """Yields (start, end) of every quoted text, quoted name and comment, in order."""
    at = 0
    while at < len(sql):
        start = at
        if sql[at] in "'\"":
            end = sql.find(sql[at], at + 1)
        elif sql.startswith("--", at):
            end = sql.find("\n", at)
        elif sql.startswith("/*", at):
            end = sql.find("*/", at + 2)
            end += end >= 0
        else:
            at += 1
            continue
        at = len(sql) if end < 0 else end + 1
        yield start, at


def nearest(name: str, known: Iterable[str]) -> Words:
    """Returns a remedy that names what is spelled most like ``name``, or ``""``.

    An abbreviation finds what it may stand for: ``dept`` the column ``department``.
    """
    folded = {k.casefold(): k for k in known}
    wanted = name.casefold()
    close = difflib.get_close_matches(wanted, folded, n=3, cutoff=0.6)
    if not close and len(wanted) >= _SHORT:
        close = [k for k in folded if k[0] == wanted[0] and _abbreviates(wanted, k)][:3]
    return _did_you_mean([folded[c] for c in close])


def nearest_function(name: str, known: Sequence[str]) -> Words:
    """Returns a remedy for a function that is not known, or ``""``."""
    if (other := _OTHER_DIALECTS.get(name.upper())) is not None:
        return other
    cutoff = 0.75 if len(name) <= _SHORT else 0.6
    return _did_you_mean(difflib.get_close_matches(name.upper(), known, n=3, cutoff=cutoff))


def misspelt_clause(tokens: Sequence[Token], last: int) -> tuple[int, str] | None:
    """Finds the last word up to token ``last`` that is nearly a keyword: (its index, the keyword).

    The parser takes a misspelt keyword for an alias and stumbles over what follows it.
    """
    for i in range(min(last, len(tokens) - 1), -1, -1):
        word = tokens[i].text.upper()
        if word in _CLAUSES or not word.isalpha() or len(word) <= _SHORT:
            continue
        if close := difflib.get_close_matches(word, _CLAUSES, n=1, cutoff=0.75):
            return i, close[0]
    return None


def unbalanced(tokens: Sequence[Token], sql: str) -> tuple[int, Text] | None:
    """Finds a bracket without its partner: (index of its token, what is wrong)."""
    opened: list[int] = []
    for i, token in enumerate(tokens):
        if sql[token.start] == "(":
            opened.append(i)
        elif sql[token.start] == ")":
            if not opened:
                return i, Text("this bracket was never opened", "此括号没有对应的左括号")
            opened.pop()
    return (opened[-1], Text("this bracket is never closed", "此括号没有闭合")) if opened else None


def _did_you_mean(found: Sequence[str]) -> Words:
    if not found:
        return ""
    return Text(f"did you mean {' or '.join(found)}?", f"是不是 {' 或 '.join(found)}？")


def _abbreviates(short: str, long: str) -> bool:
    letters = iter(long)
    return all(letter in letters for letter in short)
