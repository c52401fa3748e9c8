"""The exchange's gRPC server: mutual TLS, one thread a call, everything bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from catalog.identity.registry import ExchangeIdentity
from exchange.ports import Hub
from exchange.serving.admission import Admission, Call, Limits
from exchange.serving.service import METHODS, Method, Service
from protos.faults import UnavailableError
from protos.language import Text

SERVICE_NAME: Final = "veil.v1.Exchange"
_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # a second exchange on this port must fail, not share it
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 64),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_allowed_incoming_connections", 4096),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.max_connection_idle_ms", 600_000),
)


class ExchangeServer:
    """Serves one hub.

    Args:
        hub: Jobs, rounds and rosters.
        identity: The exchange's identity, open.
        address: ``host:port``; port 0 takes a free one.
        limits: What may be used.
    """

    def __init__(
        self,
        hub: Hub,
        identity: ExchangeIdentity,
        address: str = "127.0.0.1:0",
        *,
        limits: Limits | None = None,
    ) -> None:
        self._host, _, port = address.rpartition(":")
        self._identity = identity
        self._service = Service(hub)
        self._limits = limits or Limits()
        self._admission = Admission(identity, self._limits)
        self._server: grpc.Server | None = None
        self._pool: ThreadPoolExecutor | None = None
        self.port = int(port)

    @property
    def address(self) -> str:
        """``host:port`` on which it listens."""
        return f"{self._host}:{self.port}"

    def start(self) -> None:
        """Listens, with the certificate that is on disk now.

        Raises:
            UnavailableError: The address is in use or not this machine's.
        """
        tls = self._identity.server_tls()
        credentials = grpc.ssl_server_credentials(
            [(tls.key_pem, tls.certificate_pem)],
            root_certificates=tls.ca_pem,
            require_client_auth=True,
        )
        pool = ThreadPoolExecutor(self._limits.workers, thread_name_prefix="exchange-call")
        server = grpc.server(pool, options=_OPTIONS, maximum_concurrent_rpcs=self._limits.workers)
        handlers = {method.access.method: self._handler(method) for method in METHODS}
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE_NAME, handlers),)
        )
        try:
            port = server.add_secure_port(self.address, credentials)
        except RuntimeError as error:
            pool.shutdown()
            raise UnavailableError(
                Text(f"cannot listen on {self.address}", f"无法监听 {self.address}"),
                remedy=Text(
                    "choose another port, or stop what uses it", "请换一个端口，或停止占用它的程序"
                ),
                code="exchange.listen",
                detail=str(error),
            ) from error
        self.port = port
        self._admission.start()
        server.start()
        self._server, self._pool = server, pool

    def stop(self, grace_s: float = 2.0) -> None:
        """Ends polls at once, lets other calls finish, and leaves no thread behind.

        Args:
            grace_s: Calls that run longer are cut off, seconds.
        """
        if self._server is None or self._pool is None:
            return
        self._admission.stop()
        self._server.stop(grace_s).wait()
        self._pool.shutdown(wait=True)
        self._server = self._pool = None

    def restart(self) -> None:
        """Stops and starts on the same port; members come back by themselves.

        This is how a renewed server certificate is taken up: credentials that change under a
        running gRPC server have crashed the process under garbage connections.
        """
        self.stop()
        self.start()

    def _handler(self, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        """Wraps one method: admission first, then parsing, then the answer.

        Requests reach us as bytes: nothing of a stranger's is parsed, and what does not parse
        is an ordinary refusal instead of a stack trace in the log.
        """
        answer: Callable[..., Any] = method.answer

        def one(request: bytes | Iterable[bytes], context: grpc.ServicerContext) -> Message:
            with Call(self._admission, context, method.access) as call:
                message: Message = answer(self._service, call, request)
            return message

        def many(
            request: bytes | Iterable[bytes], context: grpc.ServicerContext
        ) -> Iterator[Message]:
            with Call(self._admission, context, method.access) as call:
                yield from answer(self._service, call, request)

        if method.streams:
            return grpc.unary_stream_rpc_method_handler(many, None, _serialise)
        if method.access.uploads:
            return grpc.stream_unary_rpc_method_handler(one, None, _serialise)
        return grpc.unary_unary_rpc_method_handler(one, None, _serialise)


def _serialise(message: Message) -> bytes:
    return message.SerializeToString()
