"""Who may call the exchange, how often and how much at once: decided anew for every call.

TLS has checked only that the exchange's CA signed the certificate. Here follow its end, its
standing (known and not revoked), the role that the method asks for, and the limits. What runs
for long is looked at every second: a revoked member's calls end within seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, NoReturn, Self

import grpc

from catalog.identity.certificate import Certified, read_certificate
from catalog.identity.registry import ExchangeIdentity
from exchange.ports import Caller
from protos.faults import TrustError, UnavailableError, VeilError
from protos.grpc_faults import abort
from protos.language import Text
from protos.names import Role

LOG: Final = logging.getLogger("veil.exchange")
SESSION_KEY: Final = "veil-session"
_MAX_SESSION: Final = 64  # characters
_CACHED_CERTIFICATES: Final = 4096
_LOOK_EVERY_S: Final = 1.0


@dataclass(frozen=True)
class Limits:
    """What one server, and one member of it, may use.

    Attributes:
        workers: Most calls at once, of all members; each holds one thread.
        calls_per_member: Most calls at once of one member, long-polls included.
        uploads_per_member: Most of these that send frames; each may hold a whole message.
        upload_s: Longest time that one upload may take, seconds.
        poll_s: Longest wait of one poll, seconds, whatever the caller asks for.
        submits_per_minute: Plans and grant requests of one analyst, averaged.
        submit_burst: How many of these may come at once.
    """

    workers: int = 512
    calls_per_member: int = 32
    uploads_per_member: int = 8
    upload_s: float = 600.0
    poll_s: float = 60.0
    submits_per_minute: float = 600.0
    submit_burst: float = 60.0


@dataclass(frozen=True)
class Access:
    """What a method asks of its caller.

    Attributes:
        method: Name, for messages.
        roles: Who may call it.
        uploads: Whether the caller sends frames.
        metered: Whether it counts against ``Limits.submits_per_minute``.
    """

    method: str
    roles: tuple[Role, ...]
    uploads: bool = False
    metered: bool = False


class Call:
    """One call under way; a context manager that turns errors into what the caller may know.

    Args:
        admission: Checks and counts.
        context: gRPC's.
        access: What the method asks for.
    """

    def __init__(self, admission: Admission, context: grpc.ServicerContext, access: Access) -> None:
        self._admission = admission
        self.context = context
        self.access = access
        self.certified: Certified | None = None
        self.counted = False
        self.started = admission.monotonic()
        self.doomed = False

    def __enter__(self) -> Self:
        """Admits the caller, or ends the call."""
        try:
            self._admission.enter(self)
        except VeilError as error:
            self._refuse(error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the call with the public part of an error.

        This is the process's edge: what is not a `VeilError` is our own mistake. gRPC would
        send its text to the caller, so it is logged here and replaced.
        """
        self._admission.leave(self)
        if isinstance(error, VeilError):
            self._refuse(error)
        if isinstance(error, Exception) and not isinstance(error, grpc.RpcError):
            LOG.error("%s failed", self.access.method, exc_info=error)
            self._refuse(
                VeilError(
                    Text("the exchange made a mistake", "交换中心内部出错"),
                    code="exchange.internal",
                )
            )

    @property
    def caller(self) -> Caller:
        """Who calls, as certified."""
        if self.certified is None:
            raise TrustError(
                Text("the caller is not known", "调用者身份未知"), code="certificate.missing"
            )
        return Caller(self.certified.role, self.certified.name, self.certified.fingerprint)

    @property
    def limits(self) -> Limits:
        """What the caller may use."""
        return self._admission.limits

    @property
    def session(self) -> str:
        """The node's session; without one, the connection is the session."""
        for key, value in self.context.invocation_metadata() or ():
            if key == SESSION_KEY and isinstance(value, str):
                return value[:_MAX_SESSION]
        return str(self.context.peer())

    def alive(self) -> bool:
        """Whether the call is still wanted; see `exchange.ports.Alive`."""
        return self.context.is_active() and self._admission.stands(self)

    def check(self) -> None:
        """Says why a wait has ended early, if it has.

        Raises:
            TrustError: The caller's certificate does not stand any more.
            UnavailableError: The exchange is stopping.
        """
        if self.certified is not None:
            self._admission.check(self.certified)

    def check_card(self, card: str) -> None:
        """Raises TrustError unless the card is of the key that the caller enrolled with."""
        self._admission.identity.check_card(self.caller.role, self.caller.name, card)

    def _refuse(self, error: VeilError) -> NoReturn:
        who = f"{self.certified.role} {self.certified.name}" if self.certified else "a stranger"
        LOG.info("%s of %s refused: %s %s", self.access.method, who, error.code, error.detail)
        abort(self.context, error)


