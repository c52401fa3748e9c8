"""The directory of a witness: its key, and what it has seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.transparency.notes import WITNESS, NoteKey, NoteSigner, named_key
from catalog.transparency.policy import LogPolicy
from catalog.transparency.witness import Witness
from desensitize.attesting.signing import new_signing_key, read_signing_key
from protos.faults import UnavailableError
from protos.language import Text


@dataclass(frozen=True)
class WitnessFiles:
    """``name``, ``witness.key`` and ``seen.db``."""

    directory: Path

    def create(self, name: str) -> NoteKey:
        """Makes a key.

        Raises:
            InputError: There is one, or the name is malformed.
            UnavailableError: It cannot be written.
        """
        named_key(name)  # before there is a key: the next attempt would find it
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(self.directory, error) from error
        new_signing_key(self._key)
        key = self._signer(name).public
        try:
            (self.directory / "name").write_text(f"{name}\n", "utf-8")
        except OSError as error:
            raise _unusable(self.directory, error) from error
        return key

    @contextmanager
    def witness(self, policy: LogPolicy) -> Iterator[Witness]:
        """Opens the witness for the log of a policy.

        Raises:
            UnavailableError: There is none.
        """
        try:
            name = (self.directory / "name").read_text("utf-8").strip()
        except OSError as error:
            raise _unusable(self.directory, error) from error
        witness = Witness(self.directory / "seen.db", self._signer(name), [policy.log])
        witness.open()
        try:
            yield witness
        finally:
            witness.close()

    @property
    def _key(self) -> Path:
        return self.directory / "witness.key"

    def _signer(self, name: str) -> NoteSigner:
        return NoteSigner.of(name, WITNESS, read_signing_key(self._key))


def _unusable(directory: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        Text(
            f"{directory} is no witness's directory: {error.strerror}",
            f"{directory} 不是见证方目录：{error.strerror}",
        ),
        remedy=Text(
            "make one: veil certificate witness init NAME --dir DIR",
            "请新建：veil certificate witness init 名称 --dir DIR",
        ),
        code="witness.directory",
    )
