"""What holds of masking methods for any values."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitize.masking.format_preserving import ALPHABETS, encrypter
from desensitize.masking.fpe import Ff1
from tests.chinese_tables import Maker
from tests.masking_world import KEYS, masked

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
CELLS = st.lists(st.none() | TEXTS, min_size=1, max_size=20)
FEW = settings(max_examples=25)


def column(values: list[str | None], method: str, of: str = "") -> list[object]:
    table = pa.table({"x": pa.array(values, pa.string())})
    return masked(table, {"x": method}, {"x": of})["x"]


@FEW
@given(CELLS)
def test_tokens_are_those_of_python(values: list[str | None]) -> None:
    key = KEYS.subkey("ids", "token")
    for value, token in zip(values, column(values, '{ token = "ids" }'), strict=True):
        text = (value or "").strip(" ")
        if not text:
            assert token is None
            continue
        digits = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]
        assert str(token).replace("x", "") == digits


@FEW
@given(CELLS, st.integers(0, 6), st.integers(0, 6))
def test_ends_show_so_many_characters_and_no_more(
    values: list[str | None], first: int, last: int
) -> None:
    how = f'{{ keep_first = {first}, keep_last = {last}, mask = "█" }}'
    for value, shown in zip(values, column(values, how), strict=True):
        if not value:
            assert shown is None
        elif len(value) <= first + last:
            assert shown == "█" * len(value)
        else:
            hidden = "█" * (len(value) - first - last)
            assert shown == value[:first] + hidden + value[len(value) - last :]


@FEW
@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20), st.integers(1, 10**6))
def test_rounding_goes_to_the_nearest_multiple_and_bands_hold_their_value(
    values: list[int], base: int
) -> None:
    got = masked(
        {"r": values, "b": values}, {"r": f"{{ round = {base} }}", "b": f"{{ band = {base} }}"}
    )
    for value, near, band in zip(values, got["r"], got["b"], strict=True):
        assert near % base == 0
        assert abs(near - value) * 2 <= base
        low, high = (int(end) for end in band.strip("[)").split(","))
        assert low <= value < high == low + base


@FEW
@given(st.lists(st.dates(dt.date(1850, 1, 1), dt.date(2150, 12, 31)), min_size=1, max_size=20))
def test_dates_are_in_the_unit_that_is_left(values: list[dt.date]) -> None:
    units = ("day", "week", "month", "quarter", "year", "5y", "10y")
    got = masked(dict.fromkeys(units, values), {unit: f'{{ date = "{unit}" }}' for unit in units})
    for place, day in enumerate(values):
        assert got["day"][place] == day.isoformat()
        year, week, _ = day.isocalendar()
        assert got["week"][place] == f"{year}-W{week:02}"
        assert got["month"][place] == f"{day:%Y-%m}"
        assert got["quarter"][place] == f"{day.year}-Q{(day.month + 2) // 3}"
        for unit, years in (("5y", 5), ("10y", 10)):
            low, high = map(int, got[unit][place].split("–"))
            assert low <= day.year <= high == low + years - 1


@FEW
@given(st.lists(st.none() | st.integers(-1000, 1000), min_size=1, max_size=60), st.integers(2, 9))
def test_microaggregation_keeps_the_sum_and_groups_at_least_k(
    values: list[int | None], k: int
) -> None:
    floats = pa.table({"x": pa.array(values, pa.float64())})
    got = masked(floats, {"x": f"{{ microaggregate = {k} }}"})["x"]
    there = [v for v in values if v is not None]
    if len(there) < k:
        assert got == [None] * len(values)
        return
    assert [v is None for v in got] == [v is None for v in values]
    means = [v for v in got if v is not None]
    assert abs(sum(means) - sum(there)) < 1e-6
    assert all(means.count(mean) >= k for mean in means)


@FEW
@given(st.lists(st.integers(0, 99), min_size=1, max_size=80), st.integers(1, 4))
def test_a_shuffle_is_a_permutation_within_groups_of_five_or_more(
    values: list[int], groups: int
) -> None:
    group = [i * 7 % groups for i in range(len(values))]
    got = masked({"x": values, "g": group}, {"x": '{ shuffle = ["g"], key = "ids" }'}, {"g": ""})[
        "x"
    ]
    for each in set(group):
        mine = [i for i, g in enumerate(group) if g == each]
        before, after = [values[i] for i in mine], [got[i] for i in mine]
        if len(mine) >= 5:
            assert sorted(after) == sorted(before)
        else:
            assert after == [None] * len(mine)


@given(
    st.lists(st.none() | TEXTS | st.text("0123456789X", max_size=34), max_size=20),
    st.integers(0, 6),
)
def test_ff1_of_any_texts_can_be_undone_or_is_null(values: list[str | None], clear: int) -> None:
    letters = ALPHABETS["digits_x"]
    cipher = Ff1(b"k" * 32, len(letters))
    array = pa.array(values, pa.string())
    secret = encrypter(cipher, letters, clear=clear)(array)
    back = encrypter(cipher, letters, clear=clear, back=True)(secret).to_pylist()
    for value, out, again in zip(values, secret.to_pylist(), back, strict=True):
        if out is None:
            rest = (value or "")[clear:]
            assert value is None or len(rest) not in cipher.lengths() or set(rest) - set(letters)
        else:
            assert again == value
            assert len(out) == len(value or "")
            assert out[:clear] == (value or "")[:clear]


@FEW
@given(st.lists(st.decimals(-(10**6), 10**6, places=2), min_size=1, max_size=20))
def test_codes_limit_and_change_nothing_else(values: list[Decimal]) -> None:
    got = masked(
        {"t": list(map(float, values)), "b": list(map(float, values))},
        {"t": "{ top_code = 12.5 }", "b": "{ bottom_code = -7 }"},
    )
    assert got["t"] == [min(float(v), 12.5) for v in values]
    assert got["b"] == [max(float(v), -7.0) for v in values]


BY_ROWS = {
    "id": '{ token = "ids" }',
    "card": '{ ff1 = "ids" }',
    "phone": "{ keep_first = 3, keep_last = 4 }",
    "born": '{ date = "month" }',
    "seen": '{ date_shift = "visits", subject = "id", days = 15 }',
    "home": '{ district = "city" }',
    "pay": "{ top_code = 9000, round = 100 }",
    "age": "{ band = 5 }",
    "sex": '"keep"',
    "note": '"redact"',
}


@settings(max_examples=8)
@given(st.integers(1, 60), st.lists(st.integers(1, 59), max_size=4), st.integers(0, 9))
def test_what_looks_at_one_row_only_can_be_done_in_any_batches(
    rows: int, cuts: list[int], seed: int
) -> None:
    """So a cluster can run a policy's columns part by part, and the same comes out."""
    make = Maker(seed)
    table = pa.table({
        "id": [make.resident_id() for _ in range(rows)],
        "card": [make.bank_card() for _ in range(rows)],
        "phone": [make.mobile() for _ in range(rows)],
        "born": [f"19{50 + i % 50}-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(rows)],
        "seen": [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(rows)],
        "home": [make.address() for _ in range(rows)],
        "pay": [i * 7919 % 12_000 for i in range(rows)],
        "age": [i * 31 % 90 for i in range(rows)],
        "sex": [("男", "女", None)[i % 3] for i in range(rows)],
        "note": ["x"] * rows,
    })  # fmt: skip
    whole = masked(table, BY_ROWS)
    ends = sorted({0, rows, *(cut for cut in cuts if cut < rows)})
    parts = [masked(table.slice(a, b - a), BY_ROWS) for a, b in pairwise(ends)]
    for name in BY_ROWS:
        assert [value for part in parts for value in part[name]] == whole[name], name
