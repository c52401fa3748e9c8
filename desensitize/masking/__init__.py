"""Masking methods: one policy becomes one statement.

`KINDS` lists every method and how a policy writes it; each method's docstring says what a reader
of the release can still conclude. ``statement`` puts the methods of a policy together.
"""

from __future__ import annotations

from typing import Final

from desensitize.masking.base import Kind
from desensitize.masking.dates import DateShift, DateTo
from desensitize.masking.district import District
from desensitize.masking.format_preserving import FormatPreserving
from desensitize.masking.noise import Noise
from desensitize.masking.numbers import Band, BottomCode, Round, TopCode
from desensitize.masking.order import Microaggregate, Shuffle
from desensitize.masking.token import Token
from desensitize.masking.visible import Drop, Ends, Keep, Redact

HIDING: Final = (Drop, Redact, Token, FormatPreserving, Ends, District)
"""Methods that leave no value of an identifier; all others can leave every one as it is."""
UNREADABLE: Final = (Redact, Token, FormatPreserving)
"""Methods after which nobody counts what a mask before them has left."""
KINDS: Final[tuple[Kind, ...]] = (
    Kind("keep", Keep),
    Kind("drop", Drop),
    Kind("redact", Redact, "text"),
    Kind("keep_first", Ends, "first", {"keep_last": "last", "mask": "mark"}),
    Kind("keep_last", Ends, "last", {"keep_first": "first", "mask": "mark"}),
    Kind("token", Token, "domain", {"length": "length"}),
    Kind("ff1", FormatPreserving, "domain",
         {"alphabet": "alphabet", "clear_first": "clear"}),
    Kind("date", DateTo, "unit"),
    Kind("date_shift", DateShift, "domain", {"subject": "subject", "days": "days"}),
    Kind("district", District, "level"),
    Kind("band", Band, "edges"),
    Kind("top_code", TopCode, "limit"),
    Kind("bottom_code", BottomCode, "limit"),
    Kind("round", Round, "base"),
    Kind("noise", Noise, "scale"),
    Kind("shuffle", Shuffle, "within", {"key": "domain", "smallest": "smallest"}),
    Kind("microaggregate", Microaggregate, "k"),
)  # fmt: skip
