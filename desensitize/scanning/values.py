"""Headers that are values: what a table without a header line has in the place of one."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from desensitize.recognisers.person import PERSON
from desensitize.scanning.finder import find, whole
from desensitize.scanning.findings import masked


def headers_as_told(headers: Sequence[str]) -> tuple[str, ...]:
    """Returns names of columns with those masked that may be somebody's values.

    A name, a number, whatever holds an identifier. Where it cannot be told (高飞 could be a person
    or none) the header is masked as well: who asked for it knows his columns.
    """
    texts = pa.array(headers, pa.string())
    named = whole(texts, PERSON) & PERSON.valid(texts)
    held = {hit.cell for hit in find(headers)}
    return tuple(
        masked(header)
        if place in held or named[place] or not any(map(str.isalpha, header))
        else header
        for place, header in enumerate(headers)
    )
