"""Every recogniser: what it finds, what it leaves alone, and what is hard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import duckdb
import pyarrow as pa
import pytest

from desensitize import recognisers as package
from desensitize.engines.stored_values import literal
from desensitize.recognisers import RECOGNISERS, by_name, recognisers
from desensitize.recognisers.base import Recogniser
from desensitize.scanning.finder import find, whole
from desensitize.scanning.table_scan import union_gate
from protos.faults import InputError
from tests.chinese_tables import id_check, luhn_digit, widened

# 11010519491231002X is the example of GB 11643-1999; 91350100M000100Y43 that of GB 32100-2015;
# 490154203237518 is 3GPP's usual IMEI; the cards are the schemes' published test numbers.
ID, CREDIT, IMEI, CARD = (
    "11010519491231002X",
    "91350100M000100Y43",
    "490154203237518",
    "6222020200112230" + luhn_digit("6222020200112230"),
)

FOUND = [
    # (type, text, value)
    ("cn_resident_id", f"身份证{ID}已核", ID),
    ("cn_resident_id", f"身份证号：{widened(ID)}", ID),
    ("cn_resident_id", f"https://a.gov.cn/q?id={ID}&t=1", ID),
    ("cn_resident_id", f'{{"sfz":"{ID.lower()}"}}', ID.lower()),
    ("cn_resident_id", f"id_{ID}_front.jpg", ID),
    ("cn_resident_id", f"SFZ{ID}", ID),
    ("cn_resident_id", "110105 19491231 002X", "110105 19491231 002X"),
    ("cn_resident_id", "旧证110105491231002", "110105491231002"),
    ("cn_resident_id", f"{ID},{ID}", ID),
    ("cn_credit_code", f"信用代码{CREDIT}", CREDIT),
    ("cn_taxpayer_number", "税号:440103" + "12345678" + "8", "440103123456788"),
    ("cn_mobile", "请打13800138000联系", "13800138000"),
    ("cn_mobile", "电话+86 138 0013 8000", "+86 138 0013 8000"),
    ("cn_mobile", "8613800138000", "8613800138000"),
    ("cn_mobile", "１３８００１３８０００", "13800138000"),
    ("cn_landline", "致电020-87654321转803", "020-87654321转803"),
    ("cn_landline", "(0755)26543210", "(0755)26543210"),
    ("bank_card", f"卡号{CARD}", CARD),
    ("bank_card", "6222 0202 0011 2230 " + "001", ""),
    ("bank_card", "visa 4111-1111-1111-1111", "4111-1111-1111-1111"),
    ("bank_card", "378282246310005", "378282246310005"),
    ("cn_person", "患者张三丰复诊", "张三丰"),
    ("cn_person", "患者张国栋复诊", "张国栋"),
    ("cn_person", "户主颜志道", "颜志道"),
    ("cn_person", "联系人:欧阳娜娜", "欧阳娜娜"),
    ("cn_person", "申请人阿依古丽·买买提", "阿依古丽·买买提"),
    ("cn_address", "住在广州市天河区体育西路103号5栋302室", "广州市天河区体育西路103号5栋302室"),
    ("cn_plate", "肇事车辆粤B·D12345逃逸", "粤B·D12345"),
    ("cn_plate", "京A12345", "京A12345"),
    ("cn_plate", "粤Z1234港", "粤Z1234港"),
    ("cn_passport", "护照号:E12345678", "E12345678"),
    ("cn_passport", "passport no. EH1234567", "EH1234567"),
    ("cn_hk_macao_permit", "港澳通行证号码C12345678", "C12345678"),
    ("cn_hk_macao_permit", "回乡证H1234567801", "H1234567801"),
    ("cn_taiwan_permit", "台胞证12345678", "12345678"),
    ("cn_driving_licence", "驾驶证档案编号:440100123456", "440100123456"),
    ("cn_driving_licence", f"驾照号{ID}", ID),
    ("cn_social_security", "社保卡号A12345678", "A12345678"),
    ("medical_record", "住院号ZY20240001", "ZY20240001"),
    ("wechat", "加微信:wxid_abc123", "wxid_abc123"),
    ("qq", "QQ 12345678", "12345678"),
    ("email", "发到li.si@gz.gov.cn即可", "li.si@gz.gov.cn"),
    ("email", "ｌｉ＠ｑｑ．ｃｏｍ", "li@qq.com"),
    ("ip_address", "来自10.0.0.1的访问", "10.0.0.1"),
    ("ip_address", "fe80::1ff:fe23:4567:890a", "fe80::1ff:fe23:4567:890a"),
    ("mac_address", "网卡00:1A:2B:3C:4D:5E", "00:1A:2B:3C:4D:5E"),
    ("imei", f"IMEI:{IMEI}", IMEI),
    ("coordinates", "位于113.264385,23.129112附近", "113.264385,23.129112"),
    ("cn_company", "供职于腾讯科技（深圳）有限公司", "腾讯科技(深圳)有限公司"),
    ("birth_date", "出生于1990年3月7日", "1990年3月7日"),
]  # fmt: skip
FOUND = [row for row in FOUND if row[2]]

LEFT_ALONE = [
    ("cn_resident_id", "110105194912310021"),  # wrong check character
    ("cn_resident_id", "99010519491231002X"),  # no such division
    ("cn_resident_id", "110105194902310020"),  # 31 February
    ("cn_resident_id", f"9{ID}"),  # nineteen digits
    ("cn_resident_id", "订单20240101120000123456"),
    ("cn_credit_code", "91350100M000100Y44"),
    ("cn_taxpayer_number", "440103123456788"),  # without a cue
    ("cn_mobile", "12800138000"),  # no such range
    ("cn_mobile", "0.13800138000"),  # a fraction
    ("cn_mobile", "a13800138000f"),  # within a hexadecimal number
    ("cn_mobile", "138001380001"),
    ("cn_landline", "2024-12345678"),
    ("bank_card", "4111-1111-1111-1112"),
    ("bank_card", "1234567812345670"),  # passes Luhn, no such prefix
    ("bank_card", "62220202001122" + luhn_digit("62220202001122")),  # too short for its prefix
    ("bank_card", "2024-1234-5678-9012"),
    ("cn_person", "患者姓名:"),
    ("cn_person", "患者安全"),
    ("cn_person", "患者颜面水肿"),
    ("cn_person", "学生毕业证遗失"),
    ("cn_person", "客户保证金"),
    ("cn_address", "完成率达到85%,排名第3"),
    ("cn_plate", "京ABCDEFG"),
    ("cn_passport", "订单E12345678"),
    ("cn_hk_macao_permit", "批次C12345678"),
    ("cn_taiwan_permit", "编号12345678"),
    ("cn_driving_licence", "档案440100123456"),
    ("cn_social_security", "型号A12345678"),
    ("medical_record", "编号ZY20240001"),
    ("wechat", "wxid是一种编号"),
    ("qq", "数量12345678"),
    ("email", "a@b"),
    ("email", "@某人 你好"),
    ("ip_address", "版本1.2.3"),
    ("ip_address", "256.1.1.1"),
    ("ip_address", "时间12:30:45"),
    ("mac_address", "00:1A:2B:3C:4D"),
    ("imei", IMEI),  # without a cue
    ("imei", "IMEI:490154203237519"),
    ("coordinates", "费用113.2,23.1"),
    ("cn_company", "本公司"),
    ("birth_date", "1990-03-07"),  # any date
    ("birth_date", "出生日期:1990-13-45"),
]


@pytest.mark.parametrize(("name", "text", "value"), FOUND)
def test_found(name: str, text: str, value: str) -> None:
    hits = [hit for hit in find([text]) if hit.recogniser.name == name]
    assert hits, f"{[(h.recogniser.name, h.value) for h in find([text])]}"
    assert value in hits[0].value
    assert widened(hits[0].value) == widened(text[hits[0].start : hits[0].end])


@pytest.mark.parametrize(("name", "text"), LEFT_ALONE)
def test_left_alone(name: str, text: str) -> None:
    assert name not in {hit.recogniser.name for hit in find([text])}


def test_every_type_has_both() -> None:
    for recogniser in RECOGNISERS:
        if recogniser.in_text:
            assert recogniser.name in {name for name, *_ in FOUND}
            assert recogniser.name in {name for name, *_ in LEFT_ALONE}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("13800138000@qq.com", ["email"]),  # not a mobile number
        ("护照号E12345678,手机13800138000", ["cn_passport", "cn_mobile"]),
        ("10.0.0.1 00:1A:2B:3C:4D:5E", ["ip_address", "mac_address"]),
        ("QQ:13800138000", ["qq"]),  # what the cue says
        ("13800138000,13900139000;13700137000", ["cn_mobile"] * 3),
    ],
)
def test_who_wins(text: str, names: list[str]) -> None:
    assert [hit.recogniser.name for hit in find([text])] == names


def test_an_id_that_passes_luhn_is_an_id() -> None:
    """One of ten does; under 62 (Gansu) its beginning is UnionPay's as well."""
    for number in range(1000):
        body = f"62010219900307{number:03d}"
        text = body + id_check(body)
        if text[-1] == luhn_digit(body):
            break
    assert by_name()["bank_card"].valid(pa.array([text]))[0]
    assert [hit.recogniser.name for hit in find([text])] == ["cn_resident_id"]


