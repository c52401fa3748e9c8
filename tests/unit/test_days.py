"""Days of many forms: read and masked, or emptied, counted and said; none gets out unread."""

from __future__ import annotations

import datetime as dt

import duckdb
import pyarrow as pa
import pytest

import desensitize
from desensitize.masking.written_days import day_of
from desensitize.policy_file import parse_policy
from desensitize.proposing.proposal import proposal
from protos.faults import InputError
from tests.masking_world import masked

DAY = dt.date(1990, 3, 7)
READ = (
    "1990-03-07", "1990/3/7", "1990.3.7", "19900307", "19900307101112", "19900307.0",
    "1990年3月7日", "1990 年 03 月 07 日", "1990-03-07 10:30", "1990-03-07T23:59:59.123Z",
    "1990-03-07T23:30:00+08:00", "1990-03-07 23:30:00+00", "1990年3月7日 10时30分", " 1990-03-07 ",
    "１９９０年３月７日", "07.03.1990", "7.3.1990 10:00", "March 7 1990", "March 7, 1990",
    "7 Mar 1990", "7-MAR-90", "7th March 1990", "Sept", "Wed, 07 Mar 1990 10:00:00 GMT",
    "Wed Mar 07 10:00:00 CST 1990", "90-3-7", "90年3月7日", "民国79年3月7日", "中華民國79年3月7日",
    "32939", "32939.75", "636768000000", "一九九〇年三月七日", "一九九○年 三月 七号",
    "1990年三月7日",
)  # fmt: skip
UNREAD = (
    "1990-02-30", "1990-13-01", "31/04/1990", "1990111", "199003", "900307", "12/11/10",
    "05年3月7日", "07-MAR-09", "1990", "Mar 7", "1990-03-07 soon", "张三 1990-03-07",
    "202403071030", "00000", "1990-03-07-1", "12-11", "infinity", "epoch", "-32939",
    "440106199003071238", "一九九〇年三月三十二日", "一九九〇年十三月七日", "一九九〇", "三月七日",
    "一千九百九十年三月七日", "一九九〇年三月初七",
)  # fmt: skip
EITHER = ("03/07/1990", "7-3-1990", "3/7/90", "03/07/1990 10:00 PM")


def read(written: str, *, day_first: bool | None = None) -> dt.date | None:
    """The day that the engine reads."""
    [row] = duckdb.execute(
        f"SELECT {day_of('t', day_first=day_first)} FROM (SELECT $1::VARCHAR AS t)",  # noqa: S608
        [written],
    ).fetchall()
    found: dt.date | None = row[0]
    return found


def test_each_form_says_its_day_whatever_comes_first() -> None:
    for written in READ:
        for first in (None, True, False):
            expected = None if written == "Sept" else DAY
            assert read(written, day_first=first) == expected, written
    assert read("Mar 1990") == read("1990年3月") == dt.date(1990, 3, 1)
    assert read("二零一〇年元月") == dt.date(2010, 1, 1)
    spelt = {"十": 10, "十一": 11, "二十": 20, "廿一": 21, "二十九": 29, "三十": 30, "卅一": 31}
    for written, day in spelt.items():
        assert read(f"二○○八年十二月{written}日") == dt.date(2008, 12, day)
    assert read("9999-12-31") == dt.date(9999, 12, 31)
    assert read("1709769600000") == read("1709769600") == dt.date(2024, 3, 7)
    # Midnight in Beijing, which is the day before in Greenwich.
    assert read("1709740800000") == dt.date(2024, 3, 7)


def test_what_could_be_two_days_is_none_until_somebody_says_which() -> None:
    for written in EITHER:
        assert read(written) is None, written
        assert {read(written, day_first=first) for first in (True, False)} == {
            DAY, dt.date(1990, 7, 3),
        }, written  # fmt: skip
    assert read("03/07/1990", day_first=True) == dt.date(1990, 7, 3)
    for first in (None, True, False):  # only one of both is in the calendar, or both are the same
        assert read("25/3/1990", day_first=first) == dt.date(1990, 3, 25)
        assert read("3/25/1990", day_first=first) == dt.date(1990, 3, 25)
        assert read("3/3/1990", day_first=first) == dt.date(1990, 3, 3)


@pytest.mark.parametrize("method", ['{ date = "month" }', '{ date_shift = "ids", subject = "x" }'])
def test_no_unread_day_gets_out(method: str) -> None:
    written = [*UNREAD, *EITHER]
    assert masked({"x": written}, {"x": method}) == {"x": [None] * len(written),
                                                     "lost": [len(written)]}  # fmt: skip


def test_numbers_and_instants_are_days_too() -> None:
    how = {"x": '{ date = "day" }'}
    for values in (
        pa.array([32939]), pa.array([32939.0]), pa.array([19900307.0]), pa.array([636768000000]),
        # 20:00 in Greenwich is the next day in Beijing, whatever the machine's zone.
        pa.array([dt.datetime(1990, 3, 6, 20, tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
    ):  # fmt: skip
        assert masked(pa.table({"x": values}), how) == {"x": ["1990-03-07"], "lost": [0]}


def test_the_column_decides_which_comes_first() -> None:
    """25/03/1990 among them tells; without, or with both, they are emptied, counted and said."""
    ways = {"出生日期": "25/03/1990", "dob": "03/25/1990", "csrq": "03/08/1990"}
    table = pa.table({
        name: ["03/07/1990"] * 40 + [other] * 20 + ["07.03.1990", "soon"] * 2
        for name, other in ways.items()
    })  # fmt: skip
    found = desensitize.scan(table)
    assert {column.type for column in found.columns} == {"birth_date"}
    assert [column.day_first for column in found.columns] == [True, False, None]
    assert "60 of the first values could be two days" in str(found["csrq"].evidence)
    text = proposal(found)
    policy = parse_policy(text)
    assert [policy.columns[name].day_first for name in ways] == [True, False, None]
    assert "60 of the first values could be two days" in text
    assert text.count("2 of the first values say no day in any form") == 3
    of = {n: f"day_first = {str(c.day_first).lower()}" for n, c in policy.columns.items()}
    got = masked(table, dict.fromkeys(ways, '{ date = "month" }'), of | {"csrq": ""})
    assert got.pop("lost") == [2, 2, 62]
    assert {name: {*values} for name, values in got.items()} == {
        "出生日期": {"1990-03", "1990-07", None}, "dob": {"1990-03", None},
        "csrq": {"1990-03", None},
    }  # fmt: skip


def test_a_column_of_one_form_is_proposed_as_days() -> None:
    """None of these is taken for a telephone number, an address or an id."""
    written = [each for each in READ if each != "Sept"]
    found = desensitize.scan(
        pa.table(
            {f"生日{i}": [each] * 30 for i, each in enumerate(written)}
            | {f"申请日期{i}": [each] * 30 for i, each in enumerate(written)}
        )
    )
    kinds = [(c.type, c.role, c.undated) for c in found.columns]
    assert kinds == [("birth_date", "quasi", 0)] * len(written) + [
        ("event_date", "quasi", 0)
    ] * len(written)


def test_it_is_said_of_days_only() -> None:
    text = 'dataset = "d"\n[columns.a]\nday_first = true\n%s\n[publish]\nmethods = { a = "keep" }\n'
    got = masked({"a": ["03/07/1990", "x"]}, {"a": '"keep"'}, {"a": "day_first = true"})
    assert got == {"a": [dt.date(1990, 7, 3), None], "lost": [1]}
    for more in ('type = "integer"', "bounds = [1, 2]"):
        with pytest.raises(InputError, match="day_first is about days"):
            parse_policy(text % more)
