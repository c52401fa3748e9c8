"""Key files: private, long enough, one key a domain, with a record of what was retired."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from desensitize.keys import TokenKeys, new_keys, read_keys, rotate_keys
from protos.faults import InputError, TrustError, UnavailableError, VeilError

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
GOOD = "ab12cd34ef56789001122334455667788990aabbccddeeff0112233445566778"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "k.toml"


def entry(domain: str = "ids", secret: str = GOOD, **more: str) -> str:
    fields = {"domain": domain, "id": "1", "made": "2026", "secret": secret, **more}
    return "[[keys]]\n" + "".join(f'{name} = "{value}"\n' for name, value in fields.items())


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return path


def test_a_new_file_is_private_and_has_a_key_for_each_domain(path: Path) -> None:
    made = new_keys(path, ["ids", "visits", "ids"], now=NOON)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_keys(path) == made
    assert [key.domain for key in made.keys] == ["ids", "visits"]
    assert all(len(key.secret) == 32 for key in made.keys)
    assert len({key.secret for key in made.keys} | {key.id for key in made.keys}) == 4
    assert made.keys[0].made == "2026-01-01T12:00:00+00:00"
    assert [each.name for each in path.parent.iterdir()] == ["k.toml"]


def test_a_domain_is_added_and_no_key_is_replaced(path: Path) -> None:
    first = new_keys(path, ["ids"])
    second = new_keys(path, ["visits"])
    assert second.keys[0] == first.keys[0]
    with pytest.raises(InputError, match="has a key for ids already") as caught:
        new_keys(path, ["ids"])
    assert "rotate" in caught.value.remedy
    assert read_keys(path) == second


def test_subkeys_are_hkdf_and_differ_by_purpose_and_domain(path: Path) -> None:
    keys = new_keys(path, ["ids", "visits"])
    info = b"veil desensitize 1|token|ids"
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info)
    assert keys.subkey("ids", "token") == kdf.derive(keys.in_use()["ids"].secret)
    made = {keys.subkey(d, p) for d in ("ids", "visits") for p in ("token", "ff1 digits", "x")}
    assert len(made) == 6


def test_rotation_keeps_a_record(path: Path) -> None:
    old = new_keys(path, ["ids", "visits"], now=NOON).in_use()
    made = rotate_keys(path, ["ids"], now=NOON + dt.timedelta(days=1))
    assert read_keys(path) == made
    assert made.in_use()["visits"] == old["visits"]
    assert made.subkey("ids", "token") != TokenKeys((old["ids"],)).subkey("ids", "token")
    retired = next(key for key in made.keys if key.retired)
    assert (retired.id, retired.secret) == (old["ids"].id, old["ids"].secret)
    assert retired.retired == "2026-01-02T12:00:00+00:00"
    again = rotate_keys(path, [], forget=True, now=NOON + dt.timedelta(days=2))
    assert [key.retired[:10] for key in again.keys if key.domain == "ids"] == [
        "2026-01-02", "2026-01-03", "",
    ]  # fmt: skip
    assert all(key.secret == b"" for key in again.keys if key.retired)
    assert read_keys(path) == again


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (entry(secret=GOOD[:62]), TrustError, "has 31 bytes, fewer than 32"),
        (entry(secret=""), TrustError, "has 0 bytes"),
        (entry(secret="00" * 32), TrustError, "is not random"),
        (entry() + entry("visits"), TrustError, "is also that of ids"),
        (entry() + entry(secret=GOOD[::-1]), TrustError, "is the second that is in use"),
        (entry(secret="xyz"), InputError, "is no file of token keys"),
        (entry(colour="red"), InputError, "is no file of token keys"),
        (entry("Bad Name"), InputError, "is no name of a domain"),
        ("", InputError, "is no file of token keys"),
        ("keys = 3", InputError, "is no file of token keys"),
        (entry() + "[other]\n", InputError, "is no file of token keys"),
        ("\0", InputError, "is no file of token keys"),
    ],
)
def test_a_bad_file_is_refused_and_its_secret_not_quoted(
    path: Path, text: str, error: type[VeilError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        read_keys(written(path, text))
    said = caught.value
    assert said.remedy
    assert said.said.zh != said.said.en
    assert GOOD[:20] not in str(said) + said.detail + said.remedy
    assert said.__cause__ is None or GOOD[:20] not in str(said.__cause__)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_file_that_others_can_read_is_refused(path: Path, mode: int) -> None:
    new_keys(path, ["ids"])
    path.chmod(mode)
    with pytest.raises(TrustError) as caught:
        read_keys(path)
    assert caught.value.code == "key.mode"


def test_a_file_that_is_not_there(path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        read_keys(path)
    assert "veil desensitize keys new" in caught.value.remedy


def test_a_domain_without_a_key(path: Path) -> None:
    keys = new_keys(path, ["ids"])
    with pytest.raises(InputError, match="no token key for visits") as caught:
        keys.subkey("visits", "token")
    assert "keys new keys.toml visits" in caught.value.remedy
    with pytest.raises(InputError, match="'A B' is no name of a domain"):
        new_keys(path, ["A B"])
    with pytest.raises(InputError, match="no token key for other"):
        rotate_keys(path, ["other"])
    assert read_keys(path) == keys
