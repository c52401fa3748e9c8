"""The log altered, cut, reordered or forked; witnesses asked to lie; a kill between two appends.

Who keeps the log has its key and may write whatever it likes. Each attack is carried out, and the
entry is named by whoever holds a copy, a checkpoint or the hashes.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.certificates.office import Application
from catalog.transparency.audit import (
    Audited,
    BrokenLogError,
    audit,
    compare,
    read_copy,
    write_copy,
)
from catalog.transparency.checkpoints import Checkpoint, cosigned
from catalog.transparency.log import commitment
from catalog.transparency.merkle import Frontier, leaf_hash
from catalog.transparency.notes import LOG, WITNESS, read_note, signed
from catalog.transparency.policy import LogPolicy
from catalog.transparency.tiles import Tiles
from catalog.transparency.witness import ConflictError, Submission
from exchange.proof.auditing import audit_copy, audit_office
from protos.compact_jws import unverified_payload
from protos.faults import InputError, MissingError, TrustError, UnavailableError
from tests.attacks.test_shared_files import full
from tests.certificate_world import CITIES, VISITS, Office, ed25519, failed

ROOT = Path(__file__).resolve().parents[2]
SIZE = 12


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Twelve certificates, logged four at a time."""
    office = Office(tmp_path)
    for first in (1, 5, 9):
        issue(office, range(first, first + 4))
    return office


def issue(office: Office, numbers: range) -> None:
    office.office.issue_all(
        [Application(replace(VISITS, dataset_digest=f"{n:064x}")) for n in numbers]
    )


def audited(office: Office, *noted: Checkpoint) -> Audited:
    log = office.office.log
    with office.office.db.read() as db:
        own = [office.policy.open(note).checkpoint for note in log.notes(db).values()]
        return audit(
            log.entries(db),
            stored=lambda level, at: log.node(db, level, at),
            checkpoints=own,
            noted=noted,
        )


def noted(office: Office) -> Checkpoint:
    with office.office.db.read() as db:
        return office.policy.open(office.office.log.note(db)).checkpoint


def rewrite(office: Office, sql: str, *values: object) -> None:
    with office.office.db.write() as db:
        db.execute(sql, values)


def recomputed(office: Office) -> None:
    """What a keeper with the log's key does after it has changed entries: everything anew."""
    with office.office.db.write() as db:
        entries = [bytes(row[0]) for row in
                   db.execute("SELECT commitment FROM log_entries ORDER BY entry")]  # fmt: skip
        for table in ("log_entries", "log_nodes", "log_checkpoints"):
            db.execute(f"DELETE FROM {table}")  # noqa: S608
        office.office.log.append(db, entries)


def test_an_honest_log_is_found_whole(office: Office) -> None:
    assert audited(office) == Audited(SIZE, noted(office).root, 3)


@pytest.mark.parametrize("index", [0, 5, 11])
def test_an_altered_entry_is_named(office: Office, index: int) -> None:
    rewrite(office, "UPDATE log_entries SET commitment = ? WHERE entry = ?", b"x" * 32, index)
    with pytest.raises(BrokenLogError) as caught:
        audited(office)
    assert (caught.value.first, caught.value.last) == (index, index)
    assert f"entry {index}" in str(caught.value)


def test_an_entry_taken_out_of_the_middle_is_named(office: Office) -> None:
    rewrite(office, "DELETE FROM log_entries WHERE entry = 6")
    with pytest.raises(BrokenLogError, match="entry 6 of the log is missing"):
        audited(office)


def test_a_cut_is_named(office: Office) -> None:
    rewrite(office, "DELETE FROM log_entries WHERE entry >= 9")
    with pytest.raises(BrokenLogError) as caught:
        audited(office)
    assert (caught.value.first, caught.value.code) == (9, "log.cut")


def test_two_entries_that_changed_places_are_named(office: Office) -> None:
    rewrite(office, "UPDATE log_entries SET entry = 99 WHERE entry = 3")
    rewrite(office, "UPDATE log_entries SET entry = 3 WHERE entry = 7")
    rewrite(office, "UPDATE log_entries SET entry = 7 WHERE entry = 99")
    with pytest.raises(BrokenLogError, match="entry 3"):
        audited(office)


