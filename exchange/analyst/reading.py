"""From an outcome as fetched to an answer: receipt checked, envelope opened, cost told."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from catalog.calibration import calibrate
from catalog.certificates.receipts import plan_hash, read_plan, read_receipt
from catalog.plan import Plan
from exchange.analyst.federation import Federation
from exchange.analyst.history import Charge, Remembered
from exchange.analyst.opening import OpeningKeys, open_aggregate
from exchange.analyst.profile import Profile
from exchange.outcome import read_aggregate, read_outcome
from protos.cards import Card, read_card
from protos.faults import TrustError
from protos.language import Text, both

if TYPE_CHECKING:
    from exchange.analyst.answer import Answer
    from exchange.planner.bind import Bound


def open_answer(
    profile: Profile, bound: Bound, federation: Federation, remembered: Remembered
) -> Answer:
    """Opens, checks and finishes an outcome.

    Args:
        profile: Whose answer it is.
        bound: The statement that is answered; its aggregate is the plan's.
        federation: The datasets, and the exchange's card.
        remembered: Plan, keys and outcome.

    Raises:
        TrustError: The receipt or a seal does not hold; there are no figures.
    """
    from exchange.analyst.answer import make_answer
    from exchange.proof.receipt import make_document, verify_receipt

    plan = read_plan(profile.identity.public, remembered.plan)
    outcome = read_outcome(remembered.outcome)
    aggregate = read_aggregate(outcome.aggregate)
    document = make_document(outcome.receipt, outcome.statements, remembered.plan, outcome.cards)
    report = verify_receipt(document, pins=profile.pins, outcome_digest=aggregate.digest)
    if not report.ok:
        failed = report.failures[0]
        raise TrustError(
            Text(
                f"the receipt does not hold: {failed.name.en}: {both(failed.what).en}",
                f"回执不成立：{failed.name.zh}：{both(failed.what).zh}",
            ),
            remedy=Text(
                "do not use the figures; keep the history and tell the departments "
                "(--fresh asks anew, and pays again)",
                "不要使用这些数值；请保留历史记录并告知各部门（--fresh 重新查询，并再次计费）",
            ),
            code="receipt.invalid",
        )
    if aggregate.survivors != read_receipt(outcome.receipt)[0].survivors:
        raise TrustError(
            Text(
                "the aggregate and its receipt name other departments", "汇总结果与回执的部门不同"
            ),
            remedy=Text(
                "keep the outcome and tell the departments; do not use the figures",
                "请保留结果并告知各部门；不要使用这些数值",
            ),
            code="receipt.survivors",
        )
    # The receipt's own cards, just checked: a department may have left the directory since.
    cards: dict[tuple[str, str], Card] = dict(federation.cards)
    cards |= {(card.role, card.name): card for card in map(read_card, outcome.cards)}
    opened = open_aggregate(
        plan,
        plan_hash(plan),
        aggregate,
        OpeningKeys(profile.sealing, remembered.order_key, remembered.he_secret),
        dataclasses.replace(federation, cards=cards),
    )
    return make_answer(
        bound,
        plan,
        opened.totals,
        visible=opened.visible,
        calibration=calibrate(plan, bound.dataset) if plan.mode == "adhoc" else None,
        survivors=aggregate.survivors,
        receipt=document,
        unsigned=[name for name in aggregate.survivors if name not in outcome.statements],
    )


def with_costs(
    answer: Answer, plan: Plan, federation: Federation, charges: Sequence[Charge], *, stored: bool
) -> Answer:
    """The answer with what it cost, and what all answers together have cost so far.

    Args:
        answer: As opened.
        plan: Its plan.
        federation: With the departments' caps.
        charges: Of the plan's dataset, this one included.
        stored: Whether it came from the history.
    """
    from exchange.analyst.spending import STORED, running_sum

    remarks = (*answer.remarks, STORED) if stored else answer.remarks
    if plan.mode == "adhoc":
        policies = federation.policies.get(plan.dataset, {})
        remarks = (*remarks, running_sum(charges, policies, plan.dataset, plan.delta))
    return dataclasses.replace(answer, remarks=remarks)
