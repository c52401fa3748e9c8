"""C2SP ``signed-note``: a text, a blank line, and one line for each signature.

Two signature types of https://c2sp.org/signed-note are spoken: 0x01, Ed25519 over the text (logs),
and 0x04, a timestamped cosignature (witnesses, `catalog.transparency.checkpoints`). A key is known
by name *and* key id; whatever else stands in a note is ignored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protos.faults import InputError, TrustError
from protos.language import Text

LOG: Final = 0x01
WITNESS: Final = 0x04
_MOST: Final = 64 * 1024  # characters of a whole note
_SIGNATURE: Final = "\u2014 "


@dataclass(frozen=True)
class NoteKey:
    """A public key with the name under which it signs.

    Attributes:
        name: A schema-less URL, such as ``hub.example/certificates``.
        kind: `LOG` or `WITNESS`.
        raw: The Ed25519 public key, 32 bytes.
    """

    name: str
    kind: int
    raw: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        content = self.name.encode() + b"\n" + bytes([self.kind]) + self.raw
        return hashlib.sha256(content).digest()[:4]

    def __str__(self) -> str:
        """Writes the key as a ``vkey``: name, key id and key."""
        encoded = base64.b64encode(bytes([self.kind]) + self.raw).decode()
        return f"{self.name}+{self.id.hex()}+{encoded}"

    @classmethod
    def parse(cls, vkey: str) -> NoteKey:
        """Reads a ``vkey``.

        Raises:
            InputError: It is none of an Ed25519 log or witness.
        """
        name, _, rest = vkey.partition("+")
        identifier, _, encoded = rest.partition("+")
        try:
            content = from_base64(encoded)
            key = cls(check_key_name(name), content[0], content[1:])
            if len(content) != 33 or key.kind not in {LOG, WITNESS} or key.id.hex() != identifier:
                raise ValueError("another key")
        except (ValueError, IndexError) as error:
            raise InputError(
                Text(f"{vkey[:80]!r} is not a verifier key", f"{vkey[:80]!r} 不是验证密钥"),
                remedy=Text(
                    "copy the whole line: name+key id+key", "请复制整行：名称+密钥编号+密钥"
                ),
                code="note.key",
            ) from error
        return key

    def holds(self, signature: bytes, message: bytes) -> bool:
        """Whether a raw Ed25519 signature is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class NoteSigner:
    """A private key with its public one; redacted in ``repr``."""

    public: NoteKey
    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def of(cls, name: str, kind: int, private: Ed25519PrivateKey) -> NoteSigner:
        """Gives a key its name.

        Raises:
            InputError: The name has spaces, a plus, or nothing in it.
        """
        return cls(NoteKey(named_key(name), kind, private.public_key().public_bytes_raw()), private)

    def sign(self, message: bytes, before: bytes = b"") -> str:
        """Returns a signature line over ``message``; ``before`` goes ahead of the signature."""
        return _written(self.public, before + self.private.sign(message))


@dataclass(frozen=True)
class Note:
    """A note as read; nothing in it is believed yet.

    Attributes:
        text: Signed text, ends with a newline.
        lines: (key name, key id, signature) of each line.
    """

    text: str
    lines: tuple[tuple[str, bytes, bytes], ...]

    def by(self, key: NoteKey) -> list[bytes]:
        """Signatures that name a key, unchecked."""
        return [sig for name, identifier, sig in self.lines if (name, identifier) == _named(key)]

    def lines_of(self, key: NoteKey) -> str:
        """The lines that name a key, as they are written."""
        return "".join(_written(key, content) for content in self.by(key))


def signed(text: str, *signers: NoteSigner) -> str:
    """Signs a text that ends with a newline."""
    return "".join([text, "\n", *(signer.sign(text.encode()) for signer in signers)])


def read_note(content: str) -> Note:
    """Reads a note.

    Raises:
        TrustError: It is malformed.
    """
    text, blank, signatures = content.rpartition("\n\n")
    try:
        content.encode("utf-8")
        if not blank or len(content) > _MOST or not signatures.endswith("\n"):
            raise ValueError("no text, no signature, or too long")
        if any(char < " " and char != "\n" for char in content):
            raise ValueError("a control character")
        lines = tuple(_line(line) for line in signatures[:-1].split("\n"))
    except ValueError as error:
        raise TrustError(
            Text("the signed note is malformed", "签名文本格式有误"),
            code="note.malformed",
            detail=str(error),
        ) from error
    return Note(text + "\n", lines)


def named_key(name: str) -> str:
    """Returns a name that somebody gives a key.

    Raises:
        InputError: The name has spaces, a plus, or nothing in it.
    """
    try:
        return check_key_name(name)
    except ValueError as error:
        raise InputError(
            Text(f"{name[:80]!r} cannot name a key", f"{name[:80]!r} 不能作为密钥名称"),
            remedy=Text(
                "use a name like hub.example/certificates, without spaces and '+'",
                "请使用类似 hub.example/certificates 的名称，不含空格和加号",
            ),
            code="note.name",
        ) from error


def check_key_name(name: str) -> str:
    """Returns a name that a key may have.

    Raises:
        ValueError: It may not.
    """
    if (
        not name
        or len(name) > 255
        or "+" in name
        or not name.isprintable()
        or name.split() != [name]
    ):
        raise ValueError("no name of a key")
    return name


def from_base64(text: str) -> bytes:
    """Reads standard base64 in its one spelling (RFC 4648, section 4).

    Raises:
        ValueError: It is none, or has another spelling.
    """
    content = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    if base64.b64encode(content).decode() != text:
        raise ValueError("not base64")
    return content


def _written(key: NoteKey, signature: bytes) -> str:
    return f"{_SIGNATURE}{key.name} {base64.b64encode(key.id + signature).decode()}\n"


def _line(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_SIGNATURE).partition(" ")
    content = from_base64(encoded)
    if not line.startswith(_SIGNATURE) or len(content) < 5:
        raise ValueError("no signature line")
    return check_key_name(name), content[:4], content[4:]


def _named(key: NoteKey) -> tuple[str, bytes]:
    return key.name, key.id
