"""Who stands behind a proxy: believed of proxies that the operator names, and of nobody else.

A header about where a request comes from is written by whoever sends it. A proxy adds the address
that it sees at the right end, so the list is read from there, as long as each hop is a
proxy of the operator's; the first other address is the caller. What stands to the left of it is the
caller's own invention.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from protos.faults import InputError
from protos.language import Text

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_MOST: Final = 32  # hops; a longer chain is nobody's
_V4_PORT: Final = re.compile(r"([0-9.]{7,15}):[0-9]{1,5}")
_BRACKETS: Final = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?")
_FOR: Final = re.compile(r'(?:^|;)\s*for\s*=\s*("?)([^";,\s]{1,60})\1\s*(?:;|$)', re.IGNORECASE)


def read_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Reads the addresses of trusted proxies.

    Args:
        texts: Single addresses, or networks in CIDR form.

    Raises:
        InputError: One is neither, or is everybody.
    """
    return tuple(map(_network, texts))


def _network(text: str) -> Network:
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        found = None
    if found is None or found.prefixlen == 0:
        raise InputError(
            Text(f"{text!r} is no network of proxies", f"“{text}”不是代理所在的网段"),
            remedy=Text(
                "give the proxy's own address, or its network: 10.0.0.5 or 10.0.0.0/28",
                "请填写代理自身的地址或网段，如 10.0.0.5 或 10.0.0.0/28",
            ),
            code="http.proxy",
        )
    return found


class BehindProxies:
    """Gives requests that come through trusted proxies their caller's address.

    Args:
        app: What answers.
        networks: Where trusted proxies are.
    """

    def __init__(self, app: ASGIApp, networks: Sequence[Network]) -> None:
        self._app = app
        self._networks = tuple(networks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "http" and scope.get("client"):
            peer = _address(scope["client"][0])
            if peer is not None and self._trusts(peer):
                scope = {**scope, "client": (str(self._caller(peer, Headers(scope=scope))), 0)}
        await self._app(scope, receive, send)

    def _caller(self, peer: Address, headers: Headers) -> Address:
        """Returns who stands behind the proxies; the last one that is known if it is not said.

        A proxy writes one of the two headers and passes the other on as it came. Where both are
        there and do not agree, one is forged, and nobody knows which.
        """
        old = self._walk(peer, _split(headers.getlist("x-forwarded-for")))
        new = self._walk(peer, [_for(each) for each in _split(headers.getlist("forwarded"))])
        if old is None or new is None:
            return old or new or peer
        return old if old == new else peer

    def _walk(self, peer: Address, hops: Sequence[str]) -> Address | None:
        """Reads a list from the right; None if there is none."""
        if not hops:
            return None
        known = peer
        for hop in reversed(hops[-_MOST:]):
            address = _address(hop)
            if address is None:
                return known  # "unknown", or a name that a proxy made up
            known = address
            if not self._trusts(address):
                return known
        return known

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _split(lines: Sequence[str]) -> list[str]:
    return [each.strip() for line in lines for each in line.split(",")]


def _for(element: str) -> str:
    """The address of one element of ``Forwarded`` (RFC 7239); empty if it names none."""
    found = _FOR.search(element)
    return found.group(2) if found else ""


def _address(text: str) -> Address | None:
    found = _BRACKETS.fullmatch(text) or _V4_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address(found.group(1) if found else text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
