"""The budget ledger and the egress ledger, within one store."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from compute_nodes.ledger import Charge
from compute_nodes.store import Answered, NodeStore
from desensitize.budget import rho_for
from protos.faults import BudgetError, ProtocolError, TrustError

CHARGE = Charge("a" * 32, "visits", "flu", "ana", 0.25, 1.0, 0.6, 2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    store = NodeStore(tmp_path / "store.sqlite")
    store.open()
    yield store
    store.close()


def job(number: int, **changes: object) -> Charge:
    return replace(CHARGE, job=f"{number:032x}", **changes)


def reserve(store: NodeStore, charge: Charge) -> None:
    with store.db.write() as db:
        store.budget.reserve(db, charge, 7)


def spent(store: NodeStore, project: str | None = None) -> float:
    with store.db.read() as db:
        return store.budget.spent(db, "visits", project)


def test_reserving_the_same_again_changes_nothing(store: NodeStore) -> None:
    reserve(store, CHARGE)
    reserve(store, CHARGE)
    assert spent(store) == 0.25
    with pytest.raises(ProtocolError):
        reserve(store, replace(CHARGE, rho=0.1))
    assert spent(store) == 0.25


def test_share_of_the_project_and_cap_of_all(store: NodeStore) -> None:
    reserve(store, job(1))
    reserve(store, job(2))
    with pytest.raises(BudgetError, match=r"costs rho = 0\.25, rho = 0\.1 is left") as caught:
        reserve(store, job(3, in_flight=9))
    assert caught.value.code == "budget.exhausted"
    reserve(store, job(4, project="cost", in_flight=9))
    assert spent(store, "flu") == 0.5
    assert spent(store) == 0.75
    with pytest.raises(BudgetError, match=r"rho = 0\.25 is left"):
        reserve(store, job(5, project="third", rho=0.3, share=1.0, in_flight=9))
    reserve(store, job(6, project="third", share=1.0, in_flight=9))
    assert spent(store) == 1.0
    with pytest.raises(BudgetError):
        reserve(store, job(7, project="third", rho=1e-6, share=1.0, in_flight=9))


def test_what_is_left_is_said_as_epsilon(store: NodeStore) -> None:
    half = rho_for(0.5, 1e-6)
    reserve(store, job(1, rho=half, cap=1.5 * half, share=1.5 * half))
    with pytest.raises(BudgetError, match=r"costs epsilon = 0\.5, epsilon = 0\.3\d* is left"):
        reserve(store, job(2, rho=half, cap=1.5 * half, share=1.5 * half, delta=1e-6))


def test_reservations_in_flight(store: NodeStore) -> None:
    reserve(store, job(1, rho=0.01))
    reserve(store, job(2, rho=0.01))
    with pytest.raises(BudgetError) as caught:
        reserve(store, job(3, rho=0.01))
    assert caught.value.code == "budget.in_flight"
    reserve(store, job(4, rho=0.01, analyst="bob"))
    with store.db.write() as db:
        store.budget.mark_released(db, job(1).job)
    reserve(store, job(3, rho=0.01))


def test_what_was_given_back_is_free_and_its_job_is_dead(store: NodeStore) -> None:
    reserve(store, CHARGE)
    with store.db.write() as db:
        assert store.budget.undo(db, CHARGE.job)
        assert not store.budget.undo(db, CHARGE.job)
    assert spent(store) == 0.0
    with pytest.raises(BudgetError, match="given up"):
        reserve(store, CHARGE)
    with pytest.raises(ProtocolError, match="nothing may leave"), store.db.write() as db:
        store.budget.mark_released(db, CHARGE.job)


def test_released_is_spent_for_good(store: NodeStore) -> None:
    reserve(store, CHARGE)
    with store.db.write() as db:
        store.budget.mark_released(db, CHARGE.job)
        assert not store.budget.undo(db, CHARGE.job)
    assert spent(store) == 0.25


def test_a_transaction_that_fails_reserves_nothing(store: NodeStore) -> None:
    def interrupted() -> None:
        with store.db.write() as db:
            store.budget.reserve(db, CHARGE, 7)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert spent(store) == 0.0
    with store.db.read() as db:
        store.budget.verify(db)


def test_many_threads_never_overspend(store: NodeStore) -> None:
    granted: list[int] = []

    def ask(number: int) -> None:
        try:
            reserve(store, job(number, rho=0.1, cap=1.0, share=1.0, in_flight=99))
        except BudgetError:
            return
        granted.append(number)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 10
    assert spent(store) == pytest.approx(1.0)


def test_two_processes_on_one_file_never_overspend(store: NodeStore, tmp_path: Path) -> None:
    other = NodeStore(tmp_path / "store.sqlite")
    other.open()
    reserve(store, job(1, share=0.3))
    with pytest.raises(BudgetError):
        reserve(other, job(2, share=0.3))
    other.close()


def test_rows_are_readable(store: NodeStore) -> None:
    reserve(store, CHARGE)
    with store.db.read() as db:
        (line,) = store.budget.rows(db)
    assert (line.job, line.project, line.rho, line.state) == (CHARGE.job, "flu", 0.25, "reserved")


# --- somebody edits the file


def edit(tmp_path: Path, sql: str) -> None:
    with sqlite3.connect(tmp_path / "store.sqlite") as db:
        db.execute(sql)
    db.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE budget SET rho = rho / 10",
        "UPDATE budget SET state = 'undone'",
        "UPDATE budget SET project = 'other'",
        "DELETE FROM budget WHERE job LIKE '%1'",
        "INSERT INTO budget VALUES ('x', 'visits', 'flu', 'ana', 0.1, 'reserved', 1)",
        "DELETE FROM budget_journal WHERE entry = 3",
        "UPDATE budget_journal SET record = replace(record, '0.25', '0.05')",
    ],
)
def test_edited_budget_is_found(store: NodeStore, tmp_path: Path, sql: str) -> None:
    reserve(store, job(1))
    reserve(store, job(2))
    with store.db.write() as db:
        store.budget.mark_released(db, job(1).job)
    with store.db.read() as db:
        store.budget.verify(db)
    edit(tmp_path, sql)
    with store.db.read() as db, pytest.raises(TrustError):
        store.budget.verify(db)


def test_egress_lists_every_answer_before_it_is_sent(store: NodeStore) -> None:
    store.begin(CHARGE.job, 1, lambda: b"s" * 32)
    store.keep(
        CHARGE.job, Answered("main/masked", b"q", "message", b"12345"),
        recipient="exchange", at=3, releases=True,
    )  # fmt: skip
    with store.db.read() as db:
        (line,) = store.egress.rows(db, CHARGE.job)
        assert store.egress.rows(db, "other") == []
        store.egress.verify(db)
    assert (line["step"], line["bytes"], line["recipient"]) == ("main/masked", 5, "exchange")
    assert line["sha256"] == "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"
    edit(
        tmp_path=Path(store_path(store)), sql="UPDATE egress SET record = replace(record, '5', '4')"
    )
    with store.db.read() as db, pytest.raises(TrustError, match="entry 1"):
        store.egress.verify(db)


def store_path(store: NodeStore) -> str:
    with store.db.read() as db:
        (_, _, name) = db.execute("PRAGMA database_list").fetchone()
    return str(Path(name).parent)
