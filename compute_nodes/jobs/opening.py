"""The first message of a job: the signed plan, and the cards of everybody in it.

The exchange only carries it. A node believes none of the cards until its pins say so, and takes
everything else from the plan, which the analyst signed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from protos.canonical import canonical
from protos.cards import Card, Pins, read_card
from protos.faults import ProtocolError

MAX_CARDS = 300


@dataclass(frozen=True)
class Opening:
    """What a job begins with.

    Attributes:
        plan: ``veil-plan+jwt``, signed by the analyst.
        cards: Cards of the roster, the analyst and the exchange, as (role, name) → card.
    """

    plan: str
    cards: dict[tuple[str, str], Card]

    def trusted(self, pins: Pins) -> dict[tuple[str, str], Card]:
        """Returns the cards, every one checked against the pins.

        Raises:
            TrustError: Somebody is not pinned here, or is pinned with another key.
        """
        return {who: pins.check(card) for who, card in self.cards.items()}


def write_opening(plan: str, cards: list[str]) -> bytes:
    """Writes the body of the opening delivery."""
    return canonical({"plan": plan, "cards": cards})


def read_opening(body: bytes) -> Opening:
    """Reads what `write_opening` wrote.

    Raises:
        ProtocolError: It is malformed.
        TrustError: A card is not signed by its own key.
    """
    try:
        fields = json.loads(body)
        plan, tokens = fields["plan"], fields["cards"]
        if set(fields) != {"plan", "cards"} or not isinstance(plan, str):
            raise ValueError("fields")
        if not isinstance(tokens, list) or len(tokens) > MAX_CARDS:
            raise ValueError("cards")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProtocolError("the job's opening is malformed", code="job.opening") from error
    cards = [read_card(token) for token in tokens]
    return Opening(plan, {(card.role, card.name): card for card in cards})
