"""The analyst's SDK: ``connect(profile).sql("…")``.

    parse → bind → draft → judge → sign → keep → submit → watch → fetch → open → answer

Everything up to *submit* happens on the analyst's machine and costs nothing. From *keep* on the
question outlives this process (``exchange.analyst.job``).
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict, Unpack

from catalog.calibration import calibrate
from catalog.plan import Mode, Plan, Protocol
from catalog.policy import Policy
from compute_nodes.jobs.runs import order_key_info
from compute_nodes.rpc.membership import TlsFiles
from exchange.analyst.federation import Federation, read_federation
from exchange.analyst.history import History
from exchange.analyst.job import Desk, Job, State, Watcher
from exchange.analyst.job_book import JobBook
from exchange.analyst.open_jobs import OpenJobs
from exchange.analyst.profile import Profile, load_profile
from exchange.analyst.transport import AnalystLink
from protos.cards import Pins
from protos.faults import InputError
from protos.language import Text, language
from protos.sealing import seal

if TYPE_CHECKING:
    from catalog.judge import Verdict
    from exchange.analyst.answer import Answer
    from exchange.planner.bind import Bound
    from exchange.planner.explain import Explanation

__all__ = ["Job", "Options", "Prepared", "Question", "State", "Veil", "Watcher", "connect"]

PROFILE_VARIABLE: Final = "VEIL_PROFILE"
DEFAULT_PROFILE: Final = Path(".veil/analyst.toml")
LOG: Final = logging.getLogger("veil")
_CERTIFICATE_LOOK_S: Final = 0.1


class Options(TypedDict, total=False):
    """How a statement is to be answered; see `Question`."""

    epsilon: float | None
    exact: bool
    protocol: Protocol | None
    project: str | None
    purpose: str
    without: Iterable[str]
    fresh: bool
    wait_s: int | None


@dataclass(frozen=True)
class Question:
    """One statement and how it is to be answered.

    Attributes:
        sql: The statement.
        epsilon: Privacy of this answer; None takes the policies' default.
        exact: Whether exact figures are asked for; needs every owner's grant.
        protocol: None lets the planner choose.
        project: Whose budget share pays; None takes the profile's.
        purpose: What for.
        without: Departments to leave out.
        fresh: Whether to ask anew although the same question was answered before.
        wait_s: Seconds within which departments must answer; None leaves it to the protocol.
    """

    sql: str
    epsilon: float | None = None
    exact: bool = False
    protocol: Protocol | None = None
    project: str | None = None
    purpose: str = ""
    without: frozenset[str] = frozenset()
    fresh: bool = False
    wait_s: int | None = None


@dataclass(frozen=True)
class Prepared:
    """A question that is ready to be signed; nothing has left the machine.

    Attributes:
        bound: The bound statement.
        plan: The drafted plan.
        federation: The directory as it was.
        verdict: What the owners' public policies say to it.
        order_key: The job's cell-order key; b"" for ad hoc.
    """

    bound: Bound
    plan: Plan
    federation: Federation
    verdict: Verdict
    order_key: bytes


def connect(profile: str | Path | None = None) -> Veil:
    """Connects an analyst.

    Args:
        profile: ``analyst.toml``; by default from ``VEIL_PROFILE``, else ``.veil/analyst.toml``.

    Raises:
        VeilError: The profile or a key is wrong.
    """
    path = Path(profile or os.environ.get(PROFILE_VARIABLE) or DEFAULT_PROFILE)
    loaded = load_profile(path)
    link = AnalystLink(loaded.exchange, TlsFiles.within(loaded.directory))
    link.start()
    return Veil(loaded, link)


class Veil:
    """One analyst's connection to an exchange; a context manager.

    Args:
        profile: Who asks.
        link: To the exchange, started.
        clock: Unix seconds.
        randomness: Returns so many secret random bytes.
    """

    def __init__(
        self,
        profile: Profile,
        link: AnalystLink,
        *,
        clock: Callable[[], float] = time.time,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.profile = profile
        self._link = link
        self._clock = clock
        self._randomness = randomness
        self._known: tuple[dict[str, Any], Pins, Federation] | None = None
        history, out = History(profile.directory / "history"), OpenJobs(profile.directory / "jobs")
        desk = Desk(profile, link, history, out, self.federation)
        self._book = JobBook(desk, clock, randomness)

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connection."""
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._link.close()

    def federation(self) -> Federation:
        """Who takes part, with which data, under which policies: as far as the pins confirm it."""
        body, pins = self._link.directory(), self.profile.pins
        known = self._known
        # They seldom change, and reading is dear. Changed pins are another object.
        if known is None or known[0] != body or known[1] is not pins:
            known = self._known = body, pins, read_federation(body, pins)
        return known[2]

    def prepare(self, question: Question) -> Prepared:
        """Plans a question without asking it.

        Raises:
            SqlError: The statement is not supported; the place is underlined.
            VeilError: The plan cannot be made.
        """
        from catalog.judge import judge
        from catalog.sql_gate import parse
        from exchange.planner.bind import bind
        from exchange.planner.draft import draft

        federation = self.federation()
        mode: Mode = "exact" if question.exact else "adhoc"
        bound = bind(parse(question.sql), federation.datasets, mode=mode)
        now = int(self._clock())
        grants: tuple[str, ...] = ()
        purpose = question.purpose
        if question.exact:
            grants, purpose = self._grants(question)
        plan = draft(
            bound,
            federation.view(),
            analyst=federation.cards["analyst", self.profile.name],
            project=question.project or self.profile.project,
            purpose=purpose,
            now=now,
            job=self._randomness(16).hex(),
            epsilon=question.epsilon,
            protocol=question.protocol,
            grants=grants,
            lifetime_s=question.wait_s,
            without=question.without,
            affiliation=self.profile.pins.department_of(self.profile.name),
        )
        order_key = b""
        if question.exact and plan.protocol != "sealed":
            order_key = self._randomness(32)
            plan = _with_order_keys(plan, federation, order_key)
        verdict = judge(plan, bound.dataset, _asked(plan, federation), now=now)
        return Prepared(bound, plan, federation, verdict, order_key)

    def explain(self, sql: str, **options: Unpack[Options]) -> Explanation:
        """Says in plain words what each party would learn and what it would cost.

        Args:
            sql: The statement.
            **options: See `Options`.
        """
        from compute_nodes.jobs.sizes import predicted_bytes
        from exchange.planner.explain import explain

        prepared = self.prepare(_question(sql, options))
        plan, dataset = prepared.plan, prepared.bound.dataset
        return explain(
            plan,
            prepared.bound,
            dataset,
            _asked(plan, prepared.federation),
            language(),
            predicted_bytes=lambda drafted: predicted_bytes(drafted, dataset),
            calibration=calibrate(plan, dataset) if plan.mode == "adhoc" else None,
        )

    def sql(self, sql: str, *, watch: Watcher | None = None, **options: Unpack[Options]) -> Answer:
        """Asks a question and waits for the answer.

        Args:
            sql: The statement.
            watch: Told each step of the job.
            **options: See `Options`.

        Raises:
            SqlError: The statement is not supported.
            PolicyError: A policy refuses; says which rewrite would pass.
            JobError: The job ended without an answer.
        """
        job = self.submit(sql, **options)
        for line in job.notice:
            LOG.warning("%s", line)
        return job.wait(watch)

    def submit(self, sql: str, **options: Unpack[Options]) -> Job:
        """Asks a question, and does not wait: see `Job`.

        The same question costs once: what was answered comes from the history, and what is still
        being answered is taken up again, unless ``fresh`` is asked for.

        Args:
            sql: The statement.
            **options: See `Options`.

        Raises:
            SqlError: The statement is not supported.
            PolicyError: A policy refuses; says which rewrite would pass.
            UnavailableError: It cannot be kept, or the exchange is away.
        """
        question = _question(sql, options)
        prepared = self.prepare(question)
        prepared.verdict.enforce()
        return self._book.ask(
            prepared.plan,
            prepared.bound,
            prepared.federation,
            order_key=prepared.order_key,
            protocol=question.protocol,
            fresh=question.fresh,
        )

    def job(self, beginning: str) -> Job:
        """One's own job, still out or answered, in whichever process it was asked.

        Args:
            beginning: Of its number, as far as it is unique.

        Raises:
            InputError: There is none, or there are several.
        """
        return self._book.find(beginning)

    def jobs(self) -> list[tuple[Job, State]]:
        """One's own jobs that are out, oldest first, and how they stand.

        What has failed is said once, and then forgotten, as is what never arrived and is too old.
        """
        return self._book.listed()

    def certificate(self, job: str, *, wait_s: float = 5.0) -> bytes:
        """The certificate of one's own result with all that proves it offline (``veil verify``).

        Args:
            job: Its number.
            wait_s: How long to wait for it: it is issued a moment after the result, seconds.

        Returns:
            The bundle, JSON; b"" if there is none yet.

        Raises:
            VeilError: It is no job of yours, or the exchange is away.
        """
        end = time.monotonic() + wait_s
        while not (bundle := self._link.certificate(job)) and time.monotonic() < end:
            time.sleep(_CERTIFICATE_LOOK_S)
        return bundle

    def request_grant(self, sql: str, purpose: str, *, valid_s: int = 30 * 86_400) -> str:
        """Asks every owner for exact figures of one statement; see `sign_request`.

        Returns:
            The request's id.
        """
        return self.hand_in_request(self.sign_request(sql, purpose, valid_s=valid_s))

    def hand_in_request(self, request: str, decisions: bytes = b"") -> str:
        """Passes a signed request to the owners that have not answered it.

        Args:
            request: As `sign_request` has made it; the same again is the same request.
            decisions: A file of their officers' decisions on it, or b"".

        Returns:
            The request's id.

        Raises:
            VeilError: The exchange refuses it or cannot be reached.
        """
        return self._link.request_grant(request, decisions)

    def sign_request(self, sql: str, purpose: str, *, valid_s: int = 30 * 86_400) -> str:
        """Signs a request for exact figures of one statement; nothing leaves this machine.

        Args:
            sql: The statement.
            purpose: What for.
            valid_s: Seconds until the request, and every grant of it, ends.

        Returns:
            ``veil-grant-request+jwt``.

        Raises:
            PolicyError: It could not be answered exactly; says which rewrite could.
        """
        from catalog.certificates.grants import GrantRequest, sign_request
        from catalog.exact_rules import exact_refusals
        from catalog.judge import Verdict

        if not purpose.strip():
            raise InputError(
                Text("a request needs a purpose", "申请须说明用途"),
                remedy=Text("say what the figures are for", "请说明这些数据用来做什么"),
            )
        prepared = self.prepare(Question(sql, exact=False, purpose=purpose))
        exact = self._bind_exact(sql, prepared.federation)
        # Learnt now, not after every owner has granted what no node will answer.
        Verdict(tuple(exact_refusals(exact.aggregate, exact.dataset.columns))).enforce()
        now = int(self._clock())
        request = GrantRequest(
            id=self._randomness(16).hex(),
            issued_at=now,
            expires_at=now + valid_s,
            analyst=self.profile.name,
            recipient=self.profile.identity.public.fingerprint,
            dataset=prepared.plan.dataset,
            dataset_digest=prepared.plan.dataset_digest,
            statement=exact.sql,
            aggregate=exact.aggregate,
            purpose=purpose,
            members=prepared.plan.roster,
        )
        return sign_request(self.profile.identity, request)

    def grants(self, request: str = "") -> list[dict[str, Any]]:
        """The state of one's grant requests, with every owner's answer."""
        return self._link.grants(request)

    # --- inside

    def _bind_exact(self, sql: str, federation: Federation) -> Bound:
        from catalog.sql_gate import parse
        from exchange.planner.bind import bind

        return bind(parse(sql), federation.datasets, mode="exact")

    def _grants(self, question: Question) -> tuple[tuple[str, ...], str]:
        """The grants of a statement that every owner has approved, and their purpose."""
        waiting: list[str] = []
        for entry in self._link.grants():
            if entry["statement"] != question.sql:
                continue
            answers = entry["answers"]
            open_ = [a["department"] for a in answers if a["state"] != "granted"]
            if not open_:
                return tuple(a["body"] for a in answers), str(entry["purpose"])
            waiting = open_
        if waiting:
            raise InputError(
                Text(
                    f"no grant yet of {', '.join(waiting)}", f"尚未获得 {'、'.join(waiting)} 的授权"
                ),
                remedy=Text(
                    "`veil grant list` shows what they answered", "veil grant list 可查看各方的答复"
                ),
                code="grant.waiting",
            )
        raise InputError(
            Text(
                "an exact answer needs a grant of every owner for this very statement",
                "精确结果须由每个数据方对这条语句逐字授权",
            ),
            remedy=Text(
                'veil grant request "SQL" --purpose …; or leave out --exact',
                'veil grant request "SQL" --purpose …；或去掉 --exact',
            ),
            code="grant.none",
        )


