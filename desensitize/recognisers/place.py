"""Address and coordinates.

- Address: GB/T 23705-2009 (数字城市地理信息 地名地址编码规则): division, street or village, number,
  building, unit, room. Free text needs a street and a number; a cell may end at the street.
- Coordinates: ISO 6709 annex H, decimal degrees; a pair in either order. With four decimals they
  place a person to about ten metres. A lone figure needs a header (longitude, latitude).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from desensitize.recognisers.base import Mask, Recogniser
from protos.language import Text

_H: Final = "[一-鿿]"
_AREA: Final = "(?:省|自治区|市|自治州|地区|盟|区|县|旗)"
_STREET: Final = "(?:路|街|大道|道|巷|弄|胡同|里|村|屯|镇|乡|街道|小区|花园|苑|庄|寨|广场|公寓)"
_NUMBER: Final = "(?:号院|号楼|号|弄|栋|幢|座|单元|组|楼|室|房)"
_MARKED: Final = f"[0-9０-９A-Za-z一二三四五六七八九十百甲乙丙丁-]{{1,8}}{_NUMBER}"
_STREETS: Final = f"{_H}{{1,14}}{_STREET}(?:[东南西北中]?[0-9一二三四五六七八九十]{{0,3}}段)?"
_DIVISION: Final = f"{_H}{{1,11}}?{_AREA}"
_DEGREES: Final = "-?[0-9]{1,3}\\.[0-9]{4,}"


def check_coordinates(values: pa.StringArray) -> Mask:
    """Which values are within ±180, and as a pair have one part within ±90."""
    plain = pc.replace_substring_regex(values, "[^0-9.,，;； -]|°", "")
    return np.fromiter((_on_earth(text) for text in plain.to_pylist()), np.bool_)


def _on_earth(text: str) -> bool:
    parts = [abs(float(p)) for p in text.replace("，", ",").replace(";", ",").replace("；", ",")
             .replace(" ", ",").split(",") if p]  # fmt: skip
    return max(parts) <= 180 and (len(parts) == 1 or min(parts) <= 90)


ADDRESS: Final = Recogniser(
    name="cn_address",
    title=Text("address", "地址"),
    role="quasi",
    grade=3,
    pattern=(
        f"(?:{_DIVISION}){{1,4}}(?:{_STREETS}|{_MARKED})[一-鿿A-Za-z0-9０-９()（）#·, -]{{0,40}}"
        f"|{_STREETS}{_MARKED}[一-鿿A-Za-z0-9０-９()（）#·, -]{{0,40}}"
    ),
    # One bounded run of characters instead of divisions in a row: linear on any text.
    text=f"{_H}{{1,30}}?{_STREET}{_H}{{0,2}}?{_MARKED}(?:{_H}{{0,8}}?{_MARKED}){{0,4}}",
    gate=f"{_STREET}[^。;；\n]{{0,12}}[0-9０-９A-Za-z一二三四五六七八九十百甲乙丙丁]{_NUMBER}",
    open=True,
    edges=("none", "none"),
    headers=(
        "地址", "住址", "家庭住址", "居住地址", "户籍地址", "通讯地址", "联系地址", "现住址",
        "收货地址",
        "家庭地址", "住所", "dz", "zz", "jtzz", "address", "addr", "homeaddress", "street",
    ),
    alone=0.7,
    context=("地址", "住址", "居住", "住在"),
)  # fmt: skip

COORDINATES: Final = Recogniser(
    name="coordinates",
    title=Text("coordinates", "经纬度"),
    role="quasi",
    grade=4,
    pattern=f"[(（\\[]?{_DEGREES}°?[NSEW]?(?: ?[,，;；] ?| ){_DEGREES}°?[NSEW]?[)）\\]]?",
    text=f"{_DEGREES}°?[NSEW]?(?: ?[,，;；] ?| ){_DEGREES}",
    edges=("alnum", "digit"),
    headers=(
        "经纬度", "坐标", "位置", "定位", "gps", "jwd", "latlng", "lnglat", "coordinates", "coords",
        "location", "position",
    ),
    alone=0.9,
    context=("经纬度", "坐标", "定位", "gps"),
    check=check_coordinates,
)  # fmt: skip

COORDINATE: Final = Recogniser(
    name="coordinate",
    title=Text("longitude or latitude", "经度或纬度"),
    role="quasi",
    grade=4,
    pattern="-?[0-9]{1,3}\\.[0-9]{3,}",
    text="",
    headers=("经度", "纬度", "jd", "wd", "lng", "lon", "lat", "longitude", "latitude"),
    alone=2.0,
    check=check_coordinates,
)
