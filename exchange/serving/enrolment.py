"""The exchange's HTTPS door for those who are not members yet.

Two requests, ``POST /enrol`` and ``POST /renew``, each a small JSON object of strings. Anybody
can connect, so everything is bounded: how long a connection may live and how many there are
(`catalog.web.doorkeeper`), how large a request is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from catalog.identity.registry import Enrolment, ExchangeIdentity
from catalog.web.doorkeeper import DoorLimits
from catalog.web.server import HttpServer, Tls
from protos.faults import InputError, TrustError, VeilError
from protos.language import Text
from protos.names import check_name, check_role

MAX_BODY_BYTES: Final = 32 * 1024
_STATUS: Final = {"trust": 403, "input": 400, "unavailable": 503}


class EnrolmentServer:
    """Serves enrolment in a thread of its own.

    Args:
        identity: The exchange's identity, open.
        exchange_address: Returns the gRPC ``host:port`` that new members are told.
        address: ``host:port`` to listen on; port 0 takes a free one.
        limits: Bounds on strangers.
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
        routes = [
            Route("/enrol", self._enrol, methods=["POST"]),
            Route("/renew", self._renew, methods=["POST"]),
        ]
        self._http = HttpServer(
            Starlette(routes=routes), address,
            tls=Tls(*identity.server_files), limits=limits, keep_alive_s=1,
        )  # fmt: skip

    @property
    def port(self) -> int:
        """Where it listens, once started."""
        return self._http.port

    @property
    def url(self) -> str:
        """Where to enrol; stands in invitations."""
        return self._http.url

    def start(self) -> None:
        """Listens; see `HttpServer.start`."""
        self._http.start()

    def stop(self) -> None:
        """Ends the service; see `HttpServer.stop`."""
        self._http.stop()

    def restart(self) -> None:
        """Takes the certificate that is on disk now; see `HttpServer.restart`."""
        self._http.restart()

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
