"""Headers as people write them."""

import pytest

from desensitize.scanning.attributes import attribute
from desensitize.scanning.headers import match


@pytest.mark.parametrize(
    "header",
    ["身份证号", "身份证\n号码 (必填)", " 居民身份证号 ", "SFZH", "id_card_no", "idCard", "ID-Card",
     "*身份证号:", "法人身份证号"],
)  # fmt: skip
def test_matches(header: str) -> None:
    assert match(header, ("身份证", "身份证号", "sfzh", "idcard")) > 0


@pytest.mark.parametrize(
    "header", ["hotel", "telescope", "", "说明(身份证)", "ididcard", "card id"]
)
def test_does_not_match(header: str) -> None:
    assert match(header, ("tel", "身份证", "idcard")) == 0


def test_the_longest_word_counts() -> None:
    assert match("身份证号", ("身份证", "身份证号")) == 4


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("性别", "sex"),
        ("月收入(元)", "income"),
        ("主要诊断", "health"),
        ("age", "age"),
        ("政治面貌", "belief"),
        ("user_password", "secret"),
        ("所在区县", "division"),
        ("native-country", "nationality"),
        ("BILL_AMT1", "amount"),
        ("visit_date", "event_date"),
    ],
)
def test_attributes(header: str, name: str) -> None:
    found, length = attribute(header)
    assert found is not None
    assert (found.name, length > 0) == (name, True)


def test_no_attribute() -> None:
    assert attribute("序号") == (None, 0)