def test_all_types_of_the_design_are_there() -> None:
    assert len({recogniser.name for recogniser in RECOGNISERS}) == len(RECOGNISERS) == 25


@pytest.mark.parametrize("recogniser", RECOGNISERS, ids=lambda r: r.name)
def test_patterns_run_in_both_engines(recogniser: Recogniser) -> None:
    for pattern in (recogniser.pattern, recogniser.in_text, recogniser.cue, recogniser.gate):
        assert not re.search(r"\(\?[=!<]|\\[1-9bB]", pattern), "lookaround or back reference"
    duckdb.execute(
        f"SELECT regexp_matches('', {literal(recogniser.text_gate)}), "
        f"regexp_full_match('', {literal(recogniser.pattern)})"
    )
    assert recogniser.headers
    assert recogniser.title.zh


def test_what_is_found_passes_the_gates() -> None:
    gate = literal(union_gate())
    for _, text, _ in FOUND:
        assert duckdb.execute(f"SELECT regexp_matches(?, {gate})", [text]).fetchall() == [(True,)]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("cn_landline", "87654321"),
        ("qq", "12345678"),
        ("imei", IMEI),
        ("coordinate", "113.264385"),
        ("birth_date", "1990-03-07 00:00:00"),
        ("birth_date", "19900307"),
        ("cn_address", "广东省深圳市南山区"[:9] + "科技园南路12号"),
        ("cn_person", "张三"),
        ("cn_taiwan_permit", "12345678"),
    ],
)
def test_what_only_a_header_tells_is_known_as_a_whole_cell(name: str, cell: str) -> None:
    cells = pa.array([cell])
    assert whole(cells, by_name()[name])[0]
    assert by_name()[name].valid(cells)[0]


