"""In Chinese, Typer's and pydantic's own words are Chinese, too."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer._click import Context
from typer._click.formatting import HelpFormatter

from exchange import cli
from protos.form_words import misfit

Run = Callable[..., subprocess.CompletedProcess[str]]
VEIL = Path(sys.executable).with_name("veil")


@pytest.fixture(autouse=True)
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEIL_LANG", "zh")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(Context, "formatter_class", HelpFormatter)  # `install` changes it


def said(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[object, str]:
    monkeypatch.setattr(sys, "argv", ["veil", *words.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    found = capsys.readouterr()
    return ended.value.code, found.out + found.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--nope", "没有选项 --nope"),
        ("upp", "没有命令 'upp'，是否为 'up'？"),
        ("up --catalo", "没有选项 --catalo，是否为 --catalog？"),
        ("up --dir", "选项 '--dir' 需要一个值"),
        ("up --catalog=1", "选项 '--catalog' 不带值"),
        ("up x y", "多余的参数：x y"),
        ("sql", "缺少参数 'statement'"),
        ("portal serve --processes x", "'--processes' 的值无效：应为整数"),
        ("catalog signers add k --until 1", "'--until' 的值无效：'1' 不符合格式 '%Y-%m-%d'"),
    ],
)
def test_mistakes_in_a_command_line(
    words: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, text = said(words, monkeypatch, capsys)
    assert (code, f"错误：{expected}\n" in text) == (2, True), text


@pytest.mark.parametrize(
    "words",
    ["--help", "up --help", "catalog signers add --help", "portal", "jobs --help", "fetch --help",
     "login --help", "logout --help"],
)  # fmt: skip
def test_help_has_no_english_words_but_names(words: str, run: Run) -> None:
    # In a process of its own: commands that another test has imported have their help by now.
    done = run(str(VEIL), *words.split())
    text = done.stdout + done.stderr
    assert done.returncode in {0, 2}
    assert text.startswith("用法：veil")
    assert not re.search(
        r"Usage|Options|Arguments|Commands|Show this|Install|required|default", text
    )


def test_what_a_form_misses_is_chinese() -> None:
    told = misfit("Input should be 'a', 'b' or 'c'")
    assert told.zh == "可选值：'a'、'b'、'c'"
    assert misfit("Input should be less than or equal to 100").zh == "不得大于 100"
    assert misfit("a rule of another day").zh == "不符合要求（a rule of another day）"
