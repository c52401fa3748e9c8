"""An office as a server has it: the book, and the public keys with which anybody verifies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.certificates.evidence import Trust
from catalog.certificates.office import CertificateOffice
from catalog.certificates.office_files import OfficeFiles
from catalog.certificates.reading import CertificateReader
from catalog.transparency.policy import LogPolicy
from protos.cards import Pins

DIRECTORY: Final = "office"


@dataclass(frozen=True)
class OpenOffice:
    """An office that is open.

    Attributes:
        book: Its certificates; an office that can issue and revoke in the exchange's own process,
            elsewhere a reader without keys.
        files: Where it lies.
    """

    book: CertificateReader
    files: OfficeFiles

    @property
    def pins(self) -> Pins:
        """The issuer's, and those of the departments whose grants it certifies, as they are now."""
        return self.files.pins()

    @property
    def policy(self) -> LogPolicy:
        """The log and its witnesses, as they are now: witnesses are added while it is open."""
        return self.files.policy()

    @property
    def issuing(self) -> CertificateOffice | None:
        """The office itself, where it can issue and revoke; else None."""
        return self.book if isinstance(self.book, CertificateOffice) else None

    def trust(self, now: int) -> Trust:
        """What this server itself believes, to verify what it is handed."""
        return Trust(now, self.pins, self.policy)


@contextmanager
def opened_to_read(directory: Path) -> Iterator[OpenOffice | None]:
    """Opens an office's directory, or a copy of it without its keys, to be read.

    Yields:
        None if there is no office.

    Raises:
        InputError: A file in it is malformed.
        UnavailableError: A file in it cannot be read.
    """
    files = OfficeFiles(directory)
    if not files.exists():
        yield None
        return
    book = files.reader()
    try:
        yield OpenOffice(book, files)
    finally:
        book.close()
