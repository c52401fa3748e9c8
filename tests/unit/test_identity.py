"""The exchange's CA, invitations and membership, without any network."""

from __future__ import annotations

import hashlib
import secrets
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from catalog.identity.authority import CertificateAuthority, TlsKey, request_key
from catalog.identity.certificate import load_certificate, read_certificate
from catalog.identity.invite import read_invite
from catalog.identity.registry import RENEWAL_TYPE, ExchangeIdentity
from protos.cards import make_card
from protos.faults import InputError, TrustError, UnavailableError
from protos.identity import IdentityKey
from protos.names import Role
from protos.sealing import SealingKey

NOW = 1_800_000_000.0
DAY = 86_400


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Newcomer:
    """A machine that wants to become a member."""

    def __init__(self, name: str, role: Role = "department") -> None:
        self.tls, self.key = TlsKey.generate(), IdentityKey.generate()
        self.request = self.tls.request()
        self.name, self.role = name, role
        self.card = make_card(self.key, name, role, SealingKey.generate().public_hex, int(NOW))

    def proof(self, at: float, **changes: object) -> str:
        claims = {
            "sub": self.name,
            "role": self.role,
            "request": hashlib.sha256(self.request).hexdigest(),
            "iat": int(at),
        }
        return self.key.sign(RENEWAL_TYPE, claims | changes)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def exchange(tmp_path: Path, clock: Clock) -> ExchangeIdentity:
    exchange = ExchangeIdentity(
        tmp_path / "ex", randomness=secrets.token_bytes, clock=clock, monotonic=clock
    )
    exchange.create("province", ("localhost", "127.0.0.1", "exchange.example"))
    yield exchange
    exchange.close()


def invited(exchange: ExchangeIdentity, who: Newcomer, **options: int) -> str:
    token = exchange.invite(who.role, who.name, url="https://127.0.0.1:1", **options)
    return read_invite(token).secret


