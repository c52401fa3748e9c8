"""The root command: quick, lazy, and never a traceback."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange import cli
from protos.language import Text

Run = Callable[..., subprocess.CompletedProcess[str]]
VEIL = Path(sys.executable).with_name("veil")


def test_help_answers_within_300_ms(run: Run) -> None:
    """Of processor time: how long it takes on an idle machine, whatever else runs on this one."""
    run(VEIL, "--help")  # byte code is compiled once
    times = []
    for _ in range(5):
        before = children_s()
        assert run(VEIL, "--help").returncode == 0
        times.append(children_s() - before)
    assert min(times) < 0.3


def children_s() -> float:
    """Processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_imports_nothing_heavy(run: Run) -> None:
    code = (
        "import sys\nfrom exchange import cli\n"
        "try: cli.typer.main.get_command(cli.app)(['--help'], prog_name='veil')\n"
        "except SystemExit: pass\n"
        "heavy = {'rich', 'pandas', 'numpy', 'duckdb', 'grpc', 'sqlglot', 'pydantic',"
        " 'cryptography', 'opendp', 'tenseal'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    assert "HEAVY []" in run(sys.executable, "-c", code).stdout


def test_the_version_is_the_distribution_s(run: Run) -> None:
    from importlib.metadata import version

    assert run(VEIL, "--version").stdout == f"veil {version('veil-exchange')}\n"


def test_a_wrong_name_is_a_usage_error_with_exit_code_2(run: Run) -> None:
    said = run(VEIL, "nonsense")
    assert said.returncode == 2
    assert "No such command 'nonsense'" in said.stderr
    assert "Traceback" not in said.stderr


SAMPLE = """
import typer
from protos.faults import InputError
app = typer.Typer()
@app.command()
def go(bug: bool = False) -> None:
    if bug:
        raise KeyError("x")
    raise InputError("the file is empty", remedy="write something into it")
"""


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sample_command.py").write_text(SAMPLE)
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = cli.Entry("go", "sample_command", Text("go", "走"))
    absent = cli.Entry("later", "sample_absent", Text("later", "以后"))
    monkeypatch.setattr(cli, "COMMANDS", (entry, absent))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


def test_an_error_is_two_lines_and_exit_code_1(
    sample: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["veil", "go"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    assert capsys.readouterr().err == (
        "Not accepted: the file is empty\nWhat to do: write something into it\n"
    )


def test_help_shows_brackets_and_does_not_cut_chinese(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rich would take [publish.models] for a style, and end long Chinese lines with "…"."""
    words = "策略须含 [publish.models]，" + "其余各列由策略逐一说明处理方式，" * 6 + "到此为止。"
    (tmp_path / "long_help.py").write_text(
        "import typer\napp = typer.Typer()\n@app.command()\n"
        f"def go(x: int = typer.Option(1, help={words!r})) -> None: ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(cli, "COMMANDS", (cli.Entry("go", "long_help", Text("go", "走")),))
    monkeypatch.setattr(sys, "argv", ["veil", "go", "--help"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with pytest.raises(SystemExit):
        cli.main()
    assert words in "".join(capsys.readouterr().out.split()).replace(
        "策略须含[", "策略须含 ["
    ).replace("[default", " [default")


def test_our_own_mistake_is_said_without_a_traceback(
    sample: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["veil", "go", "--bug"])
    with pytest.raises(KeyError) as caught:
        cli.main()
    monkeypatch.delenv("VEIL_TRACEBACK", raising=False)
    sys.excepthook(caught.type, caught.value, caught.tb)
    assert "mistake in Veil" in capsys.readouterr().err
    monkeypatch.setenv("VEIL_TRACEBACK", "1")
    sys.excepthook(caught.type, caught.value, caught.tb)
    assert "Traceback" in capsys.readouterr().err


def test_what_is_not_installed_is_not_shown(
    sample: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["veil", "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    said = capsys.readouterr().out
    assert "go" in said
    assert "later" not in said


def test_a_close_name_is_suggested(
    sample: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["veil", "goo"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "Did you mean 'go'?" in capsys.readouterr().err


def test_every_entry_speaks_both_languages_and_every_module_has_an_app() -> None:
    commands = cli.LazyCommands(cli.COMMANDS)
    for entry in cli.COMMANDS:
        assert entry.help.en
        assert entry.help.zh
        assert entry.help.en != entry.help.zh
    for name in commands:
        assert commands[name].name == name
