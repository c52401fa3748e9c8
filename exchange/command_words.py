"""Typer's own words (usage, headings, mistakes in options) in Chinese: it has them in English only.

`install` is for the process of one command. The formatter is Typer's own place to change help;
of its messages none is marked for translation, so they are told by their form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from typer._click import Context
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError
from typer._click.formatting import HelpFormatter

from protos.form_words import misfit

_HEADINGS: Final = {"Options": "选项", "Arguments": "参数", "Commands": "命令"}
_USAGE: Final = {
    "[OPTIONS]": "[选项]", "COMMAND": "命令", "[ARGS]...": "[参数]...",
}  # fmt: skip
_HELP: Final = ("Show this message and exit.", "显示帮助并退出。")
_NOTES: Final = (
    (re.compile(r"\brequired(?=[\];])"), "必填"),
    (re.compile(r"\bdefault: "), "缺省："),
    (re.compile(r"\benv var: "), "环境变量："),
)
_KINDS: Final = {"option": "选项", "argument": "参数", "parameter": "参数"}
_MISTAKES: Final = tuple(
    (re.compile(pattern), chinese)
    for pattern, chinese in (
        (r"Missing command\.", "缺少子命令"),
        (r"No such option: (\S+)", r"没有选项 \1"),
        (r"No such option: (\S+) \(Possible options: (.*)\)", r"没有选项 \1，是否为 \2？"),
        (r"No such command (.*?)\.", r"没有命令 \1"),
        (r"No such command (.*?)\. Did you mean (.*)\?", r"没有命令 \1，是否为 \2？"),
        (r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", r"多余的参数：\1"),
        (r"Option (.*) requires an argument\.", r"选项 \1 需要一个值"),
        (r"Option (.*) requires (\d+) arguments\.", r"选项 \1 需要 \2 个值"),
        (r"Option (.*) does not take a value\.", r"选项 \1 不带值"),
    )
)


class ChineseFormatter(HelpFormatter):
    """Writes help with Chinese headings and notes."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Writes how a command is called."""
        words = " ".join(_USAGE.get(word, word) for word in args.split(" "))
        super().write_usage(prog, words, "用法：" if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """Writes a heading."""
        self.write(f"{'':>{self.current_indent}}{_HEADINGS.get(heading, heading)}：\n")

    def write_dl(
        self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Writes options or commands, each with what it is for."""
        super().write_dl([(name, _told(about)) for name, about in rows], col_max, col_spacing)


def install() -> None:
    """Makes help in this process Chinese."""
    Context.formatter_class = ChineseFormatter


def mistake(error: ClickException) -> str:
    """Returns what was wrong in a command line, how it is called, and where help is."""
    if isinstance(error, NoArgsIsHelpError):
        return error.message  # the help itself
    said = f"错误：{_said(error.format_message())}"
    context = error.ctx if isinstance(error, UsageError) else None
    if context is None:
        return said
    return f"{context.get_usage()}\n查看帮助：{context.command_path} --help\n\n{said}"


def _told(about: str) -> str:
    if about == _HELP[0]:
        return _HELP[1]
    text, bracket, notes = about.rpartition("  [")  # Typer puts its notes last, in brackets
    for pattern, chinese in _NOTES:
        notes = pattern.sub(chinese, notes)
    return f"{text}{bracket}{notes}" if bracket else about


def _said(message: str) -> str:
    if found := re.fullmatch(r"Missing (option|argument|parameter) ?(.*?)\.(?: .*)?", message):
        return f"缺少{_KINDS[found[1]]} {found[2]}"
    if found := re.fullmatch(r"Invalid value for (.*?): (.*)", message):
        return f"{found[1]} 的值无效：{misfit(found[2]).zh}"
    for pattern, chinese in _MISTAKES:
        if found := pattern.fullmatch(message):
            return found.expand(chinese)
    return message