def test_the_directory_and_every_key_are_the_owners_alone(
    exchange: ExchangeIdentity, tmp_path: Path
):
    home = tmp_path / "ex"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for name in ("ca.key", "tls.key", "identity.key", "sealing.key", "identity.sqlite"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600, name


def test_a_key_that_others_can_read_is_refused(
    exchange: ExchangeIdentity, tmp_path: Path, clock: Clock
):
    (tmp_path / "ex" / "ca.key").chmod(0o640)
    with pytest.raises(TrustError, match="mode 0640"):
        ExchangeIdentity(tmp_path / "ex", randomness=secrets.token_bytes, clock=clock).open()


def test_an_exchange_is_not_created_twice(exchange: ExchangeIdentity, tmp_path: Path):
    with pytest.raises(InputError, match="exists already"):
        ExchangeIdentity(tmp_path / "ex", randomness=secrets.token_bytes).create("again")


def test_the_ca_can_sign_no_second_ca(exchange: ExchangeIdentity):
    ca = load_certificate(exchange.ca_pem)
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert isinstance(ca.public_key(), ec.EllipticCurvePublicKey)


def test_the_ca_chooses_the_name_and_ignores_the_requests(exchange: ExchangeIdentity):
    who = Newcomer("shenzhen")
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "guangzhou")]))
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.UniformResourceIdentifier("veil:exchange:province"),
                    x509.DNSName("localhost"),
                ]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(who.tls.private, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    pem = exchange.enrol(invited(exchange, who), greedy, who.card).certificate_pem
    certified = read_certificate(pem)
    assert (certified.role, certified.name) == ("department", "shenzhen")
    certificate = load_certificate(pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == ["veil:department:shenzhen"]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not basic.ca
    assert certified.not_after == int(NOW) + 90 * DAY


def test_an_invitation_admits_once(exchange: ExchangeIdentity):
    who, thief = Newcomer("shenzhen"), Newcomer("shenzhen")
    secret = invited(exchange, who)
    first = exchange.enrol(secret, who.request, who.card)
    with pytest.raises(TrustError, match="used already"):
        exchange.enrol(secret, thief.request, thief.card)
    # A lost reply costs nothing: the same key gets the same certificate, not a second one.
    assert exchange.enrol(secret, who.tls.request(), who.card) == first
    assert [member.name for member in exchange.members()] == ["shenzhen"]


def test_the_secret_is_not_kept(exchange: ExchangeIdentity, tmp_path: Path):
    secret = invited(exchange, Newcomer("shenzhen"))
    stored = b"".join(path.read_bytes() for path in (tmp_path / "ex").glob("identity.sqlite*"))
    assert secret.encode() not in stored
    assert hashlib.sha256(secret.encode()).hexdigest().encode() in stored


@pytest.mark.parametrize("late_s", [1, 400 * DAY])
def test_an_expired_invitation_is_refused(exchange: ExchangeIdentity, clock: Clock, late_s: int):
    who = Newcomer("shenzhen")
    secret = invited(exchange, who, valid_s=60)
    clock.now += 60 + late_s
    with pytest.raises(TrustError, match="expired"):
        exchange.enrol(secret, who.request, who.card)


def test_a_foreign_invitation_is_refused(exchange: ExchangeIdentity, tmp_path: Path):
    other = ExchangeIdentity(tmp_path / "other", randomness=secrets.token_bytes)
    other.create("other")
    who = Newcomer("shenzhen")
    secret = invited(other, who)
    other.close()
    with pytest.raises(TrustError, match="did not issue") as caught:
        exchange.enrol(secret, who.request, who.card)
    assert caught.value.remedy


def test_a_newer_invitation_replaces_the_older(exchange: ExchangeIdentity):
    who = Newcomer("shenzhen")
    old = invited(exchange, who)
    new = invited(exchange, who)
    with pytest.raises(TrustError, match="newer"):
        exchange.enrol(old, who.request, who.card)
    assert exchange.enrol(new, who.request, who.card).name == "shenzhen"


@pytest.mark.parametrize("again", ["shenzhen", "SHENZHEN"])
def test_a_name_is_given_once(exchange: ExchangeIdentity, again: str):
    who = Newcomer("shenzhen")
    exchange.enrol(invited(exchange, who), who.request, who.card)
    with pytest.raises(TrustError, match="taken"):
        exchange.invite("department", again, url="https://127.0.0.1:1")


def test_one_identity_key_is_one_member(exchange: ExchangeIdentity):
    who, sybil = Newcomer("shenzhen"), Newcomer("zhuhai")
    exchange.enrol(invited(exchange, who), who.request, who.card)
    card = make_card(who.key, "zhuhai", "department", SealingKey.generate().public_hex, int(NOW))
    with pytest.raises(TrustError, match="belongs to department shenzhen"):
        exchange.enrol(invited(exchange, sybil), sybil.request, card)


def test_the_card_must_be_of_the_invited(exchange: ExchangeIdentity):
    who, other = Newcomer("shenzhen"), Newcomer("zhuhai")
    with pytest.raises(TrustError, match="not for department shenzhen"):
        exchange.enrol(invited(exchange, who), who.request, other.card)


def test_nobody_is_invited_as_exchange(exchange: ExchangeIdentity):
    with pytest.raises(TrustError):
        exchange.invite("exchange", "second", url="https://127.0.0.1:1")
    with pytest.raises(InputError):
        CertificateAuthority.generate("x", NOW).certify_member(
            "exchange", "x", TlsKey.generate().request(), NOW
        )


def bad_requests() -> dict[str, bytes]:
    p384 = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    good = TlsKey.generate().request()
    flipped = x509.load_pem_x509_csr(good).public_bytes(Encoding.DER)
    broken = flipped[:-1] + bytes([flipped[-1] ^ 1])
    pem = b"-----BEGIN CERTIFICATE REQUEST-----\n"
    import base64

    return {
        "empty": b"",
        "text": b"hello",
        "cut": good[:120],
        "p384": p384.sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256()).public_bytes(
            Encoding.PEM
        ),
        "ed25519": builder.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(
            Encoding.PEM
        ),
        "no possession": pem + base64.encodebytes(broken) + b"-----END CERTIFICATE REQUEST-----\n",
    }


@pytest.mark.parametrize("case", sorted(bad_requests()))
def test_bad_requests_are_refused(case: str):
    with pytest.raises(InputError):
        request_key(bad_requests()[case])


def test_revocation_is_seen_through_the_cache(exchange: ExchangeIdentity, clock: Clock):
    who = Newcomer("shenzhen")
    certified = read_certificate(
        exchange.enrol(invited(exchange, who), who.request, who.card).certificate_pem
    )
    exchange.check_standing(certified)
    # Another process (the operator's command) revokes: the store is shared, the cache is not.
    operator = ExchangeIdentity(exchange._directory, randomness=secrets.token_bytes, clock=clock)
    operator.open()
    assert operator.revoke("department", "shenzhen", "left") == 1
    operator.close()
    clock.now += 1.0
    with pytest.raises(TrustError, match="revoked"):
        exchange.check_standing(certified)
    assert exchange.members() == ()
    assert exchange.card_of("department", "shenzhen") is None
    # The name is free again, for new keys.
    again = Newcomer("shenzhen")
    assert exchange.enrol(invited(exchange, again), again.request, again.card)
    with pytest.raises(TrustError, match="revoked"):
        exchange.check_standing(certified)


def test_the_ca_alone_admits_nobody(exchange: ExchangeIdentity):
    """A certificate that the CA's key signed behind the registry's back is not known."""
    pem = exchange._authority.certify_member(
        "department", "sybil", TlsKey.generate().request(), NOW
    )
    with pytest.raises(TrustError, match="no record"):
        exchange.check_standing(read_certificate(pem))


def test_revoking_a_stranger_says_so(exchange: ExchangeIdentity):
    with pytest.raises(TrustError, match="not a member"):
        exchange.revoke("department", "nobody")


def test_certificates_end_and_begin(exchange: ExchangeIdentity, clock: Clock):
    who = Newcomer("shenzhen")
    certified = read_certificate(
        exchange.enrol(invited(exchange, who), who.request, who.card).certificate_pem
    )
    clock.now = NOW + 91 * DAY
    with pytest.raises(TrustError, match="has expired"):
        exchange.check_standing(certified)
    clock.now = NOW - 3600
    with pytest.raises(TrustError, match="not valid yet") as caught:
        exchange.check_standing(certified)
    assert "clock" in caught.value.remedy


def test_renewal_needs_the_identity_key_and_works_after_the_end(
    exchange: ExchangeIdentity, clock: Clock
):
    who = Newcomer("shenzhen")
    exchange.enrol(invited(exchange, who), who.request, who.card)
    clock.now += 200 * DAY
    renewed = exchange.renew("department", "shenzhen", who.request, who.proof(clock.now))
    certified = read_certificate(renewed.certificate_pem)
    exchange.check_standing(certified)
    assert certified.not_after == int(clock.now) + 90 * DAY


def test_bad_renewals_are_refused(exchange: ExchangeIdentity, clock: Clock):
    who, thief = Newcomer("shenzhen"), Newcomer("shenzhen")
    exchange.enrol(invited(exchange, who), who.request, who.card)
    proofs = [
        thief.proof(NOW),
        who.proof(NOW - 3600),
        who.proof(NOW + 3600),
        who.proof(NOW, sub="zhuhai"),
        who.proof(NOW, role="analyst"),
        who.proof(NOW, request=hashlib.sha256(thief.request).hexdigest()),
        who.key.sign("veil-plan+jwt", {"sub": "shenzhen"}),
        "a.b.c",
    ]
    for proof in proofs:
        with pytest.raises(TrustError):
            exchange.renew("department", "shenzhen", who.request, proof)
    with pytest.raises(TrustError, match="not a member"):
        exchange.renew("department", "zhuhai", who.request, who.proof(NOW))
    exchange.revoke("department", "shenzhen")
    with pytest.raises(TrustError, match="not a member"):
        exchange.renew("department", "shenzhen", who.request, who.proof(NOW))


def test_the_server_certificate_is_renewed_in_time(exchange: ExchangeIdentity, clock: Clock):
    before = exchange.server_tls().certificate_pem
    assert not exchange.refresh_server()
    clock.now += 61 * DAY
    assert exchange.refresh_server()
    after = exchange.server_tls().certificate_pem
    assert after != before
    names = (
        load_certificate(after)
        .extensions.get_extension_for_class(x509.SubjectAlternativeName)
        .value
    )
    assert "exchange.example" in names.get_values_for_type(x509.DNSName)
    assert read_certificate(after).role == "exchange"


def test_a_token_survives_copying_and_nothing_else(exchange: ExchangeIdentity):
    token = exchange.invite("department", "shenzhen", url="https://127.0.0.1:1")
    wrapped = "\n  ".join(token[i : i + 60] for i in range(0, len(token), 60))
    invite = read_invite(wrapped)
    assert (invite.role, invite.name) == ("department", "shenzhen")
    assert invite.secret not in repr(invite)
    for bad in ("", "veil1.", token[:-40], token[1:], "veil1." + "A" * 100, "veil2." + token[6:]):
        with pytest.raises(TrustError, match="not a whole Veil invitation"):
            read_invite(bad)


def test_secrets_are_not_shown(exchange: ExchangeIdentity):
    assert "PRIVATE" not in repr(exchange.server_tls())
    assert repr(TlsKey.generate()) == "TlsKey(<redacted>)"


def test_a_store_that_fails_lets_nobody_in(exchange: ExchangeIdentity):
    who = Newcomer("shenzhen")
    certified = read_certificate(
        exchange.enrol(invited(exchange, who), who.request, who.card).certificate_pem
    )
    exchange.close()
    with pytest.raises(UnavailableError):
        exchange.check_standing(certified)


def garbage_certificates() -> dict[str, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    authority = CertificateAuthority.generate("x", NOW)

    def named(*names: x509.GeneralName) -> bytes:
        return authority._sign(
            key.public_key(), list(names), "x", ExtendedKeyUsageOID.CLIENT_AUTH, NOW
        )

    uri = x509.UniformResourceIdentifier
    return {
        "garbage": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "a ca has no name": authority.certificate_pem,
        "host only": named(x509.DNSName("department")),
        "two names": named(uri("veil:department:a"), uri("veil:analyst:a")),
        "other scheme": named(uri("spiffe:department:a")),
        "unknown role": named(uri("veil:root:a")),
        "bad name": named(uri("veil:department:a/b")),
        "short": named(uri("veil:department")),
    }


@pytest.mark.parametrize("case", sorted(garbage_certificates()))
def test_certificates_without_one_veil_name_are_refused(case: str):
    with pytest.raises(TrustError):
        read_certificate(garbage_certificates()[case])
