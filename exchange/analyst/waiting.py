"""For whom an answer waits, until when, and what else could be done: said before one waits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from catalog.plan import Plan
from exchange.analyst.federation import Federation
from exchange.planner.draft import threshold_of
from protos.language import Text


def wait_notice(plan: Plan, federation: Federation) -> tuple[Text, ...]:
    """What to say of a new job: nothing, unless it waits for somebody who is offline.

    Only ``he_sum`` waits; the other protocols go on without who is away, or end at once.

    Args:
        plan: As handed in.
        federation: The directory as it was then.
    """
    names = [member.name for member in plan.roster]
    away = [name for name in names if name not in federation.online]
    if not away or not plan.protocol.startswith("he_sum"):
        return ()
    until, listed = local_time(plan.expires_at), ", ".join(away)
    lines = [_AWAY.format(away=listed, until=until)]
    if other := _instead(plan, federation, away):
        lines.append(_INSTEAD.format(**_both(other)))
    return (*lines, _LEAVE.format(job=plan.job[:12]))


def attached_notice(plan: Plan) -> Text:
    """What to say when the same question is out already, by this plan."""
    return _ATTACHED.format(job=plan.job[:12], until=local_time(plan.expires_at))


def local_time(unix_s: int) -> str:
    """Returns a time on this machine's own clock, to the minute."""
    return datetime.fromtimestamp(unix_s).astimezone().strftime("%Y-%m-%d %H:%M")


def _instead(plan: Plan, federation: Federation, away: list[str]) -> list[Text]:
    """Other ways to ask that need nobody who is away and that the policies would not refuse."""
    if plan.mode == "exact":
        return []  # every owner's figures were granted together
    policies = federation.policies.get(plan.dataset, {}).values()
    fewest = max((policy.min_parties for policy in policies), default=1)
    asked, here = len(plan.roster), len(plan.roster) - len(away)
    ways = []
    if here == 1 or (here and threshold_of("masked_sum", here) >= fewest):
        ways.append(_WITHOUT.format(options=" ".join(f"--without {name}" for name in away)))
    threshold = threshold_of("masked_sum", asked)
    taken = all("masked_sum" in policy.protocols for policy in policies)
    if taken and here >= threshold >= fewest:
        ways.append(_MASKED.format(here=here))
    return ways


def _both(ways: Iterable[Text]) -> dict[str, str]:
    ways = list(ways)
    return {"en": "; ".join(w.en for w in ways), "zh": ";".join(w.zh for w in ways)}


_ATTACHED: Final = Text(
    "The same question is being answered already, as job {job}, until {until} at most: this waits "
    "for it, and nothing is paid twice. --fresh (fresh=True) would ask anew.",
    "相同问题已在处理中（任务 {job}，最迟至 {until}）：此处等待其结果，不重复消耗预算。"
    "如需重新查询，请用 --fresh（fresh=True）。",
)
_AWAY: Final = Text(
    "Offline now: {away}. This protocol needs every department, so the answer waits for it until "
    "{until}.",
    "目前不在线：{away}。该协议需要全部部门参与，结果最迟等到 {until}。",
)
_INSTEAD: Final = Text(
    "Ctrl-C cancels. To be answered now, ask otherwise: {en}.",
    "按 Ctrl-C 取消。如需立即得到结果，可改用：{zh}。",
)
_WITHOUT: Final = Text("{options} (leaves it out)", "{options}（不含该部门）")
_MASKED: Final = Text(
    "--protocol masked_sum (whoever is there answers, {here} departments now)",
    "--protocol masked_sum（由在线部门作答，现有 {here} 个）",
)
_LEAVE: Final = Text(
    "You need not stay: close this terminal, and later  veil fetch {job}  brings the answer.",
    "无需在此等待：可关闭终端，稍后用 veil fetch {job} 取回结果。",
)
