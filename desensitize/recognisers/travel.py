"""Passport, and permits between the mainland, Hong Kong, Macao and Taiwan.

- Passport: 中华人民共和国护照法 and the series in use: E and eight digits; EA to EZ and seven
  (electronic, since 2012); G, D, S, P, DE, SE, PE (older, diplomatic, service, public affairs);
  14 and 15 and seven digits (before 2007). ICAO Doc 9303 part 4 allows nine characters and gives
  check digits only in the machine-readable zone, which tables do not have.
- Hong Kong and Macao: C or W with eight characters for mainland residents (往来港澳通行证), H or M
  with eight or ten digits for residents of Hong Kong or Macao (港澳居民来往内地通行证).
- Taiwan: eight or ten digits (台湾居民来往大陆通行证), L or T and eight (大陆居民往来台湾通行证).

A letter and eight digits is also how many an order is numbered, so all of them need a header or
a cue.
"""

from __future__ import annotations

from typing import Final

from desensitize.recognisers.base import Recogniser
from protos.language import Text

PASSPORT: Final = Recogniser(
    name="cn_passport",
    title=Text("passport", "护照号"),
    role="direct",
    grade=4,
    pattern=(
        "(?:[EGDSPegdsp][0-9]{8}|[Ee][A-HJ-NP-Za-hj-np-z][0-9]{7}|[DSPdsp][Ee][0-9]{7}|"
        "1[45][0-9]{7})"
    ),
    cue="(?:护照|(?i:passport))(?:号码|号|(?i: ?no\\.?| number))?[为是:： ]{0,3}",
    headers=("护照", "护照号", "护照号码", "hzh", "hzhm", "passport", "passportno"),
    alone=2.0,
    context=("护照", "passport"),
)

HK_MACAO_PERMIT: Final = Recogniser(
    name="cn_hk_macao_permit",
    title=Text("Hong Kong/Macao permit", "港澳通行证"),
    role="direct",
    grade=4,
    pattern="(?:[CWcw][0-9A-HJ-NP-Za-hj-np-z][0-9]{7}|[HMhm][0-9]{8}(?:[0-9]{2})?)",
    cue="(?:(?:港澳|来往内地|往来港澳)[一-鿿]{0,6}通行证|回乡证)(?:号码|号)?[为是:： ]{0,3}",
    headers=(
        "港澳通行证", "往来港澳通行证", "港澳居民来往内地通行证", "来往内地通行证", "回乡证",
        "gatxz", "hkmpermit", "hkmacaopermit", "homereturnpermit",
    ),
    alone=2.0,
    context=("通行证", "港澳", "回乡证"),
)  # fmt: skip

TAIWAN_PERMIT: Final = Recogniser(
    name="cn_taiwan_permit",
    title=Text("Taiwan permit", "台湾通行证"),
    role="direct",
    grade=4,
    pattern="(?:[LTlt][0-9]{8}|[0-9]{10}|[0-9]{8})(?:\\([A-Z]\\))?",
    text="(?:[LTlt][0-9]{8}|[0-9]{10}|[0-9]{8})",
    cue="(?:(?:台湾|来往大陆|往来台湾)[一-鿿]{0,6}通行证|台胞证)(?:号码|号)?[为是:： ]{0,3}",
    headers=(
        "台湾通行证", "往来台湾通行证", "大陆居民往来台湾通行证", "台湾居民来往大陆通行证",
        "来往大陆通行证", "台胞证", "台胞证号", "tbz", "taiwanpermit",
    ),
    alone=2.0,
    context=("通行证", "台胞证"),
)  # fmt: skip
