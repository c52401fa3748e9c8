"""Each masking method: what it does, and what it does with NULL, other types and odd values."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

import desensitize
from desensitize.keys import TokenKey, TokenKeys
from desensitize.masking import KINDS, statement
from desensitize.masking.district import division_of
from desensitize.masking.fpe import Ff1
from desensitize.scanning.findings import direct_cells
from protos.faults import InputError
from protos.language import Text
from tests.masking_world import KEYS, SECRET, masked, statement_of


def one(values: object, method: str, **more: str) -> list[object]:
    """What becomes of one column."""
    return masked({"x": values}, {"x": method}, **({"columns": {"x": more["of"]}} if more else {}))[
        "x"
    ]


# ---- what is visible ---------------------------------------------------------------------------


def test_keep_redact_and_drop() -> None:
    table = {"a": ["x", "", None], "b": [1, None, 3], "c": ["p", "q", "r"]}
    got = masked(table, {"a": '"keep"', "b": '"redact"', "c": '"drop"'})
    assert got == {"a": ["x", None, None], "b": ["***", None, "***"], "lost": [0]}
    assert one(["x", None], '{ redact = "[name]" }') == ["[name]", None]


@pytest.mark.parametrize(
    ("method", "value", "expected"),
    [
        ("{ keep_first = 3 }", "13800138000", "138********"),
        ("{ keep_last = 4 }", "13800138000", "*******8000"),
        ("{ keep_first = 6, keep_last = 4 }", "11010519491231002X", "110105********002X"),
        ("{ keep_first = 1 }", "欧阳娜娜", "欧***"),
        ('{ keep_first = 1, mask = "某" }', "张三", "张某"),
        # What is not longer than what would be kept would be published as it is.
        ("{ keep_first = 3 }", "138", "***"),
        ("{ keep_first = 3, keep_last = 4 }", "1380013", "*******"),
        ("{ keep_first = 3 }", "", None),
        ("{ keep_first = 3 }", None, None),
    ],
)
def test_ends(method: str, value: str | None, expected: str | None) -> None:
    assert one(pa.array([value], pa.string()), method) == [expected]


# ---- tokens ------------------------------------------------------------------------------------


def token(value: str, length: int = 32) -> str:
    digits = hmac.new(KEYS.subkey("ids", "token"), value.encode(), hashlib.sha256).hexdigest()
    return "x".join(digits[first : min(first + 4, length)] for first in range(0, length, 4))


def test_tokens_are_python_s_hmac() -> None:
    values = ["110105194912310", "张三", "a'b\"c\\", "字" * 1000, " 13 "]
    assert one(values, '{ token = "ids" }') == [token(value.strip()) for value in values]
    assert one([13, None], '{ token = "ids" }') == [token("13"), None]
    assert one(values[:2], '{ token = "ids", length = 64 }') == [token(v, 64) for v in values[:2]]


def test_no_token_looks_like_a_number() -> None:
    """In plain hexadecimal digits, a scan of half a million tokens finds resident ids."""
    got = one(list(range(2000)), '{ token = "ids", length = 62 }')
    assert {len(group) for value in got for group in value.split("x")} == {4, 2}


def test_tokens_are_the_same_in_all_tables_of_a_domain_and_differ_between_domains() -> None:
    first = masked({"id": ["a", "b"]}, {"id": '{ token = "ids" }'})["id"]
    second = masked({"n": [1, 2], "who": ["b", "c"]}, {"who": '{ token = "ids" }'})["who"]
    other = masked({"id": ["a", "b"]}, {"id": '{ token = "visits" }'})["id"]
    assert first[1] == second[0]
    assert not set(first) & set(other)


def test_an_id_that_a_float_holds_has_the_token_of_its_digits() -> None:
    assert one([13800138000.0], '{ token = "ids" }') == one(["13800138000"], '{ token = "ids" }')


def test_no_secret_stands_in_a_statement() -> None:
    how = {
        "a": '{ token = "ids" }', "b": '{ ff1 = "ids" }',
        "c": '{ date_shift = "ids", subject = "a" }', "d": '{ shuffle = [], key = "ids" }',
    }  # fmt: skip
    table = {name: ["1"] for name in how}
    statement = statement_of(table, how)
    assert statement.workshop.variables
    for purpose in ("token", "ff1 digits", "date-shift", "shuffle d"):
        secret = KEYS.subkey("ids", purpose)
        for shown in (statement.sql, repr(statement), repr(KEYS)):
            assert secret.hex() not in shown.lower()
            assert repr(secret)[2:12] not in shown
    assert SECRET[:32].hex() not in statement.sql + repr(KEYS)


# ---- FF1 ---------------------------------------------------------------------------------------


def test_ff1_keeps_the_form_and_can_be_undone() -> None:
    values = ["13800138000", "13900139000", None, "13800138000", "110105199003071231"]
    got = one(values, '{ ff1 = "ids" }')
    assert got[0] == got[3] != got[1]
    assert got[2] is None
    assert [len(v) for v in got if v] == [11, 11, 11, 18]
    cipher = Ff1(KEYS.subkey("ids", "ff1 digits"), 10)
    back = cipher.decrypt(np.array([[int(c) for c in got[1]]]))[0]
    assert "".join(map(str, back)) == "13900139000"


def test_ff1_of_ids_with_a_check_digit_x_and_a_clear_prefix() -> None:
    [value] = one(["11010519491231002x"], '{ ff1 = "ids", alphabet = "digits_x", clear_first = 6 }')
    assert value.startswith("110105")
    assert value != "11010519491231002X"
    assert set(value) <= set("0123456789X")


@pytest.mark.parametrize(
    "value", ["12345", "1" * 33, "1380013800a", "１３８００１３８０００", "13 8001"]
)
def test_what_ff1_cannot_encrypt_is_lost_and_counted(value: str) -> None:
    assert masked({"x": [value]}, {"x": '{ ff1 = "ids" }'}) == {"x": [None], "lost": [1]}


# ---- dates -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("day", "1990-03-07"), ("week", "1990-W10"), ("month", "1990-03"),
        ("quarter", "1990-Q1"), ("year", "1990"), ("5y", "1990–1994"), ("10y", "1990–1999"),
    ],
)  # fmt: skip
def test_dates_become_coarser_however_they_are_written(unit: str, expected: str) -> None:
    written = [
        "1990-03-07",
        "1990/3/7",
        "1990年3月7日",
        "19900307",
        "1990.03.07",
        "1990-03-07 12:30:00",
    ]
    assert one(written, f'{{ date = "{unit}" }}') == [expected] * len(written)
    days = [dt.date(1990, 3, 7)]
    assert one(days, f'{{ date = "{unit}" }}') == [expected]
    assert one([dt.datetime(1990, 3, 7, 23)], f'{{ date = "{unit}" }}') == [expected]  # noqa: DTZ001
    assert one([19900307], f'{{ date = "{unit}" }}') == [expected]


def test_what_is_no_date_is_lost_and_counted() -> None:
    got = masked({"x": ["1990-13-01", "soon", "", None, "1990-02-30"]}, {"x": '{ date = "year" }'})
    assert got == {"x": [None] * 5, "lost": [3]}


def test_dates_of_one_person_shift_alike() -> None:
    table = {
        "who": ["a", "a", "b", None, "a"],
        "x": ["2024-01-01", "2024-01-31", "2024-01-01", "2024-01-01", None],
        "y": ["2024-06-01"] * 5,
    }
    how = '{ date_shift = "visits", subject = "who", days = 30 }'
    got = masked(table, {"x": how, "y": how}, {"who": ""})
    assert got["x"][1] - got["x"][0] == dt.timedelta(30)
    assert got["y"][0] - got["x"][0] == dt.date(2024, 6, 1) - dt.date(2024, 1, 1)
    assert got["x"][3:] == [None, None]  # no subject, no date
    assert got["lost"] == [1, 1]
    digits = hmac.digest(KEYS.subkey("visits", "date-shift"), b"b", "sha256").hex()[:15]
    assert got["x"][2] == dt.date(2024, 1, 1) + dt.timedelta(int(digits, 16) % 61 - 30)


def test_shifts_reach_both_ends_and_nothing_beyond() -> None:
    table = {"who": list(range(2000)), "x": [dt.date(2024, 1, 1)] * 2000}
    how = '{ date_shift = "visits", subject = "who", days = 3 }'
    got = masked(table, {"x": how}, {"who": ""})["x"]
    assert {(day - dt.date(2024, 1, 1)).days for day in got} == set(range(-3, 4))


# ---- places ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "level", "expected"),
    [
        ("广东省广州市天河区体育西路103号", "district", "广东省广州市天河区"),
        ("广东省广州市天河区体育西路103号", "city", "广东省广州市"),
        ("广东省广州市天河区体育西路103号", "province", "广东省"),
        ("广州市天河区体育西路", "district", "广东省广州市天河区"),
        ("广东广州天河区体育西路", "district", "广东省广州市天河区"),
        ("北京市朝阳区建国路88号", "district", "北京市朝阳区"),
        ("北京朝阳区", "district", "北京市朝阳区"),
        ("北京市朝阳区建国路88号", "city", "北京市"),
        ("上海市浦东新区世纪大道", "district", "上海市浦东新区"),
        ("湖北省仙桃市", "district", "湖北省仙桃市"),
        ("内蒙古自治区呼和浩特市新城区", "district", "内蒙古自治区呼和浩特市新城区"),
        ("440106", "district", "广东省广州市天河区"),
        ("440106199003071231", "city", "广东省广州市"),
        ("广东省广州市不知道", "district", "广东省广州市"),  # as fine as it says, no finer
        ("朝阳区建国路", "district", None),  # Beijing's or Changchun's
        ("建国路88号", "district", None),
    ],
)
def test_addresses(text: str, level: str, expected: str | None) -> None:
    assert division_of(text, level) == expected
    got = masked({"x": [text, None]}, {"x": f'{{ district = "{level}" }}'})
    assert got == {"x": [expected, None], "lost": [int(expected is None)]}


# ---- numbers -----------------------------------------------------------------------------------


def test_top_and_bottom_codes() -> None:
    values = [1, 5, None, 100]
    assert one(values, "{ top_code = 50 }") == [1, 5, None, 50]
    assert one(values, "{ bottom_code = 3 }") == [3, 5, None, 100]
    assert one(values, "{ bottom_code = 3, top_code = 7.5 }") == [3, 5, None, 7.5]
    assert one(list(range(1001)), '{ top_code = "p99" }')[-12:] == [989, 990, *[990] * 10]
    assert one([1.5, math.nan, math.inf], "{ top_code = 9 }") == [1.5, None, None]


@pytest.mark.parametrize("share", ["p0", "p0.1", "p50", "p66.667", "p99.5", "p99"])
def test_percentiles_of_more_rows_than_fit_are_the_same(
    share: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [None, *(i * 7919 % 997 / 4 for i in range(1003)), None, 3.0, 3.0]
    how = f'{{ bottom_code = "{share}" }}'
    together = one(values, how)
    monkeypatch.setattr(statement, "_HELD", 0)
    assert one(values, how) == together
    with pytest.raises(InputError, match="no value"):
        one(["a", "b"], how)


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no value of the column 'x' is a number") as caught:
        one(["a", "b"], '{ top_code = "p99" }')
    assert caught.value.code == "masking.no_numbers"


@pytest.mark.parametrize(
    ("base", "value", "expected"),
    [
        ("100", 149, 100), ("100", 150, 200), ("100", -150, -200), ("100", 0, 0),
        ("5", 2**60 + 1, 2**60 - 1),
        ("0.1", 1.26, 1.3), ("0.5", 1.3, 1.5), ("100", 1249.9, 1200.0), ("0.5", 3, 3.0),
    ],
)  # fmt: skip
def test_rounding(base: str, value: float, expected: float) -> None:
    assert one([value], f"{{ round = {base} }}") == [expected]


@pytest.mark.parametrize("text", ["8000", " 8000 ", "8,000", "8e3", "8000.0", "+8000"])
def test_numbers_in_text(text: str) -> None:
    assert one([text], "{ round = 1 }") == [8000.0]
    assert one([text], "{ round = 1 }", of='type = "integer"') == [8000]


def test_what_is_no_number_is_lost_and_counted() -> None:
    values = ["12", "about 12", "1,2", "NaN", "1.2.3", "", None]
    got = masked({"x": values}, {"x": "{ round = 1 }"})
    assert got == {"x": [12.0, *[None] * 6], "lost": [4]}


def test_values_out_of_bounds_are_lost_and_counted() -> None:
    for how in ('"keep"', "{ round = 1 }"):
        got = masked({"x": [-1, 0, 9, 10, None]}, {"x": how}, {"x": "bounds = [0, 9]"})
        assert got == {"x": [None, 0, 9, None, None], "lost": [2]}


def test_days_out_of_bounds_are_lost_and_counted() -> None:
    of = {"x": 'type = "date"\nbounds = [2020-01-01, 2020-12-31]'}
    got = masked({"x": ["2019-12-31", "2020/1/1", "2020-12-31", "2021-01-01"]}, {"x": '"keep"'}, of)
    assert got == {"x": [None, dt.date(2020, 1, 1), dt.date(2020, 12, 31), None], "lost": [2]}
    with pytest.raises(InputError, match="noise on 'x' needs bounds"):
        masked({"x": ["2020-01-01"]}, {"x": "{ noise = 3 }"}, of)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("440106199003071231", 440106199003071231),  # not through a float
        ("-9223372036854775808", -(2**63)), ("9223372036854775808", None), ("8e3", 8000),
        ("9007199254740993.0", None), ("1.5", None), ("1,234", 1234), (2.0, 2), (2.5, None),
        (1e300, None), (Decimal("3.00"), 3), (Decimal("3.01"), None), (2**63 - 1, 2**63 - 1),
    ],
)  # fmt: skip
def test_whole_numbers_are_exact_or_lost(value: object, expected: int | None) -> None:
    assert one([value], '"keep"', of='type = "integer"') == [expected]


def test_declared_types_are_those_of_the_output() -> None:
    table = {"a": ["1", "2.5", "x"], "b": ["是", "false", "?"], "c": ["2024-01-02", "", "x"]}
    declared = {"a": 'type = "integer"', "b": 'type = "boolean"', "c": 'type = "date"'}
    got = masked(table, dict.fromkeys(table, '"keep"'), declared)
    assert got["a"] == [1, None, None]
    assert got["b"] == [True, False, None]
    assert got["c"] == [dt.date(2024, 1, 2), None, None]
    assert got["lost"] == [2, 1, 1]


def test_bands() -> None:
    assert one([20, 24, 25, -1, None], "{ band = 5 }") == [
        "[20,25)", "[20,25)", "[25,30)", "[-5,0)", None,
    ]  # fmt: skip
    assert one([17, 18, 59, 60], "{ band = [18, 60] }") == ["<18", "[18,60)", "[18,60)", ">=60"]
    assert one([0.25, 0.3], "{ band = 0.1 }")[0] == "[0.2,0.3)"
    with pytest.raises(InputError, match="edges must rise"):
        one([1], "{ band = [5, 3] }")


def test_noise_is_centred_and_as_wide_as_it_says() -> None:
    values = [500] * 4000
    got = np.array(one(values, "{ noise = 10 }", of="bounds = [0, 1000]")) - 500
    assert abs(got.mean()) < 2
    assert 8 < np.abs(got).mean() < 12
    assert got.dtype.kind == "i"
    floats = np.array(one([0.5] * 4000, "{ noise = 0.1 }", of="bounds = [0, 1]")) - 0.5
    assert 0.08 < np.abs(floats).mean() < 0.12
    assert one([None, 5], "{ noise = 10 }", of="bounds = [0, 10]")[0] is None


def test_whole_numbers_stay_whole_whatever_is_done_to_them() -> None:
    of = 'type = "integer"\nbounds = [0, 100]'
    for how in ("{ round = 0.4, noise = 3 }", "{ top_code = 7.5 }", "{ noise = 3, round = 0.4 }"):
        assert all(isinstance(v, int) for v in one([9] * 20, how, of=of)), how


def test_noise_without_bounds_is_refused() -> None:
    with pytest.raises(InputError, match="noise on 'x' needs bounds"):
        one([1], "{ noise = 10 }")


def test_noise_is_never_the_same_twice_and_that_is_known() -> None:
    assert statement_of({"x": [1]}, {"x": '"keep"'}).fresh == ()
    values, of = [5] * 100, "bounds = [0, 10]"
    assert one(values, "{ noise = 10 }", of=of) != one(values, "{ noise = 10 }", of=of)


# ---- whole columns -----------------------------------------------------------------------------


def test_shuffling_keeps_the_values_of_each_group() -> None:
    rows = 400
    table = {"g": ["a", "b"] * (rows // 2), "x": list(range(rows)), "n": list(range(rows))}
    got = masked(table, {"x": '{ shuffle = ["g"], key = "ids" }', "n": '"keep"'}, {"g": ""})
    assert got["n"] == list(range(rows))  # rows stay where they were
    for first in (0, 1):
        assert sorted(got["x"][first::2]) == list(range(first, rows, 2))
    moved = sum(a != b for a, b in zip(got["x"], range(rows), strict=True))
    assert moved > rows * 0.9
    again = masked(table, {"x": '{ shuffle = ["g"], key = "ids" }', "n": '"keep"'}, {"g": ""})
    assert again == got


def test_a_shuffle_without_a_key_is_fresh() -> None:
    table = {"x": list(range(100))}
    assert statement_of(table, {"x": '"shuffle"'}).fresh == ("x",)
    assert statement_of(table, {"x": '{ shuffle = [], key = "ids" }'}).fresh == ()
    assert masked(table, {"x": '"shuffle"'}) != masked(table, {"x": '"shuffle"'})


def test_small_groups_are_emptied_because_a_shuffle_hides_nothing_there() -> None:
    table = {"g": ["a"] * 5 + ["b"] * 4, "x": list(range(9))}
    got = masked(table, {"x": '{ shuffle = ["g"], key = "ids" }'}, {"g": ""})
    assert sorted(got["x"][:5]) == [0, 1, 2, 3, 4]
    assert got["x"][5:] == [None] * 4
    assert got["lost"] == [4]


def test_microaggregation() -> None:
    values = [1.0, 100.0, 2.0, 99.0, 3.0, None, 98.0, 50.0]
    got = one(values, "{ microaggregate = 3 }")
    assert got == [2.0, 86.75, 2.0, 86.75, 2.0, None, 86.75, 86.75]
    assert one([1, 2, 4, 9], "{ microaggregate = 2 }") == [2, 2, 7, 7]  # 6.5 is rounded
    assert one([1, 2], "{ microaggregate = 3 }") == [None, None]


def test_rows_keep_their_order_whatever_is_done() -> None:
    rows = 5000
    table = {
        "i": list(range(rows)),
        "a": [i % 7 for i in range(rows)],
        "x": [i * i for i in range(rows)],
    }
    how = {"i": '"keep"', "a": '{ shuffle = [], key = "ids" }', "x": "{ microaggregate = 5 }"}
    assert masked(table, how)["i"] == table["i"]


# ---- all of them -------------------------------------------------------------------------------


def test_methods_work_one_on_what_the_other_left() -> None:
    table = {"who": ["a"], "x": ["2024-05-17"], "y": [1234]}
    how = {
        "x": '{ date_shift = "ids", subject = "who", days = 5, date = "month" }',
        "y": "{ top_code = 1000, round = 300, band = 500 }",
    }
    assert masked(table, how, {"who": ""})["x"] == ["2024-05"]
    assert masked(table, how, {"who": ""})["y"] == ["[500,1000)"]


EXAMPLES = {
    "redact": '"redact"', "keep_first": "{ keep_first = 2 }", "keep_last": "{ keep_last = 2 }",
    "token": '{ token = "ids" }', "ff1": '{ ff1 = "ids" }', "date": '{ date = "month" }',
    "date_shift": '{ date_shift = "ids", subject = "x" }', "district": '{ district = "city" }',
    "band": "{ band = 5 }", "top_code": "{ top_code = 5 }", "bottom_code": "{ bottom_code = 5 }",
    "round": "{ round = 5 }", "noise": "{ noise = 5 }", "shuffle": '{ shuffle = [], key = "ids" }',
    "microaggregate": "{ microaggregate = 2 }", "keep": '"keep"', "drop": '"drop"',
}  # fmt: skip


@pytest.mark.parametrize("name", [k.name for k in KINDS if k.name != "drop"])
@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.int8(), pa.uint64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"),
     pa.decimal128(9, 2), pa.decimal128(38, 0), pa.float32(), pa.time64("us"), pa.null(),
     pa.large_string(), pa.binary(), pa.dictionary(pa.int8(), pa.string()), pa.list_(pa.int8())],
    ids=str,
)  # fmt: skip
def test_null_stays_null_in_a_column_of_any_type(name: str, kind: pa.DataType) -> None:
    table = pa.table({"x": pa.array([None] * 6, kind)})
    got = masked(table, {"x": EXAMPLES[name]}, {"x": "bounds = [0, 9]" if name == "noise" else ""})
    assert got == {"x": [None] * 6, "lost": [0] * len(got["lost"])}


@pytest.mark.parametrize("name", [k.name for k in KINDS if k.name not in {"drop", "keep"}])
@pytest.mark.parametrize(
    "value",
    ["张三", True, dt.date(2024, 1, 2), Decimal("1.5"), dt.time(1, 2), b"\xff\0", [1, 2], 7, 1.5,
     dt.datetime(2024, 1, 2, 3, 4, 5), "0" * 5000, "'; DROP TABLE x; --", "\0a", "🀄" * 10],  # noqa: DTZ001
    ids=repr,
)  # fmt: skip
def test_a_value_of_another_kind_is_masked_or_lost_but_never_passed_on(
    name: str, value: object
) -> None:
    """A method that cannot read a value must not let it through."""
    values = [value] * 6
    got = masked(
        {"x": values}, {"x": EXAMPLES[name]}, {"x": "bounds = [0, 9]" if name == "noise" else ""}
    )
    same_is_right = name in {
        "top_code",
        "bottom_code",
        "round",
        "microaggregate",
        "shuffle",
        "noise",
    }
    for before, after in zip(values, got["x"], strict=True):
        if not same_is_right:
            assert after != before
            assert after is None or str(before) not in str(after) or len(str(before)) < 3
    if got["x"] == [None] * 6:
        assert got["lost"] == [6]


def test_every_method_says_what_a_reader_can_conclude_in_both_languages() -> None:
    assert set(EXAMPLES) == {kind.name for kind in KINDS}
    for kind in KINDS:
        assert kind.make.__doc__
        for text in (kind.make.title, kind.make.concludes):
            assert isinstance(text, Text)
            assert text.en != text.zh


def test_keys_of_two_domains_give_what_nothing_links() -> None:
    """The attack: the same person in two releases with domains of their own."""
    other = TokenKeys((TokenKey("ids", "9", "", b"".join(bytes([i, 255 - i]) for i in range(16))),))
    ids = [f"{i:018d}" for i in range(200)]
    a = masked({"x": ids}, {"x": '{ token = "ids" }'})["x"]
    b = masked({"x": ids}, {"x": '{ token = "ids" }'}, keys=other)["x"]
    assert not set(a) & set(b)


def test_what_dates_become_is_no_other_type_to_the_scan_of_the_output() -> None:
    """Decades from 2000 on, with a hyphen, have the form of landline numbers."""
    days = [dt.date(year, month, 7) for year in range(1930, 2026) for month in (1, 12)]
    for unit in ("day", "week", "month", "quarter", "year", "5y", "10y"):
        labels = masked({"d": days}, {"d": f'{{ date = "{unit}" }}'})["d"]
        assert direct_cells(desensitize.scan(pa.table({"d": labels}))) == {}, unit


def test_a_number_beyond_all_bands_is_lost_and_stops_nothing() -> None:
    found = masked({"x": [1e300, -1e300, 7.0]}, {"x": "{ band = 5 }"})
    assert found["x"] == [None, None, "[5,10)"]
    assert found["lost"] == [2]
