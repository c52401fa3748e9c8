"""A department takes its grant back: from then on its node answers nothing under it.

Signed with the key that signed the grant, so that nobody else can end it, and everybody who has
handed the grant on can be told so.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from catalog.certificates.grants import read_grant
from protos.faults import InputError, TrustError
from protos.identity import IdentityKey, PublicIdentity, unverified_claims
from protos.language import Text

TYPE: Final = "veil-grant-end+jwt"
LONGEST_REASON: Final = 2000  # characters
_MEMBERS: Final = {"grant": str, "department": str, "reason": str, "iat": int}


@dataclass(frozen=True)
class GrantEnd:
    """That a grant counts no more.

    Attributes:
        grant: Its ``urn:uuid``.
        department: Which granted it.
        reason: In words; the analyst reads it.
        iat: When, Unix seconds.
    """

    grant: str
    department: str
    reason: str
    iat: int


def end_grant(key: IdentityKey, grant: str, reason: str, *, now: int) -> str:
    """Signs that a grant has ended.

    Args:
        key: The department's, which signed the grant.
        grant: ``vc+jwt``.
        reason: In words.
        now: Unix seconds.

    Raises:
        InputError: The reason is empty or too long.
        TrustError: The grant is none, or another key's.
    """
    read = read_grant(grant)
    if read.fingerprint != key.public.fingerprint:
        raise _unsound(Text("it is another department's", "属于其他部门"))
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InputError(
            Text("a grant is not revoked without a reason", "撤销授权须说明理由"),
            remedy=Text(f"say why, in at most {LONGEST_REASON} characters",
                        f"请说明理由（不超过 {LONGEST_REASON} 字）"),
            code="grant.reason",
        )  # fmt: skip
    return key.sign(TYPE, asdict(GrantEnd(read.id, read.owner, reason.strip(), now)))


def read_end(token: str, grant: str, identity: PublicIdentity) -> GrantEnd:
    """Reads that a grant has ended.

    Args:
        token: From the department.
        grant: The grant that it must be about.
        identity: The department's.

    Raises:
        TrustError: It is not signed by this key, or is about another grant.
    """
    claims = identity.verify(TYPE, token)
    wrong = claims.keys() != _MEMBERS.keys() or any(
        type(claims[name]) is not kind for name, kind in _MEMBERS.items()
    )
    if wrong or len(claims["reason"]) > LONGEST_REASON:
        raise _unsound(Text("it is malformed", "格式有误"))
    found, ended = GrantEnd(**claims), read_grant(grant)
    if (found.grant, found.department) != (ended.id, ended.owner):
        raise _unsound(Text("it is about another grant", "针对其他授权"))
    return found


def unverified_reason(token: str) -> str:
    """Returns the reason of an end that this reader has signed or checked before."""
    return str(unverified_claims(token).get("reason", ""))


def _unsound(why: Text) -> TrustError:
    return TrustError(
        Text(f"the end of the grant does not hold: {why.en}", f"授权撤销声明不成立：{why.zh}"),
        code="grant.end",
    )
