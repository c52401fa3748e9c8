"""One mutual TLS connection to the exchange, for nodes and analysts: dials out, nothing else."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import grpc

from catalog.identity.authority import TlsKey
from catalog.identity.certificate import read_certificate
from catalog.identity.files import read_public
from compute_nodes.rpc.backoff import Backoff
from compute_nodes.rpc.membership import TlsFiles
from protos.faults import TrustError, UnavailableError, VeilError
from protos.grpc_faults import to_fault
from protos.language import Text
from protos.names import Role
from protos.v1 import veil_pb2_grpc

T = TypeVar("T")

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True)
class Surroundings:
    """What a connection may not take for itself.

    Attributes:
        clock: Unix seconds.
        monotonic: Monotonic seconds.
        sleep: Waits so many seconds.
        chance: Uniform in [0, 1); spreads retries, is no secret.
    """

    clock: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    chance: Callable[[], float]


class Connection:
    """Calls with deadlines, errors in Veil's words, retries with back-off.

    Args:
        address: ``host:port`` of the exchange.
        files: Certificate, key and CA.
        surroundings: Clocks, sleep and chance.
        backoff: Waits between tries.
    """

    def __init__(
        self,
        address: str,
        files: TlsFiles,
        surroundings: Surroundings,
        backoff: Backoff | None = None,
    ) -> None:
        self.address = address
        self.surroundings = surroundings
        self.backoff = backoff or Backoff()
        self._files = files
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._stub: veil_pb2_grpc.ExchangeStub | None = None

    def start(self) -> None:
        """Reads the files and opens the channel; the first call connects.

        Also takes up a renewed certificate: the old channel is closed.

        Raises:
            TrustError: The certificate has expired, is not valid yet, is not of this key, or
                the key file is readable by others.
            UnavailableError: A file is missing.
        """
        key = TlsKey.load(self._files.key)
        pem = read_public(self._files.certificate)
        self._certified = read_certificate(pem)
        self._certified.check_time(self.surroundings.clock())
        credentials = grpc.ssl_channel_credentials(read_public(self._files.ca), key.pem(), pem)
        channel = grpc.secure_channel(
            self.address, credentials, options=(*_OPTIONS, *_proxy_options(self.address))
        )
        with self._lock:
            old, self._channel = self._channel, channel
            self._stub = veil_pb2_grpc.ExchangeStub(channel)
        if old is not None:
            old.close()

    def close(self) -> None:
        """Ends all calls, from any thread; closing twice is harmless."""
        with self._lock:
            channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            channel.close()

    @property
    def role(self) -> Role:
        """Our role, as certified."""
        return self._certified.role

    @property
    def name(self) -> str:
        """Our name, as certified."""
        return self._certified.name

    @property
    def is_open(self) -> bool:
        """Whether it was started and not closed."""
        return self._channel is not None

    def once(self, call: Callable[[veil_pb2_grpc.ExchangeStub], T]) -> T:
        """Makes one call.

        Raises:
            VeilError: What the exchange answered.
            UnavailableError: It cannot be reached, or did not answer before the deadline.
            TrustError: Our certificate has expired or is not accepted.
        """
        stub = self._open_stub()
        self._certified.check_time(self.surroundings.clock())
        try:
            return call(stub)
        except grpc.RpcError as error:
            raise self._explain(error) from error
        except ValueError as error:  # gRPC's answer to a call on a channel closed meanwhile
            if stub is self._stub:
                raise
            raise _closed(self.address) from error

    def patiently(self, call: Callable[[veil_pb2_grpc.ExchangeStub], T], patience_s: float) -> T:
        """Makes a call that may be repeated, again and again while the exchange is away.

        Args:
            call: Idempotent.
            patience_s: No new try begins later than this many seconds after the first.

        Raises:
            VeilError: As `once`, when the time is over or trying again cannot help.
        """
        end = self.surroundings.monotonic() + patience_s
        failures = 0
        while True:
            try:
                return self.once(call)
            except UnavailableError:
                failures += 1
                wait = self.backoff.delay(failures, self.surroundings.chance())
                if not self.is_open or self.surroundings.monotonic() + wait > end:
                    raise
            self.surroundings.sleep(wait)

    def stream(self, call: Callable[[veil_pb2_grpc.ExchangeStub], Iterable[T]]) -> Iterator[T]:
        """Makes a call that answers with a stream; errors may come with any item."""
        stream = self.once(call)
        try:
            yield from stream
        except grpc.RpcError as error:
            raise self._explain(error) from error
        finally:
            if isinstance(stream, grpc.RpcContext):
                # Nothing happens when it has ended; otherwise this frees the server.
                stream.cancel()  # type: ignore[no-untyped-call]

    def _open_stub(self) -> veil_pb2_grpc.ExchangeStub:
        stub = self._stub
        if stub is None:
            raise _closed(self.address)
        return stub

    def _explain(self, error: grpc.RpcError) -> VeilError:
        fault = to_fault(error)
        if fault.code == "link.certificate":
            return TrustError(
                Text(
                    f"the exchange at {self.address} and this machine do not accept each other's "
                    "certificates",
                    f"{self.address} 的交换中心与本机互不接受对方的证书",
                ),
                remedy=Text(
                    "check the address, this machine's clock, and that this directory was "
                    "enrolled at that exchange and not revoked",
                    "请检查地址、本机时钟，以及此目录是否在该交换中心注册且未被吊销",
                ),
                code=fault.code,
                detail=fault.detail,
            )
        if fault.code == "link.deadline":
            return UnavailableError(
                Text(
                    f"the exchange at {self.address} did not answer in time",
                    f"{self.address} 的交换中心未及时应答",
                ),
                remedy=Text(
                    "try again; look at the exchange's log if it stays silent",
                    "请重试；若一直无应答，请查看交换中心的日志",
                ),
                code=fault.code,
                detail=fault.detail,
            )
        if fault.code.startswith("link."):
            return UnavailableError(
                Text(
                    f"cannot reach the exchange at {self.address}: {_reason(fault.detail).en}",
                    f"无法连接 {self.address} 的交换中心：{_reason(fault.detail).zh}",
                ),
                remedy=Text(
                    "check the address and that the exchange runs there; if it does, it may "
                    "have refused our certificate: check that it is of that exchange",
                    "请检查地址以及交换中心是否在运行；若在运行，可能是它拒绝了我们的证书：请确认证书属于该交换中心",
                ),
                code=fault.code,
                detail=fault.detail,
            )
        return fault


def _reason(detail: str) -> Text:
    for word, meaning in (
        ("refused", Text("nothing listens there", "该地址无人监听")),
        ("resolution", Text("the name is not known", "主机名无法解析")),
        ("No route", Text("no route to that host", "没有到该主机的路由")),
        ("closed", Text("it closed the connection", "对方关闭了连接")),
        ("reset", Text("it closed the connection", "对方关闭了连接")),
    ):
        if word in detail:
            return meaning
    return Text("the connection failed", "连接失败")


def _closed(address: str) -> UnavailableError:
    return UnavailableError(
        Text(f"the connection to {address} is closed", f"到 {address} 的连接已关闭"),
        remedy=Text("start it first", "请先启动"),
        code="link.closed",
    )


def _proxy_options(address: str) -> tuple[tuple[str, int], ...]:
    """A proxy from the environment may lead outside, never to this machine itself."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    return (("grpc.enable_http_proxy", 0),) if loopback else ()
