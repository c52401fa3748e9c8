"""A certificate with all that proves it offline, in one JSON file.

::

    {"type": "veil-certificate-bundle", "version": 1,
     "certificate": vc+jwt, "salt": base64url of 32 bytes, "proof": C2SP tlog-proof with the
     cosigned checkpoint, "status": [status list credentials], "document": the grant or receipt that
     it is about or "", "linked": [bundles of the certificates that it leads to]}
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from protos.canonical import canonical
from protos.faults import InputError, TrustError
from protos.language import Text
from protos.strict_json import read_strict

TYPE: Final = "veil-certificate-bundle"
MOST_BYTES: Final = 16 << 20
_VERSION: Final = 1
_MEMBERS: Final = {
    "type", "version", "certificate", "salt", "proof", "status", "document", "linked",
}  # fmt: skip


@dataclass(frozen=True)
class Bundle:
    """A certificate and its proofs, as read; nothing in it is believed yet.

    Attributes:
        certificate: ``vc+jwt``.
        salt: 32 bytes.
        proof: ``tlog-proof``, with the checkpoint.
        status: Status list credentials, ``vc+jwt``.
        document: The grant or receipt that it is about; "".
        linked: Bundles of certificates that it leads to; they have none of their own.
    """

    certificate: str
    salt: bytes
    proof: str
    status: tuple[str, ...]
    document: str = ""
    linked: tuple[Bundle, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Writes it as JSON."""
        return {
            "type": TYPE,
            "version": _VERSION,
            "certificate": self.certificate,
            "salt": base64.urlsafe_b64encode(self.salt).decode(),
            "proof": self.proof,
            "status": list(self.status),
            "document": self.document,
            "linked": [bundle.to_json() for bundle in self.linked],
        }

    def to_bytes(self) -> bytes:
        """Writes the file."""
        return canonical(self.to_json())

    @classmethod
    def from_json(cls, body: Mapping[str, Any], *, inner: bool = False) -> Bundle:
        """Reads the JSON of one.

        Raises:
            TrustError: It is malformed.
        """
        if set(body) != _MEMBERS or (body["type"], body["version"]) != (TYPE, _VERSION):
            raise _malformed()
        texts = [body["certificate"], body["proof"], body["document"], body["salt"]]
        status, linked = body["status"], body["linked"]
        if not isinstance(status, list) or not isinstance(linked, list) or (inner and linked):
            raise _malformed()
        if not all(isinstance(text, str) for text in [*texts, *status]):
            raise _malformed()
        if not all(isinstance(each, dict) for each in linked):
            raise _malformed()
        try:
            salt = base64.b64decode(body["salt"], altchars=b"-_", validate=True)
        except ValueError as error:
            raise _malformed() from error
        if base64.urlsafe_b64encode(salt).decode() != body["salt"]:
            raise _malformed()
        return cls(
            certificate=body["certificate"],
            salt=salt,
            proof=body["proof"],
            status=tuple(status),
            document=body["document"],
            linked=tuple(cls.from_json(each, inner=True) for each in linked),
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Bundle:
        """Reads a file.

        Raises:
            TrustError: It is no bundle, or can be read in two ways.
        """
        try:
            return cls.from_json(read_strict(content, most=MOST_BYTES))
        except (ValueError, InputError) as error:
            raise _malformed() from error


def _malformed() -> TrustError:
    return TrustError(
        Text("this is not a certificate bundle, or it is damaged", "这不是证书文件，或文件已损坏"),
        remedy=Text(
            "ask for it again: veil certificate show ID --output FILE",
            "请重新索取：veil certificate show 编号 --output 文件",
        ),
        code="bundle.malformed",
    )
