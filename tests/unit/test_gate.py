"""The gate passes what holds, and refuses whatever was not looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from desensitize.attacks import AttackReport
from desensitize.attacks.findings import Finding
from desensitize.attesting.gate import Gated
from desensitize.attesting.gate_rules import Figures, GateVerdict, judge
from desensitize.policy import PublishPolicy
from desensitize.policy_file import parse_policy
from desensitize.releasing.facts import RescanFacts
from desensitize.risks import Bucket, Presence, RiskReport, SensitiveRisk
from desensitize.show.attack import show_gate
from protos.language import Text
from tests.attack_world import attacked

POLICY = """dataset = "t"
[columns.id]
type = "cn_resident_id"
role = "direct"
[columns.sex]
role = "quasi"
[columns.income]
role = "sensitive"
[publish]
methods = { id = { keep_last = 1 }, sex = "keep", income = "keep" }
models = { k = 2, l = 2, entropy_l = 2, t = 0.9, delta = { file = "all.csv", most = 0.5 } }
attacks = { mask_candidates_min = 1000, linkage_correct_max = 1.0, unique_share_max = 1.0, inference_share_max = 1.0, singling_out_max = 1.0, small_cell_differences = 0 }
gate = { gbt42460_level_min = 2 }
"""  # noqa: E501 - as people write it
DATA = {
    "id": ["110105194912310021", "11010519491231002X"] * 2,
    "sex": ["a", "a", "b", "b"],
    "income": ["1", "2", "1", "2"],
}


@pytest.fixture(scope="module")
def policy() -> PublishPolicy:
    return parse_policy(POLICY)


@pytest.fixture(scope="module")
def sound(policy: PublishPolicy) -> Figures:
    risk = RiskReport(
        4, ("sex",), 2, 2, 0, 4, (Bucket(2, 2, 2, 4),), (SensitiveRisk("income", 2, 2.0, 0.0, 0),),
        presence=Presence(8, 4, 0.5, 0.5, 0, 0),
    )  # fmt: skip
    return Figures(4, RescanFacts(4, {}), risk, attacked(DATA, policy))


def refused(verdict: GateVerdict) -> set[str]:
    assert not verdict.passed
    assert all(check.reason.en and check.reason.zh for check in verdict.refusals)
    return {check.name for check in verdict.refusals}


def test_what_holds_passes(policy: PublishPolicy, sound: Figures) -> None:
    verdict = judge(policy, sound)
    assert verdict.refusals == ()
    assert verdict.passed


def test_what_was_not_compared_is_no_success(policy: PublishPolicy, sound: Figures) -> None:
    """Nobody named an earlier release: that is told, but not as a check that was passed."""
    (told,) = [c for c in judge(policy, sound).checks if c.name == "attack.differencing"]
    assert told.held
    assert not told.asked


def test_no_checks_are_no_pass() -> None:
    assert not GateVerdict(()).passed


@pytest.mark.parametrize("missing", ["rescan", "risk", "attacks"])
def test_a_missing_figure_refuses(policy: PublishPolicy, sound: Figures, missing: str) -> None:
    assert refused(judge(policy, replace(sound, **{missing: None})))  # type: ignore[arg-type]


def test_figures_of_other_rows_refuse(policy: PublishPolicy, sound: Figures) -> None:
    assert refused(judge(policy, replace(sound, rows=5))) == {"rescan", "risk", "attack"}


def test_each_model_refuses(policy: PublishPolicy, sound: Figures) -> None:
    assert sound.risk is not None
    income = sound.risk.sensitive[0]
    presence = sound.risk.presence
    assert presence is not None
    for wrong, name in (
        (replace(sound.risk, k=1), "risk.k"),
        (replace(sound.risk, sensitive=(replace(income, l=1),)), "risk.l"),
        (replace(sound.risk, sensitive=(replace(income, t=0.95),)), "risk.t"),
        (replace(sound.risk, sensitive=(replace(income, t=float("nan")),)), "risk.t"),
        (replace(sound.risk, sensitive=()), "risk.l risk.entropy_l risk.t"),
        (replace(sound.risk, sensitive=(replace(income, entropy_l=1.9),)), "risk.entropy_l"),
        (replace(sound.risk, presence=None), "risk.delta"),
        (replace(sound.risk, presence=replace(presence, most=0.6)), "risk.delta"),
        (replace(sound.risk, presence=replace(presence, outside=1)), "risk.delta"),
        (replace(sound.risk, direct=("id",)), "risk.gbt42460"),
        (replace(sound.risk, quasi=("other",)), "risk"),
    ):
        assert refused(judge(policy, replace(sound, risk=wrong))) == {*name.split()}


def test_a_direct_identifier_refuses_unless_the_policy_says_report(
    policy: PublishPolicy, sound: Figures
) -> None:
    hits = replace(sound, rescan=RescanFacts(4, {"income": {"cn_mobile": 1}}))
    assert refused(judge(policy, hits)) == {"rescan"}
    reporting = replace(policy, gate=replace(policy.gate, rescan="report"))
    assert judge(reporting, hits).passed


def attacks_of(figures: Figures) -> AttackReport:
    assert figures.attacks is not None
    return figures.attacks


def test_every_attack_that_is_left_out_refuses(policy: PublishPolicy, sound: Figures) -> None:
    report = attacks_of(sound)
    for left_out in report.findings:
        others = tuple(each for each in report.findings if each is not left_out)
        figures = replace(sound, attacks=replace(report, findings=others))
        assert refused(judge(policy, figures)) == {f"attack.{left_out.attack}"}


@pytest.mark.parametrize("figure", [None, float("nan"), float("inf"), -float("inf")])
def test_every_figure_that_is_no_number_refuses(
    policy: PublishPolicy, sound: Figures, figure: float | None
) -> None:
    report = attacks_of(sound)
    for wrong in report.findings:
        changed = tuple(replace(f, figure=figure) if f is wrong else f for f in report.findings)
        figures = replace(sound, attacks=replace(report, findings=changed))
        assert refused(judge(policy, figures)) == {f"attack.{wrong.attack}"}


def test_a_finding_with_a_limit_of_its_own_refuses(policy: PublishPolicy, sound: Figures) -> None:
    """Figures come from a child process or a signer: the policy's limits count, not theirs."""
    report = attacks_of(sound)
    for wrong in report.findings:
        for lie in (
            replace(wrong, threshold=None),
            replace(wrong, threshold=1e9, at_least=False),
            replace(wrong, at_least=not wrong.at_least),
        ):
            changed = tuple(lie if f is wrong else f for f in report.findings)
            figures = replace(sound, attacks=replace(report, findings=changed))
            assert refused(judge(policy, figures)) == {f"attack.{wrong.attack}"}