def _asked(plan: Plan, federation: Federation) -> dict[str, Policy]:
    """The public policies of those who are asked."""
    policies = federation.policies.get(plan.dataset, {})
    return {m.name: policies[m.name] for m in plan.roster if m.name in policies}


def _question(sql: str, options: Options) -> Question:
    known = Options.__annotations__.keys()
    for name in options.keys() - known:
        raise InputError(
            Text(f"there is no option {name!r}", f"没有选项 {name!r}"),
            remedy=Text(
                f"options: {', '.join(sorted(known))}", f"选项：{'、'.join(sorted(known))}"
            ),
        )
    without = options.get("without", ())
    return Question(
        sql,
        epsilon=options.get("epsilon"),
        exact=options.get("exact", False),
        protocol=options.get("protocol"),
        project=options.get("project"),
        purpose=options.get("purpose", ""),
        without=frozenset([without] if isinstance(without, str) else without),
        fresh=options.get("fresh", False),
        wait_s=options.get("wait_s"),
    )


def _with_order_keys(plan: Plan, federation: Federation, order_key: bytes) -> Plan:
    sealed = tuple(
        (
            member.name,
            seal(
                federation.cards["department", member.name].sealing_key,
                order_key,
                info=order_key_info(plan, member.name),
            ).hex(),
        )
        for member in plan.roster
    )
    return dataclasses.replace(
        plan, order_keys=sealed, order_key_digest=hashlib.sha256(order_key).hexdigest()
    )
