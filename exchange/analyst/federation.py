"""What the analyst sees of the federation: the exchange's directory, checked against the pins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.codec import from_json
from catalog.dataset import Dataset
from catalog.policy import Policy
from exchange.planner.draft import DirectoryView
from protos.cards import Card, Pins, read_card
from protos.faults import TrustError


@dataclass(frozen=True)
class Federation:
    """One look at the directory.

    Attributes:
        datasets: Declared datasets by name.
        cards: (role, name) → card, for everybody whom the pins believe.
        tokens: The same cards as signed.
        unpinned: Departments that are listed, but not (or otherwise) pinned here.
        policies: Dataset → department → its policy, as registered.
        snapshots: (department, dataset) → snapshot id.
        online: Departments that are connected.
        exchange: The exchange's card.
    """

    datasets: Mapping[str, Dataset]
    cards: Mapping[tuple[str, str], Card]
    tokens: Mapping[tuple[str, str], str]
    unpinned: tuple[str, ...]
    policies: Mapping[str, Mapping[str, Policy]]
    snapshots: Mapping[tuple[str, str], str]
    online: frozenset[str]
    exchange: Card

    def view(self) -> DirectoryView:
        """What the planner needs of it."""
        return DirectoryView(
            datasets=self.datasets,
            policies=self.policies,
            fingerprints={
                name: card.identity.fingerprint
                for (role, name), card in self.cards.items()
                if role == "department"
            },
            online=self.online,
        )


def read_federation(body: Mapping[str, Any], pins: Pins) -> Federation:
    """Reads the exchange's directory; what the pins do not confirm is left out."""
    cards: dict[tuple[str, str], Card] = {}
    tokens: dict[tuple[str, str], str] = {}
    unpinned: list[str] = []
    policies: dict[str, dict[str, Policy]] = {}
    snapshots: dict[tuple[str, str], str] = {}
    online = set()
    for entry in body["members"]:
        card = read_card(entry["card"])
        who = (card.role, card.name)
        try:
            cards[who], tokens[who] = pins.check(card), entry["card"]
        except TrustError:
            if card.role == "department":
                unpinned.append(card.name)
            continue
        for policy_body in entry.get("policies", []):
            policy = from_json(Policy, policy_body)
            policies.setdefault(policy.dataset, {})[card.name] = policy
        for snapshot in entry.get("snapshots", []):
            snapshots[card.name, snapshot["dataset"]] = snapshot["snapshot"]
        if entry.get("online"):
            online.add(card.name)
    declared = [from_json(Dataset, dataset) for dataset in body["datasets"]]
    return Federation(
        datasets={dataset.name: dataset for dataset in declared},
        cards=cards,
        tokens=tokens,
        unpinned=tuple(unpinned),
        policies=policies,
        snapshots=snapshots,
        online=frozenset(online),
        exchange=pins.check(read_card(body["exchange"])),
    )
