"""Columns that say something about a person without naming one: sex, income, diagnosis.

A quasi-identifier singles people out together with others (sex, age, district); a sensitive
attribute is what nobody should learn about them (income, illness). Numbers of households and
registers name people as well, but have no form of their own. All are
read from the header alone: GB/T 35273-2020 annex B lists what is sensitive; GB/T 37964-2019 section
5 the roles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from desensitize.column import Role
from desensitize.scanning.headers import match
from protos.language import Text


@dataclass(frozen=True)
class Attribute:
    """One kind of column.

    Attributes:
        name: Stable name.
        title: For people.
        role: Quasi-identifier or sensitive; direct for a number that only the header tells.
        grade: 1 (public) to 4 (core).
        headers: As in `Recogniser`.
    """

    name: str
    title: Text
    role: Role
    grade: int
    headers: tuple[str, ...]


ATTRIBUTES: Final[tuple[Attribute, ...]] = (
    Attribute("sex", Text("sex", "性别"), "quasi", 2, ("性别", "xb", "sex", "gender")),
    Attribute("age", Text("age", "年龄"), "quasi", 2, ("年龄", "nl", "age")),
    Attribute("ethnicity", Text("ethnic group", "民族"), "quasi", 3,
              ("民族", "种族", "mz", "ethnic", "ethnicity", "nation", "race")),
    Attribute("division", Text("district", "行政区划"), "quasi", 2,
              ("区县", "行政区", "区划", "省份", "城市", "籍贯", "所在地", "街道", "所属区",
               "所在区", "辖区", "县区", "市县", "市区", "区域", "地区", "乡镇", "户籍地",
               "出生地", "居住地", "户口所在地", "district", "city", "province", "county", "region",
               "borough")),
    Attribute("nationality", Text("nationality", "国籍"), "quasi", 2,
              ("国籍", "国家", "gj", "nationality", "country", "citizenship")),
    Attribute("event_date", Text("date of an event", "事件日期"), "quasi", 2,
              ("日期", "rq", "date", "datetime", "timestamp")),
    Attribute("postcode", Text("postcode", "邮政编码"), "quasi", 2,
              ("邮编", "邮政编码", "yb", "yzbm", "zip", "zipcode", "postcode", "postalcode")),
    Attribute("occupation", Text("occupation", "职业"), "quasi", 2,
              ("职业", "职务", "职称", "岗位", "工种", "occupation", "profession", "jobtitle",
               "job")),
    Attribute("employment", Text("employment", "从业状况"), "quasi", 2,
              ("从业状况", "就业状况", "单位性质", "单位类型", "工作性质", "就业类型", "workclass",
               "employment", "employmentstatus")),
    Attribute("education", Text("education", "学历"), "quasi", 2,
              ("学历", "文化程度", "学位", "教育程度", "education", "degree")),
    Attribute("marital_status", Text("marital status", "婚姻状况"), "quasi", 3,
              ("婚姻", "婚姻状况", "婚否", "marital", "maritalstatus", "marriage")),
    Attribute("household", Text("household number", "户号"), "direct", 3,
              ("户籍号", "户号", "户口号", "户口簿号", "户口本号", "户籍编号", "户编号", "家庭编号",
               "家庭号", "household", "householdid", "familyid", "hukou")),
    Attribute("register_number", Text("number in a register of people", "人员编号"), "direct", 3,
              ("学号", "学籍号", "工号", "职工号", "员工号", "员工编号", "警号", "会员号",
               "客户号", "账户号", "开户号", "客户编号", "用户编号", "档案号", "参保号", "参保编号",
               "个人编号", "人员编号", "考号", "准考证号", "studentid", "studentno", "employeeid",
               "employeeno", "customerid", "memberid", "userid", "personid")),
    Attribute("income", Text("income or wealth", "收入与财产"), "sensitive", 4,
              ("收入", "工资", "薪资", "薪酬", "余额", "存款", "资产", "负债", "信用分", "income",
               "salary",
               "wage", "balance", "assets", "creditscore")),
    Attribute("amount", Text("amount of money", "金额"), "sensitive", 3,
              ("金额", "费用", "额度", "贷款", "账单", "还款", "缴费", "je", "amount", "amt",
               "bill",
               "pay", "payment", "cost", "price", "loan", "limit", "bal")),
    Attribute("health", Text("health", "健康信息"), "sensitive", 4,
              ("诊断", "疾病", "病史", "病种", "症状", "过敏", "手术", "用药", "处方", "血型",
               "残疾",
               "检验结果", "diagnosis", "disease", "symptom", "icd", "icd10", "allergy",
               "medication", "disability")),
    Attribute("belief", Text("religion or politics", "宗教与政治"), "sensitive", 4,
              ("宗教", "信仰", "政治面貌", "religion", "political", "party")),
    Attribute("record", Text("offence", "违法犯罪记录"), "sensitive", 4,
              ("犯罪", "违法", "前科", "处罚", "offence", "offense", "crime", "conviction")),
    Attribute("secret", Text("password or secret", "口令"), "sensitive", 4,
              ("密码", "口令", "password", "passwd", "pwd", "secret", "token", "apikey")),
)  # fmt: skip


def attribute(header: str, among: Iterable[Attribute] = ATTRIBUTES) -> tuple[Attribute | None, int]:
    """Returns the attribute that the header names best, and how many characters speak for it."""
    best, length = None, 0
    for each in among:
        if (found := match(header, each.headers)) > length:
            best, length = each, found
    return best, length