def test_a_changed_hash_names_its_entries(office: Office) -> None:
    rewrite(office, "UPDATE log_nodes SET hash = ? WHERE level = 2 AND position = 1", b"x" * 32)
    with pytest.raises(BrokenLogError) as caught:
        audited(office)
    assert (caught.value.first, caught.value.last) == (4, 7)


def test_a_damaged_log_signs_nothing_more(office: Office) -> None:
    rewrite(office, "DELETE FROM log_nodes WHERE level = 2 AND position = 2")
    with pytest.raises(TrustError, match="entries 8 to 11 is missing"):
        issue(office, range(20, 24))
    with pytest.raises(BrokenLogError, match="between entries 8 and 11"):
        audited(office)


def test_entries_that_nobody_has_signed_are_named(office: Office, tmp_path: Path) -> None:
    with office.office.db.read() as db:
        copy = write_copy(office.office.log.entries(db), office.office.log.note(db))
    head, blank, note = copy.partition("\n\n")
    longer, policy = tmp_path / "longer.txt", tmp_path / "log.policy"
    longer.write_text(f"{head}\n{'A' * 43}={blank}{note}", "utf-8")
    policy.write_text(str(office.policy), "utf-8")
    with pytest.raises(BrokenLogError, match="under no checkpoint") as caught:
        audit_copy(longer, policy, [], None)
    assert (caught.value.first, caught.value.last) == (SIZE, SIZE)


def test_a_checkpoint_in_anothers_place_or_without_its_signature_is_named(
    office: Office, tmp_path: Path
) -> None:
    policy = tmp_path / "log.policy"
    policy.write_text(str(office.policy), "utf-8")
    assert audit_office(office.office, policy, [], None).size == SIZE
    with office.office.db.read() as db:
        notes = office.office.log.notes(db)
    other = Checkpoint("other.example/log", 4, noted(office).root)
    for size, note in ((4, notes[8]), (4, other.signed(ed25519("other.example/log", LOG))),
                       (8, notes[8][:-9] + "AAAAAAA=\n")):  # fmt: skip
        rewrite(office, "UPDATE log_checkpoints SET note = ? WHERE size = ?", note, size)
        with pytest.raises(BrokenLogError, match="checkpoint") as caught:
            audit_office(office.office, policy, [], None)
        assert caught.value.last == size - 1
        rewrite(office, "UPDATE log_checkpoints SET note = ? WHERE size = ?", notes[size], size)


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (("UPDATE certificates SET token = (SELECT token FROM certificates WHERE entry = 3) "
         "WHERE entry = 2"), 2),
        ("UPDATE certificates SET salt = zeroblob(32) WHERE entry = 7", 7),
        ("UPDATE certificates SET token = 'x' WHERE entry = 1", 1),
        ("DELETE FROM certificates WHERE entry = 12", 12),
        # Revoked, and allowed again behind the log's back; or set without a word.
        ("UPDATE status_lists SET bits = zeroblob(16384) WHERE purpose = 'revocation'", 12),
        (("UPDATE certificates SET slot = (SELECT slot FROM certificates WHERE entry = 5) + 1 "
         "WHERE entry = 5"), 12),
    ],
)  # fmt: skip
def test_a_book_that_says_something_else_than_its_log_is_named(
    office: Office, tmp_path: Path, sql: str, index: int
) -> None:
    """The log holds commitments: what was exchanged in the book beside it shows against them."""
    policy = tmp_path / "log.policy"
    policy.write_text(str(office.policy), "utf-8")
    with office.office.db.read() as db:
        (sixth,) = db.execute("SELECT id FROM certificates WHERE entry = 5").fetchone()
    office.office.change(sixth, "revocation", "by mistake")
    rewrite(office, "DELETE FROM links")
    assert audit_office(office.office, policy, [], None).size == SIZE + 1
    rewrite(office, sql)
    with pytest.raises(BrokenLogError, match=str(index)) as caught:
        audit_office(office.office, policy, [], None)
    assert (caught.value.first, caught.value.last) == (index, index)


