"""What a TLS certificate says about its holder, and nothing that it does not.

The name stands in the subject alternative name as ``URI:veil:ROLE:NAME``; the subject's common
name is for people and is never read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from protos.faults import InputError, TrustError
from protos.language import Text
from protos.names import Role, check_name, check_role

_SCHEME: Final = "veil"


@dataclass(frozen=True)
class Certified:
    """Who a certificate speaks of.

    Attributes:
        role: As certified.
        name: Unique within the role.
        fingerprint: SHA-256 of the DER certificate, 64 hex digits.
        not_before: Unix seconds.
        not_after: Unix seconds.
    """

    role: Role
    name: str
    fingerprint: str
    not_before: int
    not_after: int

    def check_time(self, now: float) -> None:
        """Raises TrustError when the certificate is not valid at ``now`` (Unix seconds)."""
        if now > self.not_after:
            raise TrustError(
                Text(
                    f"the certificate of {self.role} {self.name} has expired",
                    f"{self.role} {self.name} 的证书已过期",
                ),
                remedy=Text(
                    "renew it; if it should still hold, compare this machine's clock",
                    "请续签；若本应有效，请核对本机时钟",
                ),
                code="certificate.expired",
            )
        if now < self.not_before:
            raise TrustError(
                Text(
                    f"the certificate of {self.role} {self.name} is not valid yet",
                    f"{self.role} {self.name} 的证书尚未生效",
                ),
                remedy=Text(
                    "a clock is wrong: compare both machines' clocks and use a time server",
                    "有时钟不准：请核对两台机器的时钟，并使用时间服务器",
                ),
                code="certificate.early",
            )


def subject_uri(role: Role, name: str) -> str:
    """Returns the URI that stands in the certificate."""
    return f"{_SCHEME}:{role}:{name}"


def fingerprint(certificate: x509.Certificate) -> str:
    """Returns the SHA-256 of the DER certificate, as 64 hex digits."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def load_certificate(pem: bytes) -> x509.Certificate:
    """Reads one PEM certificate.

    Raises:
        TrustError: It is malformed.
    """
    try:
        return x509.load_pem_x509_certificate(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrustError(
            Text("the certificate is malformed", "证书格式有误"),
            code="certificate.invalid",
            detail=str(error),
        ) from error


def read_certificate(pem: bytes) -> Certified:
    """Reads who a PEM certificate speaks of. The chain was checked elsewhere (by TLS).

    Raises:
        TrustError: It is malformed or does not carry exactly one Veil name.
    """
    certificate = load_certificate(pem)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        scheme, role, name = uri.split(":")
        if scheme != _SCHEME:
            raise ValueError("another scheme")
        return Certified(
            role=check_role(role),
            name=check_name(name),
            fingerprint=fingerprint(certificate),
            not_before=int(certificate.not_valid_before_utc.timestamp()),
            not_after=int(certificate.not_valid_after_utc.timestamp()),
        )
    except (
        x509.ExtensionNotFound,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        InputError,
        ValueError,
    ) as error:
        raise TrustError(
            Text(
                "the certificate does not name a member of this exchange",
                "证书中没有本交换中心的成员名",
            ),
            remedy=Text(
                "use the certificate that enrolment wrote (tls.crt)",
                "请使用注册时生成的证书（tls.crt）",
            ),
            code="certificate.unnamed",
            detail=repr(error),
        ) from error
