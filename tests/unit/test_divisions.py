"""The list of division codes, and how it is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from desensitize.divisions import divisions, known_prefectures
from desensitize.divisions.build import build


@pytest.mark.parametrize(
    ("code", "name", "gone"),
    [
        ("110000", "北京市", False),
        ("440106", "天河区", False),
        ("441900", "东莞市", False),
        ("440102", "东山区", True),  # merged in 2005
        ("510202", "渝中区", True),  # Chongqing before 1997
        ("810000", "香港特别行政区", False),
        ("830000", "台湾居民居住证", False),
    ],
)
def test_codes(code: str, name: str, gone: bool) -> None:
    division = divisions()[code]
    assert division.name.startswith(name[:2])
    assert (division.last < 2024) == gone


def test_the_list_is_whole() -> None:
    codes = divisions()
    assert len(codes) > 6_700
    assert sum(code.endswith("0000") for code in codes) == 35
    assert all(len(code) == 6 and code.isdigit() for code in codes)
    assert all(code[:2] + "0000" in codes for code in codes), "every code has its province"
    assert all(1980 <= d.first <= d.last <= 2024 for d in codes.values())


def test_prefectures() -> None:
    table = known_prefectures()
    assert table[[1101, 4401, 4419, 6540, 8100, 8300]].all()
    assert not table[[0, 1199, 2000, 4499, 9144]].any()


def test_the_list_is_built_from_the_years(tmp_path: Path) -> None:
    source = tmp_path / "years.csv"
    head = "year,province_name,city_name,county_name,province_adcode,city_adcode,county_adcode\n"
    source.write_text(
        head + "1981,广东省,广州市,甲县,440000,440100,440199\n"
        "1980,广东省,广州市,旧名县,440000,440100,440199\n"
        "1982,广东省,广州市,,440000,440100,\n",
        "utf-8-sig",
    )
    lines = build(source).splitlines()
    assert lines[0].startswith("#")
    assert "440199\t甲县\t1980\t1981" in lines
    assert "440100\t广州市\t1980\t1982" in lines
    assert any(line.startswith("830000\t") for line in lines), "added by hand"
