"""Statement grants: without one of every owner, nobody gets an exact figure.

The analyst signs a *request*: this statement, over this dataset, by these departments, for this
purpose. Each owner looks at it and signs a *grant* with the department's own key. A plan in exact
mode carries all of them; each node checks every one before it computes anything, and lets one
release pass per (grant, data snapshot), so that a changed roster or a repeat needs a new grant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from catalog.algebra import Aggregate
from catalog.certificates import envelope
from catalog.codec import from_json, to_json
from catalog.plan import Member, Plan
from protos.canonical import digest
from protos.cards import Pins
from protos.faults import InputError, PolicyError, TrustError
from protos.identity import IdentityKey, PublicIdentity, unverified_claims
from protos.language import Text
from protos.names import check_name

REQUEST_TYPE: Final = "veil-grant-request+jwt"
GRANT_KIND: Final = "VeilGrant"
USES: Final = "one release per data snapshot"
SKEW_S: Final = 60
_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_LAST: Final = 253_402_300_799 - 86_400  # Unix seconds; 9999-12-30, also where the day is another


@dataclass(frozen=True)
class GrantRequest:
    """What an analyst asks every owner to allow.

    Attributes:
        id: 32 lower-case hex digits, chosen by the analyst, never reused.
        issued_at: Unix seconds.
        expires_at: Unix seconds; also the latest end of a grant.
        analyst: Name of who asks and who alone will be able to open the answer.
        recipient: Fingerprint of the analyst's identity key.
        dataset: Name of the logical dataset.
        dataset_digest: SHA-256 (hex) of the dataset's canonical JSON.
        statement: The SQL, for people.
        aggregate: What nodes will compute; this is what the owner allows.
        purpose: What for, in the analyst's words.
        members: Departments that are asked, in roster order.
        mode: Grants serve exact answers only.
    """

    id: str
    issued_at: int
    expires_at: int
    analyst: str
    recipient: str
    dataset: str
    dataset_digest: str
    statement: str
    aggregate: Aggregate
    purpose: str
    members: tuple[Member, ...]
    mode: Literal["exact"] = "exact"

    @property
    def aggregate_digest(self) -> str:
        """SHA-256 (hex) of the aggregate's canonical JSON."""
        return digest(to_json(self.aggregate))


@dataclass(frozen=True)
class Grant:
    """One owner's permission for one statement.

    Attributes:
        id: ``urn:uuid`` of the request; with the snapshot the key of the one release.
        owner: The department that signed.
        fingerprint: Of the department's identity key.
        valid_until: Unix seconds.
    """

    id: str
    owner: str
    fingerprint: str
    valid_until: int


def sign_request(key: IdentityKey, request: GrantRequest) -> str:
    """Signs a request.

    Raises:
        InputError: A field is malformed, or the request is not of this key.
    """
    check_name(request.analyst)
    if not _ID.fullmatch(request.id):
        raise InputError(
            Text("a request id has 32 lower-case hex digits", "申请编号须为 32 位小写十六进制数")
        )
    if request.expires_at <= request.issued_at:
        raise InputError(
            Text("the request expires before it begins", "申请的截止时间早于开始时间"),
            remedy=Text("choose a later expiry", "请选择更晚的截止时间"),
        )
    if request.recipient != key.public.fingerprint:
        raise InputError(
            Text(
                "the request names another key than the one that signs",
                "申请中的密钥与签名的密钥不同",
            )
        )
    times = {"iat": request.issued_at, "exp": request.expires_at}
    return key.sign(REQUEST_TYPE, {**to_json(request), **times, "jwk": key.public.to_jwk()})


def read_request(token: str, pins: Pins, *, now: int) -> GrantRequest:
    """Reads and checks a request, at an owner.

    Args:
        token: From the exchange's in-box.
        pins: The analyst must be pinned, or nobody knows who asks.
        now: Unix seconds.

    Raises:
        TrustError: Signature, pin, time or shape does not hold.
    """
    request = _signed_request(token, now)
    if pins.fingerprint_of("analyst", request.analyst) != request.recipient:
        raise TrustError(
            Text(
                f"analyst {request.analyst} is not pinned here with this key",
                f"分析员 {request.analyst} 的这把密钥未在本机登记为可信",
            ),
            remedy=Text(
                "compare the fingerprint with them, then pin it", "请与对方核对指纹，再登记为可信"
            ),
            code="grant.analyst",
        )
    return request


def read_granted(token: str) -> GrantRequest:
    """Reads a request that this owner has granted: signature and shape only.

    Who asked and when was checked at the grant. What was released stays released, whatever has
    become of its analyst's pin or the clock since.

    Raises:
        TrustError: Signature or shape does not hold.
    """
    return _signed_request(token, None)


