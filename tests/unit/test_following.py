"""Waiting at a terminal: for whom, until when, whatever else happens meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.analyst.waiting import local_time
from exchange.commands.following import Following
from exchange.ports import Progress
from protos.language import Text
from protos.terminal import Progress as Shown

UNTIL = 1_800_000_000
STEPS = (
    Progress(0.0, "submitted"),
    Progress(0.0, "round", "", "main/ciphertext"),
    Progress(0.0, "absent", "foshan", "main/ciphertext"),
    Progress(0.0, "absent", "zhuhai", "main/ciphertext"),
    Progress(0.0, "answered", "dongguan", "main/ciphertext"),
    Progress(0.0, "accepted", "zhuhai", "plan"),
    Progress(0.0, "answered", "zhuhai", "main/ciphertext"),
    Progress(0.0, "answered", "foshan", "main/ciphertext"),
)


class Lines(Shown):
    """Keeps what was shown."""

    def __init__(self, *, lively: bool) -> None:
        self._lively = lively
        self.said: list[Text] = []

    @property
    def lively(self) -> bool:
        return self._lively

    def update(self, text: Any) -> None:  # noqa: ANN401
        self.said.append(text)


def followed(*, lively: bool) -> list[Text]:
    shown = Lines(lively=lively)
    following = Following(shown, UNTIL)
    for step in STEPS:
        following.tell(step)
    return shown.said


def test_a_terminal_always_says_for_whom_it_waits() -> None:
    said = [str(line) for line in followed(lively=True)]
    assert len(said) == len(STEPS)
    both = f"waiting for foshan, zhuhai until {local_time(UNTIL)}"
    assert [both in line for line in said] == [False, False, False, True, True, False, False, False]
    one = f"waiting for foshan until {local_time(UNTIL)}"
    assert [one in line for line in said] == [False, False, True, False, False, True, True, False]
    assert "dongguan has answered" in said[4]


def test_a_pipe_names_who_is_away_and_no_step_of_the_others() -> None:
    said = [str(line) for line in followed(lively=False)]
    assert said == [
        "encrypted figures",
        "foshan is away; it answers when it is back",
        "zhuhai is away; it answers when it is back",
    ]


def test_it_is_said_in_chinese_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEIL_LANG", "zh")
    assert "等待 foshan, zhuhai" in str(followed(lively=True)[4])
