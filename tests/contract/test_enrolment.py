"""Enrolment over HTTPS: keys are made at the member, the exchange certifies the invited name."""

from __future__ import annotations

import http.client
import json
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.identity.authority import CertificateAuthority
from catalog.identity.certificate import load_certificate, read_certificate
from catalog.identity.invite import Invite, read_invite
from compute_nodes.rpc.enrol import enroll, renew, renewal_due
from compute_nodes.rpc.membership import Membership
from exchange.serving.enrolment import MAX_BODY_BYTES, EnrolmentServer
from protos.cards import read_card
from protos.faults import InputError, TrustError, UnavailableError
from protos.signing import IdentityKey, SealingKey
from tests.exchange_world import World

FILES = {"tls.key", "tls.crt", "ca.crt", "identity.key", "sealing.key", "card.jwt", "member.json"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def test_what_enrolment_leaves(world: World):
    home = world.member("department", "shenzhen")
    assert {path.name for path in home.iterdir()} == FILES
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for name in ("tls.key", "identity.key", "sealing.key"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    card = read_card((home / "card.jwt").read_text())
    assert card.identity == IdentityKey.load(home / "identity.key").public
    assert card.sealing_key == SealingKey.load(home / "sealing.key").public_hex
    member = Membership.load(home)
    assert (member.role, member.name) == ("department", "shenzhen")
    assert member.exchange == world.server.address
    assert read_card(member.exchange_card) == world.identity.card
    assert world.identity.card_of("department", "shenzhen") == (home / "card.jwt").read_text()


def test_private_keys_never_leave(world: World, monkeypatch: pytest.MonkeyPatch):
    sent: list[str] = []
    original = http.client.HTTPSConnection.request

    def spy(self: http.client.HTTPSConnection, *request: str) -> None:
        sent.append(request[2])
        original(self, *request)

    monkeypatch.setattr(http.client.HTTPSConnection, "request", spy)
    home = world.member("department", "shenzhen")
    assert len(sent) == 1
    assert set(json.loads(sent[0])) == {"secret", "request", "card"}
    assert "PRIVATE" not in sent[0]
    for name in ("tls.key", "identity.key", "sealing.key"):
        secret_lines = (home / name).read_text().splitlines()[1:-1]
        assert not any(line in sent[0] for line in secret_lines)


def test_a_cut_off_enrolment_goes_on_with_the_same_keys(world: World, tmp_path: Path):
    token = world.identity.invite("department", "shenzhen", url=world.door.url)
    home = tmp_path / "home"
    enroll(token, home, "department")
    key, certificate = (home / "tls.key").read_bytes(), (home / "tls.crt").read_bytes()
    (home / "tls.crt").unlink()  # as if the reply had been lost
    enroll(token, home, "department")
    assert (home / "tls.key").read_bytes() == key
    assert (home / "tls.crt").read_bytes() == certificate


def test_a_used_token_says_so(world: World, tmp_path: Path):
    token = world.identity.invite("department", "shenzhen", url=world.door.url)
    enroll(token, tmp_path / "a", "department")
    with pytest.raises(TrustError, match="used already") as caught:
        enroll(token, tmp_path / "b", "department")
    assert caught.value.code == "invite.used"
    assert caught.value.remedy


def test_a_token_for_another_role_says_so(world: World, tmp_path: Path):
    token = world.identity.invite("analyst", "ana", url=world.door.url)
    with pytest.raises(TrustError, match="for the analyst ana"):
        enroll(token, tmp_path / "a", "department")
    assert not (tmp_path / "a").exists()


def test_a_server_that_is_not_of_the_inviting_ca_gets_no_secret(world: World, tmp_path: Path):
    real = read_invite(world.identity.invite("department", "shenzhen", url=world.door.url))
    evil = CertificateAuthority.generate("evil", 1.8e9).certificate_pem.decode()
    token = Invite(real.url, evil, real.secret, real.role, real.name).encode()
    with pytest.raises(TrustError, match="does not show"):
        enroll(token, tmp_path / "a", "department")
    good = Invite(real.url, real.ca_pem, real.secret, real.role, real.name).encode()
    assert enroll(good, tmp_path / "b", "department")


def test_a_token_of_another_exchange_is_refused(world: World, tmp_path: Path):
    other = World(tmp_path / "other")
    foreign = read_invite(other.identity.invite("department", "shenzhen", url=other.door.url))
    other.close()
    token = Invite(
        world.door.url, world.identity.ca_pem.decode(), foreign.secret, "department", "shenzhen"
    ).encode()
    with pytest.raises(TrustError, match="did not issue"):
        enroll(token, tmp_path / "a", "department")


def test_nothing_there_says_so(world: World, tmp_path: Path):
    token = world.identity.invite("department", "shenzhen", url="https://127.0.0.1:9")
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:9"):
        enroll(token, tmp_path / "a", "department", timeout_s=2)


def test_renewal_gives_a_new_certificate_for_the_same_key(world: World):
    home = world.member("department", "shenzhen")
    link = world.link(home)
    before = read_certificate((home / "tls.crt").read_bytes())
    renew(home)
    after = read_certificate((home / "tls.crt").read_bytes())
    assert (after.role, after.name) == (before.role, before.name)
    assert after.fingerprint != before.fingerprint
    link.start()
    assert link.directory()
    assert not renewal_due(home, after.not_before)
    assert renewal_due(home, after.not_after - 10 * 86_400)


def test_a_revoked_member_cannot_renew(world: World):
    home = world.member("department", "shenzhen")
    world.identity.revoke("department", "shenzhen")
    with pytest.raises(TrustError, match="not a member"):
        renew(home)


def test_a_new_server_certificate_is_shown_after_a_restart(world: World):
    def shown() -> str:
        return ssl.get_server_certificate(("127.0.0.1", world.door.port), timeout=5)

    before = shown()
    world.identity.refresh_server(("127.0.0.1",))
    port = world.door.port
    world.door.restart()
    assert world.door.port == port
    assert shown() != before
    assert world.member("department", "shenzhen")


def test_the_address_in_use_is_said(world: World):
    second = EnrolmentServer(world.identity, lambda: "", f"127.0.0.1:{world.door.port}")
    with pytest.raises(UnavailableError, match="cannot listen"):
        second.start()


# --- the door itself


def ask(
    world: World, method: str, path: str, body: bytes | str, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], dict[str, str]]:
    context = ssl.create_default_context(cadata=world.identity.ca_pem.decode())
    connection = http.client.HTTPSConnection(
        "127.0.0.1", world.door.port, timeout=5, context=context
    )
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    try:
        fields = json.loads(text)
    except ValueError:
        fields = {}
    return response.status, dict(response.getheaders()), fields


def test_the_door_says_little_about_itself(world: World):
    status, headers, _ = ask(world, "GET", "/", b"")
    assert status == 404
    assert not {"server", "date", "x-powered-by"} & {name.lower() for name in headers}
    assert ask(world, "GET", "/enrol", b"")[0] == 405


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"\xff\xfe",
        b"[" * 10_000,
        b'{"secret": 1, "request": "x", "card": "x"}',
        b'{"secret": "x", "request": "x", "card": "x", "more": "x"}',
        b'{"secret": "\\ud800", "request": "x", "card": "x"}',
    ],
)
def test_malformed_requests_are_refused_in_words(world: World, body: bytes):
    status, _, fields = ask(world, "POST", "/enrol", body)
    assert status == 400
    assert fields["kind"] == "input"


def test_a_long_body_is_refused(world: World):
    status, _, fields = ask(world, "POST", "/enrol", b"x" * (MAX_BODY_BYTES + 1))
    assert (status, fields["code"]) == (400, "enrol.too_long")


def test_old_tls_is_refused(world: World):
    context = ssl.create_default_context(cadata=world.identity.ca_pem.decode())
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    connection = http.client.HTTPSConnection(
        "127.0.0.1", world.door.port, timeout=5, context=context
    )
    with pytest.raises(ssl.SSLError):
        connection.request("GET", "/")


def test_a_broken_directory_is_named(tmp_path: Path):
    with pytest.raises(UnavailableError, match=r"member\.json"):
        Membership.load(tmp_path)
    (tmp_path / "member.json").write_text('{"role": "king"}')
    with pytest.raises(InputError, match="malformed"):
        Membership.load(tmp_path)


def test_certificates_of_members_are_signed_by_the_invitations_ca(world: World):
    home = world.member("analyst", "ana")
    ca = load_certificate((home / "ca.crt").read_bytes())
    load_certificate((home / "tls.crt").read_bytes()).verify_directly_issued_by(ca)
