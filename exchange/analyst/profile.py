"""The analyst's profile: ``analyst.toml`` and the directory of keys that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from compute_nodes.rpc.membership import Membership
from protos.cards import Pins
from protos.identity import IdentityKey
from protos.language import Text
from protos.sealing import SealingKey
from protos.toml_file import read_toml, validated


class ProfileFile(BaseModel):
    """``analyst.toml``; the path is relative to the file.

    Attributes:
        directory: Made by ``veil exchange enroll-analyst``: keys, certificate, pins, history.
        exchange: ``host:port``; from enrolment if it is not given.
        project: Whose budget share pays, unless a question says otherwise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    directory: Path
    exchange: str = ""
    project: str = "default"


@dataclass(frozen=True)
class Profile:
    """Who asks, and how.

    Attributes:
        name: As certified.
        exchange: ``host:port``.
        project: Default project.
        directory: Keys, certificate, pins, history.
        identity: Signs plans.
        sealing: Opens answers.
        watched: Reads whom this analyst believes, as the file says now: a notebook runs for days.
    """

    name: str
    exchange: str
    project: str
    directory: Path
    identity: IdentityKey = field(repr=False)
    sealing: SealingKey = field(repr=False)
    watched: Callable[[], Pins] = field(repr=False)

    @property
    def pins(self) -> Pins:
        """Whom this analyst believes."""
        return self.watched()


def load_profile(path: Path) -> Profile:
    """Reads a profile and its keys.

    Raises:
        InputError: The file is missing or wrong.
        TrustError: A key can be read by others.
    """
    missing = Text(
        "`veil up` writes one; name it with --profile or in VEIL_PROFILE",
        "veil up 会生成它；可用 --profile 或 VEIL_PROFILE 指定",
    )
    written = validated(ProfileFile, read_toml(path, missing), str(path))
    directory = (path.parent / written.directory).resolve()
    member = Membership.load(directory)
    watched = Pins.watched(directory / "pins.toml")
    watched()  # what is wrong with it is said now
    return Profile(
        name=member.name,
        exchange=written.exchange or member.exchange,
        project=written.project,
        directory=directory,
        identity=IdentityKey.load(directory / "identity.key"),
        sealing=SealingKey.load(directory / "sealing.key"),
        watched=watched,
    )
