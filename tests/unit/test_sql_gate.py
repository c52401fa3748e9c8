"""The gate says what is wrong, where, and what would work."""

from __future__ import annotations

import pytest

from catalog.sql_gate import parse
from catalog.sql_hints import narrowed, nearest, nearest_function
from protos.faults import SqlError
from protos.language import both


def refused(sql: str) -> SqlError:
    with pytest.raises(SqlError) as caught:
        parse(sql)
    return caught.value


@pytest.mark.parametrize(
    ("sql", "place", "code"),
    [
        ("select a b c from d", "c", "sql.syntax"),
        ("select count(*) from v where (", "(", "sql.syntax"),
        ("select 'abc", "'", "sql.syntax"),
        ("select /* x", "/", "sql.syntax"),
        ("drop table x", "drop", "sql.not_select"),
        ("copy v to 'x'", "copy", "sql.not_select"),
        ("explain select 1", "explain", "sql.not_select"),
        ("select 1; drop table x", ";", "sql.many"),
        ("select foo(a, 1) from v", "foo(a, 1)", "sql.function"),
        ("select cuont(*) from v", "cuont(*)", "sql.function"),
        ("select now() from v", "now()", "sql.function"),
        ("select current_user from v", "current_user", "sql.function"),
        ("select * from read_csv('x')", "read_csv('x')", "sql.unsupported"),
        ("select a from v group by rollup(a, b)", "rollup(a, b)", "sql.unsupported"),
        ("select a from v group by cube (a)", "cube (a)", "sql.unsupported"),
        ("select count(*) from a.b", "a.b", "sql.unsupported"),
        ("select ? from v", "?", "sql.unsupported"),
        ("select a[1] from v", "[", "sql.unsupported"),
        ("select {'a': 1} from v", "{", "sql.unsupported"),
        ("select columns(*) from v", "columns(*)", "sql.unsupported"),
        ("with recursive t as (select 1) select * from t", "recursive", "sql.unsupported"),
        ("select count(*) from v where a = ‘F’", "‘", "sql.syntax"),
        ("select count(*) from v where a = “F”", "“", "sql.syntax"),
        ("select count(*) from `v`", "`", "sql.syntax"),
        ("select count(*) form v", "form", "sql.syntax"),
        ("select count(* from v", "(", "sql.syntax"),
        ("select count(*)) from v", ")", "sql.syntax"),
        ("select top 10 count(*) from v", "top 10", "sql.unsupported"),
        ("selct count(*) from v", "selct", "sql.not_select"),
        ("select x like 'a' escape 'b' from v", "x like 'a' escape 'b'", "sql.unsupported"),
        ("SELECT\n  COUNT(*),\n  median_of(x)\nFROM v", "median_of(x)", "sql.function"),
    ],
)
def test_the_place_is_underlined(sql: str, place: str, code: str):
    error = refused(sql)
    assert error.code == code
    assert sql[error.start : error.end] == place


def test_the_underline_stands_below_its_line():
    error = refused("SELECT\n  COUNT(*),\n  fooo(x)\nFROM v")
    assert error.underlined() == "  fooo(x)\n  ^^^^^^^"


@pytest.mark.parametrize(
    ("sql", "remedy"),
    [
        ("select cuont(*) from v", "did you mean COUNT"),
        ("select count(*) from v where a = ‘F’", "straight single quotes"),
        ("select count(*) form v", "did you mean FROM"),
        ("selct count(*) from v", "did you mean SELECT"),
        ("select mean(a) from v", "use AVG"),
        ("select now() from v", "write the date itself"),
        ("select 求和(a) from v", "use SUM"),
        ("select top 10 count(*) from v", "LIMIT 10"),
        ("select 1; select 2", "one by one"),
        ("select count(*) from v tablesample 10%", "leave it out"),
        ("insert into v values (1)", "SELECT"),
    ],
)
def test_the_remedy_says_what_would_work(sql: str, remedy: str):
    assert remedy in refused(sql).remedy


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from v;",
        "FROM v SELECT count(*)",
        "(select count(*) from v)",
        "select count(*) -- how many\nfrom v /* visits */",
        "select count(*) from v where " + " or ".join(["a = 1"] * 190),  # noqa: S608
        "select count(*) from v where a in (" + ", ".join(["1"] * 900) + ")",  # noqa: S608
        "select '，；' from v",
        "select count(*)，sum(a) from v where（b＞1）；",
        'select "列" from v',
    ],
)
def test_what_is_harmless_passes(sql: str):
    assert parse(sql).sql == sql


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("select a，b from v；", "select a,b from v;"),
        ("（a＝1）", "(a=1)"),
        ("a　＞　b％2", "a > b%2"),
        ("'，' ， \"（\" （", "'，' , \"（\" ("),
        ("a -- ，\n， /* ； */ ；", "a -- ，\n, /* ； */ ;"),
        ("'never closed ，", "'never closed ，"),
    ],
)
def test_full_width_punctuation_counts_as_ascii_outside_quotes(typed: str, plain: str):
    assert narrowed(typed) == plain
    assert len(narrowed(typed)) == len(typed)


def test_a_statement_stays_as_it_was_written():
    sql = "select count(*)，sum(x) from v"
    assert parse(sql).sql == sql
    assert parse(sql).tree == parse(sql.replace("，", ", ")).tree


@pytest.mark.parametrize(
    ("name", "known", "says"),
    [
        ("dept", ("department", "diagnosis"), "did you mean department?"),
        ("aeg", ("age", "cost"), "did you mean age?"),
        ("Visit", ("visits",), "did you mean visits?"),
        ("xyz", ("department",), ""),
    ],
)
def test_a_misspelt_or_shortened_name_finds_the_right_one(
    name: str, known: tuple[str, ...], says: str
):
    assert both(nearest(name, known)).en == says


def test_a_short_function_name_is_not_near_to_everything():
    assert nearest_function("abx", ("POW", "SUM")) == ""
