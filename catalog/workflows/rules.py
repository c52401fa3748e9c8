"""What a table cannot say: a function for each step that depends on more than its case's state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from catalog.certificates.office import CertificateOffice
from catalog.workflows import asset_rules, authorisation_rules, market_rules, request_rules
from catalog.workflows.events import Event
from catalog.workflows.lookups import department, registered
from catalog.workflows.situation import Change, Situation, refused
from protos.language import Text

Rule = Callable[[Situation], Change]
Effect = Callable[[CertificateOffice, Sequence[Event], int], None]


def _demanded(at: Situation) -> Change:
    return Change(
        title=at.said["title"], department=department(at.connection, at.said["department"]), asked=1
    )


def _demanded_again(at: Situation) -> Change:
    return Change(title=at.said["title"], asked=at.opened().revision + 1)


def _forwarded(at: Situation) -> Change:
    to = department(at.connection, at.said["department"])
    if to == at.opened().department:
        raise refused(
            "department",
            Text("this department has the demand already", "该需求已在此部门"),
            Text("name another", "请指定其他部门"),
        )
    return Change(department=to)


def _answered(at: Situation) -> Change:
    registered(at)
    return Change(datasets=at.said["datasets"])


RULES: Final[dict[tuple[str, str], Rule]] = {
    ("demands", "submit"): _demanded,
    ("demands", "resubmit"): _demanded_again,
    ("demands", "forward"): _forwarded,
    ("demands", "answer"): _answered,
    ("requests", "submit"): request_rules.asked,
    ("requests", "resubmit"): request_rules.asked,
    ("requests", "review"): request_rules.decided,
    ("requests", "approve"): request_rules.decided,
    ("requests", "grant"): request_rules.granted,
    ("assets", "apply"): asset_rules.applied,
    ("assets", "change"): asset_rules.applied,
    ("assets", "withdraw"): asset_rules.withdrawn,
    ("assets", "keep"): asset_rules.kept,
    ("assets", "register"): asset_rules.entered,
    ("authorisations", "give"): authorisation_rules.given,
    ("authorisations", "use"): authorisation_rules.used,
    ("licences", "apply"): market_rules.applied,
    ("licences", "license"): market_rules.decided,
    ("products", "list"): market_rules.listed,
    ("products", "relist"): market_rules.listed,
    ("orders", "place"): market_rules.ordered,
    ("orders", "accept"): market_rules.accepted,
    ("orders", "deliver"): market_rules.delivered,
}


def _ended(office: CertificateOffice, events: Sequence[Event], number: int) -> None:
    asset_rules.end(office, events[:number], events[number - 1].fields["reasons"])


EFFECTS: Final[dict[tuple[str, str], Effect]] = {
    ("assets", "register"): asset_rules.certify,
    ("assets", "cancel"): _ended,
    ("assets", "strike"): _ended,
}
"""What a step leads to outside of the database; done after it is kept, and again after a kill, so
doing it twice must be as doing it once."""
