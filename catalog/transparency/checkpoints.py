"""C2SP ``tlog-checkpoint``, ``tlog-cosignature`` and ``tlog-proof``: what a log says of itself.

A checkpoint says: this log has so many entries with this root. The log signs it; a witness adds
a cosignature: as of this time, it is the largest consistent tree that I have seen of this log.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from catalog.transparency.merkle import HASH_BYTES, check_inclusion, leaf_hash
from catalog.transparency.notes import (
    Note,
    NoteKey,
    NoteSigner,
    check_key_name,
    from_base64,
    signed,
)
from protos.faults import TrustError
from protos.language import Text

MOST_STEPS: Final = 63  # hashes of a proof: more no tree of 2**63 entries has
_PROOF: Final = "c2sp.org/tlog-proof@v1"
_TIME_BYTES: Final = 8


@dataclass(frozen=True)
class Checkpoint:
    """The state of a log.

    Attributes:
        origin: Name of the log.
        size: Number of entries.
        root: Root hash, 32 bytes.
    """

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def signed(self, signer: NoteSigner) -> str:
        """Returns the note of the log that has this state."""
        return signed(self.text, signer)


@dataclass(frozen=True)
class Proof:
    """An entry's place in a log, as read; nothing in it is believed yet.

    Attributes:
        index: From 0.
        steps: Inclusion proof.
        note: The checkpoint, word for word.
    """

    index: int
    steps: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        """Writes it as ``tlog-proof``."""
        hashes = [base64.b64encode(step).decode() for step in self.steps]
        return "\n".join([_PROOF, f"index {self.index}", *hashes, "", self.note])

    def check(self, entry: bytes, checkpoint: Checkpoint) -> None:
        """Checks that an entry is where the proof says, under a checkpoint already verified.

        Raises:
            TrustError: It is not.
        """
        check_inclusion(leaf_hash(entry), self.index, checkpoint.size, self.steps, checkpoint.root)


def read_checkpoint(note: Note, key: NoteKey) -> Checkpoint:
    """Reads a checkpoint that a log has signed.

    Args:
        note: From anywhere.
        key: The log's; its name must be the origin.

    Raises:
        TrustError: It is not a checkpoint, or not signed by this key.
    """
    checkpoint = unverified_checkpoint(note)
    signatures = note.by(key)
    if checkpoint.origin != key.name or not signatures:
        raise TrustError(
            Text(
                f"the checkpoint is of {checkpoint.origin[:80]}, not signed by {key.name}",
                f"检查点属于 {checkpoint.origin[:80]}，没有 {key.name} 的签名",
            ),
            code="log.other",
        )
    if not all(key.holds(signature, note.text.encode()) for signature in signatures):
        raise TrustError(
            Text(
                f"the signature of {key.name} on the checkpoint does not hold",
                f"{key.name} 对检查点的签名不成立",
            ),
            code="log.signature",
        )
    return checkpoint


def unverified_checkpoint(note: Note) -> Checkpoint:
    """Reads what a note says, to find out whose it claims to be.

    Raises:
        TrustError: It is not a checkpoint.
    """
    try:
        origin, size, root, *more = note.text[:-1].split("\n")
        hashed = from_base64(root)
        if len(hashed) != HASH_BYTES or not all(more):
            raise ValueError("no root, or an empty line")
        return Checkpoint(check_key_name(origin), decimal(size), hashed)
    except ValueError as error:
        raise TrustError(
            Text("the note is not a checkpoint of a log", "签名文本不是日志的检查点"),
            code="log.checkpoint",
        ) from error


def cosigned(note: Note, signer: NoteSigner, now: int) -> str:
    """Returns a witness's signature line; whether it may sign, `Witness` decides.

    Args:
        note: The checkpoint.
        signer: The witness.
        now: Unix seconds.
    """
    return signer.sign(_cosigned_bytes(note, now), now.to_bytes(_TIME_BYTES))


def cosigned_at(note: Note, witness: NoteKey) -> int | None:
    """Returns when a witness has cosigned (Unix seconds), or None if it has not.

    Raises:
        TrustError: A signature under its name does not hold.
    """
    latest = None
    for content in note.by(witness):
        at, signature = int.from_bytes(content[:_TIME_BYTES]), content[_TIME_BYTES:]
        if not witness.holds(signature, _cosigned_bytes(note, at)):
            raise TrustError(
                Text(
                    f"the cosignature of {witness.name} does not hold",
                    f"见证方 {witness.name} 的会签不成立",
                ),
                code="log.cosignature",
            )
        latest = max(at, latest or 0)
    return latest


def read_proof(content: str) -> Proof:
    """Reads a ``tlog-proof``; one with ``extra`` data, which nothing authenticates, is refused.

    Raises:
        TrustError: It is malformed.
    """
    head, _, note = content.partition("\n\n")
    kind, *lines = head.split("\n")
    try:
        word, _, index = (lines or [""])[0].partition(" ")
        if kind != _PROOF or word != "index" or len(lines) > MOST_STEPS + 1 or not note:
            raise ValueError("no proof")
        return Proof(decimal(index), tuple(from_base64(line) for line in lines[1:]), note)
    except ValueError as error:
        raise TrustError(
            Text("the proof of inclusion is malformed", "收录证明格式有误"),
            code="log.proof",
            detail=str(error),
        ) from error


def decimal(text: str) -> int:
    """Reads a number without sign and leading zeroes, below 2**63.

    Raises:
        ValueError: It is none.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 19 or str(int(text)) != text:
        raise ValueError("no number")
    if int(text) >= 1 << 63:
        raise ValueError("too large a number")
    return int(text)


def _cosigned_bytes(note: Note, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{note.text}".encode()
