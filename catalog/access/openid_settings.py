"""OpenID providers at which people may log in: ``openid.toml`` in the catalog's directory.

::

    address = "https://catalog.example:8443"   # of this server, as people's browsers know it

    [[providers]]
    name = "gov"                               # in addresses: /login/openid/gov
    title = "统一身份认证"
    issuer = "https://login.example"
    client_id = "veil"
    client_secret_file = "gov.secret"          # mode 0600; leave out for a public client

The provider is told the redirect address ``<address>/login/openid/<name>/callback``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from protos.faults import InputError
from protos.keyfile import read_private
from protos.language import Text
from protos.toml_file import read_toml, validated

FILE: Final = "openid.toml"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Client:
    """This catalog, as one provider knows it.

    Attributes:
        name: Of the provider, in addresses.
        title: Of the provider, for people.
        issuer: The provider's own name, and where it is found.
        client_id: Ours.
        secret: Ours; "" for a public client.
        ca: PEM file of the provider's certification authority; None for those of this machine.
        redirect: Where the provider sends people back to.
    """

    name: str
    title: str
    issuer: str
    client_id: str
    secret: str
    ca: Path | None
    redirect: str

    def __repr__(self) -> str:
        """Returns all but the secret."""
        return f"Client({self.name}, {self.issuer}, {self.client_id})"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Provider(_Strict):
    name: Annotated[str, Field(pattern="^[a-z0-9-]{1,32}$")]
    title: Annotated[str, Field(min_length=1, max_length=60)]
    issuer: str
    client_id: Annotated[str, Field(min_length=1, max_length=200)]
    client_secret_file: Path | None = None
    ca_file: Path | None = None

    @field_validator("issuer")
    @classmethod
    def _safe(cls, value: str) -> str:
        return _checked(value)


class _File(_Strict):
    address: str
    providers: Annotated[tuple[_Provider, ...], Field(min_length=1, max_length=20)]

    @field_validator("address")
    @classmethod
    def _safe(cls, value: str) -> str:
        return _checked(value).rstrip("/")


def load(directory: Path) -> tuple[Client, ...]:
    """Reads the providers of a catalog; there are none without the file.

    Raises:
        InputError: A key is unknown, missing or wrong; names it.
        TrustError: Others can read a secret.
        UnavailableError: A secret is missing.
    """
    file = directory / FILE
    if not file.exists():
        return ()
    missing = Text("write it as the guide on accounts says", "请按账号指南编写")
    found = validated(_File, read_toml(file, missing), str(file))
    names = [each.name for each in found.providers]
    if len(set(names)) < len(names):
        raise InputError(
            Text(f"{file}: two providers have the same name", f"{file}：两个身份提供方同名"),
            remedy=Text("give each a name of its own", "请为每个提供方取不同的名称"),
            code="file.value",
        )
    return tuple(_client(each, found.address, directory) for each in found.providers)


def safe_url(url: str) -> bool:
    """Whether what is sent there cannot be read or changed on the way."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if not parts.hostname or parts.username or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _checked(value: str) -> str:
    if not safe_url(value):
        raise ValueError(Text("must be an https:// address", "须为 https:// 地址"))
    return value


def _client(written: _Provider, address: str, directory: Path) -> Client:
    secret = ""
    if written.client_secret_file is not None:
        secret = read_private(directory / written.client_secret_file).decode("utf-8").strip()
    return Client(
        written.name, written.title, written.issuer, written.client_id, secret,
        directory / written.ca_file if written.ca_file is not None else None,
        f"{address}/login/openid/{written.name}/callback",
    )  # fmt: skip
