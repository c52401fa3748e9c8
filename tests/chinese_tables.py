"""Chinese tables that are made, not collected: every type, with truth beside it.

Deterministic in its seed. Values follow the same standards as the recognisers, but are computed
here the slow way, one by one, so that a mistake would have to be made twice. None is anybody's:
names, numbers and addresses are drawn independently of one another.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_COUNTIES: Final = (
    "110101",
    "310115",
    "440103",
    "440106",
    "440305",
    "441900",
    "510107",
    "620102",
    "650102",
    "430902",
)
_SURNAMES: Final = (
    "王李张刘陈杨黄吴赵周徐孙马朱胡林郭何高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏"
    "程吕丁沈任姚卢傅钟姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟秦白江阎薛尹段雷黎史龙陶贺顾毛郝龚"
    "邵万钱严赖覃洪武莫孔汤向常温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左"
    "柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶"
    "解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬"
    "边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝官封谈匡鞠惠荆乐冀郁胥南班储原"
    "栗燕楚鄢劳谌奚皮粟冼蔺楼盘满闻位厉伊仝区郜海阚花权强帅屠豆朴盖练廉禹井祖漆巴丰支卿国狄平计"
    "索宣晋相初门云容敬来扈晁芮都普阙浦戈伏鹿薄邸雍辜羊阿乌母裘亓修邰赫杭况那宿鲜印逯隆茹诸战慕"
    "危玉银亢嵇公哈湛宾戎勾茅利呼居揭干但尉冶斯元束檀衣信展阴昝智幸奉植衡富尧闭由"
)
"""Some 350 in the order of how many people bear them (Faker's list): not the recogniser's list,
which does not have all of them."""
_BEARERS: Final = tuple(1 / rank for rank in range(1, len(_SURNAMES) + 1))
"""How many bear each, about: Zipf's law."""
_GIVEN: Final = (
    "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀霞平刚桂英华玉兰建国志文欣怡梓涵子轩浩宇一诺思远雨桐嘉俊"
    "海峰波鹏辉斌健康宁荣芬琴梅云林东松柏庆祥贵生春雪婷倩莹琳晨阳博睿翔龙凤栋梁金道德才福成安全科月仙"
)
_COMPOUND: Final = ("欧阳", "司马", "上官", "诸葛", "慕容")
_STREETS: Final = (
    "人民路",
    "中山大道",
    "体育西路",
    "解放北路",
    "科技园南路",
    "建设街",
    "长安街",
    "天河路",
    "学院路",
)
_AREAS: Final = (
    "广东省广州市天河区",
    "北京市朝阳区",
    "上海市浦东新区",
    "深圳市南山区",
    "四川省成都市武侯区",
    "杭州市西湖区",
)
_TRADES: Final = ("科技", "贸易", "物流", "餐饮管理", "建筑工程", "信息技术", "医药", "文化传媒")
_FILLER: Final = (
    "材料齐全,已受理",
    "请于下周补交证明",
    "群众反映楼道照明损坏,已转社区处理",
    "无异常",
    "系统自动生成的记录",
    "经核实情况属实,按程序办理",
    "预约时间改到下午三点",
    "费用合计1280.50元,分3期支付",
    "第12批次,编号A-2024-00317",
    "回访满意,本次服务评价五星",
    "订单20240317120000123456已发货",
    "版本号2.10.3,接口返回200",
)


class Maker:
    """Draws values."""

    def __init__(self, seed: int = 1) -> None:
        self.draw = random.Random(seed)  # noqa: S311 - repeatable test data, no secret

    def number(self, length: int) -> str:
        return "".join(self.draw.choices("0123456789", k=length))

    def date(self, first: int = 1950, last: int = 2020) -> tuple[int, int, int]:
        return self.draw.randint(first, last), self.draw.randint(1, 12), self.draw.randint(1, 28)

    def resident_id(self) -> str:
        year, month, day = self.date()
        body = f"{self.draw.choice(_COUNTIES)}{year}{month:02d}{day:02d}{self.number(3)}"
        return body + id_check(body)

    def old_resident_id(self) -> str:
        _, month, day = self.date()
        born = f"{self.draw.randint(30, 84)}{month:02d}{day:02d}"
        return f"{self.draw.choice(_COUNTIES)}{born}{self.number(3)}"

    def credit_code(self) -> str:
        alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
        tail = "".join(self.draw.choices(alphabet, k=9))
        body = self.draw.choice(("91", "92", "93", "11", "12", "51")) + self.draw.choice(_COUNTIES)
        body += tail
        total = sum(alphabet.index(c) * pow(3, i, 31) for i, c in enumerate(body))
        return body + alphabet[-total % 31]

    def taxpayer_number(self) -> str:
        base = "".join(self.draw.choices("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=8))
        weights = (3, 7, 9, 10, 5, 8, 4, 2)
        rest = sum(int(c, 36) * w for c, w in zip(base, weights, strict=True)) % 11
        return self.draw.choice(_COUNTIES) + base + {0: "0", 1: "X"}.get(rest, str(11 - rest))

    def mobile(self) -> str:
        return self.draw.choice(
            ("130", "135", "138", "139", "150", "159", "166", "177", "186", "188", "191", "199")
        ) + self.number(8)

    def landline(self) -> str:
        area, length = self.draw.choice(
            (("010", 7), ("020", 7), ("0755", 7), ("028", 7), ("0931", 6))
        )
        return f"{area}-{self.draw.choice('2345678')}{self.number(length)}"

    def bank_card(self) -> str:
        prefix, length = self.draw.choice(
            (
                ("621700", 19),
                ("622848", 19),
                ("622202", 19),
                ("625965", 16),
                ("955880", 19),
                ("436742", 16),
                ("521899", 16),
            )
        )
        body = prefix + self.number(length - 1 - len(prefix))
        return body + luhn_digit(body)

    def person(self) -> str:
        surname = (
            self.draw.choice(_COMPOUND)
            if self.draw.random() < 0.02
            else self.draw.choices(_SURNAMES, _BEARERS)[0]
        )
        return surname + "".join(self.draw.choices(_GIVEN, k=self.draw.choice((1, 2, 2))))

    def address(self) -> str:
        return (
            f"{self.draw.choice(_AREAS)}{self.draw.choice(_STREETS)}{self.draw.randint(1, 999)}号"
            f"{self.draw.randint(1, 30)}栋{self.draw.randint(101, 3302)}室"
        )

    def plate(self) -> str:
        head = self.draw.choice("粤京沪川浙苏鲁") + self.draw.choice("ABCDEFGHJ")
        if self.draw.random() < 0.3:
            return (
                head
                + self.draw.choice("DF")
                + self.draw.choice("ABCDEFGH0123456789")
                + self.number(4)
            )
        return head + self.draw.choice("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789") + self.number(4)

    def passport(self) -> str:
        head = self.draw.choice(("E", "G", "EA", "EH", "EK"))
        return head + self.number(9 - len(head))

    def hk_macao_permit(self) -> str:
        return self.draw.choice("CHM") + self.number(8)

    def taiwan_permit(self) -> str:
        return self.draw.choice(("L", "T", "")) + self.number(8)

    def driving_licence(self) -> str:
        return self.resident_id() if self.draw.random() < 0.5 else self.number(12)

    def social_security(self) -> str:
        return self.draw.choice("ABCDEFGHJ") + self.number(8)

    def medical_record(self) -> str:
        return self.draw.choice(("ZY", "MZ", "")) + self.number(8)

    def wechat(self) -> str:
        return self.draw.choice(("wxid_", "a_", "lily", "Jack-")) + self.number(7)

    def qq(self) -> str:
        return str(self.draw.randint(10_000, 9_999_999_999))

    def email(self) -> str:
        return (
            self.draw.choice(("li", "wang.", "zhang_"))
            + self.number(5)
            + self.draw.choice(("@qq.com", "@163.com", "@gz.gov.cn"))
        )

    def ip(self) -> str:
        if self.draw.random() < 0.2:
            return ":".join(f"{self.draw.randint(1, 65535):x}" for _ in range(8))
        return ".".join(str(self.draw.randint(1, 254)) for _ in range(4))

    def mac(self) -> str:
        return ":".join(f"{self.draw.randint(0, 255):02X}" for _ in range(6))

    def imei(self) -> str:
        body = self.draw.choice(("35", "86", "01")) + self.number(12)
        return body + luhn_digit(body)

    def coordinates(self) -> str:
        return f"{self.draw.uniform(73, 135):.6f},{self.draw.uniform(18, 53):.6f}"

    def coordinate(self) -> str:
        return f"{self.draw.uniform(73, 135):.6f}"

    def company(self) -> str:
        place = self.draw.choice(("广州", "深圳市", "北京", "上海"))
        return (
            f"{place}{''.join(self.draw.choices(_GIVEN, k=2))}{self.draw.choice(_TRADES)}有限公司"
        )

    def birth_date(self) -> str:
        year, month, day = self.date()
        return self.draw.choice(
            (
                f"{year}-{month:02d}-{day:02d}",
                f"{year}/{month}/{day}",
                f"{year}年{month}月{day}日",
                f"{year}{month:02d}{day:02d}",
                f"{year}.{month:02d}",
            )
        )

    def filler(self) -> str:
        return self.draw.choice(_FILLER)


def id_check(body: str) -> str:
    """GB 11643-1999, the way the standard writes it down."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(int(c) * w for c, w in zip(body, weights, strict=True)) % 11]


def luhn_digit(body: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(body)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def widened(text: str) -> str:
    """Full-width, as Chinese input methods write."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@dataclass(frozen=True)
class Kind:
    """One type: how to make it, what columns of it are called, how it stands in a sentence."""

    name: str
    make: Callable[[Maker], str]
    headers: tuple[str, ...]
    cue: str = ""
    checked: bool = False


KINDS: Final[tuple[Kind, ...]] = (
    Kind(
        "cn_resident_id",
        Maker.resident_id,
        (
            "身份证号",
            "身份证号码\n(必填)",
            " 证件号码 ",
            "SFZH",
            "id_card_no",
            "公民身份号码",
            "idCard",
        ),
        "",
        checked=True,
    ),
    Kind(
        "cn_credit_code",
        Maker.credit_code,
        ("统一社会信用代码", "社会信用代码", "tyshxydm", "USCC", "信用代码*"),
        "",
        checked=True,
    ),
    Kind(
        "cn_taxpayer_number",
        Maker.taxpayer_number,
        ("纳税人识别号", "税号", "nsrsbh"),
        "税号:",
        checked=True,
    ),
    Kind(
        "bank_card",
        Maker.bank_card,
        ("银行卡号", "收款账号", "yhkh", "bank_card", "卡号(工资)"),
        "",
        checked=True,
    ),
    Kind("imei", Maker.imei, ("IMEI", "手机串号", "device_id"), "IMEI:", checked=True),
    Kind(
        "cn_mobile",
        Maker.mobile,
        ("手机号", "联系电话", "移动电话", "sjh", "mobile_phone", "PhoneNumber", "联系\n方式"),
    ),
    Kind("cn_landline", Maker.landline, ("固定电话", "座机", "办公电话", "landline", "fax")),
    Kind(
        "cn_person", Maker.person, ("姓名", "患者姓名", "xm", "户主", "full_name", "联系人"), "患者"
    ),
    Kind(
        "cn_address",
        Maker.address,
        ("家庭住址", "现住址", "通讯地址", "jtzz", "home_address", "地址"),
    ),
    Kind("cn_plate", Maker.plate, ("车牌号", "号牌号码", "cphm车牌", "plate_no")),
    Kind("cn_passport", Maker.passport, ("护照号", "护照号码", "passport_no"), "护照号"),
    Kind(
        "cn_hk_macao_permit",
        Maker.hk_macao_permit,
        ("港澳通行证", "回乡证号", "往来港澳通行证号码"),
        "港澳通行证号:",
    ),
    Kind("cn_taiwan_permit", Maker.taiwan_permit, ("台胞证号", "大陆居民往来台湾通行证"), "台胞证"),
    Kind(
        "cn_driving_licence", Maker.driving_licence, ("驾驶证号", "驾照号", "档案编号"), "驾驶证号:"
    ),
    Kind(
        "cn_social_security", Maker.social_security, ("社保卡号", "医保卡号", "sbkh"), "社保卡号:"
    ),
    Kind(
        "medical_record",
        Maker.medical_record,
        ("病历号", "住院号", "门诊号", "patient_id", "MRN"),
        "住院号:",
    ),
    Kind("wechat", Maker.wechat, ("微信号", "微信", "wechat_id"), "微信号:"),
    Kind("qq", Maker.qq, ("QQ", "QQ号", "qq号码"), "QQ:"),
    Kind("email", Maker.email, ("电子邮箱", "邮箱", "E_mail", "email")),
    Kind("ip_address", Maker.ip, ("登录IP", "ip_address", "IP地址")),
    Kind("mac_address", Maker.mac, ("MAC地址", "mac", "物理地址")),
    Kind("coordinates", Maker.coordinates, ("经纬度", "坐标", "gps")),
    Kind("coordinate", Maker.coordinate, ("经度", "lng", "longitude")),
    Kind("cn_company", Maker.company, ("单位名称", "工作单位", "company_name", "企业名称")),
    Kind("birth_date", Maker.birth_date, ("出生日期", "出生年月", "csrq", "birthday"), "出生日期:"),
)


LOOK_ALIKES: Final = {
    "cn_person": (
        "患者高血压病史十年",
        "患者于昨日入院",
        "患者安排在三楼",
        "客户方面表示同意",
        "本人向社区申请",
        "联系人应当到场",
        "患者曾经住院",
        "患者双侧肺纹理增多",
        "申请人居住地已核实",
        "司机连续驾驶四小时",
        "患者左侧肢体无力",
        "患者平素体健",
        "姓名一栏未填",
        "学生全部到校",
    ),
    "cn_address": (
        "请到3号窗口办理",
        "沿路5公里有积水",
        "道路养护第2组",
        "坐地铁3号线",
        "会议室在2楼",
    ),
    "cn_mobile": (
        "订单号13812345678901",
        "金额13,800,138,000",
        "哈希a13812345678f",
        "占比0.13812345678",
    ),
    "cn_landline": ("批次2024-12345678", "工单0000-1234567", "比分21-15"),
    "cn_plate": ("粤港澳大湾区", "京津冀A区", "湘A级景区"),
    "email": ("@所有人 请回复", "user@host"),
    "ip_address": ("版本1.2.3.4.5", "第1.2.3节", "时间12:30:45"),
    "mac_address": ("时间12:30:45", "比例1:2:3:4:5:6"),
    "cn_company": ("请各分公司上报", "由集团统一采购", "本公司"),
    "wechat": ("微信公众号推送", "微信支付成功"),
    "qq": ("qq邮箱已满", "QQ群公告"),
    "birth_date": ("办理日期:2024-03-07", "出生证明2024001", "出生日期:1990-13-45"),
    "coordinates": ("得分98.1234,97.5678", "1.25,2.50"),
    "cn_passport": ("订单E12345678", "护照号码格式为9位"),
    "cn_hk_macao_permit": ("批次C12345678",),
    "cn_taiwan_permit": ("编号12345678",),
    "cn_social_security": ("型号A12345678",),
    "medical_record": ("编号ZY20240001", "住院3天"),
    "cn_driving_licence": ("驾驶证号为空", "档案440100123456"),
}
"""What looks like a type and is not."""


@dataclass(frozen=True)
class Labelled:
    """A text and what is in it: (type, value)."""

    text: str
    truth: tuple[tuple[str, str], ...]


def sentences(maker: Maker, kind: Kind, count: int) -> list[Labelled]:
    """Texts with one value of a type each: glued, widened, in URLs and JSON; and as many without.

    The others hold look-alikes: order numbers, amounts, and for types with a check the same
    value with one digit changed.
    """
    result = []
    for number in range(count):
        value = kind.make(maker)
        shapes: Sequence[str] = (
            f"{maker.filler()},{kind.cue}{value}",
            f"经办人核对{kind.cue}{value}无误",
            f"{kind.cue}{widened(value)}" if kind.checked else f"{kind.cue}{value}。",
            f"https://gz.example.cn/q?{kind.cue}{value}&t=1"
            if kind.checked
            else f"备注({kind.cue}{value})",
            f'{{"note":"{kind.cue}{value}","n":1}}',
        )
        text = shapes[number % len(shapes)]
        result.append(Labelled(text, ((kind.name, value),)))
        cue = kind.cue if kind.checked else ""
        other = f"{maker.filler()},{cue}{_look_alike(maker, kind, value)}"
        result.append(Labelled(other, ()))
    return result


def _look_alike(maker: Maker, kind: Kind, value: str) -> str:
    if not kind.checked:
        return maker.draw.choice((*LOOK_ALIKES.get(kind.name, ()), f"订单{maker.number(20)}"))
    digits = [i for i, c in enumerate(value) if i > 6 and c.isdigit()]
    place = maker.draw.choice(digits or [len(value) - 1])
    other = maker.draw.choice([d for d in "0123456789" if d != value[place]])
    return value[:place] + other + value[place + 1 :]
