"""All recognisers, in the order in which they win where two of them claim the same text.

Outside ones are found through the entry point group ``veil.recognisers``: each names a
`Recogniser`. They come after our own, and one that takes a name twice is refused.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Final

from desensitize.recognisers.accounts import EMAIL, QQ, WECHAT
from desensitize.recognisers.bank_card import BANK_CARD
from desensitize.recognisers.base import Recogniser
from desensitize.recognisers.birth import BIRTH_DATE
from desensitize.recognisers.network import IMEI, IP, MAC
from desensitize.recognisers.organisation import COMPANY, CREDIT_CODE, TAXPAYER_NUMBER
from desensitize.recognisers.person import PERSON
from desensitize.recognisers.phone import LANDLINE, MOBILE
from desensitize.recognisers.place import ADDRESS, COORDINATE, COORDINATES
from desensitize.recognisers.resident_id import RESIDENT_ID
from desensitize.recognisers.travel import HK_MACAO_PERMIT, PASSPORT, TAIWAN_PERMIT
from desensitize.recognisers.vehicle import DRIVING_LICENCE, PLATE
from desensitize.recognisers.welfare import MEDICAL_RECORD, SOCIAL_SECURITY
from protos.faults import InputError
from protos.language import Text

GROUP: Final = "veil.recognisers"

RECOGNISERS: Final[tuple[Recogniser, ...]] = (
    # What a cue names is that, whatever its digits look like.
    DRIVING_LICENCE,
    SOCIAL_SECURITY,
    TAXPAYER_NUMBER,
    MEDICAL_RECORD,
    PASSPORT,
    HK_MACAO_PERMIT,
    TAIWAN_PERMIT,
    IMEI,
    # Longer and stricter before shorter and looser: an e-mail address holds a mobile number, a
    # resident id may pass Luhn.
    EMAIL,
    RESIDENT_ID,
    CREDIT_CODE,
    BANK_CARD,
    WECHAT,
    QQ,
    MOBILE,
    LANDLINE,
    PLATE,
    COORDINATES,
    COORDINATE,
    MAC,
    IP,
    BIRTH_DATE,
    ADDRESS,
    COMPANY,
    PERSON,
)


@cache
def recognisers() -> tuple[Recogniser, ...]:
    """Returns our own recognisers and those of installed packages.

    Raises:
        InputError: An entry point is no recogniser, or takes a name that is taken.
    """
    found = list(RECOGNISERS)
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        extra = point.load()
        if not isinstance(extra, Recogniser):
            raise InputError(
                Text(
                    f"the entry point {point.value!r} is no recogniser",
                    f"入口点 {point.value!r} 不是识别器",
                ),
                remedy=Text(
                    f"`{GROUP}` entries name a desensitize.recognisers.base.Recogniser",
                    f"`{GROUP}` 的入口点须指向 desensitize.recognisers.base.Recogniser",
                ),
                code="recogniser.kind",
            )
        if any(extra.name == known.name for known in found):
            raise InputError(
                Text(
                    f"two recognisers are called {extra.name!r}",
                    f"有两个识别器都名为 {extra.name!r}",
                ),
                remedy=Text(
                    f"rename the one of {point.value!r}, or uninstall its package",
                    f"请为 {point.value!r} 的识别器改名，或卸载其软件包",
                ),
                code="recogniser.name",
            )
        found.append(extra)
    return tuple(found)


@cache
def by_name() -> dict[str, Recogniser]:
    """Returns `recognisers` by their names."""
    return {each.name: each for each in recognisers()}
