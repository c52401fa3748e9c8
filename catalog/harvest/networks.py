"""Which addresses this machine may be made to call: those of the public internet, and no others.

An address of a catalog comes from somebody else, and each answer may name the next. Whoever
writes ``http://169.254.169.254/`` or a name that leads there wants what only this machine can
reach. So it is not the text of an address that is judged but the network address that a connection
is about to be made to, after the one and only resolution of its name.

A closed government network names its own ranges (``--allow-private``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from protos.faults import InputError, PolicyError
from protos.language import Text

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_GLOBAL: Final = ipaddress.IPv6Network("2000::/3")  # all that is given out of IPv6 (RFC 4291)
# In it, ranges that carry an IPv4 address: 6to4 (RFC 3056) and Teredo (RFC 4380).
_CARRIERS: Final = (ipaddress.IPv6Network("2002::/16"), ipaddress.IPv6Network("2001::/32"))
# RFC 1918, RFC 6598 (carriers and governments among themselves), this machine, RFC 4193.
_CLOSED: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
                  "fc00::/7", "::1/128")  # fmt: skip


def may_call(address: str, allowed: Sequence[Network]) -> bool:
    """Says whether a connection to an address may be made.

    Args:
        address: Numeric, as the resolver gives it; an IPv6 zone may stand behind it.
        allowed: Ranges of closed networks that the operator has named.
    """
    found = plain(address)
    if found.is_link_local or found.is_multicast or found.is_unspecified:
        return False  # cloud metadata, neighbours, "this host": never, whatever is named
    if any(found in network for network in allowed):
        return True
    if isinstance(found, ipaddress.IPv6Address) and (
        found not in _GLOBAL or any(found in each for each in _CARRIERS)
    ):
        return False
    return found.is_global


def plain(address: str) -> Address:
    """Returns an address without its zone; of one that is mapped into IPv6, the IPv4 address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def read_network(text: str) -> Network:
    """Returns a range that an operator wrote.

    Raises:
        InputError: It is none, or is not of a closed network.
    """
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise InputError(
            Text(f"{text[:60]!r} is no range of addresses", f"“{text[:60]}”不是有效的地址段"),
            remedy=Text("write it like 10.20.0.0/16", "请按 10.20.0.0/16 的格式填写"),
            code="harvest.network",
        ) from error
    if not any(_within(network, ipaddress.ip_network(closed)) for closed in _CLOSED):
        raise InputError(
            Text(f"{network} is not a private range", f"{network} 不是专用网络地址段"),
            remedy=Text(
                "public addresses need no permission; name a range of your closed network",
                "公网地址无须授权；请填写内部网络的地址段",
            ),
            code="harvest.network",
        )
    return network


def _within(network: Network, whole: Network) -> bool:
    if isinstance(network, ipaddress.IPv4Network):
        return isinstance(whole, ipaddress.IPv4Network) and network.subnet_of(whole)
    return isinstance(whole, ipaddress.IPv6Network) and network.subnet_of(whole)


def refusal(host: str, address: str) -> PolicyError:
    """Returns the error for an address that may not be called."""
    where = Text(address, address)
    if host != address:
        where = Text(f"{host[:100]} leads to {address}, which", f"{host[:100]} 指向 {address}，")
    return PolicyError(
        Text(f"{where.en} is not on the public internet", f"{where.zh} 不属于公网地址"),
        remedy=Text(
            "if it is a catalog of your closed network: veil catalog harvest remove NAME --keep, "
            "then veil catalog harvest add … --allow-private RANGE",
            "若为内部网络的目录，请先 veil catalog harvest remove 名称 --keep，"
            "再 veil catalog harvest add … --allow-private 地址段",
        ),
        code="harvest.address",
    )
