"""Unified social credit code, taxpayer number, company name.

- GB 32100-2015, 法人和其他组织统一社会信用代码编码规则: 18 characters of 31 (no I, O, S, V, Z): one
  of the registering department, one of the kind, six of division, nine of the organisation code
  of GB 11714-1997, one check character by ISO 7064 MOD 31-3 with weights 3^i mod 31 (section 5.5).
- Taxpayer number: since 2015 the credit code; before, six digits of division and the nine
  characters of the organisation code, whose last is a check character modulo 11 (GB 11714-1997,
  section 5.2). Without a header, fifteen characters could be too many other things.
- Company name: 企业名称登记管理规定 (2020), article 6: division, trade name, industry, legal form.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from desensitize.recognisers.base import Mask, Recogniser
from desensitize.recognisers.digits import Bytes, matrix, number, weighted
from protos.language import Text

ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
CREDIT_WEIGHTS: Final = np.array([pow(3, i, 31) for i in range(17)], dtype=np.int64)
ORGANISATION_WEIGHTS: Final = np.array([3, 7, 9, 10, 5, 8, 4, 2], dtype=np.int64)
_ORGANISATION_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_C: Final = "[0-9A-HJ-NP-RTUWXYa-hj-np-rtuwxy]"
CREDIT: Final = f"[1-9A-HJ-NPYa-hj-npy]{_C}[0-9]{{6}}{_C}{{10}}"
_ORGANISATION: Final = "[0-9A-Za-z]{8}-?[0-9Xx]"

_LIMITED: Final = "(?:有限责任公司|股份有限公司|有限公司|合伙企业)"
_FORM: Final = (
    "(?:有限责任公司|股份有限公司|有限公司|分公司|子公司|总公司|集团公司|集团|合作社|"
    "合伙企业|个人独资企业|律师事务所|会计师事务所|事务所|工作室|经营部|商行)"
)


def check_credit(values: pa.StringArray) -> Mask:
    """Which credit codes have the right check character."""
    cells, lengths = matrix(values, 18)
    return np.asarray((lengths == 18) & _credit(cells))


def _credit(cells: Bytes) -> Mask:
    total, known = weighted(cells, CREDIT_WEIGHTS, ALPHABET)
    letters = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)
    return np.asarray(known & (cells[:, 17] == letters[(31 - total % 31) % 31]))


def check_taxpayer(values: pa.StringArray) -> Mask:
    """Which taxpayer numbers hold: a credit code, or division and organisation code."""
    cells, lengths = matrix(values, 18)
    return np.asarray(np.where(lengths == 18, _credit(cells), (lengths == 15) & _old(cells)))


def _old(cells: Bytes) -> Mask:
    total, known = weighted(cells[:, 6:], ORGANISATION_WEIGHTS, _ORGANISATION_ALPHABET)
    marks = np.frombuffer(b"0123456789X0", dtype=np.uint8)  # 10 is written X, 11 is written 0
    province = number(cells, 0, 2)
    right = cells[:, 14] == marks[11 - total % 11]
    return np.asarray(known & right & (province >= 11) & (province <= 82))


CREDIT_CODE: Final = Recogniser(
    name="cn_credit_code",
    title=Text("unified social credit code", "统一社会信用代码"),
    role="quasi",
    grade=2,
    pattern=CREDIT,
    headers=(
        "统一社会信用代码", "社会信用代码", "信用代码", "tyshxydm", "shxydm", "xydm", "uscc",
        "creditcode",
    ),
    context=("信用代码", "统一社会信用代码"),
    check=check_credit,
)  # fmt: skip

TAXPAYER_NUMBER: Final = Recogniser(
    name="cn_taxpayer_number",
    title=Text("taxpayer number", "纳税人识别号"),
    role="quasi",
    grade=2,
    pattern=f"{CREDIT}|[1-8][0-9]{{5}}{_ORGANISATION}",
    cue="(?:纳税人识别号|税务登记证?号|税号)[为是:： ]{0,3}",
    headers=("纳税人识别号", "税务登记号", "税号", "nsrsbh", "taxno", "taxid", "taxpayerid"),
    alone=2.0,
    context=("纳税人", "税号"),
    check=check_taxpayer,
)

COMPANY: Final = Recogniser(
    name="cn_company",
    title=Text("company name", "单位名称"),
    role="quasi",
    grade=2,
    pattern=f"[一-鿿（）()A-Za-z0-9·]{{2,40}}{_FORM}(?:[一-鿿（）()]{{2,20}}(?:分公司|店))?",
    text=f"[一-鿿（）()A-Za-z0-9·]{{2,30}}?{_LIMITED}",  # 请各分公司 is none
    gate=_LIMITED,
    open=True,
    edges=("none", "none"),
    headers=(
        "单位名称", "公司名称", "企业名称", "工作单位", "公司", "企业", "雇主", "dwmc", "gsmc",
        "qymc", "company", "companyname", "employer", "enterprise",
    ),
    context=("公司", "单位"),
)  # fmt: skip
