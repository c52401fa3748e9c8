"""``veil demo``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from protos.language import Text

app = typer.Typer(add_completion=False)

LIMIT_S: Final = 180.0  # it takes about 25 s on two cores


@app.command(
    help=str(
        Text(
            "Show it all on this machine with generated data: questions, answers, receipts.",
            "用生成的数据在本机完整演示：查询、结果与回执。",
        )
    )
)
def demo(
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            help=str(
                Text(
                    "Keep keys, logs, data and receipt here; a temporary directory without it.",
                    "将密钥、日志、数据和回执保留在此；不指定则使用临时目录。",
                )
            ),
        ),
    ] = None,
) -> None:
    """Plays every act and cleans up; exit code 0 only if everything was as it must be."""
    import tempfile
    import time

    from catalog.sample import ROWS
    from exchange.demo.acts import perform
    from exchange.demo.stage import Stage
    from protos import terminal

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="veil-demo-") as temporary:
        stage = Stage(directory or Path(temporary), ROWS)
        try:
            with at_most(LIMIT_S):
                perform(stage)
        finally:
            with undisturbed():
                stage.stop()
    terminal.heading(Text("All of it was as it must be.", "全部符合预期。"))
    seconds = f"{time.monotonic() - began:.0f}"
    kept = Text(f"kept in {directory}", f"保留于 {directory}")
    gone = Text("its files are deleted", "其文件已删除")
    left = gone if directory is None else kept
    terminal.done(
        Text(
            f"{seconds} s; every process has stopped, {left.en}.",
            f"用时 {seconds} 秒；进程全部停止，{left.zh}。",
        )
    )
    terminal.say(
        Text(
            "Next: veil up --catalog. It serves a catalog, and says how to go from a demand through"
            " two officers' signatures to a certificate (docs/guides/whole-way.md).",
            "下一步：veil up --catalog。它提供一个数据目录，并提示如何从需求出发，"
            "经两名负责人签批，直至取得流通证书（docs/guides/whole-way.md）。",
        )
    )


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Ends the block with an error when its time is over, and with Ctrl-C's on SIGTERM."""
    from protos.faults import UnavailableError

    def over(*_: object) -> None:
        raise UnavailableError(
            Text(
                f"the demo was not done after {seconds:.0f} s", f"演示在 {seconds:.0f} 秒内未完成"
            ),
            remedy=Text(
                "try again when the machine is less busy, or with --dir to keep the logs",
                "请在机器较空闲时重试，或用 --dir 保留日志",
            ),
            code="demo.time",
        )

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = {
        signal.SIGALRM: signal.signal(signal.SIGALRM, over),
        signal.SIGTERM: signal.signal(signal.SIGTERM, end),
    }
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Lets the block clean up: a second Ctrl-C does not leave processes behind."""
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
