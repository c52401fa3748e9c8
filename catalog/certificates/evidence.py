"""What a verification works with: the reader's trust, and what reading a bundle established."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from catalog.certificates import envelope
from catalog.certificates.bundle import Bundle
from catalog.certificates.kinds import Subject
from catalog.certificates.status import StatusList, read_list
from catalog.transparency.checkpoints import Proof
from catalog.transparency.policy import LogPolicy, Seen
from protos.cards import Pins
from protos.language import Text, Words


class NotAskedError(Exception):
    """A check that cannot be made with what was given."""

    def __init__(self, said: Words) -> None:
        super().__init__(said)
        self.said = said


class AbsentError(NotAskedError):
    """A check that cannot be made, as the file lacks what its certificate names.

    A reader who brings no key knows it; what is left out was decided by whoever handed the file in.
    """


@dataclass(frozen=True)
class Trust:
    """What a reader brings: public keys, and the time.

    Attributes:
        now: Unix seconds.
        pins: Issuers whom the reader believes; None leaves that question open.
        policy: The log and its witnesses; None leaves these questions open.
        status: Newer status lists than the bundle's, ``vc+jwt``.
    """

    now: int
    pins: Pins | None = None
    policy: LogPolicy | None = None
    status: tuple[str, ...] = ()
    _seen: Callable[[str], Seen] = field(init=False, repr=False, compare=False)
    _list: Callable[[str], StatusList] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Remembers what verified: thousands of certificates share checkpoint and list."""
        if self.policy is not None:
            object.__setattr__(self, "_seen", lru_cache(maxsize=64)(self.policy.open))
        object.__setattr__(self, "_list", lru_cache(maxsize=16)(read_list))

    def seen(self, note: str) -> Seen:
        """Opens a checkpoint.

        Raises:
            TrustError: It does not hold.
            NotAskedError: Without a policy nobody vouches for the log's key.
        """
        if self.policy is None:
            raise NotAskedError(NO_POLICY)
        return self._seen(note)

    def list(self, token: str) -> StatusList:
        """Reads a status list.

        Raises:
            TrustError: It does not hold.
        """
        return self._list(token)


@dataclass(frozen=True)
class Evidence:
    """What reading established, for the questions to compare.

    Attributes:
        bundle: The bundle.
        credential: Its certificate's envelope.
        subject: Its certificate's claims.
        proof: Its place in the log.
        trust: The reader's.
        used_at: When it must not have ended yet (Unix seconds): now, or when what leads to it was
            made.
    """

    bundle: Bundle
    credential: envelope.Credential
    subject: Subject
    proof: Proof
    trust: Trust
    used_at: int


@lru_cache(maxsize=1024)
def day(seconds: int | None) -> str:
    """Writes a time (Unix seconds) for people."""
    if seconds is None:
        return "–"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


NO_POLICY: Final = Text(
    "no log policy was given: nobody vouches for the log's key",
    "未提供日志策略（--policy）：无人为日志密钥担保",
)
