"""The sample province: always the same, sound, and what a province looks like."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest

from catalog.province.build import DATASETS, TODAY, province, uses_of
from catalog.province.departments import offices
from catalog.registry.quality import judge
from catalog.registry.record import Record
from catalog.registry.record_json import digest
from catalog.registry.rules import flaws
from desensitize.divisions import divisions
from desensitize.recognisers.organisation import check_credit
from protos.faults import InputError


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(province(3000))


def test_the_same_seed_gives_the_same_province(records: list[Record]) -> None:
    again = [digest(record) for record in province(300)]
    assert again == [digest(record) for record in province(300)]
    assert again != [digest(record) for record in province(300, seed=2)]
    assert len(records) == 3000
    with pytest.raises(InputError):
        list(province(10**6))


def test_every_record_is_sound_and_has_a_code_of_its_own(records: list[Record]) -> None:
    assert [flaw for record in records for flaw in flaws(record)] == []
    assert len({record.identifier for record in records}) == len(records)
    assert len({record.name for record in records}) == len(records)
    codes = sorted({record.provider.code for record in records})
    assert check_credit(pa.array(codes)).all()


def test_it_is_a_province(records: list[Record]) -> None:
    cities = {code for code in divisions() if code[:2] == "44" and code.endswith("00")}
    places = {record.place for record in records}
    assert len(places & cities) == 22  # the province and 21 cities
    assert len(places) > 60
    codes = {office.department.code for office in offices()}
    assert 1_500 < len(codes) == len(offices()) < 1_900
    assert len({theme for record in records for theme in record.themes} - {"other"}) == 12
    kinds = Counter(record.kind for record in records)
    assert set(kinds) == {"table", "file", "series", "layer", "service"}
    assert DATASETS == 41_600
    assert sum(judge(record, TODAY).score for record in records) / len(records) > 70
    assert {g for record in records for g in [record.grade]} == {1, 2, 3, 4}
    assert max(uses_of(records).values()) > 100
