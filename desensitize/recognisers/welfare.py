"""Social-security card and medical record number.

- Social security: 社会保障号码 is the resident id (社会保险法, article 58); the card's own number
  (社会保障卡卡号, LD/T 32-2015 and the ministry's card specification) is a letter and eight digits,
  or nine to ten characters in older regions.
- Medical record: each hospital numbers as it likes (病历书写基本规范, 2010); WS 445-2014 only says
  that there is such a field. So only a header or a cue tells it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from desensitize.recognisers import resident_id
from desensitize.recognisers.base import Mask, Recogniser
from protos.language import Text


def check_social_security(values: pa.StringArray) -> Mask:
    """Which values are a card's number, or a resident id that holds."""
    lengths = pc.utf8_length(values).to_numpy(zero_copy_only=False)
    return np.asarray((lengths <= 10) | resident_id.check(values))


SOCIAL_SECURITY: Final = Recogniser(
    name="cn_social_security",
    title=Text("social-security card", "社保卡号"),
    role="direct",
    grade=4,
    pattern=f"(?:{resident_id.LONG}|[A-Za-z][0-9]{{8}}|[0-9]{{9,10}})",
    cue="(?:社保卡?|社会保障卡?|医保卡?)(?:号码|卡号|编号|号)[为是:： ]{0,3}",
    headers=(
        "社保卡", "社保卡号", "社保号", "社会保障号", "社会保障卡号", "社会保障号码", "医保卡号",
        "医保号", "医保编号", "sbkh", "sbh", "ybkh", "ybh", "shbzh", "ssn", "socialsecurity",
        "socialsecurityno",
    ),
    alone=2.0,
    context=("社保", "医保", "社会保障"),
    check=check_social_security,
)  # fmt: skip

MEDICAL_RECORD: Final = Recogniser(
    name="medical_record",
    title=Text("medical record number", "病历号"),
    role="direct",
    grade=4,
    pattern="(?:[A-Za-z]{0,4}-?[0-9]{5,16})",
    cue="(?:病历|病案|住院|门诊|就诊卡?)(?:号码|编号|号)[为是:： ]{0,3}",
    headers=(
        "病历号", "病案号", "住院号", "门诊号", "就诊卡号", "就诊号", "病人编号", "患者编号", "blh",
        "bah", "zyh", "mzh", "mrn", "medicalrecord", "medicalrecordno", "patientid", "patientno",
    ),
    alone=2.0,
    context=("病历", "住院", "门诊", "病案"),
)  # fmt: skip
