"""Canonical JSON (RFC 8785): one byte string for one meaning, so that it can be signed."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

from protos.faults import InputError


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
        return rfc8785.dumps(value)
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