class _Points:
    def __init__(self, **found: object) -> None:
        self.found = found

    def __call__(self, *, group: str) -> list[EntryPoint]:
        assert group == "veil.recognisers"
        return [_Point(name, value) for name, value in self.found.items()]


def _Point(name: str, value: object) -> EntryPoint:  # noqa: N802 - stands for the class
    class Point(EntryPoint):
        def load(self) -> object:
            return value

    return Point(name, "somewhere:THING", "veil.recognisers")


@pytest.fixture
def fresh() -> Iterator[None]:
    recognisers.cache_clear()
    by_name.cache_clear()
    yield
    recognisers.cache_clear()
    by_name.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_an_outside_recogniser_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = RECOGNISERS[0]
    badge = Recogniser("badge", ours.title, "direct", 3, "GZ-[0-9]{6}", ("工号",))
    monkeypatch.setattr(package, "entry_points", _Points(badge=badge))
    assert [hit.value for hit in find(["工号GZ-123456。"])] == ["GZ-123456"]


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("extra", ["no recogniser", RECOGNISERS[0]])
def test_a_wrong_outside_recogniser_is_refused(
    monkeypatch: pytest.MonkeyPatch, extra: object
) -> None:
    monkeypatch.setattr(package, "entry_points", _Points(extra=extra))
    with pytest.raises(InputError, match="recogniser"):
        recognisers()