def test_a_whole_new_log_shows_against_a_checkpoint_and_against_a_copy(office: Office) -> None:
    before = noted(office)
    with office.office.db.read() as db:
        notes = office.office.log.notes(db)
        earlier, middle = (office.policy.open(note).checkpoint for note in list(notes.values())[:2])
        copy = write_copy(office.office.log.entries(db), office.office.log.note(db))
    rewrite(office, "UPDATE log_entries SET commitment = ? WHERE entry = 7", b"x" * 32)
    recomputed(office)
    assert audited(office).size == SIZE  # by itself, nothing is wrong with it
    with pytest.raises(BrokenLogError) as caught:
        audited(office, before)
    assert (caught.value.first, caught.value.last) == (0, SIZE - 1)  # no closer without more
    with pytest.raises(BrokenLogError) as caught:
        audited(office, before, middle, earlier)
    assert (caught.value.first, caught.value.last) == (4, 7)
    entries, note = read_copy(copy)
    assert office.policy.open(note).checkpoint == before
    with office.office.db.read() as db, pytest.raises(BrokenLogError, match="differ at entry 7"):
        compare(office.office.log.entries(db), entries)


def test_a_fork_shown_to_two_parties_is_proven_and_its_entry_found(
    office: Office, tmp_path: Path
) -> None:
    before = noted(office)
    office.office.db.settle()
    shutil.copy(tmp_path / "certificates.db", tmp_path / "fork.db")
    fork = replace_office(office, "fork.db")
    issue(office, range(20, 23))
    issue(fork, range(30, 33))
    with pytest.raises(BrokenLogError, match="another history") as signed_both:
        audited(office, noted(fork), before)
    assert (signed_both.value.first, signed_both.value.last) == (SIZE, SIZE + 2)
    with (
        office.office.db.read() as one,
        fork.office.db.read() as two,
        pytest.raises(BrokenLogError) as caught,
    ):
        compare(office.office.log.entries(one), fork.office.log.entries(two))
    assert caught.value.first == SIZE
    # A witness that has cosigned one of them never cosigns the other, nor what follows it.
    office.cosign("guangzhou")
    issue(fork, range(33, 36))
    with fork.office.db.read() as db:
        steps = fork.office.log.consistency(db, SIZE + 3, SIZE + 6)
        submission = Submission(SIZE + 3, steps, fork.office.log.note(db))
    with pytest.raises(ConflictError) as refused:
        office.witnesses["guangzhou"].add_checkpoint(submission, office.now)
    assert refused.value.code == "witness.fork"
    assert refused.value.size == SIZE + 3
    # So a certificate of the fork has no quorum, and a reader with the policy refuses it.
    record = fork.office.listed()[0]
    assert "Seen by witnesses" in failed(fork.verify(record))


def replace_office(office: Office, file: str) -> Office:
    """The same keys and witnesses over another file."""
    other = object.__new__(Office)
    other.__dict__.update(office.__dict__)
    other.office = office.opened(file)
    return other


def test_a_witness_signs_nothing_backwards(office: Office) -> None:
    witness = office.witnesses["foshan"]
    office.cosign("foshan")
    tree = Frontier()
    with office.office.db.read() as db:
        for _, entry in list(office.office.log.entries(db))[:4]:
            list(tree.add(leaf_hash(entry)))
    older = Checkpoint("hub.example/log", 4, tree.root).signed(office.log_key)
    for old in (0, 4, SIZE):
        with pytest.raises(ConflictError) as caught:
            witness.add_checkpoint(Submission(old, [], older), office.now)
        assert caught.value.code == "witness.backwards"
    assert "entry 4 and later are gone" in str(caught.value)
    # … also after it was started again.
    witness.close()
    again = office.witness("foshan")
    with pytest.raises(ConflictError):
        again.add_checkpoint(Submission(0, [], older), office.now)
    last = again.last("hub.example/log")
    assert last is not None
    assert last.size == SIZE