def _signed_request(token: str, now: int | None) -> GrantRequest:
    identity = PublicIdentity.from_jwk(unverified_claims(token).get("jwk"))
    body = identity.verify(REQUEST_TYPE, token, now=now, skew_s=SKEW_S)
    try:
        request = from_json(
            GrantRequest, {k: v for k, v in body.items() if k not in {"iat", "exp", "jwk"}}
        )
        for name in (request.analyst, *(member.name for member in request.members)):
            check_name(name)
    except InputError as error:
        raise TrustError(
            Text(f"the request is malformed: {error.message}", f"申请格式有误：{error.said.zh}"),
            code="grant.invalid",
        ) from error
    if (
        (body.get("iat"), body.get("exp")) != (request.issued_at, request.expires_at)
        or not _ID.fullmatch(request.id)
        or not 0 <= request.issued_at < request.expires_at <= _LAST
        or request.recipient != identity.fingerprint
    ):
        raise TrustError(
            Text("the request contradicts itself", "申请自相矛盾"), code="grant.invalid"
        )
    return request


def issue_grant(
    key: IdentityKey,
    owner: str,
    request: GrantRequest,
    *,
    now: int,
    valid_until: int | None = None,
) -> str:
    """Signs one owner's grant for a request that ``read_request`` has checked.

    Args:
        key: The department's identity key.
        owner: The department's name, a member of the request with this key.
        request: What is allowed.
        now: Unix seconds.
        valid_until: Unix seconds; the request's expiry if None, and never later.

    Raises:
        InputError: The department is not asked, or the validity is not within the request's.
    """
    until = request.expires_at if valid_until is None else valid_until
    if Member(owner, key.public.fingerprint) not in request.members:
        raise InputError(
            Text(
                f"the request does not ask {owner} with this key",
                f"申请没有以这把密钥要求 {owner} 授权",
            )
        )
    if not now < until <= request.expires_at:
        raise InputError(
            Text(
                "the grant must end after now and not after the request",
                "授权须在现在之后、申请截止之前结束",
            ),
            remedy=Text(
                "choose an earlier end, or ask the analyst for a new request",
                "请选择更早的结束时间，或请分析员重新申请",
            ),
        )
    return envelope.issue(
        key,
        kind=GRANT_KIND,
        identifier=request.id,
        issuer=owner,
        subject=_allowed_by(request),
        valid_from=now,
        valid_until=until,
    )


def check_answers(token: str, request: str, owner: str, identity: PublicIdentity) -> None:
    """Checks that a grant is this owner's, and allows what this request asks: not a word else.

    Args:
        token: The grant.
        request: The signed request, as it was taken.
        owner: The department that answers.
        identity: Its key.

    Raises:
        TrustError: It is another's, or for something else.
    """
    asked = _signed_request(request, None)
    credential = envelope.read(token, GRANT_KIND)
    grant = _grant(credential)
    if (grant.owner, grant.fingerprint) != (owner, identity.fingerprint):
        raise TrustError(
            Text("the grant is signed by another department", "授权是由另一个部门签署的"),
            code="grant.owner",
        )
    if (
        grant.id != UUID(hex=asked.id).urn
        or credential.subject != _allowed_by(asked)
        or grant.valid_until > asked.expires_at
    ):
        raise TrustError(
            Text("the grant answers another request", "授权答复的是另一份申请"),
            code="grant.request",
        )


def check_grant(token: str, pins: Pins, plan: Plan, *, now: int) -> Grant:
    """Checks that one grant allows exactly this plan.

    Args:
        token: One of ``plan.grants``.
        pins: The owner must be pinned as a department.
        plan: The plan, with its own signature already checked.
        now: Unix seconds.

    Raises:
        TrustError: The grant does not hold by itself.
        PolicyError: It holds, but allows something else; the message says what differs.
    """
    grant = read_grant(token)
    if pins.fingerprint_of("department", grant.owner) != grant.fingerprint:
        raise TrustError(
            Text(
                f"the grant of {grant.owner} is not signed by the key that is pinned here",
                f"{grant.owner} 的授权不是由本机登记的可信密钥签署",
            ),
            code="grant.owner",
        )
    credential = envelope.read(token, GRANT_KIND)
    if not credential.valid_from - SKEW_S <= now <= grant.valid_until + SKEW_S:
        raise PolicyError(
            Text(f"the grant of {grant.owner} is not valid now", f"{grant.owner} 的授权目前无效"),
            remedy=Text(
                "request a new grant; if it is new, compare the clocks of both machines",
                "请重新申请授权；若是新授权，请核对两台机器的时钟",
            ),
            code="grant.expired",
        )
    check_allows(token, plan)
    return grant


