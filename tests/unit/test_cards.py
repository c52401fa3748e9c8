"""Sealing to somebody, cards that say who somebody is, and pins, from which trust comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from protos.faults import InputError, TrustError
from protos.signing import (
    IdentityKey,
    Pins,
    SealingKey,
    make_card,
    read_card,
    seal,
)

NOW = 1_800_000_000


def test_only_the_addressee_and_only_the_purpose_opens(sealing: SealingKey) -> None:
    sealed = seal(sealing.public_hex, b"seed", info=b"veil envelope job 1")
    assert sealing.open(sealed, info=b"veil envelope job 1") == b"seed"
    assert len(sealed) == len(b"seed") + 48
    with pytest.raises(TrustError):
        sealing.open(sealed, info=b"veil envelope job 2")
    with pytest.raises(TrustError):
        SealingKey.generate().open(sealed, info=b"veil envelope job 1")


@pytest.mark.parametrize("place", [0, 31, 32, 40, -1])
def test_a_changed_sealed_text_does_not_open(place: int, sealing: SealingKey) -> None:
    sealed = bytearray(seal(sealing.public_hex, b"seed", info=b""))
    sealed[place] ^= 1
    with pytest.raises(TrustError):
        sealing.open(bytes(sealed), info=b"")


@pytest.mark.parametrize("length", [0, 1, 31, 32, 47])
def test_a_short_sealed_text_does_not_open(length: int, sealing: SealingKey) -> None:
    sealed = seal(sealing.public_hex, b"seed", info=b"")
    with pytest.raises(TrustError):
        sealing.open(sealed[:length], info=b"")


LOW_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ec" + "ff" * 30 + "7f",
]


@pytest.mark.parametrize("bad", [*LOW_ORDER, "", "00", "zz" * 32, "AA" * 32, " " + "00" * 32])
def test_bad_sealing_keys_are_refused(bad: str, sealing: SealingKey) -> None:
    with pytest.raises(TrustError):
        seal(bad, b"x", info=b"")
    with pytest.raises(TrustError):
        sealing.agree(bad)


# ---- cards and pins --------------------------------------------------------------------------


def test_a_card_says_who_somebody_is(identity: IdentityKey, sealing: SealingKey) -> None:
    card = read_card(make_card(identity, "shenzhen", "department", sealing.public_hex, NOW))
    assert (card.name, card.role, card.sealing_key) == (
        "shenzhen",
        "department",
        sealing.public_hex,
    )
    assert card.identity == identity.public


def test_a_card_signed_by_another_key_is_refused(
    identity: IdentityKey, sealing: SealingKey
) -> None:
    other = IdentityKey.generate()
    claims = {
        "sub": "shenzhen",
        "role": "department",
        "jwk": identity.public.to_jwk(),
        "sealing_key": sealing.public_hex,
        "iat": NOW,
    }
    with pytest.raises(TrustError):
        read_card(other.sign("veil-card+jwt", claims))
    for change in ({"sub": "../x"}, {"role": "king"}, {"sealing_key": "x"}, {"more": 1}):
        with pytest.raises(TrustError):
            read_card(identity.sign("veil-card+jwt", claims | change))
    with pytest.raises(TrustError):
        read_card(identity.sign("veil-plan+jwt", claims))
    with pytest.raises(InputError):
        make_card(identity, "深圳\u202e", "department", sealing.public_hex, NOW)


@pytest.mark.parametrize("date", ["A" * 4096, "A", None, True, 1.5, [1]])
def test_a_card_that_is_remembered_is_small(
    identity: IdentityKey, sealing: SealingKey, date: object
) -> None:
    """A member signs as many cards as it likes, and thousands of those that hold are kept."""
    claims = {
        "sub": "shenzhen", "role": "department", "jwk": identity.public.to_jwk(),
        "sealing_key": sealing.public_hex, "iat": date,
    }  # fmt: skip
    with pytest.raises(TrustError):
        read_card(identity.sign("veil-card+jwt", claims))


@pytest.mark.parametrize("token", [1, None, ["a"], {}, b"a.b.c"])
def test_what_is_no_text_is_no_card(token: object) -> None:
    with pytest.raises(TrustError):
        read_card(token)


def card_of(key: IdentityKey, name: str = "shenzhen") -> str:
    return make_card(key, name, "department", SealingKey.generate().public_hex, NOW)


def test_trust_comes_from_pins_alone(identity: IdentityKey, tmp_path: Path) -> None:
    path = tmp_path / "pins.toml"
    pins = Pins.load(path)
    card = read_card(card_of(identity))
    with pytest.raises(TrustError, match="not pinned here"):
        pins.check(card)
    pins.add("department", "shenzhen", identity.public.fingerprint)
    pins.save(path)
    pins.save(path)
    again = Pins.load(path)
    assert again.check(card) is card
    assert again.names("department") == ("shenzhen",)
    assert again.names("analyst") == ()
    assert again.fingerprint_of("department", "shenzhen") == identity.public.fingerprint
    assert again.fingerprint_of("analyst", "shenzhen") is None
    assert [entry.name for entry in tmp_path.iterdir()] == ["pins.toml"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_changed_pins_file_is_believed_at_once(identity: IdentityKey, tmp_path: Path) -> None:
    path = tmp_path / "pins.toml"
    watched = Pins.watched(path)
    assert watched().names("department") == ()
    pins = Pins()
    pins.add("department", "shenzhen", identity.public.fingerprint)
    pins.save(path)
    assert watched().names("department") == ("shenzhen",)
    assert watched() is watched()  # unchanged: not read again
    Pins().save(path)  # somebody is believed no longer
    assert watched().names("department") == ()
    path.write_text("broken", "utf-8")
    with pytest.raises(InputError):
        watched()
    path.unlink()
    assert watched().names("department") == ()


def test_a_new_key_under_a_pinned_name_is_refused(identity: IdentityKey) -> None:
    pins = Pins()
    pins.add("department", "shenzhen", identity.public.fingerprint)
    impostor = IdentityKey.generate()
    with pytest.raises(TrustError, match="is pinned") as caught:
        pins.check(read_card(card_of(impostor)))
    assert "in the middle" in caught.value.remedy
    with pytest.raises(TrustError, match="does not fit"):
        pins.add("department", "shenzhen", impostor.public.fingerprint)


def test_one_key_cannot_be_pinned_as_two_departments(identity: IdentityKey) -> None:
    pins = Pins()
    pins.add("department", "shenzhen", identity.public.fingerprint)
    pins.add("department", "shenzhen", identity.public.fingerprint)
    with pytest.raises(TrustError, match="does not fit"):
        pins.add("department", "guangzhou", identity.public.fingerprint)


def test_an_analyst_is_pinned_with_its_department(tmp_path: Path) -> None:
    path, pins = tmp_path / "pins.toml", Pins()
    pins.add("analyst", "ana", "a" * 64)
    assert pins.department_of("ana") == ""
    pins.add("analyst", "ana", "a" * 64, "foshan")
    pins.add("analyst", "ana", "a" * 64)  # says nothing, so it takes nothing back
    pins.save(path)
    again = Pins.load(path)
    assert again.department_of("ana") == "foshan"
    assert again.department_of("somebody") == ""
    with pytest.raises(TrustError, match="pinned as one of foshan, not of zhuhai"):
        again.add("analyst", "ana", "a" * 64, "zhuhai")
    with pytest.raises(TrustError, match="does not fit"):
        again.add("analyst", "ana", "b" * 64, "foshan")
    with pytest.raises(InputError, match="belongs to no department"):
        again.add("exchange", "hub", "c" * 64, "foshan")


PIN = f'[[pin]]\nrole = "department"\nname = "a"\nfingerprint = "{"a" * 64}"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[pin", "not valid TOML"),
        ("trust = true", "only"),
        ("pin = 5", "only"),
        ("pin = [5]", "pin 1 needs role, name and fingerprint"),
        ('[[pin]]\nname = "a"', "pin 1 needs role, name and fingerprint"),
        (PIN + 'note = "x"', "pin 1: note is not a known key"),
        (PIN + 'department = "b"', "a department belongs to no department"),
        (PIN.replace('"department"', '"analyst"') + "department = 5", "a department is a name"),
        (PIN.replace('"department"', '"analyst"') + 'department = "B!"', "not a valid name"),
        (PIN.replace("a" * 64, "A" * 64), "64 lower-case hex digits"),
        (PIN.replace('"department"', '"king"'), "not a role"),
        (PIN.replace('"a"', "5"), "not a valid name"),
        (PIN + PIN.replace('"a"', '"b"'), "pin 2"),
    ],
)
def test_a_broken_pins_file_is_refused_by_name(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "pins.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        Pins.load(path)
    assert str(path) in caught.value.message