def test_an_earlier_release_that_was_not_compared_refuses(
    policy: PublishPolicy, sound: Figures
) -> None:
    figures = replace(sound, attacks=replace(attacks_of(sound), earlier=("2023",)))
    assert refused(judge(policy, figures)) == {"attack.differencing"}


def test_guesses_at_many_columns_do_not_bury_the_verdict(
    policy: PublishPolicy, sound: Figures, capsys: pytest.CaptureFixture[str]
) -> None:
    def guess(number: int, told: float = 0.0) -> Finding:
        said = Text(f"guess {number} of", f"猜测 {number}")
        gain = {"right_without_own_row": number / 10, "base_rate": 0.0}
        return Finding("inference", (f"c{number}",), told, said, None, said, figures=gain)

    def shown(*findings: Finding) -> str:
        figures = replace(sound, attacks=AttackReport(4, findings))
        show_gate(Gated(judge(free, figures), figures, None))
        return capsys.readouterr().out

    free = parse_policy(POLICY.replace("inference_share_max = 1.0, ", ""))
    said = shown(guess(0, told=0.5), *map(guess, range(1, 7)))
    assert [number for number in range(7) if f"guess {number} of" in said] == [0, 4, 5, 6]
    assert "3 more sensitive columns" in said
    assert "more sensitive columns" not in shown(*map(guess, range(1, 5)))
