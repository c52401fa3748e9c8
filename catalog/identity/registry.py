"""The exchange's own identity and its membership: one directory, opened by one operator.

=====================  ==================================================================
``ca.key ca.crt``      admits to transport; ``ca.key`` stays on this machine
``tls.key tls.crt``    of the server
``identity.key``       signs receipts; ``sealing.key`` opens what is sealed to the exchange
``card.jwt``           the exchange's card
``identity.sqlite``    invitations, members, certificates, revocations
=====================  ==================================================================
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from catalog.identity.authority import CertificateAuthority, TlsKey, request_key
from catalog.identity.certificate import Certified, load_certificate, read_certificate
from catalog.identity.files import create_directory, read_public
from catalog.identity.invite import Invite, secret_hash
from catalog.identity.store import IdentityStore, Member, Standing, invite_used
from protos.cards import Card, make_card, read_card
from protos.faults import TrustError
from protos.identity import IdentityKey
from protos.language import Text
from protos.names import Role, check_name, check_role
from protos.sealing import SealingKey
from protos.whole_file import write_whole

RENEWAL_TYPE: Final = "veil-renewal+jwt"
INVITE_VALID_S: Final = 7 * 86_400
_SERVER_RENEW_S: Final = 30 * 86_400  # a server certificate with less than this left is replaced
_STANDING_CACHE_S: Final = 1.0
_STANDING_CACHE_SIZE: Final = 10_000


@dataclass(frozen=True)
class ServerTls:
    """What the TLS library needs; the key is redacted in ``repr``."""

    key_pem: bytes = field(repr=False)
    certificate_pem: bytes = field(repr=False)
    ca_pem: bytes = field(repr=False)


@dataclass(frozen=True)
class Enrolment:
    """The answer to an enrolment or a renewal."""

    role: Role
    name: str
    certificate_pem: bytes = field(repr=False)


class ExchangeIdentity:
    """Who the exchange is and whom it admits; safe for any number of threads.

    Args:
        directory: Made by `create`.
        clock: Unix seconds.
        randomness: Returns so many secret random bytes (``secrets.token_bytes``).
        monotonic: Monotonic seconds, for the age of cached standings.
    """

    def __init__(
        self,
        directory: Path,
        *,
        randomness: Callable[[int], bytes],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._randomness = randomness
        self._monotonic = monotonic
        self._store = IdentityStore(directory / "identity.sqlite")
        self._standings: dict[str, tuple[float, Standing]] = {}

    def create(self, name: str, hosts: Sequence[str] = ("localhost", "127.0.0.1")) -> None:
        """Makes all keys and certificates in a new directory, then opens it.

        Args:
            name: The exchange's name.
            hosts: Host names and IP addresses under which it will be dialled.

        Raises:
            InputError: There is an exchange in the directory already.
            UnavailableError: The directory cannot be written.
        """
        check_name(name)
        create_directory(self._directory)
        now = self._clock()
        authority = CertificateAuthority.generate(name, now)
        authority.save_key(self._file("ca.key"))
        write_whole(self._file("ca.crt"), authority.certificate_pem)
        TlsKey.generate().save(self._file("tls.key"))
        identity, sealing = IdentityKey.generate(), SealingKey.generate()
        identity.save(self._file("identity.key"))
        sealing.save(self._file("sealing.key"))
        card = make_card(identity, name, "exchange", sealing.public_hex, int(now))
        write_whole(self._file("card.jwt"), card.encode())
        self.open(hosts)

    def open(self, hosts: Sequence[str] | None = None) -> None:
        """Reads the directory; replaces the server's certificate when it soon ends.

        Args:
            hosts: When given, the server's certificate is made anew for these names.

        Raises:
            TrustError: A key file is readable by others, or files do not belong together.
            UnavailableError: A file cannot be read.
        """
        self._authority = CertificateAuthority.load(self._file("ca.key"), self._file("ca.crt"))
        self._tls = TlsKey.load(self._file("tls.key"))
        self.identity = IdentityKey.load(self._file("identity.key"))
        self.sealing = SealingKey.load(self._file("sealing.key"))
        self.card_token = read_public(self._file("card.jwt")).decode("ascii", "replace")
        self.card: Card = read_card(self.card_token)
        if self.card.identity != self.identity.public:
            raise TrustError(
                Text("card.jwt does not belong to identity.key", "card.jwt 与 identity.key 不配对"),
                code="key.mismatch",
            )
        self._store.open()
        self.refresh_server(hosts)

    def close(self) -> None:
        """Closes the store."""
        self._store.close()

    @property
    def name(self) -> str:
        """The exchange's name."""
        return self.card.name

    @property
    def ca_pem(self) -> bytes:
        """The CA's certificate, public."""
        return self._authority.certificate_pem

    def refresh_server(self, hosts: Sequence[str] | None = None) -> bool:
        """Replaces the server's certificate if it soon ends or ``hosts`` are given.

        Returns:
            Whether there is a new one; a running server has to be restarted to show it.
        """
        path = self._file("tls.crt")
        if hosts is None:
            current = load_certificate(read_public(path))
            left = current.not_valid_after_utc.timestamp() - self._clock()
            if left > _SERVER_RENEW_S:
                return False
            hosts = _hosts(current)
        pem = self._authority.certify_server(
            self.name, hosts, self._tls.private.public_key(), self._clock()
        )
        write_whole(path, pem)
        return True

    def server_tls(self) -> ServerTls:
        """Returns key and certificates for the server."""
        return ServerTls(self._tls.pem(), read_public(self._file("tls.crt")), self.ca_pem)

    @property
    def server_files(self) -> tuple[Path, Path]:
        """Key file and certificate file of the server."""
        return self._file("tls.key"), self._file("tls.crt")

    def invite(self, role: Role, name: str, *, url: str, valid_s: int = INVITE_VALID_S) -> str:
        """Makes a one-time token under which one machine can enrol.

        Args:
            role: ``department``, ``analyst`` or ``auditor``.
            name: The name it will have.
            url: Where it will enrol, ``https://host:port``.
            valid_s: Seconds until the token expires.

        Raises:
            InputError: Name or role are malformed.
            TrustError: The name is taken.
        """
        if check_role(role) == "exchange":
            raise TrustError(
                Text("there is one exchange, and it is this one", "交换中心只有一个，就是本机"),
                code="role.invalid",
            )
        secret = self._randomness(32).hex()
        self._store.add_invite(
            secret_hash(secret), role, check_name(name), int(self._clock()) + valid_s
        )
        return Invite(url, self.ca_pem.decode(), secret, role, name).encode()

    def enrol(self, secret: str, request_pem: bytes, card_token: str) -> Enrolment:
        """Redeems an invitation: certifies the request's key under the invited name.

        The same request again gets the same certificate, so a lost reply costs no invitation.

        Args:
            secret: From the token.
            request_pem: PKCS#10; its subject is ignored.
            card_token: The member's own card, with the invited role and name.

        Raises:
            TrustError: The invitation is unknown, expired or used, the name is taken, or the
                card is not for it.
            InputError: The request is malformed.
        """
        hashed = secret_hash(secret)
        invite = self._store.invite(hashed)
        if invite is None:
            raise TrustError(
                Text(
                    "this exchange did not issue that invitation, or replaced it by a newer one",
                    "该邀请码不是本交换中心签发的，或已被更新的邀请码取代",
                ),
                remedy=Text(
                    "use the newest one that this exchange's operator gave you",
                    "请使用交换中心运维人员给您的最新邀请码",
                ),
                code="invite.unknown",
            )
        card = _card_of(card_token, invite.role, invite.name)
        key_hash = _key_hash(request_key(request_pem), card)
        if invite.key_hash is not None:
            if invite.answered is None or invite.key_hash != key_hash:
                raise invite_used()
            return Enrolment(invite.role, invite.name, invite.answered)
        now = self._clock()
        if now > invite.expires_at:
            raise TrustError(
                Text("the invitation has expired", "邀请码已过期"),
                remedy=Text(
                    "ask the exchange's operator for a new one",
                    "请向交换中心运维人员索取新的邀请码",
                ),
                code="invite.expired",
            )
        pem = self._authority.certify_member(invite.role, invite.name, request_pem, now)
        member = Member(
            invite.role, invite.name, card_token, card.identity.fingerprint, int(now), None, ""
        )
        self._store.admit(hashed, key_hash, member, read_certificate(pem), pem)
        return Enrolment(invite.role, invite.name, pem)

    def renew(self, role: Role, name: str, request_pem: bytes, proof: str) -> Enrolment:
        """Certifies a member's key for another 90 days.

        Args:
            role: The member's.
            name: The member's.
            request_pem: PKCS#10.
            proof: ``veil-renewal+jwt`` over ``{sub, role, request, iat}`` by the identity key
                that was enrolled; ``request`` is the SHA-256 (hex) of ``request_pem``. So it
                works after the TLS certificate has expired, and not with the TLS key alone.

        Raises:
            TrustError: Not a member, revoked, or the proof does not hold.
            InputError: The request is malformed.
        """
        member = self._store.member(role, name)
        if member is None or member.revoked_at is not None:
            raise TrustError(
                Text(f"{role} {name} is not a member", f"{role} {name} 不是成员"),
                remedy=Text(
                    "ask the exchange's operator for an invitation",
                    "请向交换中心运维人员索取邀请码",
                ),
                code="member.unknown",
            )
        now = self._clock()
        identity = read_card(member.card).identity
        claims = identity.verify(RENEWAL_TYPE, proof, now=int(now))
        expected = {
            "sub": member.name,
            "role": role,
            "request": hashlib.sha256(request_pem).hexdigest(),
            "iat": claims.get("iat"),
        }
        if claims != expected or not isinstance(claims["iat"], int) or now - claims["iat"] > 60:
            raise TrustError(
                Text(
                    "the renewal is not signed for this request, or is older than a minute",
                    "续签申请的签名不符，或已超过一分钟",
                ),
                remedy=Text(
                    "compare this machine's clock with the exchange's", "请核对本机与交换中心的时钟"
                ),
                code="renewal.invalid",
            )
        pem = self._authority.certify_member(role, member.name, request_pem, now)
        self._store.add_certificate(read_certificate(pem))
        return Enrolment(role, member.name, pem)

    def revoke(self, role: Role, name: str, reason: str = "") -> int:
        """Ends a membership; running servers refuse it within seconds.

        Returns:
            How many certificates were revoked.

        Raises:
            TrustError: There is no such member.
        """
        count = self._store.revoke(role, name, reason, int(self._clock()))
        self._standings.clear()
        return count

    def check_standing(self, certified: Certified) -> None:
        """Checks one certificate of a caller, from a cache of at most one second.

        Raises:
            TrustError: It has expired, was revoked, or this exchange never issued it.
            UnavailableError: The store cannot be read: then nobody is let in.
        """
        certified.check_time(self._clock())
        standing = self._standing(certified.fingerprint)
        if standing == "revoked":
            raise TrustError(
                Text(
                    f"the certificate of {certified.role} {certified.name} was revoked",
                    f"{certified.role} {certified.name} 的证书已被吊销",
                ),
                remedy=Text(
                    "ask the exchange's operator why, and for a new invitation",
                    "请向交换中心运维人员询问原因，并索取新的邀请码",
                ),
                code="certificate.revoked",
            )
        if standing == "unknown":
            raise TrustError(
                Text(
                    f"this exchange has no record of this certificate of {certified.role} "
                    f"{certified.name}",
                    f"本交换中心没有 {certified.role} {certified.name} 这张证书的记录",
                ),
                remedy=Text(
                    "enrol with an invitation of this exchange", "请用本交换中心的邀请码注册"
                ),
                code="certificate.unknown",
            )

    def check_card(self, role: Role, name: str, card_token: str) -> Card:
        """Returns the card if it is of the identity that this member enrolled with.

        Raises:
            TrustError: It is somebody else's, or of another key.
        """
        card = _card_of(card_token, role, name)
        member = self._store.member(role, name)
        if member is None or member.identity != card.identity.fingerprint:
            raise TrustError(
                Text(
                    f"the card is not of the key that {role} {name} enrolled with",
                    f"身份卡与 {role} {name} 注册时的密钥不符",
                ),
                remedy=Text(
                    "use the directory that enrolled, or enrol again",
                    "请使用注册时的目录，或重新注册",
                ),
                code="card.mismatch",
            )
        return card

    def members(self) -> tuple[Member, ...]:
        """Returns all members; their cards prove nothing until compared with pins."""
        return self._store.members()

    def card_of(self, role: Role, name: str) -> str | None:
        """Returns the card that a member enrolled with, or None if there is no such member."""
        member = self._store.member(role, name)
        return None if member is None or member.revoked_at is not None else member.card

    def _standing(self, fingerprint: str) -> Standing:
        now = self._monotonic()
        cached = self._standings.get(fingerprint)
        if cached is not None and now - cached[0] < _STANDING_CACHE_S:
            return cached[1]
        standing = self._store.standing(fingerprint)
        if len(self._standings) >= _STANDING_CACHE_SIZE:
            self._standings.clear()
        self._standings[fingerprint] = (now, standing)
        return standing

    def _file(self, name: str) -> Path:
        return self._directory / name


def _card_of(token: str, role: Role, name: str) -> Card:
    card = read_card(token)
    if (card.role, card.name) != (role, name):
        raise TrustError(
            Text(
                f"the card is for {card.role} {card.name}, not for {role} {name}",
                f"身份卡属于 {card.role} {card.name}，而不是 {role} {name}",
            ),
            code="card.mismatch",
        )
    return card


def _key_hash(key: ec.EllipticCurvePublicKey, card: Card) -> str:
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki + bytes.fromhex(card.identity.fingerprint)).hexdigest()


def _hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*names.get_values_for_type(x509.DNSName), *(str(address) for address in addresses))
