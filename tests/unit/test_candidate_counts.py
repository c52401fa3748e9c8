"""Candidates of masks, counted cleverly and, where that is possible, one by one."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from desensitize.attacks import other_spaces, resident_space
from desensitize.attacks.resident_space import Beside, count, days_of, nothing_beside
from desensitize.divisions import divisions
from desensitize.recognisers.bank_card import check as check_card
from desensitize.recognisers.digits import Bytes
from tests.chinese_tables import id_check

BIRTHS = (dt.date(1936, 1, 1), dt.date(2026, 4, 27))
SHORT = (dt.date(1990, 1, 1), dt.date(1990, 12, 31))


def cells(mask: str) -> Bytes:
    return np.frombuffer(mask.encode(), dtype=np.uint8).reshape(1, -1)


def counted(mask: str, births: tuple[dt.date, dt.date], **beside: object) -> int:
    known = replace(nothing_beside(1, births), **beside)  # type: ignore[arg-type]
    return int(count(cells(mask), known, births)[0])


def span(first: str, last: str) -> dict[str, object]:
    ends = (np.array([days_of(dt.date.fromisoformat(day))]) for day in (first, last))
    return dict(zip(("first", "last"), ends, strict=True))


def test_the_classic_mask_of_a_resident_id() -> None:
    """6 + 8 stars + 4: every eleventh birth of 90 years, of five years, of a month."""
    mask = "440106********1235"
    days = (BIRTHS[1] - BIRTHS[0]).days + 1
    every = [counted(f"440106********123{check}", BIRTHS) for check in "0123456789X"]
    assert sum(every) == days == 32_990  # each day has one check character
    assert all(abs(each - 2999) <= 12 for each in every)
    assert counted(mask, BIRTHS, **span("1990-01-01", "1994-12-31")) == pytest.approx(166, abs=4)
    assert counted(mask, BIRTHS, **span("1990-03-01", "1990-03-31")) in {2, 3, 4}


def one_by_one(mask: str, births: tuple[dt.date, dt.date], codes: list[str]) -> int:
    found = 0
    for code in codes:
        for day in range(births[0].toordinal(), births[1].toordinal() + 1):
            for number in range(1000):
                body = f"{code}{dt.date.fromordinal(day):%Y%m%d}{number:03d}"
                if all(m in {"*", c} for m, c in zip(mask, body, strict=False)):
                    found += mask[17] in {"*", id_check(body)}
    return found


@pytest.mark.parametrize(
    "mask",
    ["440106********1235", "44010619900***123*", "44010619900307****", "4401061990******34",
     "440106****030712*5"],
)  # fmt: skip
def test_counting_is_listing(mask: str) -> None:
    week = (dt.date(1990, 3, 5), dt.date(1990, 3, 11))
    assert counted(mask, week) == one_by_one(mask, week, ["440106"])


def test_sex_and_division_beside_a_mask() -> None:
    week = (dt.date(1990, 3, 5), dt.date(1990, 3, 11))
    everything = counted("440106***********X", week)
    men = counted("440106***********X", week, parity=np.array([1]))
    women = counted("440106***********X", week, parity=np.array([0]))
    assert men + women == everything
    assert 0 < men < everything
    known = {"division": np.array([0]), "places": (frozenset({"440106", "440103"}),)}
    hidden = counted("******19900307****", week, **known)
    assert hidden == 2 * 1000
    below = sum(not code.endswith("0000") for code in divisions())
    assert counted("******19900307****", week) == below * 1000


def test_the_whole_space() -> None:
    below = sum(not code.endswith("0000") for code in divisions())
    assert counted("*" * 18, SHORT) == below * 365 * 1000


def test_what_contradicts_itself_has_no_candidate() -> None:
    assert counted("44010619900231123*", SHORT) == 0  # 31 February
    assert counted("440106********123A", SHORT) == 0


def test_many_masks_at_once_are_counted_as_each_by_itself() -> None:
    rng = random.Random(5)  # noqa: S311 - a test's own cases
    masks = []
    for _ in range(40):
        body = f"44{rng.randrange(1, 20):02d}06{rng.choice(['1990', '1989'])}{rng.randrange(1, 13):02d}15{rng.randrange(1000):03d}"  # noqa: E501
        whole = body + id_check(body)
        first, last = rng.choice([(6, 4), (4, 2), (0, 4), (10, 1), (6, 0)])
        masks.append(whole[:first] + "*" * (18 - first - last) + whole[18 - last :])
    low = np.array([days_of(dt.date(1990, rng.randrange(1, 13), 1)) for _ in masks])
    parity = np.array([rng.choice([-1, 0, 1]) for _ in masks])
    known = Beside(low, low + 40, parity, np.full(40, -1))
    together = count(np.concatenate([cells(m) for m in masks]), known, SHORT)
    for place, mask in enumerate(masks):
        alone = Beside(*(part[place : place + 1] for part in (low, low + 40, parity)),
                       np.array([-1]))  # fmt: skip
        assert count(cells(mask), alone, SHORT)[0] == together[place]


def test_mobile_numbers() -> None:
    assert other_spaces.count("cn_mobile", ["138****1234", "1**********"]).tolist()[0] == 10_000
    assert other_spaces.mobile("13800138000") == 1
    assert other_spaces.mobile("12000138000") == 0  # 120 was never given out
    assert other_spaces.mobile("138") is None


def test_bank_cards_one_by_one() -> None:
    mask = "622202***1234567"
    listed = [mask.replace("***", f"{n:03d}") for n in range(1000)]
    assert other_spaces.card(mask) == int(check_card(pa.array(listed)).sum()) == 100
    prefix = "62**020012345678"
    listed = [prefix.replace("**", f"{n:02d}", 1) for n in range(100)]
    assert other_spaces.card(prefix) == int(check_card(pa.array(listed)).sum())


def test_plates_one_by_one() -> None:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    alnum = letters + "0123456789"
    listed = sum(
        sum(map(str.isdigit, f"{a}{b}1")) >= 2 for a in alnum for b in alnum
    )  # the last two shown: a letter and a digit
    assert other_spaces.plate("粤A**1AB") == listed
    assert other_spaces.plate("粤AD*1234") == 34
    assert other_spaces.plate("粤A*12345") == 10
    assert other_spaces.plate("粤A1234**") == 0 + 10 * 10
    assert resident_space.LENGTH == 18
