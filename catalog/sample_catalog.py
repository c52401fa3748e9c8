"""A small filled catalog for a federation on one machine, and what it calls the sample's nodes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.declaration import NODES
from catalog.sample_lists import CITIES
from protos.faults import UnavailableError
from protos.language import Text
from protos.whole_file import write_whole

DATASETS: Final = (
    420  # one of each sample department; a second, where the whole province is half a minute
)
_FILL_S: Final = 120.0


@dataclass(frozen=True)
class Filling:
    """A catalog that is being filled by a process of its own, meanwhile."""

    directory: Path
    process: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Waits until it is there.

        Raises:
            UnavailableError: It could not be made; says why.
        """
        try:
            _, said = self.process.communicate(timeout=_FILL_S)
        except subprocess.TimeoutExpired:
            self.stop()
            said = b""
        if self.process.returncode:
            raise UnavailableError(
                Text(
                    f"the sample catalog could not be made: {said.decode('utf-8', 'replace')}",
                    f"无法生成示例目录：{said.decode('utf-8', 'replace')}",
                ),
                remedy=Text(
                    "start without --catalog, or mend that first",
                    "请不带 --catalog 启动，或先解决此问题",
                ),
                code="catalog.sample",
            )
        names = "".join(
            f"[{city.name}]\nname = {json.dumps(city.title, ensure_ascii=False)}\n"
            f'place = "{next(iter(city.districts))[:4]}00"\n'
            for city in CITIES
        )
        write_whole(self.directory / NODES, names.encode("utf-8"))

    def stop(self) -> None:
        """Gives it up."""
        self.process.kill()
        self.process.wait()


def fill(directory: Path, datasets: int = DATASETS) -> Filling:
    """Begins to make and fill a catalog, and returns at once."""
    arguments = ["catalog", "sample", "--dir", str(directory), "--datasets", str(datasets)]
    process = subprocess.Popen(  # noqa: S603 - our own program, with our own arguments
        [sys.executable, "-m", "exchange.cli", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    return Filling(directory, process)
