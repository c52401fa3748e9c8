"""The language of a page stands in its address: ``/zh/…`` or ``/en/…``, never in a cookie."""

from __future__ import annotations

from typing import Final

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request

from protos.language import Language

TAGS: Final[dict[Language, str]] = {"zh": "zh-CN", "en": "en"}
"""BCP 47, for ``<html lang>`` and ``hreflang``."""


class _Languages(Convertor[str]):
    regex = "zh|en"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("language", _Languages())
PREFIX: Final = "/{language:language}"
"""Of every page's path."""


def preferred(request: Request) -> Language:
    """Returns which of the two a browser asks for (RFC 9110, ``Accept-Language``); else Chinese."""
    best: tuple[float, Language] = (0.0, "zh")
    for part in request.headers.get("accept-language", "")[:200].split(","):
        tag, _, parameter = part.partition(";")
        name, quality = tag.strip().lower()[:2], _quality(parameter)
        found: Language | None = "zh" if name == "zh" else "en" if name == "en" else None
        if found is not None and quality > best[0]:
            best = (quality, found)
    return best[1]


def of_path(request: Request) -> Language:
    """Returns the language of an address; of one that has none, what the browser asks for."""
    first = request.url.path.split("/")[1]
    return "en" if first == "en" else "zh" if first == "zh" else preferred(request)


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return min(max(float(value), 0.0), 1.0) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
