"""What the commands of ``veil certificate`` share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from protos.language import Text

if TYPE_CHECKING:
    from catalog.certificates.office import CertificateOffice

DEFAULT: Final = Path("veil-certificates")
OfficeDirectory = Annotated[
    Path, typer.Option("--dir", help=str(Text("The office's directory.", "证书机构目录。")))
]
PolicyFile = Annotated[
    Path,
    typer.Option(
        "--policy",
        help=str(Text("log.policy: the log, and its witnesses.", "log.policy：日志及其见证方。")),
    ),
]


@contextmanager
def opened(directory: Path) -> Iterator[CertificateOffice]:
    """Opens an office for one command."""
    import time

    from catalog.certificates.office_files import OfficeFiles

    office = OfficeFiles(directory).office(time.time)
    try:
        yield office
    finally:
        office.close()
