"""The declared datasets, as files in the exchange's directory: one TOML file each."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

from catalog.codec import to_json
from catalog.config import load_dataset
from catalog.dataset import Dataset
from catalog.identity.files import create_directory
from protos.faults import InputError, UnavailableError
from protos.language import Text
from protos.whole_file import write_whole


class DatasetShelf:
    """Reads the folder again when a file in it has changed, so that `dataset add` needs no restart.

    Args:
        directory: The folder; made when it is not there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._seen: tuple[tuple[str, int], ...] = ()
        self._datasets: dict[str, Dataset] = {}

    def add(self, file: Path) -> Dataset:
        """Declares a dataset; the same declaration again changes nothing.

        Raises:
            InputError: The file is wrong, or another dataset has this name.
            UnavailableError: It cannot be read or kept.
        """
        dataset = load_dataset(file)
        create_directory(self._directory)
        known = self.all().get(dataset.name)
        if known is not None and known != dataset:
            raise InputError(
                Text(
                    f"a different dataset {dataset.name!r} is declared already",
                    f"已声明过另一个名为 {dataset.name!r} 的数据集",
                ),
                remedy=Text(
                    "choose another name: signed plans and grants refer to the old declaration",
                    "请换一个名称：已签名的计划和授权引用的是旧声明",
                ),
                code="dataset.exists",
            )
        write_whole(self._path(dataset.name), _read(file))
        return dataset

    def all(self) -> dict[str, Dataset]:
        """Every declared dataset by name."""
        with self._lock:
            files = sorted(self._directory.glob("*.toml"))
            seen = tuple((file.name, file.stat().st_mtime_ns) for file in files)
            if seen != self._seen:
                loaded = [load_dataset(file) for file in files]
                self._datasets = {dataset.name: dataset for dataset in loaded}
                self._seen = seen
            return dict(self._datasets)

    def get(self, name: str) -> Dataset:
        """One dataset.

        Raises:
            InputError: It is not declared.
        """
        found = self.all().get(name)
        if found is None:
            raise InputError(
                Text(f"there is no dataset {name!r}", f"没有名为 {name!r} 的数据集"),
                remedy=Text(
                    "`veil status` lists the declared datasets", "veil status 列出已声明的数据集"
                ),
                code="dataset.unknown",
            )
        return found

    def bodies(self) -> list[dict[str, Any]]:
        """Every dataset as JSON, for the directory."""
        return [to_json(dataset) for _, dataset in sorted(self.all().items())]

    def _path(self, name: str) -> Path:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
            raise InputError(
                Text(f"{name!r} is not a dataset name", f"{name!r} 不能用作数据集名称"),
                code="dataset.name",
            )
        return self._directory / f"{name}.toml"


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UnavailableError(
            Text(f"cannot read {file}: {error.strerror}", f"无法读取 {file}：{error.strerror}")
        ) from error
