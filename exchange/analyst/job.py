"""A question that was handed in: its answer can be waited for here, or in another process.

    handed in ──► waiting ──► answered ──► (fetched: kept in the history)
                     └──────► failed ───► (forgotten)

What is out is on disk (``exchange.analyst.open_jobs``), so the handle may be lost without any loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from catalog.calibration import calibrate
from catalog.certificates.receipts import read_plan
from exchange.analyst.federation import Federation
from exchange.analyst.history import Charge, History, Remembered
from exchange.analyst.open_jobs import OpenJob, OpenJobs
from exchange.analyst.profile import Profile
from exchange.analyst.reading import open_answer, with_costs
from exchange.analyst.transport import AnalystLink
from exchange.ports import Progress
from exchange.submission import Submission
from protos.faults import InputError, JobError, UnavailableError, VeilError
from protos.language import Text

if TYPE_CHECKING:
    from exchange.analyst.answer import Answer
    from exchange.planner.bind import Bound

Watcher = Callable[[Progress], None]
SHOWN: Final = 12  # digits of a job's number that people see and type


@dataclass(frozen=True)
class Desk:
    """What every job of one analyst works with.

    Attributes:
        profile: Who asks.
        link: To the exchange.
        history: What was answered.
        open_jobs: What is still out.
        federation: Reads the directory.
    """

    profile: Profile
    link: AnalystLink
    history: History
    open_jobs: OpenJobs
    federation: Callable[[], Federation]


@dataclass(frozen=True)
class State:
    """How a job stands.

    Attributes:
        what: ``unsent`` (it never reached the exchange), ``waiting``, ``answered`` or ``failed``.
        error: Why it failed.
    """

    what: Literal["unsent", "waiting", "answered", "failed"]
    error: VeilError | None = None


class Job:
    """One job of the analyst's.

    Args:
        desk: See `Desk`.
        record: Plan and keys.
        bound: The statement that is asked, if it is bound already; else the plan's own.
        federation: The directory as it was when ``bound`` was made.
        stored: The answer, where it is in the history already.
        notice: What who waits for it must know first.
    """

    def __init__(
        self,
        desk: Desk,
        record: OpenJob,
        bound: Bound | None = None,
        federation: Federation | None = None,
        *,
        stored: Remembered | None = None,
        notice: tuple[Text, ...] = (),
    ) -> None:
        self.id = record.job
        self.notice = notice
        self.plan = read_plan(desk.profile.identity.public, record.plan)
        self._desk = desk
        self._record = record
        self._bound = bound
        self._federation = federation
        self._stored = stored
        self._answer: Answer | None = None

    def __repr__(self) -> str:
        """Shows its number and its statement."""
        return f"Job({self.id[:SHOWN]!r}, {self.plan.statement!r})"

    def state(self) -> State:
        """Asks the exchange how it stands.

        Raises:
            VeilError: The exchange cannot be reached, or does not speak with us.
        """
        if self._stored is not None:
            return State("answered")
        try:
            self._desk.link.fetch(self.id)
        except VeilError as error:
            if _open(error):
                return State("waiting")
            if error.code == "job.unknown":
                return State("unsent")
            # Its error, or one about this call? A job that has ended can be watched to its end.
            last = self._follow(lambda _: None)
            if last not in {"", "failed"}:
                raise
            return State("failed", error)
        return State("answered")

    def hand_in(self) -> None:
        """Submits the plan, again if need be: the same plan is the same job.

        Raises:
            VeilError: The exchange refuses it; the job is forgotten.
            UnavailableError: It is not known whether the plan arrived; the job is kept.
        """
        record, key = self._record, b""
        if record.he_secret:
            from exchange.analyst.he_key import load_he_key

            key = load_he_key(self.plan.protocol, record.he_secret).public.data
        try:
            self._desk.link.submit(Submission(record.plan, key).encode(), job=self.id)
        except UnavailableError as error:
            raise self._later(error) from error
        except VeilError as error:
            if error.code != "job.repeated":  # it had arrived before
                self.forget()
                raise

    def wait(self, watch: Watcher | None = None) -> Answer:
        """Waits for the answer, opens and checks it, and keeps it in the history.

        Args:
            watch: Told each step of the job, from its beginning.

        Raises:
            JobError: The job ended without an answer, or was cancelled by Ctrl-C.
            TrustError: The receipt does not hold.
            UnavailableError: The exchange is away; the job goes on without us.
        """
        if self._answer is None:
            stored = self._stored is not None
            remembered = self._stored or self._collect(watch or (lambda _: None))
            bound, federation = self._look()
            answer = open_answer(self._desk.profile, bound, federation, remembered)
            charges = self._desk.history.charges(self.plan.dataset)
            self._answer = with_costs(answer, self.plan, federation, charges, stored=stored)
        return self._answer

    def cancel(self) -> bool:
        """Gives the job up; departments that have sent nothing yet spend nothing.

        Returns:
            False when it had ended already: an answer is there, if there is one.
        """
        try:
            cancelled = self._desk.link.cancel(self.id)
        except InputError as error:
            if error.code != "job.unknown":
                raise
            cancelled = True  # it never arrived
        if cancelled:
            self.forget()
        return cancelled

    def forget(self) -> None:
        """Removes plan and keys from the disk: without them no answer can be opened."""
        self._desk.open_jobs.forget(self.id)

    def interrupted(self) -> JobError:
        """What Ctrl-C comes to: the job is cancelled, unless it is too late or nobody hears."""
        short = self.id[:SHOWN]
        try:
            if self.cancel():
                return JobError(
                    Text(
                        "cancelled; departments that had answered already keep the charge, the "
                        "others do not",
                        "已取消；已应答的部门仍计费，其余不计",
                    ),
                    code="job.cancelled",
                )
        except VeilError as error:
            return JobError(
                Text(f"not cancelled: {error.message}", f"未能取消：{error.said.zh}"),
                remedy=Text(
                    f"the job goes on; veil fetch {short} brings its answer",
                    f"任务仍在继续；可用 veil fetch {short} 取回结果",
                ),
                code="job.not_cancelled",
            )
        return JobError(
            Text("too late to cancel: the job has ended", "来不及取消：任务已结束"),
            remedy=Text(
                f"veil fetch {short} brings its answer, which is paid for",
                f"可用 veil fetch {short} 取回结果，其费用已计",
            ),
            code="job.ended",
        )

    # --- inside

    def _collect(self, watch: Watcher) -> Remembered:
        record, last = self._record, ""
        try:
            try:
                last = self._follow(watch)
            except InputError as error:
                if error.code != "job.unknown":
                    raise
                self.hand_in()  # the process that asked died before it did
                last = self._follow(watch)
            outcome = self._desk.link.fetch(self.id)
        except KeyboardInterrupt:
            raise self.interrupted() from None
        except VeilError as error:
            if last == "failed" or (last == "" and type(error) is JobError and not _open(error)):
                self.forget()  # without steps: it ended so long ago that they are forgotten
            elif isinstance(error, UnavailableError) or _open(error):
                raise self._later(error) from error
            raise
        remembered = Remembered(record.plan, record.order_key, outcome, record.he_secret)
        self._desk.history.keep(record.question, remembered)
        self._charge()
        self.forget()
        return remembered

    def _follow(self, watch: Watcher) -> str:
        """Watches until the job has ended; returns its last step."""
        last = ""
        for progress in self._desk.link.watch(self.id):
            last = progress.what
            watch(progress)
        return last

    def _later(self, error: VeilError) -> UnavailableError:
        return UnavailableError(
            error.said,
            remedy=Text(
                f"the question is not lost: veil fetch {self.id[:SHOWN]} brings its answer, "
                "also after a restart of this machine",
                f"查询没有丢失：可用 veil fetch {self.id[:SHOWN]} 取回结果，重启本机后也可以",
            ),
            code=error.code,
            detail=error.detail,
        )

    def _look(self) -> tuple[Bound, Federation]:
        """The statement, bound, and the directory to check against."""
        from catalog.codec import dataset_digest
        from catalog.sql_gate import parse
        from exchange.planner.bind import bind

        if self._federation is None:
            self._federation = self._desk.federation()
        if self._bound is None:
            plan, datasets = self.plan, self._federation.datasets
            known = datasets.get(plan.dataset)
            if known is None or dataset_digest(known) != plan.dataset_digest:
                raise JobError(
                    Text(
                        f"{plan.dataset} has been declared anew since this was asked",
                        f"提问之后 {plan.dataset} 已重新声明",
                    ),
                    remedy=Text(
                        "its answer can be read only with the old declaration; ask again",
                        "其结果只能按旧声明读取；请重新查询",
                    ),
                    code="job.dataset",
                )
            self._bound = bind(parse(plan.statement), datasets, mode=plan.mode)
        return self._bound, self._federation

    def _charge(self) -> None:
        """Notes what an ad hoc answer has cost; once, however often it is fetched."""
        plan, (bound, _) = self.plan, self._look()
        if plan.mode == "adhoc":
            rho = calibrate(plan, bound.dataset).rho
            asked = tuple(member.name for member in plan.roster)
            self._desk.history.charge(Charge(plan.job, plan.dataset, plan.project, rho, asked))


def _open(error: VeilError) -> bool:
    """Whether the exchange only says that there is no answer yet."""
    return error.code == "job.running"
