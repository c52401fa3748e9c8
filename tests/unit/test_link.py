"""Back-off and patience, with a clock and chance of our own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.identity.authority import CertificateAuthority, TlsKey
from compute_nodes.rpc.backoff import Backoff
from compute_nodes.rpc.connection import Connection, Surroundings
from compute_nodes.rpc.link import ExchangeLink
from compute_nodes.rpc.membership import TlsFiles
from protos.faults import InputError, TrustError, UnavailableError
from tests.exchange_world import message

NOW = 1_800_000_000.0


class Around:
    """A clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = NOW
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def surroundings(self) -> Surroundings:
        return Surroundings(lambda: self.now, lambda: self.now, self.sleep, lambda: 0.5)


@pytest.fixture
def around() -> Around:
    return Around()


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    authority, key = CertificateAuthority.generate("x", NOW), TlsKey.generate()
    files = TlsFiles.within(tmp_path)
    key.save(files.key)
    files.certificate.write_bytes(
        authority.certify_member("department", "shenzhen", key.request(), NOW)
    )
    files.ca.write_bytes(authority.certificate_pem)
    return files


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_waits_grow_and_stay_within_bounds(failures: int, chance: float):
    backoff = Backoff(first_s=0.1, most_s=5.0)
    wait = backoff.delay(failures, chance)
    assert 0.05 <= wait <= 5.0
    assert wait <= backoff.delay(failures + 1, chance)


def test_waits_spread():
    backoff = Backoff()
    assert backoff.delay(4, 0.0) < backoff.delay(4, 0.5) < backoff.delay(4, 0.99)


def test_patience_ends(files: TlsFiles, around: Around):
    connection = Connection("127.0.0.1:1", files, around.surroundings())
    connection.start()
    tries = 0

    def fail(_stub: object) -> None:
        nonlocal tries
        tries += 1
        raise UnavailableError("away")

    with pytest.raises(UnavailableError, match="away"):
        connection.patiently(fail, patience_s=10)
    connection.close()
    assert tries == len(around.slept) + 1
    assert 5 < sum(around.slept) <= 10
    assert around.slept == sorted(around.slept)


def test_what_cannot_get_better_is_not_tried_again(files: TlsFiles, around: Around):
    connection = Connection("127.0.0.1:1", files, around.surroundings())
    connection.start()

    def refuse(_stub: object) -> None:
        raise InputError("wrong")

    with pytest.raises(InputError):
        connection.patiently(refuse, patience_s=10)
    connection.close()
    assert around.slept == []


def test_our_own_certificates_end_is_noticed_while_running(files: TlsFiles, around: Around):
    connection = Connection("127.0.0.1:1", files, around.surroundings())
    connection.start()
    around.now += 91 * 86_400
    with pytest.raises(TrustError, match="has expired") as caught:
        connection.once(lambda _stub: None)
    assert "renew" in caught.value.remedy
    connection.close()


def test_a_clock_that_is_behind_is_named(files: TlsFiles, around: Around):
    around.now -= 86_400
    with pytest.raises(TrustError, match="not valid yet") as caught:
        Connection("127.0.0.1:1", files, around.surroundings()).start()
    assert "clock" in caught.value.remedy


def test_a_link_that_was_not_started_says_so(files: TlsFiles):
    link = ExchangeLink("127.0.0.1:1", files, session=lambda: "s")
    with pytest.raises(UnavailableError, match="is closed") as caught:
        link.pull(0)
    assert caught.value.remedy == "start it first"


def test_missing_files_are_named(tmp_path: Path):
    link = ExchangeLink("127.0.0.1:1", TlsFiles.within(tmp_path), session=lambda: "s")
    with pytest.raises(UnavailableError, match=r"tls\.key"):
        link.start()


def test_failures_rotate_the_session_and_success_does_not(files: TlsFiles, around: Around):
    names = iter(f"s{i}" for i in range(100))
    link = ExchangeLink(
        "127.0.0.1:1", files, session=lambda: next(names), surroundings=around.surroundings()
    )
    link.start()
    before = link._session
    with pytest.raises(UnavailableError):
        link.pull(0)
    after = link._session
    assert after != before
    with pytest.raises(UnavailableError):
        link.push(message(sender="shenzhen"), patience_s=0)  # unanswered: to be offered again
    assert link._session != after
    after = link._session
    link._rotate(before)  # another thread's failure, of the session before
    assert link._session == after
    link.close()
