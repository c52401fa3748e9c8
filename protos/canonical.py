"""Canonical JSON (RFC 8785): one byte string for one meaning, so that it can be signed."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import rfc8785

from protos.faults import InputError

_EXACT: Final = 2**53 - 1  # the largest integer that every JSON reader keeps (RFC 8785 appendix D)
_QUICK: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def canonical(body: object) -> bytes:
    """Writes a JSON value in its one canonical form (RFC 8785, JCS).

    Args:
        body: None, bool, int within ±(2**53 - 1), finite float, str, or lists, tuples and
            string-keyed dicts of them.

    Returns:
        UTF-8 bytes.

    Raises:
        InputError: ``body`` has no canonical form. Larger integers must be written as strings.
    """
    try:
        # The cast to Any: rfc8785 checks the value itself, and that check is the point here.
        value: Any = body
        return _QUICK.encode(value).encode() if _is_plain(value) else rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
        raise InputError(
            "the value has no canonical JSON form",
            remedy="use strings, finite numbers, integers below 2**53, lists and plain objects",
            code="json.not_canonical",
            detail=str(error),
        ) from error


def digest(body: object) -> str:
    """Returns the SHA-256 of the canonical JSON, as 64 lower-case hex digits."""
    return hashlib.sha256(canonical(body)).hexdigest()


def _is_plain(value: Any) -> bool:  # noqa: ANN401 - any JSON value, and what is none
    """Says whether Python's own encoder, written in C, gives a value's canonical form.

    It does but for floats and large integers (JCS writes or refuses numbers as JavaScript does),
    and names beyond ASCII (JCS sorts them by UTF-16). A node reads thousands of signed bodies in
    a job, and rfc8785 takes four times as long for one.
    """
    kind = type(value)  # exactly: a subclass may have a text of its own
    if kind is int:
        return bool(-_EXACT <= value <= _EXACT)
    if kind is dict:
        return all(
            type(name) is str and name.isascii() and _is_plain(item) for name, item in value.items()
        )
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))
    return kind is str or kind is bool or value is None