def check_allows(token: str, plan: Plan) -> None:
    """Checks that a grant's content is this plan's, field by field.

    Raises:
        TrustError: The grant is malformed.
        PolicyError: It allows something else.
    """
    credential = envelope.read(token, GRANT_KIND)
    wanted = _allowed(
        analyst=plan.analyst,
        fingerprint=plan.analyst_fingerprint,
        dataset=plan.dataset,
        dataset_digest=plan.dataset_digest,
        statement=plan.statement,
        aggregate=plan.aggregate,
        purpose=plan.purpose,
        members=plan.roster,
    )
    if plan.mode != "exact":
        raise PolicyError(
            Text("a grant only serves exact plans", "授权只适用于精确查询计划"), code="grant.mode"
        )
    for name in sorted(wanted.keys() | credential.subject.keys()):
        if credential.subject.get(name) != wanted.get(name):
            raise PolicyError(
                Text(
                    f"the grant of {credential.issuer} is for another {name.replace('_', ' ')}",
                    f"{credential.issuer} 的授权内容不符：{name.replace('_', ' ')} 不同",
                ),
                remedy=Text(
                    "run exactly what was granted, or request a new grant",
                    "请原样执行获得授权的语句，或重新申请授权",
                ),
                code="grant.mismatch",
            )


def check_grants(plan: Plan, pins: Pins, *, now: int) -> dict[str, Grant]:
    """Checks that an exact plan carries exactly one good grant of every owner on its roster.

    Returns:
        Department → its grant.

    Raises:
        TrustError: A grant does not hold.
        PolicyError: One is missing, doubled, expired, or for something else.
    """
    grants: dict[str, Grant] = {}
    for token in plan.grants:
        grant = check_grant(token, pins, plan, now=now)
        if grant.owner in grants:
            raise PolicyError(
                Text(
                    f"the plan carries two grants of {grant.owner}",
                    f"计划中有 {grant.owner} 的两份授权",
                ),
                code="grant.doubled",
            )
        grants[grant.owner] = grant
    roster = {member.name: member.fingerprint for member in plan.roster}
    for name in sorted(roster.keys() | grants.keys()):
        if name not in grants or roster.get(name) != grants[name].fingerprint:
            raise PolicyError(
                Text(f"an exact answer needs the grant of {name}", f"精确结果需要 {name} 的授权")
                if name in roster
                else Text(
                    f"{name} granted this, but is not on the roster",
                    f"{name} 已授权，但不在参与名单中",
                ),
                remedy=Text(
                    "request grants of all owners on the roster", "请向名单上的全部数据方申请授权"
                ),
                code="grant.missing",
            )
    return grants


def read_grant(token: str) -> Grant:
    """Reads a grant: signature and shape only.

    Raises:
        TrustError: It is not a grant, or not signed by the key that it names.
    """
    return _grant(envelope.read(token, GRANT_KIND))


def open_grant(token: str) -> envelope.Credential:
    """Reads a grant with all its words; as `read_grant`, signature and shape only.

    Raises:
        TrustError: It is not a grant, or not signed by the key that it names.
    """
    credential = envelope.read(token, GRANT_KIND)
    _grant(credential)
    return credential


def _grant(credential: envelope.Credential) -> Grant:
    if credential.valid_until is None:
        raise TrustError(Text("the grant has no end", "授权没有截止时间"), code="grant.invalid")
    return Grant(
        id=credential.id,
        owner=credential.issuer,
        fingerprint=credential.identity.fingerprint,
        valid_until=credential.valid_until,
    )


def _allowed_by(request: GrantRequest) -> dict[str, Any]:
    return _allowed(
        analyst=request.analyst,
        fingerprint=request.recipient,
        dataset=request.dataset,
        dataset_digest=request.dataset_digest,
        statement=request.statement,
        aggregate=request.aggregate,
        purpose=request.purpose,
        members=request.members,
    )


def _allowed(
    *,
    analyst: str,
    fingerprint: str,
    dataset: str,
    dataset_digest: str,
    statement: str,
    aggregate: Aggregate,
    purpose: str,
    members: tuple[Member, ...],
) -> dict[str, Any]:
    """The subject of a grant; one writer for issuing and checking, so that they cannot differ."""
    return {
        "analyst": analyst,
        "recipient": fingerprint,
        "dataset": dataset,
        "dataset_digest": dataset_digest,
        "statement": statement,
        "aggregate_digest": digest(to_json(aggregate)),
        "purpose": purpose,
        "mode": "exact",
        "members": [_member(m) for m in members],
        "uses": USES,
    }


def _member(member: Member) -> dict[str, str]:
    return {"name": member.name, "fingerprint": member.fingerprint}
