"""Where somebody comes from, as far as it can be counted by."""

from __future__ import annotations

import ipaddress


def source_name(host: str) -> str:
    """Returns an IPv4 address, or the /64 of an IPv6 address; what is neither, as it is.

    A provider gives each customer a /64 at least: single addresses are free to whoever guesses.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)


def is_here(host: str) -> bool:
    """Whether an address is this machine's own: also of a proxy on it, which stands for many."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
