"""How a service waits until it is told to stop."""

from __future__ import annotations

import signal
import threading


def wait_for_signal() -> str:
    """Blocks the main thread until SIGTERM or SIGINT; returns the signal's name."""
    caught: list[int] = []
    done = threading.Event()

    def note(number: int, _: object) -> None:
        caught.append(number)
        done.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    while not done.wait(0.5):
        pass
    return signal.Signals(caught[0]).name