def test_a_witness_asks_for_the_proof_from_where_it_stands(office: Office) -> None:
    office.cosign("foshan")
    issue(office, range(20, 23))
    good = office.office.submission("foshan")
    witness = office.witnesses["foshan"]
    for bad, code in (
        (replace(good, old=0, steps=[]), "witness.size"),
        (replace(good, old=4), "witness.size"),
        (replace(good, steps=good.steps[1:]), "witness.fork"),
        (replace(good, steps=[]), "witness.fork"),
    ):
        with pytest.raises(ConflictError) as caught:
            witness.add_checkpoint(bad, office.now)
        assert caught.value.code == code
    assert witness.add_checkpoint(good, office.now)


def test_a_witness_knows_whose_log_it_is(office: Office) -> None:
    stranger = ed25519("hub.example/log", LOG)
    text = noted(office).text
    for note, code in (
        (signed(text, stranger), "log.other"),
        (signed(text.replace("hub", "bub"), stranger), "witness.unknown_log"),
        (signed("hub.example/log\n1\nAAAA\n", office.log_key), "log.checkpoint"),
        (signed(text.replace("\n12\n", "\n012\n"), office.log_key), "log.checkpoint"),
        (signed(text, office.log_key).replace("\n12\n", "\n13\n"), "log.signature"),
    ):
        with pytest.raises(TrustError) as caught:
            office.witnesses["foshan"].add_checkpoint(Submission(0, [], note), office.now)
        assert caught.value.code == code
    for body in ("", "old x\n\n", "old -1\n\nx", "old 0\nAA\n\n" + "x", "new 0\n\nx"):
        with pytest.raises(TrustError):
            office.witnesses["foshan"].add_checkpoint(Submission.parse(body), office.now)


def test_one_witness_does_not_count_as_two(office: Office) -> None:
    policy = str(office.policy)
    assert LogPolicy.parse(policy) == office.policy
    twice = policy.replace("group", f"witness double {office.signers['foshan'].public}\ngroup")
    with pytest.raises(InputError, match="witness double"):
        LogPolicy.parse(twice)
    for line, bad in (
        ("cities 2", "cities 0"), ("cities 2", "cities 4"), ("quorum cities", "quorum towns"),
        ("quorum cities", ""), ("log ", "lag "), ("group cities 2 guangzhou shenzhen",
         "group cities 2 guangzhou guangzhou"),
    ):  # fmt: skip
        with pytest.raises(InputError):
            LogPolicy.parse(policy.replace(line, bad))
    raw = replace(office.log_key.public, kind=WITNESS, name="foshan.example/w")
    own = policy.replace(str(office.signers["foshan"].public), str(raw))
    with pytest.raises(InputError, match="log's own key"):  # the log would witness itself
        LogPolicy.parse(own)
    nested = policy.replace("quorum cities", "group two all cities guangzhou\nquorum two")
    LogPolicy.parse(nested).check_quorum(["guangzhou", "foshan"])
    with pytest.raises(TrustError):
        LogPolicy.parse(nested).check_quorum(["shenzhen", "foshan"])


def test_cosignatures_of_another_time_key_or_tree_do_not_count(office: Office) -> None:
    with office.office.db.read() as db:
        note = office.office.log.note(db)
    line = cosigned(read_note(note), office.signers["foshan"], office.now)
    assert office.policy.open(note + line).witnesses == {"foshan": office.now}
    for now in (office.now, office.now + 1):  # again, or at another time: it counts once
        again = cosigned(read_note(note), office.signers["foshan"], now)
        fake = cosigned(read_note(note), ed25519("foshan.example/w"), now)
        assert office.office.cosign(note + fake + again, office.policy) == ["foshan"]
    with office.office.db.read() as db:
        kept = office.office.log.note(db)
        (count,) = db.execute("SELECT MAX(cosignatures) FROM log_checkpoints").fetchone()
    assert (kept, count) == (note + line, 1)
    impostor = cosigned(read_note(note), ed25519("foshan.example/w"), office.now)
    assert office.policy.open(note + impostor).witnesses == {}  # another key: ignored
    other = noted(office).text.replace("\n12\n", "\n13\n")
    moved = cosigned(read_note(signed(other, office.log_key)), office.signers["foshan"], 1)
    with pytest.raises(TrustError, match="cosignature of"):
        office.policy.open(note + moved)
    with pytest.raises(TrustError):
        office.office.cosign(note + moved, office.policy)


WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from dataclasses import replace
from pathlib import Path
from catalog.certificates.office import Application
from tests.certificate_world import VISITS, Office
office = Office(Path(sys.argv[2]))
number = 0
while True:
    number += 3
    numbers = range(number, number + 3)
    office.office.issue_all(
        [Application(replace(VISITS, dataset_digest=f"{n:064x}")) for n in numbers]
    )
    print(number, flush=True)
"""


def test_killed_between_appends_nothing_is_half_there(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(ROOT), str(tmp_path)],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 30:
                os.kill(process.pid, signal.SIGKILL)
                break
        process.wait()
    with sqlite3.connect(tmp_path / "certificates.db") as db:
        entries = [(n, c) for n, c in db.execute("SELECT entry, commitment FROM log_entries")]
        (records,) = db.execute("SELECT COUNT(*) FROM certificates").fetchone()
        sizes = [row[0] for row in db.execute("SELECT size FROM log_checkpoints ORDER BY size")]
        nodes = {(lv, at): h for lv, at, h in db.execute("SELECT * FROM log_nodes")}
    assert records == len(entries) >= 30
    assert len(entries) % 3 == 0  # a transaction is there whole, or not at all
    assert sizes == list(range(3, len(entries) + 1, 3))
    found = audit(entries, stored=lambda level, at: nodes[level, at])
    assert found.size == len(entries)
    # Whoever opens it next goes on where it ended.
    office = Office(tmp_path)
    issue(office, range(10_000, 10_003))
    with office.office.db.read() as db:
        assert office.office.log.size(db) == len(entries) + 3


def test_a_full_disk_leaves_no_half_entry_and_the_log_goes_on(
    office: Office, tmp_path: Path
) -> None:
    wal = tmp_path / "certificates.db-wal"
    wanted = range(100, 140)
    # The disk is full at once, or in the middle of what one transaction writes.
    for room in (wal.stat().st_size, wal.stat().st_size + 20_000):
        with full(room):
            with pytest.raises(UnavailableError) as refused:
                issue(office, wanted)
            assert "disk" in refused.value.remedy
            assert audited(office) == Audited(SIZE, noted(office).root, 3), "reading goes on"
    issue(office, wanted)
    assert audited(office) == Audited(SIZE + 40, noted(office).root, 4)
    with office.office.db.read() as db:
        (certificates,) = db.execute("SELECT COUNT(*) FROM certificates").fetchone()
    assert certificates == SIZE + 40


def test_the_copy_of_a_log_tells_nothing_about_its_certificates(office: Office) -> None:
    record = office.office.listed()[0]
    with office.office.db.read() as db:
        copy = write_copy(office.office.log.entries(db), office.office.log.note(db))
    for word in ("visits", "Visits", record.id, record.token):
        assert word not in copy
    # Without the salt even somebody who knows every claim cannot find the entry again.
    entries = {entry for _, entry in read_copy(copy)[0]}
    assert commitment(record.salt, unverified_payload(record.token)) in entries
    assert commitment(bytes(32), unverified_payload(record.token)) not in entries


@pytest.mark.parametrize("name", ["x999/" * 8 + "999", "x123/456/789", "000.p/0", "000.p/256"])
def test_a_tile_that_no_log_can_have_is_not_there(office: Office, name: str) -> None:
    tiles = Tiles(office.office.log, office.office.db)
    for read in (tiles.entries, lambda name: tiles.hashes(0, name)):
        with pytest.raises(MissingError):
            read(name)


@pytest.mark.parametrize("city", CITIES)
def test_every_witness_can_go_on_after_others(office: Office, city: str) -> None:
    office.cosign(city)
    issue(office, range(40, 45))
    office.cosign(city, next(other for other in CITIES if other != city))
    assert office.verify(office.office.listed()[0]).ok
