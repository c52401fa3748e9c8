"""The exchange's certificate authority: P-256, one level, admits to transport only.

It says who may open a connection and under what name. It gives nobody a say in any protocol:
that comes from pinned identity keys (`protos.signing.Pins`).
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from catalog.identity.certificate import load_certificate, subject_uri
from protos.faults import InputError, TrustError
from protos.keyfile import read_private, write_private
from protos.language import Text
from protos.names import Role

MEMBER_DAYS: Final = 90
AUTHORITY_DAYS: Final = 3650
_CLOCK_SKEW: Final = dt.timedelta(minutes=5)  # a certificate is valid this long before now


class TlsKey:
    """A P-256 private key for TLS; redacted in ``repr``. It never leaves its machine."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self.private = key

    def __repr__(self) -> str:
        """Shows nothing."""
        return "TlsKey(<redacted>)"

    @classmethod
    def generate(cls) -> TlsKey:
        """Makes a new key from the operating system's randomness."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, path: Path) -> TlsKey:
        """Reads a PKCS#8 PEM file of mode 0600.

        Raises:
            TrustError: Others may read it, or it holds no P-256 key.
            UnavailableError: It cannot be read.
        """
        try:
            key = load_pem_private_key(read_private(path), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise TrustError(
                Text(f"{path} holds no private key", f"{path} 中没有私钥"), code="key.invalid"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise TrustError(
                Text(f"{path} holds no P-256 key", f"{path} 中没有 P-256 密钥"), code="key.invalid"
            )
        return cls(key)

    def save(self, path: Path) -> None:
        """Writes a new file of mode 0600; never overwrites."""
        write_private(path, self.pem())

    def pem(self) -> bytes:
        """Returns the unencrypted PKCS#8 PEM, for the file and for the TLS library."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def request(self) -> bytes:
        """Returns a PEM certificate request; its subject is empty, the CA chooses the name."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        return builder.sign(self.private, hashes.SHA256()).public_bytes(Encoding.PEM)


class CertificateAuthority:
    """Signs certificates of members and of the exchange's server.

    Args:
        key: The CA's own key.
        certificate: The CA's self-signed certificate.
    """

    def __init__(self, key: TlsKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @classmethod
    def generate(cls, name: str, now: float) -> CertificateAuthority:
        """Makes a new authority.

        Args:
            name: The exchange's name, for people.
            now: Unix seconds.
        """
        key = TlsKey.generate()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Veil exchange {name}")])
        builder = _builder(key.private.public_key(), subject, now, AUTHORITY_DAYS)
        certificate = (
            builder.issuer_name(subject)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .sign(key.private, hashes.SHA256())
        )
        return cls(key, certificate)

    @classmethod
    def load(cls, key: Path, certificate: Path) -> CertificateAuthority:
        """Reads both files.

        Raises:
            TrustError: They are malformed or do not belong together.
            UnavailableError: The key cannot be read.
        """
        private = TlsKey.load(key)
        loaded = load_certificate(certificate.read_bytes())
        if loaded.public_key() != private.private.public_key():
            raise TrustError(
                Text(f"{certificate} does not belong to {key}", f"{certificate} 与 {key} 不配对"),
                code="key.mismatch",
            )
        return cls(private, loaded)

    def save_key(self, path: Path) -> None:
        """Writes the CA's key, mode 0600; never overwrites."""
        self._key.save(path)

    @property
    def certificate_pem(self) -> bytes:
        """The CA's certificate, public."""
        return self._certificate.public_bytes(Encoding.PEM)

    def certify_member(self, role: Role, name: str, request_pem: bytes, now: float) -> bytes:
        """Signs a member's request for 90 days. Role and name are the CA's choice alone.

        Args:
            role: Never ``exchange``.
            name: Unique within the role.
            request_pem: PKCS#10; only its key and the proof of possession are used.
            now: Unix seconds.

        Returns:
            PEM certificate, for TLS clients only.

        Raises:
            InputError: The request is malformed or of another kind of key.
        """
        if role == "exchange":
            raise InputError(
                Text("the role exchange is not given to members", "exchange 角色不授予成员"),
                code="role.invalid",
            )
        return self._sign(
            request_key(request_pem),
            [x509.UniformResourceIdentifier(subject_uri(role, name))],
            name,
            ExtendedKeyUsageOID.CLIENT_AUTH,
            now,
        )

    def certify_server(
        self, name: str, hosts: Sequence[str], key: ec.EllipticCurvePublicKey, now: float
    ) -> bytes:
        """Signs the exchange's own server certificate.

        Args:
            name: The exchange's name.
            hosts: Host names and IP addresses under which it is dialled.
            key: The server's public key.
            now: Unix seconds.
        """
        names: list[x509.GeneralName] = [
            x509.UniformResourceIdentifier(subject_uri("exchange", name))
        ]
        names += [_host(host) for host in hosts]
        return self._sign(key, names, name, ExtendedKeyUsageOID.SERVER_AUTH, now)

    def _sign(
        self,
        key: ec.EllipticCurvePublicKey,
        names: list[x509.GeneralName],
        common_name: str,
        purpose: x509.ObjectIdentifier,
        now: float,
    ) -> bytes:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        certificate = (
            _builder(key, subject, now, MEMBER_DAYS)
            .issuer_name(self._certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.private.public_key()),
                critical=False,
            )
            .sign(self._key.private, hashes.SHA256())
        )
        return certificate.public_bytes(Encoding.PEM)


def request_key(request_pem: bytes) -> ec.EllipticCurvePublicKey:
    """Returns the key of a certificate request that proves possession of it.

    Raises:
        InputError: Malformed, its own signature does not hold, or not P-256.
    """
    try:
        request = x509.load_pem_x509_csr(request_pem)
        key = request.public_key()
        if (
            isinstance(key, ec.EllipticCurvePublicKey)
            and key.curve.name == "secp256r1"
            and request.is_signature_valid
        ):
            return key
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(
            Text("the certificate request is malformed", "证书申请格式有误"),
            code="request.invalid",
            detail=str(error),
        ) from error
    raise InputError(
        Text("the certificate request does not hold for a P-256 key", "证书申请与 P-256 密钥不符"),
        code="request.key",
    )


def _builder(
    key: ec.EllipticCurvePublicKey, subject: x509.Name, now: float, days: int
) -> x509.CertificateBuilder:
    start = dt.datetime.fromtimestamp(int(now), tz=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - _CLOCK_SKEW)
        .not_valid_after(start + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
