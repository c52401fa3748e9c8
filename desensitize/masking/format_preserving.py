"""FF1 as a masking method: a number stays a number of the same length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from desensitize.masking.base import Cell, Domain, Function, Method, Workshop
from desensitize.masking.fpe import Ff1
from desensitize.masking.readings import as_text
from desensitize.masking.visible import Ends
from protos.language import Text

Alphabet = Literal["digits", "digits_x", "alphanumeric"]
ALPHABETS: Final[dict[Alphabet, str]] = {
    "digits": "0123456789",
    "digits_x": "0123456789X",  # resident ids
    "alphanumeric": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
}


@dataclass(frozen=True)
class FormatPreserving:
    """Encrypts with FF1, so that length and alphabet stay: for systems that check the form.

    Equal values are equal afterwards, under one domain and alphabet. Check digits, birth dates
    and division codes are encrypted like the rest: what comes out is no valid id, but for
    chance. Small letters count as capitals. A value with another character, or of a length that
    NIST excludes (under a million possible values) or beyond 32 digits, becomes NULL and is
    counted.

    Conclusions: length, and which rows have the same value. With the key, the value itself:
    unlike a token this is made to be reversed, so guard the key like the table.

    Attributes:
        domain: Names the key.
        alphabet: Characters that values consist of.
        clear: Characters at the beginning that stay as they are (a division, a prefix).
    """

    domain: Domain
    alphabet: Alphabet = "digits"
    clear: Annotated[int, Field(ge=0, le=12)] = 0

    title: ClassVar = Text("encrypted in its format (FF1)", "保留格式加密（FF1）")
    concludes: ClassVar = Text(
        "length and characters that are kept, and which rows have the same value",
        "可知长度、保留的字符，以及哪些记录的值相同",
    )

    def apply(self, cell: Cell, shop: Workshop) -> Cell:
        """Returns encrypted text."""
        letters = ALPHABETS[self.alphabet]
        key = shop.secrets.subkey(self.domain, f"ff1 {self.alphabet}")
        encrypt = encrypter(Ff1(key, len(letters)), letters, clear=self.clear)
        return shop.call(Function(encrypt), f"upper(trim({as_text(cell).sql}))")


@dataclass(frozen=True)
class ClearPart:
    """What FF1 leaves clear of a value, which needs no key: for those who judge a release.

    No policy names it. Conclusions: these characters.

    Attributes:
        alphabet: Of the encryption.
        length: Characters that it leaves.
    """

    alphabet: Alphabet
    length: int

    title: ClassVar = Text("characters that stay clear", "未加密的字符")
    concludes: ClassVar = Text("how it begins", "可知其开头")

    def apply(self, cell: Cell, shop: Workshop) -> Cell:  # noqa: ARG002 - one shape for all
        """Returns text; NULL for what FF1 does not encrypt."""
        letters = ALPHABETS[self.alphabet]
        lengths = Ff1(bytes(16), len(letters)).lengths()
        text = f"upper(trim({as_text(cell).sql}))"
        form = f"[{letters}]{{{lengths.start},{lengths.stop - 1}}}"
        fits = f"regexp_full_match(substr({text}, {self.length + 1}), '{form}')"
        return Cell(f"CASE WHEN {fits} THEN left({text}, {self.length}) END", "VARCHAR")


def ends_left(methods: Sequence[Method]) -> Ends | None:
    """Returns what methods leave of a value's ends for everybody to read; None for no ends.

    What FF1 leaves clear is a mask like any other: its rest tells nothing without the key.
    """
    last = methods[-1] if methods else None
    if isinstance(last, FormatPreserving) and last.clear:
        return Ends(last.clear)
    return last if isinstance(last, Ends) else None


def encrypter(
    cipher: Ff1, letters: str, *, clear: int = 0, back: bool = False
) -> Callable[[pa.Array], pa.Array]:
    """Returns the function that encrypts (or decrypts) an array of texts.

    Args:
        cipher: Of radix ``len(letters)``.
        letters: The alphabet, ASCII, in the order of the digits that they stand for.
        clear: Characters at the beginning that stay as they are.
        back: Decrypt.
    """
    places = np.full(256, -1, dtype=np.int64)
    places[np.frombuffer(letters.encode("ascii"), dtype=np.uint8)] = np.arange(len(letters))
    written = np.frombuffer(letters.encode("ascii"), dtype=np.uint8)
    turn = cipher.decrypt if back else cipher.encrypt

    def compute(values: pa.Array) -> pa.Array:
        values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        coded = values.dictionary_encode()  # equal values are encrypted once
        kept = pc.utf8_slice_codeunits(coded.dictionary, 0, clear)
        texts = pc.utf8_slice_codeunits(coded.dictionary, clear).cast(pa.binary())
        lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False)
        parts, from_part = [pa.nulls(1, pa.binary())], np.zeros(len(texts), np.int64)
        for length in set(lengths.tolist()) & set(cipher.lengths()):
            mine = np.flatnonzero(lengths == length)
            digits = places[_characters(texts.take(pa.array(mine)))].reshape(-1, length)
            right = (digits >= 0).all(axis=1)
            if right.any():
                from_part[mine[right]] = sum(map(len, parts)) + np.arange(right.sum())
                parts.append(_texts(written[turn(digits[right])]))
        turned = pa.concat_arrays(parts).take(pa.array(from_part)).cast(pa.string())
        return pc.binary_join_element_wise(kept, turned, "").take(coded.indices)

    return compute


def _characters(texts: pa.Array) -> NDArray[np.uint8]:
    """All bytes of an array of texts, one text after the other."""
    _, ends, content = texts.buffers()
    ends = np.frombuffer(ends, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(content, np.uint8)[ends[0] : ends[-1]]


def _texts(characters: NDArray[np.uint8]) -> pa.Array:
    """The texts of equal length that are the lines of a table of bytes."""
    many, length = characters.shape
    ends = np.arange(0, (many + 1) * length, length, dtype=np.int32)
    content = np.ascontiguousarray(characters)
    return pa.Array.from_buffers(
        pa.binary(), many, [None, pa.py_buffer(ends), pa.py_buffer(content)]
    )
