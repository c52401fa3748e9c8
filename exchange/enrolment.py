"""The exchange's HTTPS door for those who are not members yet.

Two requests, ``POST /enrol`` and ``POST /renew``, each a small JSON object of strings. Anybody
can connect, so everything is bounded: how long a connection may live and how many there are
(`exchange.doorkeeper`), how large a request is.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from catalog.identity.registry import Enrolment, ExchangeIdentity
from exchange.doorkeeper import DoorLimits, DoorLoop, OpenDoors
from protos.faults import InputError, TrustError, UnavailableError, VeilError
from protos.language import Text
from protos.names import check_name, check_role

MAX_BODY_BYTES: Final = 32 * 1024
_STOP_S: Final = 5.0
_BACKLOG: Final = 2048
_STATUS: Final = {"trust": 403, "input": 400, "unavailable": 503}


class EnrolmentServer:
    """Serves enrolment in a thread of its own.

    Args:
        identity: The exchange's identity, open.
        exchange_address: Returns the gRPC ``host:port`` that new members are told.
        address: ``host:port`` to listen on; port 0 takes a free one.
        limits: Bounds on strangers.

    Attributes:
        port: Where it listens, once started.
    """

    def __init__(
        self,
        identity: ExchangeIdentity,
        exchange_address: Callable[[], str],
        address: str = "127.0.0.1:0",
        *,
        limits: DoorLimits | None = None,
    ) -> None:
        self._identity = identity
        self._exchange_address = exchange_address
        self._host, _, port = address.rpartition(":")
        self._limits = limits or DoorLimits()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.port = int(port)

    @property
    def url(self) -> str:
        """Where to enrol; stands in invitations."""
        return f"https://{self._host}:{self.port}"

    def start(self) -> None:
        """Listens, and returns once it does.

        Raises:
            UnavailableError: The address is in use or not this machine's.
        """
        listener = _listen(self._host, self.port)
        self.port = listener.getsockname()[1]
        key, certificate = self._identity.server_files
        routes = [
            Route("/enrol", self._enrol, methods=["POST"]),
            Route("/renew", self._renew, methods=["POST"]),
        ]
        doors = OpenDoors(self._limits)
        config = uvicorn.Config(
            Starlette(routes=routes),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=MAX_BODY_BYTES,
            timeout_keep_alive=1,
            timeout_graceful_shutdown=1,
            ssl_keyfile=key,
            ssl_certfile=certificate,
        )
        config.load()
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
        self._server = _Server(config, doors)
        self._thread = threading.Thread(
            target=self._serve, args=(self._server, listener), name="enrolment", daemon=True
        )
        self._thread.start()
        self._server.listening.wait()

    def stop(self) -> None:
        """Ends the service and its thread; stopping twice is harmless."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(_STOP_S)
            self._server = self._thread = None

    def restart(self) -> None:
        """Stops and starts on the same port, with the certificate that is on disk now."""
        self.stop()
        self.start()

    def _serve(self, server: _Server, listener: socket.socket) -> None:
        with asyncio.Runner(loop_factory=lambda: DoorLoop(server.doors)) as runner:
            try:
                runner.run(server.serve(sockets=[listener]))
            finally:
                server.listening.set()  # whoever waits in `start` must not wait for ever
                listener.close()

    async def _enrol(self, request: Request) -> JSONResponse:
        return await self._answer(
            request,
            {"secret", "request", "card"},
            lambda body: self._identity.enrol(
                body["secret"], body["request"].encode(), body["card"]
            ),
        )

    async def _renew(self, request: Request) -> JSONResponse:
        return await self._answer(
            request,
            {"role", "name", "request", "proof"},
            lambda body: self._identity.renew(
                check_role(body["role"]),
                check_name(body["name"]),
                body["request"].encode(),
                body["proof"],
            ),
        )

    async def _answer(
        self,
        request: Request,
        fields: set[str],
        act: Callable[[dict[str, str]], Enrolment],
    ) -> JSONResponse:
        try:
            body = await _read(request, fields)
            # A few milliseconds of SQLite and P-256; not worth a thread that has to be bounded.
            enrolment = act(body)
        except VeilError as error:
            return JSONResponse(error.public(), _STATUS.get(error.kind, 500))
        return JSONResponse(
            {
                "role": enrolment.role,
                "name": enrolment.name,
                "certificate": enrolment.certificate_pem.decode(),
                "exchange": self._exchange_address(),
                "card": self._identity.card_token,
            }
        )


class _Server(uvicorn.Server):
    """Tells when it listens, and hangs up on everybody when it stops."""

    def __init__(self, config: uvicorn.Config, doors: OpenDoors) -> None:
        super().__init__(config)
        self.listening = threading.Event()
        self.doors = doors

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.doors.hang_up()  # an honest request takes milliseconds; others never end
        await super().shutdown(sockets)


async def _read(request: Request, fields: set[str]) -> dict[str, str]:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise InputError(Text("the request is too long", "请求过长"), code="enrol.too_long")
    except ClientDisconnect as error:
        raise TrustError(
            Text("the connection ended early", "连接提前中断"), code="enrol.disconnected"
        ) from error
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError(
            Text("the request is not JSON", "请求不是 JSON"), code="enrol.malformed"
        ) from error
    if (
        not isinstance(value, dict)
        or set(value) != fields
        or not all(isinstance(item, str) and item.isascii() for item in value.values())
    ):
        raise InputError(
            Text(
                f"the request needs exactly {', '.join(sorted(fields))}",
                f"请求须恰好包含 {'、'.join(sorted(fields))}",
            ),
            code="enrol.malformed",
        )
    return value


def _listen(host: str, port: int) -> socket.socket:
    try:
        host = host.strip("[]")  # of an IPv6 address
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UnavailableError(
            Text(
                f"cannot listen on {host}:{port}: {error.strerror}",
                f"无法监听 {host}:{port}：{error.strerror}",
            ),
            remedy=Text(
                "choose another port, or stop what uses it", "请换一个端口，或停止占用它的程序"
            ),
            code="enrol.listen",
        ) from error
