"""The node's own configuration: ``node.toml`` in the node's directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from compute_nodes.officers import GrantRules
from protos.language import Text
from protos.toml_file import read_toml, validated

# In the directory of a node that could not start: what was wrong, for who had started it.
FAILED: Final = "failed.json"


class DataSource(BaseModel):
    """One logical dataset that this department answers for; paths are relative to node.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: Path
    file: Path
    policy: Path


class Limits(BaseModel):
    """What one query worker may use, and how long peers may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query_memory_mb: Annotated[int, Field(ge=64, le=1_000_000)] = 2048
    query_cpu_s: Annotated[int, Field(ge=1, le=86_400)] = 60
    query_deadline_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    spare_workers: Annotated[int, Field(ge=1, le=16)] = 1
    poll_wait_s: Annotated[float, Field(gt=0, le=60)] = 20.0


class NodeConfig(BaseModel):
    """``node.toml``.

    Attributes:
        exchange: ``host:port`` of the exchange's gRPC service.
        data: The datasets that this department answers for.
        limits: Limits of a query worker and of waiting.
        grants: Whose decisions make this node sign a grant; None signs each by hand.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    exchange: str
    data: tuple[DataSource, ...] = ()
    limits: Limits = Limits()
    grants: GrantRules | None = None


def load_node_config(directory: Path) -> NodeConfig:
    """Reads ``node.toml``; relative paths become absolute from ``directory``.

    Raises:
        InputError: The file is missing, is not TOML, or has an unknown or wrong key.
    """
    path = directory / "node.toml"
    enrol = Text(
        "run `veil node enroll` for this directory first", "请先为此目录运行 veil node enroll"
    )
    config = validated(NodeConfig, read_toml(path, enrol), str(path))
    sources = tuple(
        DataSource(
            dataset=directory / source.dataset,
            file=directory / source.file,
            policy=directory / source.policy,
        )
        for source in config.data
    )
    return config.model_copy(update={"data": sources})
