"""What an operator says about the site: ``portal.toml`` in the catalog's directory, if it is there.

::

    title = { en = "Open Data of X", zh = "X公共数据开放平台" }
    operator = { en = "Data Bureau of X", zh = "X数据局" }
    url = "https://data.example.gov.cn"
    contact = "mailto:security@example.gov.cn"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from protos.language import Text
from protos.toml_file import read_toml, validated

FILE: Final = "portal.toml"
_TITLE: Final = Text("Open Data Portal", "公共数据开放平台")
_NOBODY: Final = Text("", "")
# RFC 3986 without what no server has: user names, percent signs, blanks, quotes, line ends.
_HOST: Final = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class Site:
    """A site.

    Attributes:
        title: Its name.
        operator: Who runs it; empty if it is not said.
        url: Where the world reaches it, without a slash at the end; empty if it is not said.
        contact: Who wants to hear of security holes, as of RFC 9116; empty if it is not said.
    """

    title: Text = _TITLE
    operator: Text = _NOBODY
    url: str = ""
    contact: str = ""

    def address(self, request: Request) -> str:
        """Returns scheme and host for absolute addresses.

        What a client calls the host is believed only if `url` is not set, and only if it is a
        host's name: it ends up in pages and in lines of headers.
        """
        if self.url:
            return self.url
        host = request.headers.get("host", "")
        scheme = "https" if request.url.scheme == "https" else "http"
        return f"{scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"


class _Name(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    en: str = Field(max_length=80)
    zh: str = Field(max_length=80)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    title: _Name = _Name(en=_TITLE.en, zh=_TITLE.zh)
    operator: _Name = _Name(en="", zh="")
    url: str = Field("", pattern=rf"^(https?://{_HOST.pattern})?$")
    contact: str = Field("", pattern=r"^((mailto:|https://)[!-~]{3,200})?$")


def read_site(directory: Path) -> Site:
    """Reads a catalog's ``portal.toml``.

    Raises:
        InputError: It is there and malformed; says where.
    """
    path = directory / FILE
    if not path.exists():
        return Site()
    file = validated(_File, read_toml(path, Text("write it", "请新建")), FILE)
    return Site(
        Text(file.title.en, file.title.zh),
        Text(file.operator.en, file.operator.zh),
        file.url,
        file.contact,
    )
