"""The page: one HTML file that needs no network, no script and no other file.

Both languages are in it; the reader changes between them with two radio buttons that only the style
sheet reads. All that comes from data, policies or attestations is escaped by the template engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from desensitize.attacks.findings import Finding
from desensitize.masking import KINDS
from desensitize.releasing.earlier import Changes
from desensitize.reporting import charts
from desensitize.reporting.contents import Contents
from desensitize.reporting.points import points
from desensitize.risks import RiskReport
from desensitize.shares import share
from desensitize.show.attack import NAMES
from desensitize.show.release import detail_lost
from desensitize.show.scan import ROLES
from protos.language import Language, Text

_OPEN: Final = {
    "unconditional": Text("to everybody", "无条件开放"),
    "conditional": Text("under conditions", "有条件开放"),
    "none": Text("to nobody", "不予开放"),
}
_VERDICTS: Final = {
    "held": Text("held", "未攻破"),
    "broken": Text("broken", "被攻破"),
    "measured": Text("measured", "仅度量"),
    "unknown": Text("not known", "无法判定"),
}
_STATES: Final = {
    "holds": Text("holds", "成立"),
    "fails": Text("fails", "不成立"),
    "open": Text("open", "待核实"),
}
_NONE: Final = Text("", "")


def page(contents: Contents, language: Language) -> str:
    """Renders the report.

    Args:
        contents: What it says.
        language: Which is shown first.
    """
    environment = Environment(
        loader=PackageLoader("desensitize.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"t": _both, "share": share, "level_name": charts.level_name}
    environment.filters |= {"t": _text, "line": lambda text: " ".join(str(text).split())}
    return environment.get_template("report.html.jinja").render(**_facts(contents), first=language)


def _facts(contents: Contents) -> dict[str, Any]:
    risk, attacks, release = contents.risk, contents.attacks, contents.release
    findings = () if attacks is None else tuple(charts.worst_first(attacks.findings))
    return {
        "c": contents,
        "release": release,
        "risk": risk,
        "points": points(contents),
        "changes": [
            list(Changes(**each).sentences()) for each in release.figures.get("earlier", ())
        ],
        "conclusions": () if risk is None else _conclusions(risk),
        "findings": findings,
        "broken": [each for each in findings if each.verdict in {"broken", "unknown"}],
        "roles": ROLES,
        "dropped": [*release.dropped, *release.unmentioned],
        "methods": {kind.name: kind.make.title for kind in KINDS},
        "level": Text("level", "层级"),
        "attack_names": NAMES,
        "verdicts": _VERDICTS,
        "states": _STATES,
        "opened": _OPEN.get(release.open, _NONE),
        "sizes": [] if risk is None else charts.class_sizes(risk),
        "attackers": [] if risk is None else charts.attackers(risk),
        "inferences": [] if attacks is None else charts.inferences(attacks),
        "candidates": [] if attacks is None else charts.candidates(attacks),
        "losses": charts.losses(release),
        "plot": charts.loss_against_k(contents.alternatives, contents.policy.models.k),
        "sample": max((each.sample for each in contents.alternatives), default=0),
        "assumptions": _assumptions(findings),
        "detail": {column.name: detail_lost(column, release) for column in release.columns},
        "unknown": [
            column.name for column in release.columns
            if risk is not None and column.name not in risk.quasi and column.role != "direct"
        ],
    }  # fmt: skip


def _conclusions(risk: RiskReport) -> list[Text]:
    """What can be concluded about people, but for what the table of sensitive columns shows."""
    if not risk.rows:
        return list(risk.sentences())
    told = [
        said
        for column, said in zip(risk.sensitive, risk.what(), strict=True)
        if column.homogeneous_rows
    ]
    if risk.sensitive and not told:
        least = min(column.l for column in risk.sensitive)
        told = [Text(
            "No sensitive value is certain for anybody: rows that look alike have at least "
            f"{least} different values in each sensitive column.",
            f"没有任何人的敏感属性可被确定：彼此相同的行在每个敏感列上至少有 {least} 种取值。",
        )]  # fmt: skip
    return [*risk.who(), *told, *risk.whether()]


def _assumptions(findings: Sequence[Finding]) -> list[Text]:
    """What was assumed, each with the attacks that did."""
    named: dict[Text, dict[str, None]] = {}
    for each in findings:
        if each.assumption.en:
            named.setdefault(each.assumption, {})[each.attack] = None
    return [
        Text(f"{', '.join(NAMES[attack].en for attack in attacks)}: {assumed.en}",
             f"{'、'.join(NAMES[attack].zh for attack in attacks)}：{assumed.zh}")
        for assumed, attacks in named.items()
    ]  # fmt: skip


def _both(english: object, chinese: object) -> Markup:
    """A text in both languages, of which the style sheet shows one."""
    return Markup('<span lang="en">{}</span><span lang="zh">{}</span>').format(english, chinese)


def _text(text: Text) -> Markup:
    return _both(text.en, text.zh)
