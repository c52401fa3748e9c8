"""The directory of an office: private keys and the book, and what may be handed to everybody.

::

    office.toml        name and log
    identity.key       signs certificates (P-256)
    log.key            signs checkpoints (Ed25519)
    certificates.db    certificates, salts, status lists, log
    public/pins.toml   the issuer, and whose grants it certifies, for readers
    public/log.policy  the log, its witnesses and how many are needed, for readers
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from catalog.certificates.office import CertificateOffice
from catalog.certificates.reading import CertificateReader
from catalog.transparency.notes import LOG, NoteKey, NoteSigner, named_key
from catalog.transparency.policy import NONE, LogPolicy
from desensitize.attesting.signing import new_signing_key, read_signing_key
from protos.cards import Pins
from protos.faults import InputError, UnavailableError
from protos.identity import IdentityKey
from protos.language import Text
from protos.names import Role, check_name
from protos.toml_file import read_toml, validated
from protos.whole_file import write_whole

_ABOUT: Final = "office.toml"
_GROUP: Final = "witnesses"


class About(BaseModel):
    """``office.toml``."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str
    log: str


@dataclass(frozen=True)
class OfficeFiles:
    """Where an office's files lie."""

    directory: Path

    @property
    def policy_file(self) -> Path:
        """The public policy of the log."""
        return self.directory / "public" / "log.policy"

    @property
    def pins_file(self) -> Path:
        """The public pin of the issuer."""
        return self.directory / "public" / "pins.toml"

    @property
    def is_there(self) -> bool:
        """Whether somebody has made an office here."""
        return (self.directory / _ABOUT).is_file()

    def create(self, name: str, log: str, key: IdentityKey | None = None) -> None:
        """Makes a new office.

        Args:
            name: The issuer's.
            log: The log's, such as ``hub.example/certificates``.
            key: An identity that the issuer has already, such as the exchange's; a new one if
                None.

        Raises:
            InputError: There is one, or a name is malformed.
            UnavailableError: It cannot be written.
        """
        check_name(name)
        named_key(log)  # before there is a key: the next attempt would find it
        if self.is_there:
            raise InputError(
                Text(f"{self.directory} has an office already", f"{self.directory} 已有证书机构"),
                remedy=Text("choose another --dir", "请用 --dir 指定其他目录"),
                code="office.exists",
            )
        key = key or IdentityKey.generate()
        try:
            self.policy_file.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        except OSError as error:
            raise _unwritable(self.directory, error) from error
        new_signing_key(self.directory / "log.key")
        signer = NoteSigner.of(log, LOG, read_signing_key(self.directory / "log.key"))
        key.save(self.directory / "identity.key")
        pins = Pins()
        pins.add("exchange", name, key.public.fingerprint)
        pins.save(self.pins_file)
        self.save_policy(LogPolicy(signer.public, {}, {}, NONE))
        # Last: a directory with this file is a whole office.
        # JSON strings without control characters are valid TOML basic strings.
        about = f"name = {json.dumps(name)}\nlog = {json.dumps(log, ensure_ascii=False)}\n"
        write_whole(self.directory / _ABOUT, about.encode())

    def office(self, clock: Callable[[], float]) -> CertificateOffice:
        """Opens the office.

        Raises:
            InputError: There is none, or its file is malformed.
            TrustError: A key is not private, or malformed.
            UnavailableError: A file cannot be read.
        """
        about = self._about()
        office = CertificateOffice(
            self.directory / "certificates.db",
            about.name,
            IdentityKey.load(self.directory / "identity.key"),
            NoteSigner.of(about.log, LOG, read_signing_key(self.directory / "log.key")),
            clock,
        )
        office.open()
        return office

    def reader(self) -> CertificateReader:
        """Opens the office's book, to be read: no key is needed.

        Raises:
            InputError: There is none, or its file is malformed.
            UnavailableError: A file cannot be read.
        """
        reader = CertificateReader(self.directory / "certificates.db", self._about().name)
        reader.open()
        return reader

    def exists(self) -> bool:
        """Whether there is a whole office."""
        return (self.directory / _ABOUT).is_file()

    def pins(self) -> Pins:
        """Reads the public pin of the issuer."""
        return Pins.load(self.pins_file)

    def publish(self, departments: Mapping[str, str]) -> None:
        """Adds departments to the public pins; one that is there with another key is replaced.

        Args:
            departments: Name → fingerprint of its key, as enrolled.
        """
        known = self.pins()
        earlier = {name: _pinned(known, "department", name) for name in known.names("department")}
        wanted = {name: key for name, key in earlier.items() if key not in departments.values()}
        wanted |= departments
        if wanted == earlier:
            return
        pins = Pins()
        for name in known.names("exchange"):
            pins.add("exchange", name, _pinned(known, "exchange", name))
        for name, key in wanted.items():
            pins.add("department", name, key)
        pins.save(self.pins_file)
        self.pins_file.chmod(0o644)

    def policy(self) -> LogPolicy:
        """Reads the public policy."""
        return LogPolicy.load(self.policy_file)

    def _about(self) -> About:
        missing = Text(
            "make one: veil certificate init --dir DIR", "请新建：veil certificate init --dir DIR"
        )
        return validated(About, read_toml(self.directory / _ABOUT, missing), _ABOUT)

    def add_witness(self, name: str, key: NoteKey, needed: int) -> LogPolicy:
        """Adds a witness, and says how many of all must cosign from now on.

        Raises:
            InputError: Name or key are known, or so many there are not.
        """
        policy = self.policy()
        lines = [line for line in str(policy).splitlines() if line.split()[0] in {"log", "witness"}]
        names = " ".join([*policy.witnesses, name])
        lines += [f"witness {name} {key}", f"group {_GROUP} {needed} {names}", f"quorum {_GROUP}"]
        new = LogPolicy.parse("\n".join(lines), str(self.policy_file))
        self.save_policy(new)
        return new

    def save_policy(self, policy: LogPolicy) -> None:
        """Writes the public policy, whole or not at all."""
        write_whole(self.policy_file, str(policy).encode(), mode=0o644)


def _pinned(pins: Pins, role: Role, name: str) -> str:
    return pins.fingerprint_of(role, name) or ""


def _unwritable(path: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        Text(f"cannot write {path}: {error.strerror}", f"无法写入 {path}：{error.strerror}"),
        remedy=Text(
            "check that the directory is yours and that the disk is not full",
            "请检查目录是否归您所有、磁盘是否已满",
        ),
        code="file.unwritable",
    )
