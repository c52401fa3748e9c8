"""Rules of asset registration, and the certificates that it leads to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, cast

from catalog.certificates.kinds import Grade, Registration
from catalog.certificates.office import Application, CertificateOffice
from catalog.certificates.reading import CertificateReader
from catalog.certificates.records import Record
from catalog.registry.record_json import digest as record_digest
from catalog.workflows.events import Event
from catalog.workflows.lookups import about, provider, registered
from catalog.workflows.situation import Change, Situation, refused
from protos.canonical import digest
from protos.language import Text

_OVER: Final = ("rejected", "cancelled", "withdrawn")


def applied(at: Situation) -> Change:
    """Checks an application: one dataset, the caller's department's own, with no other asset."""
    entries = registered(at)
    department = provider(entries)
    if len(entries) != 1:
        raise refused(
            "datasets",
            Text("an asset is one dataset", "一项资产对应一个数据资源"),
            Text("apply once for each", "请逐一申请"),
        )
    key = entries[0].record.key
    if department != at.caller.department or (at.case and at.case.department != department):
        raise refused(
            "department",
            Text("this dataset is another department's", "该数据资源属于其他部门"),
            Text("its own steward applies", "请由其所属部门的数据专员申请"),
        )
    others = [
        each.id
        for each in about(at.connection, "assets", key)
        if each.state not in _OVER and (at.case is None or each.id != at.case.id)
    ]
    if others:
        raise refused(
            "asset",
            Text(
                f"this dataset has an asset already: {others[0]}",
                f"该数据资源已有登记：{others[0]}",
            ),
            Text("apply for a change of that one", "请对其申请变更"),
        )
    return Change(
        title=at.said["title"], department=department, datasets=at.said["datasets"],
        asked=1 if at.case is None else at.case.revision + 1,
    )  # fmt: skip


def withdrawn(at: Situation) -> Change:
    """Checks that nothing was registered: what is registered is cancelled, not withdrawn."""
    if registration(at.events()) is not None:
        raise refused(
            "registered",
            Text("this asset is registered", "该资产已登记"),
            Text("take the change back with keep, or cancel the registration",
                 "请用 keep 撤回变更，或注销登记"),
        )  # fmt: skip
    return Change()


def kept(at: Situation) -> Change:
    """Puts back what is registered."""
    events = at.events()
    before = registration(events)
    if before is None:
        raise refused(
            "unregistered",
            Text("nothing is registered yet", "尚未登记"),
            Text("withdraw the application", "请撤回申请"),
        )
    said = events[_asked(events, before.number) - 1]
    return Change(title=said.fields["title"], datasets=said.fields["datasets"], asked=said.number)


def entered(at: Situation) -> Change:
    """Checks that the dataset is still there; the event says which record was registered."""
    [entry] = registered(replace(at, said=at.asked().fields))
    return Change(more={"record": record_digest(entry.record), "grade": entry.record.grade})


def registration(events: Sequence[Event]) -> Event | None:
    """Returns the last event by which an asset was registered; None if it never was."""
    return next((each for each in reversed(events) if each.step == "register"), None)


def certificate(office: CertificateReader, events: Sequence[Event]) -> Record | None:
    """Returns the certificate of an asset's last registration; None if there is none (yet)."""
    made = registration(events)
    return None if made is None else office.about(digest(declaration(events, made.number)))


def declaration(events: Sequence[Event], number: int) -> dict[str, str]:
    """Returns what the certificate of a registration is about.

    Args:
        events: Of the asset.
        number: Of the event that registered it.
    """
    asked = events[_asked(events, number) - 1]
    return {"asset": asked.case, "asked": asked.digest, "registered": events[number - 1].digest}


def certify(office: CertificateOffice, events: Sequence[Event], number: int) -> None:
    """Issues the certificate of a registration, and ends that of an earlier one.

    Doing it again does nothing, so it may be done until it is known to be done.

    Args:
        office: Issues it.
        events: Of the asset.
        number: Of the event that registered it.
    """
    asked, made = events[_asked(events, number) - 1], events[number - 1]
    [dataset] = asked.fields["datasets"]
    about_this = digest(declaration(events, number))
    if office.about(about_this) is None:
        grade = cast("Grade", f"L{made.fields['grade']}")
        subject = Registration(
            f"{dataset['source']}/{dataset['identifier']}", asked.fields["title"],
            (made.responsible,), about_this, grade,
        )  # fmt: skip
        office.issue(Application(subject))
    end(office, events[: number - 1], "changed")


def end(office: CertificateOffice, events: Sequence[Event], reason: str) -> None:
    """Revokes the certificate of the last registration among some events, if there is one."""
    known = certificate(office, events)
    if known is not None and not office.state(known)["revocation"]:
        office.change(known.id, "revocation", reason)


def _asked(events: Sequence[Event], number: int) -> int:
    return max(e.number for e in events[:number] if e.step in {"apply", "change"})
