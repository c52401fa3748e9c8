"""Addresses of machines: IP, MAC, IMEI.

- IP: dotted IPv4, and IPv6 in the text forms of RFC 4291 section 2.2.
- MAC: IEEE 802 EUI-48, six octets with colons or hyphens, or three groups with points.
- IMEI: 3GPP TS 23.003 section 6.2.1: eight digits of type allocation code, six of serial, a Luhn
  digit. The first two digits are the reporting body's, of which few were ever assigned.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv6Address
from typing import Final

import numpy as np
import pyarrow as pa

from desensitize.recognisers.base import Mask, Recogniser
from desensitize.recognisers.digits import luhn, matrix, number
from protos.language import Text

_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = f"{_OCTET}(?:\\.{_OCTET}){{3}}"
_IPV6: Final = "[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}"
_REPORTING_BODIES: Final = (1, 10, 30, 33, 35, 44, 45, 49, 50, 51, 52, 53, 54, 86, 91, 98, 99)


def check_ip(values: pa.StringArray) -> Mask:
    """Which values are addresses; of the IPv6 forms the pattern only knows the alphabet."""
    return np.fromiter((":" not in v or _is_ipv6(v) for v in values.to_pylist()), np.bool_)


def _is_ipv6(text: str) -> bool:
    try:
        return IPv6Address(text).packed != bytes(16)  # "::" alone is no machine
    except AddressValueError:
        return False


def check_imei(values: pa.StringArray) -> Mask:
    """Which numbers pass Luhn and begin with a reporting body."""
    cells, lengths = matrix(values, 15)
    return np.asarray(luhn(cells, lengths) & np.isin(number(cells, 0, 2), _REPORTING_BODIES))


IP: Final = Recogniser(
    name="ip_address",
    title=Text("IP address", "IP 地址"),
    role="quasi",
    grade=3,
    pattern=f"(?:{_IPV4}|{_IPV6})",
    gate="[0-9]\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]|[0-9A-Fa-f]:[0-9A-Fa-f]{0,4}:|::[0-9A-Fa-f]",
    headers=(
        "ip",
        "ip地址",
        "ipaddress",
        "ipaddr",
        "clientip",
        "loginip",
        "登录ip",
        "ipv4",
        "ipv6",
    ),
    context=("ip", "地址"),
    check=check_ip,
)

MAC: Final = Recogniser(
    name="mac_address",
    title=Text("MAC address", "MAC 地址"),
    role="quasi",
    grade=3,
    pattern=(
        "(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}|"
        "[0-9A-Fa-f]{4}\\.[0-9A-Fa-f]{4}\\.[0-9A-Fa-f]{4})"
    ),
    headers=("mac", "mac地址", "物理地址", "macaddress", "macaddr"),
    context=("mac", "物理地址"),
)

IMEI: Final = Recogniser(
    name="imei",
    title=Text("IMEI", "IMEI"),
    role="direct",
    grade=3,
    pattern="[0-9]{15}",
    cue="(?:(?i:imei)|设备号|串号)(?:号码|码|号)?[为是:： ]{0,3}",
    headers=("imei", "imei号", "imei码", "设备号", "手机串号", "串号", "deviceid"),
    alone=0.95,
    context=("imei", "串号", "设备号"),
    check=check_imei,
)
