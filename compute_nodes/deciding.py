"""Whether officers' signed decisions are enough for a grant, by the department's own rules.

Nothing that the exchange says counts: each decision is checked against the request that the owner
itself has verified, and against the officers that its own file names. What the exchange holds back
leaves the request waiting; what it makes up has no officer's signature.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from catalog.certificates.decisions import Decision, Office, request_digest
from compute_nodes.officers import GrantRules, Officer
from protos.language import Text, joined

_SKEW: Final = dt.timedelta(minutes=5)
NOTHING: Final = Text("", "")
OFFICES: Final[dict[Office, Text]] = {
    "steward": Text("data steward", "数据专员"),
    "chief": Text("chief data officer", "首席数据官"),
}


@dataclass(frozen=True)
class Heard:
    """One decision, and what it counts for.

    Attributes:
        who: The officer, or the fingerprint of a stranger.
        office: In which it was signed.
        counts: Whether it counts.
        why: Why not; "" if it does.
    """

    who: str
    office: Office
    counts: bool
    why: Text


@dataclass(frozen=True)
class Ruling:
    """What the rules say to a request.

    Attributes:
        enough: Whether the node may sign.
        heard: Every decision.
        missing: What is still needed, in words; "" if nothing.
        against: Officers' last words that are a no, oldest first.
    """

    enough: bool
    heard: tuple[Heard, ...]
    missing: Text
    against: tuple[Decision, ...] = ()


def rule_on(
    rules: GrantRules,
    decisions: Iterable[Decision],
    *,
    department: str,
    request: str,
    dataset: str,
    now: dt.datetime,
) -> Ruling:
    """Weighs decisions.

    Args:
        rules: Of this department.
        decisions: Whose signatures hold.
        department: Its name, which officers sign for unless the rules name a code.
        request: The signed request, verified.
        dataset: That it asks about.
        now: The time, with a time zone.
    """
    code, asked = rules.department or department, request_digest(request)
    officers = {officer.key: officer for officer in rules.officer}
    # Whoever signs twice has changed their mind: the later word counts, whichever comes first here.
    spoken = sorted(decisions, key=lambda each: each.created)
    flaws = [_flaw(rules, each, officers, code, asked, now) for each in spoken]
    last = {each.fingerprint: each for each, flaw in zip(spoken, flaws, strict=True) if not flaw}
    heard, yes = [], Counter[Office]()
    for each, flaw in zip(spoken, flaws, strict=True):
        why = flaw or _unheard(each, last[each.fingerprint])
        officer = officers.get(each.fingerprint)
        name = each.fingerprint if officer is None else officer.name
        heard.append(Heard(name, each.office, counts=why is None, why=why or NOTHING))
        yes[each.office] += why is None
    against = tuple(each for each in last.values() if each.verdict != "approve")
    rule = rules.rule_for(dataset)
    if against or rule is None:
        why = (
            Text("an officer has said no", "有签批人不同意")
            if against
            else Text("this dataset's grants are signed by hand", "须人工签发")
        )
        return Ruling(enough=False, heard=tuple(heard), missing=why, against=against)
    lacking = {office: most - yes[office] for office, most in rule.needs.items()}
    missing = joined(
        Text(f"{number} × {OFFICES[office].en}", f"{number} 名{OFFICES[office].zh}")
        for office, number in lacking.items()
        if number > 0
    )
    return Ruling(enough=not missing.en, heard=tuple(heard), missing=missing)


def _unheard(decision: Decision, last: Decision) -> Text | None:
    if decision is not last:
        return Text("its signer has signed another one since", "签批人此后另有签署")
    if decision.verdict != "approve":
        return Text(f"says {decision.verdict}", f"意见为 {decision.verdict}")
    return None


def _flaw(
    rules: GrantRules,
    decision: Decision,
    officers: Mapping[str, Officer],
    code: str,
    asked: str,
    now: dt.datetime,
) -> Text | None:
    """Returns why a decision says nothing about this request here; None if it does."""
    officer, yes = officers.get(decision.fingerprint), decision.verdict == "approve"
    if officer is None:
        return Text("is no officer of this department", "不是本部门的签批人")
    if decision.department != code:
        return Text("was signed for another department", "为其他部门签署")
    if asked not in decision.matter.grants:
        return Text("is about another request", "针对的是另一份申请")
    if officer.office != decision.office:
        return Text("was signed in an office that is not the signer's", "签署的职务与登记不符")
    if not officer.in_office(now):
        return Text("the signer is not in office (any more)", "签批人不在任期内或已被移除")
    if not officer.in_office(decision.created):
        return Text("was signed outside the signer's term", "签署时不在任期内")
    if yes and not decision.valid(now):  # a no does not end
        return Text("does not hold now", "目前不在有效期内")
    if yes and now - decision.created > dt.timedelta(days=rules.decision_days) + _SKEW:
        return Text(
            f"was signed more than {rules.decision_days} days ago",
            f"签署已超过 {rules.decision_days} 天",
        )
    return None