class Admission:
    """Checks callers, counts their calls, and ends calls that must not go on.

    Args:
        identity: Knows whom this exchange admitted.
        limits: What may be used.
        monotonic: Monotonic seconds.
    """

    def __init__(
        self,
        identity: ExchangeIdentity,
        limits: Limits,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity
        self.limits = limits
        self.monotonic = monotonic
        self._lock = threading.Lock()
        self._certificates: dict[bytes, Certified] = {}
        self._live: set[Call] = set()
        self._calls: Counter[tuple[str, bool]] = Counter()
        self._tokens: dict[str, tuple[float, float]] = {}
        self._stopping = threading.Event()
        self._warden: threading.Thread | None = None

    def start(self) -> None:
        """Begins to look after live calls."""
        self._stopping.clear()
        self._warden = threading.Thread(target=self._watch, name="exchange-warden", daemon=True)
        self._warden.start()

    def stop(self) -> None:
        """Tells every waiting call to end, and stops looking."""
        self._stopping.set()
        if self._warden is not None:
            self._warden.join()
            self._warden = None

    def enter(self, call: Call) -> None:
        """Admits one call.

        Raises:
            TrustError: No certificate, or one that does not stand, or of another role.
            UnavailableError: A limit is reached, or the exchange is stopping.
        """
        access, limits = call.access, self.limits
        certified = call.certified = self._certified(call.context)
        self.check(certified)
        if certified.role not in access.roles:
            raise TrustError(
                Text(
                    f"{access.method} is not for the role {certified.role}",
                    f"{access.method} 不对角色 {certified.role} 开放",
                ),
                remedy=Text(
                    f"it is for: {', '.join(access.roles)}",
                    f"开放的角色：{'、'.join(access.roles)}",
                ),
                code="role.refused",
            )
        with self._lock:
            if self._calls[certified.fingerprint, False] >= limits.calls_per_member:
                raise _too_many(Text("calls", "调用"), limits.calls_per_member)
            if access.metered:
                self._spend(certified)
            if access.uploads:
                if self._calls[certified.fingerprint, True] >= limits.uploads_per_member:
                    raise _too_many(Text("uploads", "上传"), limits.uploads_per_member)
                self._calls[certified.fingerprint, True] += 1
            self._calls[certified.fingerprint, False] += 1
            call.counted = True
            self._live.add(call)

    def leave(self, call: Call) -> None:
        """Gives back what the call held."""
        certified = call.certified
        with self._lock:
            if call.counted and certified is not None:
                call.counted = False
                self._live.discard(call)
                self._give_back(certified.fingerprint, upload=False)
                if call.access.uploads:
                    self._give_back(certified.fingerprint, upload=True)

    def check(self, certified: Certified) -> None:
        """Raises UnavailableError while stopping, TrustError for who is no member (any more)."""
        if self._stopping.is_set():
            raise UnavailableError(
                Text("the exchange is stopping", "交换中心正在停止"), code="exchange.stopping"
            )
        self.identity.check_standing(certified)

    def stands(self, call: Call) -> bool:
        """Whether the call may go on: see `check`."""
        if call.certified is None:
            return False
        try:
            self.check(call.certified)
        except (TrustError, UnavailableError):
            return False
        return True

    def _certified(self, context: grpc.ServicerContext) -> Certified:
        presented: Any = context.auth_context().get("x509_pem_cert", ())
        chain: list[bytes] = list(presented)
        if len(chain) != 1:
            raise TrustError(
                Text("a client certificate is needed", "需要客户端证书"), code="certificate.missing"
            )
        pem = chain[0]
        known = self._certificates.get(pem)
        if known is None:
            known = read_certificate(pem)
            if len(self._certificates) >= _CACHED_CERTIFICATES:
                self._certificates.clear()
            self._certificates[pem] = known
        return known

    def _give_back(self, fingerprint: str, *, upload: bool) -> None:
        self._calls[fingerprint, upload] -= 1
        if self._calls[fingerprint, upload] <= 0:
            del self._calls[fingerprint, upload]

    def _spend(self, certified: Certified) -> None:
        """Takes one token from the member's bucket (RFC 2697 in its simplest form)."""
        now, limits = self.monotonic(), self.limits
        tokens, at = self._tokens.get(certified.name, (limits.submit_burst, now))
        per_s = limits.submits_per_minute / 60.0
        tokens = min(limits.submit_burst, tokens + (now - at) * per_s)
        if tokens < 1.0:
            raise UnavailableError(
                Text("too many requests of this kind in a short time", "短时间内此类请求过多"),
                remedy=Text(
                    f"wait {(1.0 - tokens) / per_s:.1f} s and ask again",
                    f"请等待 {(1.0 - tokens) / per_s:.1f} 秒后再试",
                ),
                code="limit.rate",
            )
        self._tokens[certified.name] = (tokens - 1.0, now)

    def _watch(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_S):
            with self._lock:
                live = list(self._live)
            for call in live:
                overdue = (
                    call.access.uploads and self.monotonic() - call.started > self.limits.upload_s
                )
                # A waiting call sees by itself that it is revoked and says so; one that does
                # not (an upload that drips) is cut off at the second look.
                revoked = not self.stands(call)
                if overdue or (revoked and call.doomed):
                    call.context.cancel()  # type: ignore[no-untyped-call]
                call.doomed = revoked


def _too_many(what: Text, limit: int) -> UnavailableError:
    return UnavailableError(
        Text(
            f"more than {limit} {what.en} of one member at once",
            f"单个成员同时进行的{what.zh}超过 {limit} 个",
        ),
        remedy=Text("wait for one to end", "请等待其中一个结束"),
        code="limit.calls",
    )
