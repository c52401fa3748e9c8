"""``cluster.toml``: a whole federation on one machine, for trying things and for tests."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from compute_nodes.config import Limits
from protos.language import Text
from protos.toml_file import read_toml, validated


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
        catalog_port: Port of the catalog, if one is served; 0 takes a free one.
        limits: Limits of every node.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    datasets: tuple[Path, ...]
    department: tuple[ClusterDepartment, ...]
    analysts: tuple[str, ...] = ("analyst",)
    affiliations: dict[str, str] = {}
    host: str = "127.0.0.1"
    port: int = 0
    catalog_port: int = 0
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _names_are_unique(self) -> ClusterConfig:
        names = [department.name for department in self.department]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    Text(
                        f"department {name!r} is listed twice; give each its own name",
                        f"部门 {name!r} 重复；请为每个部门取不同的名称",
                    )
                )
        if not names:
            raise ValueError(
                Text(
                    "no department; add at least one [[department]]",
                    "没有部门；请至少添加一个 [[department]]",
                )
            )
        for analyst, department in self.affiliations.items():
            if analyst not in self.analysts:
                raise ValueError(
                    Text(
                        f"affiliations names {analyst!r}, who is not under `analysts`",
                        f"affiliations 中的 {analyst!r} 不在 `analysts` 中",
                    )
                )
            if department not in names:
                raise ValueError(
                    Text(
                        f"affiliations: {department!r} is no department of this cluster",
                        f"affiliations：{department!r} 不是此集群的部门",
                    )
                )
        return self


def load_cluster_config(path: Path) -> ClusterConfig:
    """Reads ``cluster.toml``; relative paths become absolute from its folder.

    Raises:
        InputError: The file is missing, is not TOML, or has an unknown or wrong key.
    """
    body = read_toml(path, Text("name a cluster.toml", "请指定 cluster.toml"))
    config = validated(ClusterConfig, body, str(path))
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
