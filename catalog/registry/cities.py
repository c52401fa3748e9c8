"""English names of Guangdong's cities; the list of divisions (GB/T 2260) has Chinese ones only."""

from __future__ import annotations

from typing import Final

from desensitize.divisions import divisions
from protos.language import Text

GUANGDONG: Final = "440000"
ENGLISH: Final[dict[str, str]] = {
    "440100": "Guangzhou", "440200": "Shaoguan", "440300": "Shenzhen", "440400": "Zhuhai",
    "440500": "Shantou", "440600": "Foshan", "440700": "Jiangmen", "440800": "Zhanjiang",
    "440900": "Maoming", "441200": "Zhaoqing", "441300": "Huizhou", "441400": "Meizhou",
    "441500": "Shanwei", "441600": "Heyuan", "441700": "Yangjiang", "441800": "Qingyuan",
    "441900": "Dongguan", "442000": "Zhongshan", "445100": "Chaozhou", "445200": "Jieyang",
    "445300": "Yunfu", GUANGDONG: "Guangdong",
}  # fmt: skip


def place_title(code: str) -> Text:
    """Returns what a division is called, its city's name in front of a district's.

    A district has no English name; its city's has, and its own stays Chinese.
    """
    known = divisions()
    if code not in known:
        return Text(code, code)
    city, name = f"{code[:4]}00", known[code].name
    if code == city or city not in known:
        return Text(ENGLISH.get(code, name), name)
    return Text(f"{ENGLISH.get(city, known[city].name)} {name}", f"{known[city].name}{name}")
