"""Waiting for a job at a terminal: its steps, and all the while for whom it waits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

# Slow to import, and so imported before anything is asked: Ctrl-C must not fall in between.
from exchange.analyst.saving import save
from exchange.analyst.views import show_answer
from exchange.analyst.waiting import local_time
from protos import terminal
from protos.faults import VeilError
from protos.language import Text

if TYPE_CHECKING:
    from exchange.analyst.answer import Answer
    from exchange.analyst.client import Job, Veil
    from exchange.ports import Progress

# What a log of a pipe needs: the rounds, and everything that went otherwise.
MILESTONES: Final = frozenset({"round", "absent", "dropped", "refused", "failed"})
# A department that does one of these is there again.
_PRESENT: Final = frozenset({"accepted", "answered"})


def deliver(
    veil: Veil,
    job: Job,
    output: Path | None,
    receipt: Path | None,
    certificate: Path | None = None,
) -> None:
    """Waits for a job's answer, shows it, and writes the files that are named."""
    answer = wait_for(job)
    show_answer(answer)
    save(answer, veil.profile.identity, output, receipt)
    if output is not None:
        terminal.done(Text(f"Table: {output}", f"结果表：{output}"))
    if receipt is not None:
        check = f"veil verify {receipt}" + (f" --table {output}" if output else "")
        terminal.done(
            Text(f"Receipt: {receipt} (check it: {check})", f"回执：{receipt}（核验：{check}）")
        )
    if receipt is not None or certificate is not None:
        _certified(veil, job, certificate)


def _certified(veil: Veil, job: Job, file: Path | None) -> None:
    """Says which certificate the result has, and writes it if a file is named."""
    from catalog.certificates.bundle import Bundle
    from exchange.proof.files import write_file
    from protos.identity import unverified_claims

    try:
        bundle = veil.certificate(job.id)
    except VeilError as error:  # such as of an exchange that was made anew: the answer is at hand
        if file is not None:
            raise
        terminal.say(error.said)
        return
    if not bundle:
        terminal.say(
            Text(
                "The certificate is due: the exchange issues it as soon as it can.",
                "证书待签发：交换中心将尽快签发。",
            )
        )
        return
    identifier = unverified_claims(Bundle.from_bytes(bundle).certificate)["id"]
    short = identifier.removeprefix("urn:uuid:").replace("-", "")[:12]
    terminal.done(Text(f"Certificate: {short}", f"证书：{short}"))
    if file is not None:
        write_file(file, bundle)
        terminal.done(
            Text(
                f"Wrote {file}. Check it: veil verify {file}",
                f"已写入 {file}。核验：veil verify {file}",
            )
        )


def wait_for(job: Job) -> Answer:
    """Waits for a job's answer; says first what the reader must know, then each step."""
    try:
        for line in job.notice:
            terminal.say(f"! {line}", stream=sys.stderr)
        with terminal.progress(Text("Waiting for the answer", "正在等待结果")) as shown:
            following = Following(shown, job.plan.expires_at)
            return job.wait(following.tell)
    except KeyboardInterrupt:  # before or after the wait itself, which has its own
        raise job.interrupted() from None


class Following:
    """Tells the steps of a job: all of them on a terminal's one line, on a pipe the milestones.

    Args:
        shown: Where.
        until: When the job's plan ends, Unix seconds.
    """

    def __init__(self, shown: terminal.Progress, until: int) -> None:
        self._shown = shown
        self._until = local_time(until)
        self._away: dict[str, None] = {}  # in the order in which they were missed

    def tell(self, step: Progress) -> None:
        """Says one step, and who is still away."""
        if step.what == "absent":
            self._away[step.department] = None
        elif step.what in _PRESENT:
            self._away.pop(step.department, None)
        line = describe(step)
        if self._shown.lively:
            self._shown.update(self._waiting(line) if self._away else line)
        elif step.what in MILESTONES:
            self._shown.update(line)

    def _waiting(self, line: Text) -> Text:
        away = ", ".join(self._away)
        return Text(
            f"{line.en} · waiting for {away} until {self._until}",
            f"{line.zh} · 等待 {away}，最迟至 {self._until}",
        )


def describe(step: Progress) -> Text:
    """One step of a job in one line."""
    from exchange.step_names import step_name

    who, round_ = step.department, step_name(step.text)
    texts = {
        "submitted": Text("plan submitted", "计划已提交"),
        "accepted": Text(f"{who} has accepted the plan", f"{who} 已接受计划"),
        "round": round_,
        "answered": Text(f"{round_.en}: {who} has answered", f"{round_.zh}：{who} 已应答"),
        "absent": Text(
            f"{who} is away; it answers when it is back", f"{who} 不在线，恢复连接后应答"
        ),
        "dropped": Text(f"{who} has dropped out ({round_.en})", f"{who} 中途退出（{round_.zh}）"),
        "refused": Text(f"{who} refuses: {step.text}", f"{who} 拒绝"),
        "done": Text("done", "完成"),
        "failed": Text("no answer", "未得出结果"),
    }
    return texts.get(step.what, Text(step.what, step.what))
