"""Attacks, the gate and attestations, for people: verdicts, reasons, and what would hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from desensitize.attacks.findings import AttackReport, Finding, Verdict
from desensitize.attesting.checked import State
from desensitize.attesting.gate import Gated
from desensitize.attesting.verify import Verification
from protos import terminal
from protos.did_key import fingerprint_of
from protos.language import Text, joined

NAMES: Final[dict[str, Text]] = {
    "mask_reversal": Text("mask reversal", "掩码还原"),
    "unkeyed_hash": Text("unkeyed hash", "无密钥散列"),
    "uniqueness": Text("uniqueness", "唯一性"),
    "linkage": Text("linkage", "链接"),
    "inference": Text("attribute inference", "属性推断"),
    "singling_out": Text("singling out", "个体甄别"),
    "differencing": Text("differencing", "差分比较"),
}
_VERDICTS: Final[dict[Verdict, Text]] = {
    "held": Text("✓ held", "✓ 未攻破"),
    "broken": Text("✗ broken", "✗ 被攻破"),
    "measured": Text("– measured", "– 仅度量"),
    "unknown": Text("✗ not known", "✗ 无法判定"),
}
_MARKS: Final[dict[Verdict, str]] = {"held": "✓", "broken": "✗", "measured": "–", "unknown": "✗"}
_STATES: Final[dict[State, str]] = {"holds": "✓", "fails": "✗", "open": "–"}
_CHECKS: Final[dict[str, Text]] = {
    "file": Text("file", "文件"),
    "form": Text("form", "形式"),
    "proof": Text("proof", "签名"),
    "time": Text("time", "有效期"),
    "signer": Text("signer", "签署者"),
    "revocation": Text("revocation", "撤销"),
    "data": Text("data", "数据"),
    "original": Text("original", "原始数据"),
    "policy": Text("policy", "策略"),
    "manifest": Text("manifest", "清单"),
    "figures": Text("figures", "指标"),
    "files": Text("files", "层级文件"),
}
_HEADINGS: Final = (
    Text("Attack", "攻击"),
    Text("Columns", "列"),
    Text("Figure", "指标"),
    Text("Limit", "限值"),
    Text("Verdict", "结论"),
)
_SHOWN: Final = 4
_GUESSES: Final = 3


def show_attacks(report: AttackReport) -> None:
    """Prints what attacks found."""
    terminal.table(
        [str(heading) for heading in _HEADINGS],
        [_row(finding) for finding in report.findings],
        right=[2, 3],
        styles=[_style(finding.verdict) for finding in report.findings],
    )
    for finding in report.findings:
        _say(_MARKS[finding.verdict], finding.reason, finding.remedy)
    for assumption in dict.fromkeys(each.assumption for each in report.findings):
        if assumption.en:
            said = Text(f"Assumed: {assumption.en}.", f"假设：{assumption.zh}。")
            terminal.say(said, style=terminal.SOFT)


def show_gate(gated: Gated) -> None:
    """Prints the gate's verdict."""
    hidden = _hidden(gated)
    for check in gated.verdict.checks:
        if check.reason in hidden:
            continue
        _say("✗" if not check.held else "✓" if check.asked else "–", check.reason, check.remedy)
    if hidden:
        terminal.say(
            Text(
                f"– {len(hidden)} more sensitive columns of which people's columns tell less; all "
                "of them stand in the report",
                f"– 另有 {len(hidden)} 个敏感列，可被推断的程度更低；详见报告",
            ),
            style=terminal.SOFT,
        )
    if not gated.verdict.passed:
        count = len(gated.verdict.refusals)
        terminal.say(
            Text(
                f"Refused for {count} reason{'s' * (count != 1)}; nothing was signed.",
                f"拒绝发布，共 {count} 条理由；未签署任何内容。",
            ),
            style=terminal.BAD,
        )
    elif gated.attestation is None:
        terminal.done(
            Text(
                "Passed. Nothing was signed: name a key with --signing-key.",
                "通过。未签署：请用 --signing-key 指定密钥。",
            )
        )
    else:
        terminal.done(
            Text(f"Passed. Wrote {gated.attestation}.", f"通过。已写入 {gated.attestation}。")
        )


def _hidden(gated: Gated) -> set[Text]:
    """Reasons that would bury the others: guesses at many columns, with no limit, none certain.

    Those that gain most by knowing a person stay.
    """
    asked = {check.reason for check in gated.verdict.checks if check.asked or not check.held}
    attacks = gated.figures.attacks
    quiet = [
        each for each in (() if attacks is None else attacks.of("inference"))
        if not each.figure and each.reason not in asked
    ]  # fmt: skip
    quiet.sort(key=_gain, reverse=True)
    return {each.reason for each in quiet[_GUESSES:]} if len(quiet) > _GUESSES + 1 else set()


def _gain(finding: Finding) -> float:
    return finding.figures.get("right_without_own_row", 0.0) - finding.figures.get("base_rate", 0.0)


def show_verification(found: Verification) -> None:
    """Prints what of an attestation holds."""
    terminal.table(
        ["", str(Text("Check", "检查")), str(Text("What came out", "结果"))],
        [(_STATES[each.state], str(_CHECKS[each.name]), str(each.reason)) for each in found.checks],
    )
    if found.valid:
        terminal.done(Text("Valid: everything holds.", "有效：全部成立。"))
        return
    failed = [_CHECKS[each.name] for each in found.checks if each.state == "fails"]
    open_ones = [_CHECKS[each.name] for each in found.checks if each.state == "open"]
    named = joined(failed or open_ones, Text(", ", "、"))
    if failed:
        said = Text(f"Not valid: {named.en}.", f"无效：{named.zh}。")
    else:
        said = Text(
            f"Not decided: {named.en} could not be checked.", f"无法判定：{named.zh}未能核验。"
        )
    terminal.say(said, style=terminal.BAD)


def show_signer(did: str) -> None:
    """Prints how a key is named; never the key."""
    terminal.say(did)
    terminal.say(
        Text(f"Fingerprint {fingerprint_of(did)}", f"指纹 {fingerprint_of(did)}"),
        style=terminal.ACCENT,
    )
    terminal.say(
        Text(
            "Tell readers the fingerprint by another way than the data.",
            "请通过数据以外的渠道把指纹告知读者。",
        )
    )


def _row(finding: Finding) -> tuple[str, ...]:
    columns = [*finding.columns[:_SHOWN], *("…" for _ in finding.columns[_SHOWN : _SHOWN + 1])]
    return (
        str(NAMES[finding.attack]),
        str(Text(", ", "、")).join(" ".join(name.split()) for name in columns),
        _figure(finding.figure),
        "–" if finding.threshold is None else _limit(finding),
        str(_VERDICTS[finding.verdict]),
    )


def _figure(figure: float | None) -> str:
    if figure is None:
        return "?"
    return f"{figure:,.0f}" if figure == int(figure) else f"{figure:.4f}"


def _limit(finding: Finding) -> str:
    return f"{'≥' if finding.at_least else '≤'} {_figure(finding.threshold)}"


def _style(verdict: Verdict) -> str:
    return terminal.BAD if verdict in {"broken", "unknown"} else ""


def _say(mark: str, *texts: Text) -> None:
    first, *others = (text for text in texts if text.en)
    # Names of columns may hold line breaks.
    terminal.say(
        f"{mark} {' '.join(str(first).split())}", hang=2, style=terminal.BAD if mark == "✗" else ""
    )
    _more(others)


def _more(texts: Iterable[Text]) -> None:
    for text in texts:
        terminal.say(f"→ {text}", indent=2, hang=2)
