"""Certificates by themselves: what the exchange has taken on record is certified and logged.

Three facts get a certificate each: a dataset's declaration on the shelf (registration), a grant
that a department has signed (authorisation), a result that was released (circulation). That one is
due stands in the same transaction as the fact itself: in the record of jobs beside the outcome, in
the desk beside the grant; a declaration is due while its digest is in no certificate. So a kill at
any moment loses none, and issuing again what was issued changes nothing, because of a document
there is one certificate only. The answer does not wait: a thread of its own issues what has piled
up, all of it in one transaction with one sync of the disk.

If certificates cannot be written, results still go out, and stay due; past `MOST_DUE` the exchange
takes no new job until they can (decision 50).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from catalog.certificates.grants import read_grant
from catalog.certificates.kinds import Grade, registration_of
from catalog.certificates.office import Application, CertificateOffice
from catalog.certificates.receipts import read_receipt
from catalog.certificates.records import Record
from catalog.codec import dataset_digest
from catalog.dataset import Dataset
from exchange.coordinator.archive import Archive, DueResult
from exchange.proof.certificate_views import Waiting
from exchange.serving.desk import DueGrant, GrantDesk
from exchange.serving.shelf import DatasetShelf
from protos.canonical import digest
from protos.faults import MISTAKES, InputError, TrustError, UnavailableError, VeilError
from protos.identity import unverified_claims
from protos.language import Text

LOG: Final = logging.getLogger("veil.exchange")
MOST_DUE: Final = 1000  # results and grants without a certificate; then no new job is taken
BATCH: Final = 200
LOOK_S: Final = 5.0  # for declarations that were added meanwhile, and a disk that has room again
GATHER_S: Final = 0.05  # whoever waits for an answer has it by then; several share one sync
_GRADES: Final[dict[int, Grade]] = {1: "L1", 2: "L2", 3: "L3", 4: "L4"}
T = TypeVar("T", DueGrant, DueResult)


class Certifier:
    """Issues what is due.

    Args:
        office: The exchange's own, opened.
        shelf: The declared datasets.
        archive: The record of jobs.
        desk: Grants.
        published: Called behind what was issued, before anybody is told of it.
    """

    def __init__(
        self,
        office: CertificateOffice,
        shelf: DatasetShelf,
        archive: Archive,
        desk: GrantDesk,
        published: Callable[[], None] = lambda: None,
    ) -> None:
        self.office = office
        self._shelf = shelf
        self._archive = archive
        self._desk = desk
        self._published = published
        self._registered: dict[str, Record] = {}
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="certifier", daemon=True)

    def start(self) -> None:
        """Begins with what an earlier process left, and tries again where it could not."""
        self._archive.forget_problems()
        self._desk.forget_problems()
        self._news.set()
        self._thread.start()

    def stop(self) -> None:
        """Issues what is due still, as far as it can be, and ends."""
        self._stopping.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """Says that something is due; returns at once."""
        self._news.set()

    def check(self) -> None:
        """Refuses new work when too much of what was done is not certified.

        Raises:
            UnavailableError: It is.
        """
        if self._archive.due_count() + self._desk.due_count() >= MOST_DUE:
            raise UnavailableError(
                Text(
                    "the exchange cannot certify what it does, and takes no new question",
                    "交换中心无法为结果签发证书，暂不受理新的查询",
                ),
                remedy=Text(
                    "ask its operator to look at the disk and at: veil exchange due",
                    "请其运维人员检查磁盘，并查看：veil exchange due",
                ),
                code="certificate.behind",
            )

    def of_receipt(self, receipt: str) -> Record | None:
        """Returns the certificate of a result, or None while it is due."""
        return self.office.about(digest(unverified_claims(receipt)))

    def of_grant(self, grant: str) -> Record | None:
        """Returns the certificate of a grant, or None while it is due."""
        return self.office.about(digest(unverified_claims(grant)))

    def settle(self) -> int:
        """Issues all that is due now; returns how many certificates that were.

        Raises:
            UnavailableError: They cannot be written.
        """
        issued = self._register()
        if issued:  # perhaps what others have lacked
            self._archive.forget_problems()
            self._desk.forget_problems()
        while grants := [each for each in self._desk.due(BATCH) if not each.problem]:
            issued += self._issue(grants, self._authorisations, self._done_grant)
        while results := [each for each in self._archive.due(BATCH) if not each.problem]:
            issued += self._issue(results, self._circulation, self._done_result)
        if issued:
            self.office.sign_lists()
            self._published()
        return issued

    def _run(self) -> None:
        while True:
            if not self._stopping.is_set():  # whoever stops may have knocked while we worked
                self._news.wait(LOOK_S)
            stopping = self._stopping.is_set()
            if not stopping:
                self._stopping.wait(GATHER_S)
            self._news.clear()
            try:
                self.settle()
                if not self._news.is_set():
                    self.office.sign_lists()
            except VeilError as error:  # what is due stays due
                LOG.warning("certificates: %s; %s %s", error.message, error.remedy, error.detail)
            except MISTAKES:  # … of ours must not end certification until the next start
                LOG.exception("certificates")
            if stopping:
                return

    # --- what is due

    def _register(self) -> int:
        missing = [
            (of, dataset)
            for dataset in self._shelf.all().values()
            if (of := dataset_digest(dataset)) not in self._registered
        ]
        fresh = []
        for of, dataset in missing:
            known = self.office.about(of)
            if known is None:
                fresh.append((of, Application(registration_of(dataset, _grade(dataset)))))
            else:
                self._registered[of] = known
        records = self.office.issue_all([application for _, application in fresh])
        self._registered |= {of: record for (of, _), record in zip(fresh, records, strict=True)}
        return len(records)

    def _issue(
        self,
        due: Sequence[T],
        make: Callable[[T], list[Application]],
        done: Callable[[T, str], None],
    ) -> int:
        """Issues for all in one transaction; if that fails, for each alone, so one stops no other.

        Args:
            due: What is due.
            make: Returns what one of them lacks.
            done: Told of each, with its problem or "".
        """
        try:
            wanted = _once([application for each in due for application in make(each)])
            issued = len(self.office.issue_all(wanted))
        except (InputError, TrustError) as error:
            if len(due) == 1:
                LOG.warning("no certificate: %s %s", error.message, error.detail)
                done(due[0], error.message)
                return 0
            return sum(self._issue([each], make, done) for each in due)
        for each in due:
            done(each, "")
        return issued

    def _authorisations(self, due: DueGrant) -> list[Application]:
        return self._of_grants((due.token,))

    def _of_grants(self, grants: Sequence[str]) -> list[Application]:
        fresh = [grant for grant in grants if self.of_grant(grant) is None]
        return [
            Application.of_grant(grant, (self._registration(_of(grant)).urn,)) for grant in fresh
        ]

    def _circulation(self, due: DueResult) -> list[Application]:
        if self.of_receipt(due.receipt) is not None:
            return []
        receipt, _ = read_receipt(due.receipt)
        # Those that this desk has not seen, such as of a desk that was lost; each is needed below.
        self.office.issue_all(self._of_grants(due.grants))
        uses = [self.of_grant(grant) for grant in due.grants]
        urns = tuple(record.urn for record in uses if record is not None)
        registered = self._registration(receipt.dataset_digest)
        return [Application.of_receipt(due.receipt, (registered.urn,), urns)]

    def _registration(self, of: str) -> Record:
        record = self._registered.get(of) or self.office.about(of)
        if record is None:
            raise InputError(
                Text("the declaration that it is about is not registered", "所依据的声明尚未登记"),
                remedy=Text(
                    "put it back on the shelf: veil exchange dataset add FILE",
                    "请恢复该声明：veil exchange dataset add 文件",
                ),
                code="certificate.unregistered",
                detail=of,
            )
        return record

    def _done_grant(self, due: DueGrant, problem: str) -> None:
        if problem:
            self._desk.not_certified(due.sequence, problem)
        else:
            self._desk.certified(due.sequence)

    def _done_result(self, due: DueResult, problem: str) -> None:
        if problem:
            self._archive.not_certified(due.job, problem)
        else:
            self._archive.certified(due.job)


def waiting(archive: Archive, desk: GrantDesk) -> list[Waiting]:
    """Returns what has no certificate yet, and why."""
    grants = [
        Waiting("VeilAuthorisation", _owner(each), each.problem) for each in desk.due(MOST_DUE)
    ]
    results = [Waiting("VeilCirculation", each.job, each.problem) for each in archive.due(MOST_DUE)]
    return grants + results


def _once(applications: Sequence[Application]) -> list[Application]:
    """Leaves out what is there twice: a department may have sent its grant again."""
    seen = {digest(unverified_claims(each.document)): each for each in applications}
    return list(seen.values())


def _of(grant: str) -> str:
    """The declaration that a grant is about."""
    return str(unverified_claims(grant)["credentialSubject"]["dataset_digest"])  # checked on entry


def _owner(due: DueGrant) -> str:
    try:
        return read_grant(due.token).owner
    except VeilError:
        return "?"


def _grade(dataset: Dataset) -> Grade:
    return _GRADES[max(column.grade for column in dataset.columns.values())]
