"""An HTTP server in a thread of its own, for any ASGI application.

Everything that a stranger can use up is bounded before a request is read: how many connections
there are, how long one lives until it speaks TLS (`catalog.web.doorkeeper`), how long headers are,
how slowly one may send and read (`catalog.web.protocol`), how much one makes it log
(`catalog.web.quiet`).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from catalog.web.doorkeeper import DoorLimits, DoorLoop, OpenDoors
from catalog.web.protocol import HttpProtocol, Pace
from catalog.web.proxies import BehindProxies, Network
from catalog.web.quiet import quieten
from catalog.web.turns import Turns
from protos.faults import InputError, UnavailableError
from protos.language import Text

_STOP_S: Final = 5.0
_BACKLOG: Final = 2048
_HEADERS_BYTES: Final = 32 * 1024


@dataclass(frozen=True)
class Tls:
    """A server's certificate.

    Attributes:
        key: PEM file.
        certificate: PEM file, with its chain.
    """

    key: Path
    certificate: Path


class HttpServer:
    """Serves an application until it is stopped.

    Args:
        app: What answers.
        address: ``host:port`` to listen on; port 0 takes a free one.
        tls: The certificate; None for plain HTTP, behind a proxy or on one's own machine.
        limits: Bounds on strangers.
        keep_alive_s: How long a connection may wait for its next request.
        shared: Whether other processes of this user listen on the same address (`siblings`).
        pace: How slow a client may be.
        proxies: Where proxies are that are believed about who stands behind them.

    Attributes:
        port: Where it listens, once started.
    """

    def __init__(
        self,
        app: ASGIApp,
        address: str,
        *,
        tls: Tls | None = None,
        limits: DoorLimits | None = None,
        keep_alive_s: int = 5,
        shared: bool = False,
        pace: Pace | None = None,
        proxies: Sequence[Network] = (),
    ) -> None:
        self._app = BehindProxies(Turns(app), proxies)
        self._host, _, port = address.rpartition(":")
        self._tls = tls
        self._limits = limits or DoorLimits()
        self._keep_alive_s = keep_alive_s
        self._shared = shared
        self._pace = pace or Pace()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.port = int(port)

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    def start(self) -> None:
        """Listens, and returns once it does.

        Raises:
            UnavailableError: The address is in use or not this machine's.
        """
        listener = _listen(self._host, self.port, shared=self._shared)
        self.port = listener.getsockname()[1]
        quieten()
        doors = OpenDoors(self._limits)
        config = uvicorn.Config(
            self._app,
            http=partial(HttpProtocol, pace=self._pace),  # type: ignore[arg-type]  # it makes one
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=_HEADERS_BYTES,
            timeout_keep_alive=self._keep_alive_s,
            timeout_graceful_shutdown=1,
            **self._certificate(),
        )
        config.load()
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
        self._server = _Server(config, doors)
        self._thread = threading.Thread(
            target=self._serve, args=(self._server, listener), name="http", daemon=True
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

    def _certificate(self) -> dict[str, Any]:
        if self._tls is None:
            return {}
        return {"ssl_keyfile": self._tls.key, "ssl_certfile": self._tls.certificate}

    def _serve(self, server: _Server, listener: socket.socket) -> None:
        with asyncio.Runner(loop_factory=lambda: DoorLoop(server.doors)) as runner:
            try:
                runner.run(server.serve(sockets=[listener]))
            finally:
                server.listening.set()  # whoever waits in `start` must not wait for ever
                listener.close()


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


def tls_files(certificate: Path | None, key: Path | None) -> Tls | None:
    """Returns the certificate that the options name; None for plain HTTP.

    Raises:
        InputError: Only one of the two is given, or a file is not there.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise InputError(
            Text("a certificate and its key belong together", "证书与私钥须同时提供"),
            remedy=Text(
                "give both --tls-certificate and --tls-key",
                "请同时指定 --tls-certificate 与 --tls-key",
            ),
            code="http.tls",
        )
    for file in (certificate, key):
        if not file.is_file():
            raise InputError(
                Text(f"there is no file {file}", f"文件 {file} 不存在"),
                remedy=Text("name a PEM file", "请指定 PEM 文件"),
                code="http.tls",
            )
    return Tls(key, certificate)


def _listen(host: str, port: int, *, shared: bool) -> socket.socket:
    if not 0 <= port < 1 << 16:
        raise InputError(
            Text(f"{port} is no port", f"{port} 不是端口号"),
            remedy=Text("choose one from 1024 to 65535", "请使用 1024 至 65535"),
            code="http.port",
        )
    try:
        host = host.strip("[]")  # of an IPv6 address
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server(
            (host, port), family=family, backlog=_BACKLOG, reuse_port=shared
        )
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
    # An answer's body follows its header at once, instead of waiting 40 ms for the caller to
    # confirm the header: asyncio sees to that only for sockets that name their protocol.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
