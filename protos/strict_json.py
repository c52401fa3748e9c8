"""Reads JSON that is to be believed: one meaning for every reader, or none.

Two readers of one text must not see two things in it: members that come twice, NaN, numbers that
do not survive, and lone surrogates are refused (RFC 8259 leaves them open, RFC 7493 does not).
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

_EXACT: Final = 2**53 - 1
_DEEPEST: Final = 64
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")


def read_strict(content: bytes, *, most: int) -> dict[str, Any]:
    """Reads one JSON object (I-JSON, RFC 7493).

    Args:
        content: UTF-8.
        most: Largest size, bytes.

    Raises:
        ValueError: It is larger, no JSON object, too deep, or can be read in two ways.
    """
    if len(content) > most:
        raise ValueError(f"larger than {most} bytes")
    if _depth(content) > _DEEPEST:
        raise ValueError(f"nested deeper than {_DEEPEST}")
    body = json.loads(
        content.decode("utf-8"),
        object_pairs_hook=_once,
        parse_constant=_refuse,
        parse_int=_exact,
        parse_float=_finite,
    )
    if not isinstance(body, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - one kind of error for all of it
    json.dumps(body, ensure_ascii=False).encode("utf-8")  # a lone surrogate has no bytes
    return body


def _depth(content: bytes) -> int:
    """An upper limit: brackets within texts are counted too."""
    depth = deepest = 0
    for byte in content.translate(None, _NO_BRACKETS):
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) < len(pairs):
        raise ValueError("a member comes twice")
    return body


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _exact(digits: str) -> int:
    # Long ones first: Python reads no integer of more than 4,300 digits.
    if len(digits) > 17 or abs(int(digits)) > _EXACT:
        raise ValueError("an integer beyond 2**53")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number without end")
    return number
