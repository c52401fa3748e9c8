"""Reads everything that ``cluster.toml`` names before anything is started or made.

So that a mistake is told within a second, in the user's own file, not in the log of a process.
"""

from __future__ import annotations

from pathlib import Path

from catalog.config import load_dataset, load_policy
from catalog.dataset import Dataset
from exchange.cluster.config import ClusterConfig, ClusterDepartment
from protos.faults import InputError
from protos.language import Text


def check_cluster(config: ClusterConfig) -> None:
    """Checks declarations, members, files and policies.

    Raises:
        InputError: A file is missing or wrong; names the department and the key.
    """
    datasets: dict[str, Dataset] = {}
    known = {department.name for department in config.department}
    for file in config.datasets:
        dataset = load_dataset(file)
        datasets[dataset.name] = dataset
        for member in dataset.members:
            if member not in known:
                raise _stranger(file, member)
    for department in config.department:
        _check_department(department, datasets)


def _check_department(department: ClusterDepartment, datasets: dict[str, Dataset]) -> None:
    for held in department.data:
        dataset = datasets.get(held.dataset)
        if dataset is None:
            raise InputError(
                Text(
                    f"{department.name}: no dataset {held.dataset!r} is declared",
                    f"{department.name}：没有声明数据集 {held.dataset!r}",
                ),
                remedy=Text("list its file under `datasets`", "请把它的文件列在 datasets 中"),
                code="cluster.dataset",
            )
        if department.name not in dataset.members:
            raise InputError(
                Text(
                    f"{department.name} is no member of {dataset.name!r}",
                    f"{department.name} 不是 {dataset.name!r} 的成员",
                ),
                remedy=Text(
                    "add it to `members` in the dataset's file", "请把它加入数据集文件的 members"
                ),
                code="cluster.member",
            )
        for file in (held.policy, held.file):
            if not file.is_file():
                raise InputError(
                    Text(
                        f"{department.name}: {file} does not exist",
                        f"{department.name}：{file} 不存在",
                    ),
                    remedy=Text(
                        "paths in cluster.toml are relative to its folder",
                        "cluster.toml 中的路径相对于其所在文件夹",
                    ),
                    code="cluster.file",
                )
        load_policy(held.policy, dataset, department.name)


def _stranger(file: Path, member: str) -> InputError:
    return InputError(
        Text(
            f"{file}: member {member!r} is no department of this cluster",
            f"{file}：成员 {member!r} 不是本集群的部门",
        ),
        remedy=Text(
            "add a [[department]], or remove the member", "请添加 [[department]]，或删除该成员"
        ),
        code="cluster.member",
    )
