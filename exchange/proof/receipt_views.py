"""What people see of a receipt's verification: each check, then the verdict."""

from __future__ import annotations

from typing import IO, Final

from catalog.certificates.report import Report
from protos import terminal
from protos.language import Text, joined


def show_checks(report: Report, broken: Text, *, stream: IO[str] | None = None) -> None:
    """Prints every check with its outcome; then, if some failed, which.

    Args:
        report: Of a receipt or a certificate.
        broken: What to say before the names of those that failed.
        stream: Where to; standard output by default.
    """
    marks = {True: "✓", False: "✗", None: "–"}
    terminal.table(
        ("", str(_QUESTION), str(_FOUND)),
        [
            ("!" if check.remark else marks[check.ok], check.name, check.what)
            for check in report.checks
        ],
        stream=stream,
    )
    if not report.ok:
        failed = joined((check.name for check in report.failures), Text(" · ", "、"))
        said = Text(f"✗ {broken.en}: {failed.en}", f"✗ {broken.zh}：{failed.zh}")
        terminal.say(said, style=terminal.BAD, hang=2, stream=stream)


def show_report(report: Report, *, stream: IO[str] | None = None) -> None:
    """Prints every check of a receipt with its outcome, then the verdict in one line."""
    show_checks(report, _BROKEN, stream=stream)
    if report.complete:
        terminal.done(_HOLDS, stream=stream)
    elif report.ok and any(check.ok is None for check in report.checks):
        terminal.done(_HOLDS_PARTLY, stream=stream)
    elif report.ok:
        terminal.done(_HOLDS_OTHERWISE, stream=stream)
    if any(check.remark for check in report.checks):
        terminal.say(_REMARKED, stream=stream)
    terminal.say(_SCOPE, style=terminal.SOFT, stream=stream)


_QUESTION: Final = Text("Check", "检查项")
_FOUND: Final = Text("Found", "结果")
_BROKEN: Final = Text("The receipt does not hold", "回执不成立")
_HOLDS: Final = Text("Everything holds.", "全部成立。")
_HOLDS_PARTLY: Final = Text(
    "Nothing is wrong with what was checked; the lines marked – were not checked.",
    "已检查部分均成立；标记为 – 的项目未检查。",
)
_HOLDS_OTHERWISE: Final = Text("Nothing is wrong.", "未发现问题。")
_REMARKED: Final = Text(
    "! marks what holds without everybody's signature, and says what nobody confirms.",
    "标记为 ! 的项目虽成立,但签署不全,并注明未经确认的内容。",
)
_SCOPE: Final = Text(
    "A receipt proves who took part, which plan and policies, and which bytes left. It does not "
    "prove that inputs were honest, nor that the exchange added correctly.",
    "回执证明参与者、计划、策略和出域字节；不证明各方输入真实，也不证明交换中心求和无误。",
)
