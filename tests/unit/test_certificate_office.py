"""Certificates: issued, logged, linked, revoked, and verified elsewhere with public keys only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from catalog.certificates.bundle import Bundle
from catalog.certificates.kinds import authorisation_of
from catalog.certificates.office import Application, CertificateOffice
from catalog.certificates.status import SLOTS, VALID_S, read_list
from catalog.certificates.verification import verify
from catalog.transparency.audit import audit
from protos.faults import InputError, TrustError, UnavailableError
from tests.certificate_world import CITIES, NOW, VISITS, ExactJob, Office, failed


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_certificate_holds_elsewhere_with_public_keys_only(office: Office) -> None:
    record = office.register()
    office.cosign()
    report = office.verify(record)
    assert report.ok, failed(report)
    said = {check.name.en: check for check in report.checks}
    assert "entry 0 of 1 in hub.example/log" in str(said["In the log"].what)
    assert "guangzhou" in str(said["Seen by witnesses"].what)
    assert report.complete


def test_without_keys_nobody_is_vouched_for(office: Office) -> None:
    report = office.verify(office.register(), pins=None, policy=None)
    open_ = {check.name.en for check in report.checks if check.ok is None}
    assert open_ >= {"Issuer is pinned", "In the log", "Seen by witnesses"}
    assert report.ok
    assert not report.complete


def test_a_result_leads_to_its_grants_and_datasets_and_back(office: Office) -> None:
    registration, authorised, result = office.chain()
    office.cosign()
    report = office.verify(result, linked=True)
    assert report.ok, [(c.name.en, str(c.what)) for c in report.failures]
    assert all(check.ok for check in report.checks)
    ids = {record.id for record in office.office.cited_by(result)}
    assert ids == {registration.id, *(record.id for record in authorised)}
    back = {record.id for record in office.office.citing(registration)}
    assert back == {result.id, *(record.id for record in authorised)}
    assert office.office.citing(authorised[0]) == [result]
    use = office.verify(authorised[1], linked=True)
    assert use.ok
    assert "shenzhen" in str(next(c for c in use.checks if "about" in c.name.en).what)


def test_an_authorisation_ends_and_what_was_made_under_it_stands(office: Office) -> None:
    _, authorised, result = office.chain()
    office.cosign()
    office.now += 7200
    assert failed(office.verify(authorised[0])) == ["Valid now"]
    assert office.verify(result, linked=True).ok


def test_a_result_made_after_its_authorisation_had_ended_does_not_stand(office: Office) -> None:
    _, _, result = office.chain(late=7200)
    office.cosign()
    office.now += 9000
    report = office.verify(result, linked=True)
    assert failed(report) == ["Certificates it leads to"]
    assert "expired" in str(report.failures[0].what)


def test_a_certificate_says_what_its_grant_says_or_is_not_issued(office: Office) -> None:
    registration, grant = office.register(), office.grant("foshan")
    honest, _ = authorisation_of(grant, (UUID(registration.id).urn,))
    forgeries = {
        "purpose": replace(honest, purpose="something else"),
        "grant": replace(honest, grant=replace(honest.grant, digest="0" * 64)),
        "dataset digest": replace(honest, dataset_digest="0" * 64),
    }
    for what, forged in forgeries.items():
        with pytest.raises(TrustError, match=what):
            office.office.issue(Application(forged, NOW + 60, grant))
    with pytest.raises(InputError) as caught:
        office.office.issue(Application.of_grant(grant, ("urn:uuid:0",)))
    assert caught.value.code == "certificate.unknown"
    with pytest.raises(InputError) as caught:
        office.office.issue(Application.of_grant(grant, ("0" * 32,)))
    assert caught.value.code == "certificate.unknown"
    other = office.office.issue(
        Application(replace(VISITS, dataset="other", dataset_digest="0" * 64))
    )
    with pytest.raises(InputError) as caught:
        office.office.issue(Application.of_grant(grant, (other.id,)))
    assert caught.value.code == "certificate.linked"


def test_an_office_that_signs_what_no_grant_says_is_found(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    registration, grant = office.register(), office.grant("foshan")
    honest, _ = authorisation_of(grant, (UUID(registration.id).urn,))
    monkeypatch.setattr("catalog.certificates.office.check_source", lambda *_: None)
    forged = office.office.issue(
        Application(replace(honest, purpose="something else"), NOW + 60, grant)
    )
    late = replace(honest, grant=replace(honest.grant, digest="1" * 64))
    swapped = office.office.issue(Application(late, NOW + 3600, grant, NOW))
    unlike = replace(honest, registrations=(registration.id, registration.id))
    monkeypatch.setattr("catalog.certificates.office._source", lambda _: None)
    longer = office.office.issue(Application(unlike, NOW + 99_999, grant, NOW))
    office.cosign()
    for record, word in ((forged, "purpose"), (swapped, "grant"), (longer, "begin and end")):
        report = office.verify(record)
        assert failed(report) == ["Fits what it is about"]
        assert word in str(report.failures[0].what)


def test_a_noisy_result_needs_no_authorisation(office: Office) -> None:
    registration = office.register()
    receipt = str(ExactJob(office.key, office.owners, mode="adhoc").document()["receipt"])
    result = office.office.issue(Application.of_receipt(receipt, (registration.id,), ()))
    office.cosign()
    assert office.office.cited_by(result) == [registration]
    report = office.verify(result, linked=True)
    assert report.complete, failed(report)


def test_exact_figures_without_everybody_s_authorisation_are_not_certified(office: Office) -> None:
    registration, authorised, result = office.chain()
    office.cosign()
    for some in ([], authorised[:2], [authorised[0], *authorised[:2]]):
        with pytest.raises(TrustError, match="needs 3 authorisations"):
            Application.of_receipt(
                office.receipt(), (registration.id,), tuple(record.id for record in some)
            )
    # Somebody who leaves one out of the bundle does not get a yes either, and no other fits.
    whole = office.office.bundle(result, linked=True)
    fewer = verify(replace(whole, linked=whole.linked[:-1]), office.trust())
    assert (fewer.sound, fewer.ok) == (True, False)
    assert not fewer.complete
    twice = replace(VISITS, dataset_digest="1" * 64)
    stranger = office.office.bundle(office.office.issue(Application(twice)))
    office.cosign()
    report = verify(replace(whole, linked=(*whole.linked, stranger)), office.trust())
    assert failed(report) == ["Certificates it leads to"]


def test_one_document_has_one_certificate(office: Office) -> None:
    office.register()
    with pytest.raises(InputError) as caught:
        office.register()
    assert caught.value.code == "certificate.twice"
    twice = [Application.of_grant(office.grant("foshan"), ())] * 2
    with pytest.raises(InputError):
        office.office.issue_all(twice)
    with office.office.db.read() as db:
        assert office.office.log.size(db) == 1  # all of them, or none


def test_revoked_and_suspended_certificates_are_refused(office: Office) -> None:
    kept, revoked, suspended = (office.register(number) for number in (1, 2, 3))
    office.office.change(revoked.id[:12], "revocation", "wrong provider")
    office.office.change(suspended.id, "suspension", "under review")
    office.cosign()
    assert office.verify(kept).ok
    assert failed(office.verify(revoked)) == ["Not revoked, not suspended"]
    assert "revoked" in str(office.verify(revoked).failures[0].what)
    assert "suspended" in str(office.verify(suspended).failures[0].what)
    office.office.change(suspended.id, "suspension", "cleared", value=False)
    office.cosign()
    assert office.verify(suspended).ok
    with pytest.raises(InputError) as caught:
        office.office.change(revoked.id, "revocation", "regret", value=False)
    assert caught.value.code == "status.final"
    with pytest.raises(InputError):
        office.office.change(revoked.id, "revocation", "again")
    # Each change is a signed entry of the log, and leads to its certificate.
    [change] = office.office.citing(revoked)
    assert change.kind == "VeilStatusChange"
    assert office.verify(change).ok
    with office.office.db.read() as db:
        assert office.office.log.size(db) == 6


def test_an_old_status_list_hides_nothing_for_longer_than_its_week(office: Office) -> None:
    record = office.register()
    office.cosign()
    before = office.office.bundle(record)
    office.office.change(record.id, "revocation", "wrong")
    fresh = office.office.bundle(record)
    hidden = Bundle.from_bytes(before.to_bytes())
    assert verify(hidden, office.trust()).ok  # nobody can know yet …
    assert not verify(hidden, office.trust(status=fresh.status)).ok  # … but who asks for the list
    assert failed(verify(hidden, office.trust(now=office.now + VALID_S + 1))) == [
        "Not revoked, not suspended"
    ]
    without = replace(hidden, status=())
    assert failed(verify(without, office.trust())) == ["Not revoked, not suspended"]


def test_lists_are_signed_anew_before_they_are_too_old(office: Office) -> None:
    record = office.register()
    office.cosign()
    first = office.office.bundle(record).status
    assert office.office.bundle(record).status == first
    for issued in map(read_list, first):
        assert issued.credential.subject["id"] == f"{issued.credential.id}#list"
    office.now += VALID_S
    assert office.office.bundle(record).status != first
    assert office.verify(record).ok


def test_slots_are_random_and_no_two_are_alike(office: Office) -> None:
    records = office.office.issue_all(
        [Application(replace(VISITS, dataset_digest=f"{n:064x}")) for n in range(300)]
    )
    slots = [record.slot for record in records]
    assert len(set(slots)) == 300
    assert slots != sorted(s for s in slots if s is not None)
    # Of 300 draws from 131,072 the largest is below a half with probability 2^-300.
    assert max(s for s in slots if s is not None) > SLOTS // 2


def test_half_a_list_full_opens_another(office: Office) -> None:
    first = office.register(1)
    with office.office.db.write() as db:
        db.execute("UPDATE status_pairs SET used = ?", (SLOTS // 2,))
    second = office.register(2)
    assert (first.list, second.list) == (0, 1)
    office.cosign()
    office.office.change(second.id, "revocation", "wrong")
    assert office.verify(first).ok
    assert not office.verify(second).ok


def test_two_offices_on_one_file_take_turns(office: Office) -> None:
    other = office.opened("certificates.db")

    def work(which: CertificateOffice, first: int) -> None:
        for number in range(first, first + 8):
            which.issue(Application(replace(VISITS, dataset_digest=f"{number:064x}")))

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, office.office, 100), pool.submit(work, other, 200)]:
            done.result()
    log = office.office.log
    with office.office.db.read() as db:
        own = [office.policy.open(note).checkpoint for note in log.notes(db).values()]
        found = audit(log.entries(db), stored=lambda a, b: log.node(db, a, b), checkpoints=own)
    assert (found.size, found.checkpoints) == (16, 16)
    other.close()


def test_a_full_disk_leaves_neither_certificate_nor_entry(office: Office) -> None:
    office.register(1)
    with office.office.db.read() as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages + 8}")
    done = 1
    with pytest.raises(UnavailableError):
        for number in range(2, 200):
            office.register(number)
            done += 1
    with office.office.db.read() as db:
        assert office.office.log.size(db) == done == len(office.office.listed())
        db.execute("PRAGMA max_page_count = 1000000")
    office.register(500)
    office.cosign()
    assert all(office.verify(record).ok for record in office.office.listed())


def test_the_bundle_has_the_checkpoint_that_most_have_cosigned(office: Office) -> None:
    first = office.register(1)
    office.cosign(*CITIES)
    office.register(2)
    office.cosign("foshan")
    report = office.verify(first)
    assert report.ok
    assert "of 1 in" in str(next(c.what for c in report.checks if c.name.en == "In the log"))
