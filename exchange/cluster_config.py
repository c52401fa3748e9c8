"""``cluster.toml``: a whole federation on one machine, for trying things and for tests."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from compute_nodes.config import Limits
from protos.faults import InputError


class ClusterData(BaseModel):
    """One department's share of a logical dataset; paths are relative to cluster.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    file: Path
    policy: Path


class ClusterDepartment(BaseModel):
    """One department and what it holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str = ""
    data: tuple[ClusterData, ...] = ()


class ClusterConfig(BaseModel):
    """``cluster.toml``.

    Attributes:
        datasets: Files that declare the logical datasets.
        department: The departments, in order.
        analysts: Names of the analysts to enrol; the first one's profile is ``analyst.toml``.
        affiliations: Analyst → the department that it belongs to; everybody pins it so.
        host: Where the exchange listens.
        port: Port of the exchange's gRPC service; 0 takes a free one.
        limits: Limits of every node.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    datasets: tuple[Path, ...]
    department: tuple[ClusterDepartment, ...]
    analysts: tuple[str, ...] = ("analyst",)
    affiliations: dict[str, str] = {}
    host: str = "127.0.0.1"
    port: int = 0
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _names_are_unique(self) -> ClusterConfig:
        names = [department.name for department in self.department]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"department {name!r} is listed twice; give each its own name")
        if not names:
            raise ValueError("no department; add at least one [[department]]")
        for analyst, department in self.affiliations.items():
            if analyst not in self.analysts:
                raise ValueError(f"affiliations names {analyst!r}, who is not under `analysts`")
            if department not in names:
                raise ValueError(f"affiliations: {department!r} is no department of this cluster")
        return self


def load_cluster_config(path: Path) -> ClusterConfig:
    """Reads ``cluster.toml``; relative paths become absolute from its folder.

    Raises:
        InputError: The file is missing, is not TOML, or has an unknown or wrong key.
    """
    try:
        config = ClusterConfig.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist", remedy="name a cluster.toml") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}", remedy="mend that line") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "cluster"
        raise InputError(f"{path}: {key}: {first['msg']}", remedy="mend that key") from error
    base = path.resolve().parent
    departments = tuple(
        department.model_copy(
            update={
                "data": tuple(
                    ClusterData(
                        dataset=item.dataset, file=base / item.file, policy=base / item.policy
                    )
                    for item in department.data
                )
            }
        )
        for department in config.department
    )
    return config.model_copy(
        update={"datasets": tuple(base / p for p in config.datasets), "department": departments}
    )
