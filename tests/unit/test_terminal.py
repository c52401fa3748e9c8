"""What people read: both languages, errors with a remedy, nothing that moves the cursor."""

from __future__ import annotations

import io

import pytest

from protos import terminal
from protos.faults import BudgetError, SqlError, VeilError
from protos.language import Text, language
from protos.terminal import done, heading, print_error, printable, progress, say, table


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "VEIL_LANG": "en"}, "en"),
        ({"LANG": "en_GB.UTF-8", "VEIL_LANG": "zh"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C.UTF-8", "VEIL_LANG": ""}, "en"),
    ],
)
def test_the_language_is_asked_for(environ: dict[str, str], expected: str) -> None:
    assert language(environ) == expected


def test_a_text_speaks_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    text = Text("{n} rows", "{n} 行").format(n=3)
    assert str(text) == "3 rows"
    monkeypatch.setenv("VEIL_LANG", "zh")
    assert f"{text}" == "3 行"
    assert text.of("en") == "3 rows"


def printed(error: VeilError) -> str:
    stream = io.StringIO()
    print_error(error, stream=stream)
    return stream.getvalue()


def test_an_error_says_what_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    error = BudgetError("0.3 of 10.0 is left", remedy="ask with --epsilon 0.3", detail="row 17")
    assert printed(error) == (
        "Privacy budget: 0.3 of 10.0 is left\nWhat to do: ask with --epsilon 0.3\n"
    )
    monkeypatch.setenv("VEIL_LANG", "zh")
    assert printed(error).startswith("隐私预算不足：0.3")


def test_wrong_sql_is_underlined_in_cells_not_characters() -> None:
    sql = "SELECT\n  区县, median(费用)\nFROM visits"
    start = sql.index("median")
    error = SqlError("no MEDIAN", sql=sql, start=start, end=start + len("median(费用)"))
    line, carets = printed(error).splitlines()[2:4]
    assert line == "    区县, median(费用)"
    # Two Chinese characters take four cells, so the carets start two cells later.
    assert carets == " " * (4 + 4 + 2) + "^" * (len("median()") + 4)


def test_square_brackets_and_emoji_codes_stay_as_they_are() -> None:
    stream = io.StringIO()
    say("[red]a[/red] :smile: [1, 2]", stream=stream)
    assert stream.getvalue() == "[red]a[/red] :smile: [1, 2]\n"


@pytest.mark.parametrize(
    ("evil", "shown"),
    [
        ("\x1b[2Jgone", "?[2Jgone"),
        ("a\rb", "a?b"),
        ("a\u202eb\u2066c", "a?b?c"),
        ("\x9b31m", "?31m"),
        ("\x07\x08\x7f", "???"),
        ("广州\tok\nnext", "广州\tok\nnext"),
    ],
)
def test_control_characters_of_a_peer_do_not_reach_the_terminal(evil: str, shown: str) -> None:
    assert printable(evil) == shown
    stream = io.StringIO()
    table(["name"], [[evil]], title=evil, stream=stream)
    heading(evil, stream=stream)
    done(evil, stream=stream)
    print_error(SqlError(evil, sql=evil, start=0, end=1, remedy=evil), stream=stream)
    assert not {"\x1b", "\r", "\u202e", "\u2066", "\x9b", "\x07"} & set(stream.getvalue())


def test_a_table_lines_up() -> None:
    stream = io.StringIO()
    table(["district", "sum"], [["天河", 12], ["Y", None]], right=[1], stream=stream)
    heads, rule, first, second = (line for line in stream.getvalue().splitlines() if line.strip())
    assert heads.split() == ["district", "sum"]
    assert set(rule.strip()) == {"─"}
    # "天河" is two characters and four cells; the figures end in one cell column.
    assert first.rstrip().endswith("12")
    assert len(first.rstrip()) + 2 == len(heads.rstrip())
    assert second.split() == ["Y"]


def test_progress_in_a_pipe_is_lines() -> None:
    stream = io.StringIO()
    with progress("asking 4 departments", stream=stream) as shown:
        shown.update("adding up")
    assert stream.getvalue() == "… asking 4 departments\n… adding up\n"


def test_what_is_shown_becomes_html_and_nothing_in_it_is_markup() -> None:
    def show(name: str) -> None:
        terminal.heading(name)
        terminal.say(f"{name} \x1b[31m", style=terminal.BAD, indent=2)
        terminal.table(
            ["列", name], [("a", None), ("b", name)], right=[1], styles=["", terminal.GOOD]
        )
        terminal.done("ok")

    page = terminal.as_html(show, "<b onclick=x>&")
    assert "<b onclick" not in page
    assert page.count("&lt;b onclick=x&gt;&amp;") == 4
    assert "\x1b" not in page
    assert page.count("<tr") == page.count("</tr>") == 3
    assert "text-align:right" in page
    assert "✓ ok" in page


def test_showing_html_ends_where_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def show(_: str) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        terminal.as_html(show, "")
    terminal.say("in the terminal again")
    assert "in the terminal again" in capsys.readouterr().out
