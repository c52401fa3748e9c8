"""A small filled catalog for a federation on one machine, and what it calls the sample's nodes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from select import select
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
    process: subprocess.Popen[str]

    def wait(self) -> None:
        """Waits until its records are there, so that it can be served; its rows may be to come.

        Raises:
            UnavailableError: It could not be made; says why.
        """
        said = self.process.stdout
        if said is None or not select([said], [], [], _FILL_S)[0] or not said.readline():
            self.finish()
        names = "".join(
            f"[{city.name}]\nname = {json.dumps(city.title, ensure_ascii=False)}\n"
            f'place = "{next(iter(city.districts))[:4]}00"\n'
            for city in CITIES
        )
        write_whole(self.directory / NODES, names.encode("utf-8"))

    def finish(self) -> None:
        """Waits until its rows are public, too.

        Raises:
            UnavailableError: It could not be made; says why.
        """
        try:
            _, said = self.process.communicate(timeout=_FILL_S)
        except subprocess.TimeoutExpired:
            self.stop()
            said = ""
        if self.process.returncode:
            raise UnavailableError(
                Text(f"the sample catalog could not be made: {said}", f"无法生成示例目录：{said}"),
                remedy=Text(
                    "start without --catalog, or mend that first",
                    "请不带 --catalog 启动，或先解决此问题",
                ),
                code="catalog.sample",
            )

    def stop(self) -> None:
        """Gives it up."""
        self.process.kill()
        self.process.wait()


def fill(directory: Path, datasets: int = DATASETS) -> Filling:
    """Begins to make and fill a catalog, and returns at once."""
    arguments = ["catalog", "sample", "--dir", str(directory), "--datasets", str(datasets)]
    process = subprocess.Popen(  # noqa: S603 - our own program, with our own arguments
        [sys.executable, "-m", "exchange.cli", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        encoding="utf-8", errors="replace",
    )  # fmt: skip
    return Filling(directory, process)
