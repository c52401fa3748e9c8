"""The analyst's SDK: ``connect(profile).sql("…")``.

    parse → bind → draft → judge → sign → submit → watch → fetch → open → answer

Everything up to *submit* happens on the analyst's machine and costs nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict, Unpack

from catalog.calibration import calibrate
from catalog.certificates.receipts import PLAN_TYPE, plan_hash, read_plan
from catalog.codec import to_json
from catalog.plan import Mode, Plan, Protocol
from compute_nodes.jobs.setups import is_homomorphic, order_key_info
from compute_nodes.rpc.membership import TlsFiles
from exchange.coordinator.outcome import read_aggregate, read_outcome
from exchange.federation import Federation, read_federation
from exchange.he_key import make_he_key
from exchange.history import Charge, History, Remembered, question_key
from exchange.opening import OpeningKeys, open_aggregate
from exchange.ports import Progress
from exchange.profile import Profile, load_profile
from exchange.submission import Submission
from exchange.transport import AnalystLink
from protos.faults import InputError, JobError, TrustError
from protos.language import language
from protos.sealing import seal

if TYPE_CHECKING:
    from catalog.judge import Verdict
    from exchange.answer import Answer
    from exchange.planner.bind import Bound
    from exchange.planner.explain import Explanation

PROFILE_VARIABLE: Final = "VEIL_PROFILE"
DEFAULT_PROFILE: Final = Path(".veil/analyst.toml")
Watcher = Callable[[Progress], None]


class Options(TypedDict, total=False):
    """How a statement is to be answered; see `Question`."""

    epsilon: float | None
    exact: bool
    protocol: Protocol | None
    project: str | None
    purpose: str
    without: Iterable[str]
    fresh: bool


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
    """

    sql: str
    epsilon: float | None = None
    exact: bool = False
    protocol: Protocol | None = None
    project: str | None = None
    purpose: str = ""
    without: frozenset[str] = frozenset()
    fresh: bool = False


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
        self._history = History(profile.directory / "history")
        self._known: tuple[dict[str, Any], Federation] | None = None

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
        body = self._link.directory()
        known = self._known
        if known is None or known[0] != body:  # it seldom changes, and reading it is dear
            known = self._known = body, read_federation(body, self.profile.pins)
        return known[1]

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
            without=question.without,
        )
        order_key = b""
        if question.exact and plan.protocol != "sealed":
            order_key = self._randomness(32)
            plan = _with_order_keys(plan, federation, order_key)
        policies = federation.policies.get(plan.dataset, {})
        asked = {m.name: policies[m.name] for m in plan.roster if m.name in policies}
        verdict = judge(plan, bound.dataset, asked, now=now)
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
            prepared.federation.policies.get(plan.dataset, {}),
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
        question = _question(sql, options)
        prepared = self.prepare(question)
        prepared.verdict.enforce()
        key = question_key(prepared.plan, prepared.federation)
        known = None if question.fresh else self._history.find(key)
        if known is not None:
            return self._told(self._answer(prepared, known), prepared, stored=True)
        remembered = self._ask(prepared, watch or (lambda _: None))
        self._history.keep(key, remembered)
        self._charge(prepared)
        return self._told(self._answer(prepared, remembered), prepared, stored=False)

    def request_grant(self, sql: str, purpose: str, *, valid_s: int = 30 * 86_400) -> str:
        """Asks every owner for exact figures of one statement.

        Args:
            sql: The statement.
            purpose: What for.
            valid_s: Seconds until the request, and every grant of it, ends.

        Returns:
            The request's id.

        Raises:
            PolicyError: It could not be answered exactly; says which rewrite could.
        """
        from catalog.certificates.grants import GrantRequest, sign_request
        from catalog.exact_rules import exact_refusals
        from catalog.judge import Verdict

        if not purpose.strip():
            raise InputError("a request needs a purpose", remedy="say what the figures are for")
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
        return self._link.request_grant(sign_request(self.profile.identity, request))

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
                f"no grant yet of {', '.join(waiting)}",
                remedy="`veil grant list` shows what they answered",
                code="grant.waiting",
            )
        raise InputError(
            "an exact answer needs a grant of every owner for this very statement",
            remedy='veil grant request "SQL" --purpose …; or leave out --exact',
            code="grant.none",
        )

    def _ask(self, prepared: Prepared, watch: Watcher) -> Remembered:
        plan, public, secret = prepared.plan, b"", b""
        if is_homomorphic(plan):
            key = make_he_key(plan.protocol, self._randomness)
            plan = dataclasses.replace(plan, he_key_digest=key.public.digest)
            public, secret = key.public.data, key.private_bytes()
        token = self.profile.identity.sign(PLAN_TYPE, to_json(plan))
        try:
            self._link.submit(Submission(token, public).encode(), job=plan.job)
            for progress in self._link.watch(plan.job):
                watch(progress)
        except KeyboardInterrupt:
            self._link.cancel(plan.job)
            raise JobError(
                "cancelled; departments that had not answered keep their budget",
                code="job.cancelled",
            ) from None
        return Remembered(token, prepared.order_key, self._link.fetch(plan.job), secret)

    def _charge(self, prepared: Prepared) -> None:
        """Notes what an ad hoc answer has cost."""
        plan = prepared.plan
        if plan.mode == "adhoc":
            rho = calibrate(plan, prepared.bound.dataset).rho
            asked = tuple(member.name for member in plan.roster)
            self._history.charge(Charge(plan.job, plan.dataset, plan.project, rho, asked))

    def _told(self, answer: Answer, prepared: Prepared, *, stored: bool) -> Answer:
        """The answer with what it cost, and what all answers together have cost so far."""
        from exchange.spending import STORED, running_sum

        plan = prepared.plan
        remarks = (*answer.remarks, STORED) if stored else answer.remarks
        if plan.mode == "adhoc":
            charges = self._history.charges(plan.dataset)
            policies = prepared.federation.policies.get(plan.dataset, {})
            remarks = (*remarks, running_sum(charges, policies, plan.dataset, plan.delta))
        return dataclasses.replace(answer, remarks=remarks)

    def _answer(self, prepared: Prepared, remembered: Remembered) -> Answer:
        """Opens, checks and finishes an outcome."""
        from exchange.answer import make_answer
        from exchange.receipt import make_document, verify_receipt

        identity = self.profile.identity.public
        plan = read_plan(identity, remembered.plan)
        outcome = read_outcome(remembered.outcome)
        aggregate = read_aggregate(outcome.aggregate)
        document = make_document(
            outcome.receipt, outcome.statements, remembered.plan, outcome.cards
        )
        report = verify_receipt(document, pins=self.profile.pins, outcome_digest=aggregate.digest)
        if not report.ok:
            failed = report.failures[0]
            raise TrustError(
                f"the receipt does not hold: {failed.name}: {failed.what}",
                remedy="keep the outcome and tell the departments; do not use the figures",
                code="receipt.invalid",
            )
        opened = open_aggregate(
            plan,
            plan_hash(plan),
            aggregate,
            OpeningKeys(self.profile.sealing, remembered.order_key, remembered.he_secret),
            prepared.federation,
        )
        calibration = None
        if plan.mode == "adhoc":
            calibration = calibrate(plan, prepared.bound.dataset)
        return make_answer(
            prepared.bound,
            plan,
            opened.totals,
            visible=opened.visible,
            calibration=calibration,
            survivors=aggregate.survivors,
            receipt=document,
        )


def _question(sql: str, options: Options) -> Question:
    known = Options.__annotations__.keys()
    for name in options.keys() - known:
        raise InputError(
            f"there is no option {name!r}", remedy=f"options: {', '.join(sorted(known))}"
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
