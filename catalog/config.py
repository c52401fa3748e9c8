"""Reads dataset and policy files (TOML). Pydantic stays here, at the edge.

Of a policy file the node reads ``[columns]`` and ``[query]``; ``[publish]``, which is the
pipeline's, is left alone (`desensitize.written_policy`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args

from pydantic import BaseModel, Field, StringConstraints

from catalog.codec import policy_version
from catalog.dataset import Dataset
from catalog.plan import Protocol
from catalog.policy import Budget, Policy, family_of, leaves_rows_out
from catalog.written_values import bounds_of, codes_of, exact
from desensitize.column import DATA_TYPES, Column, ColumnType, Role, Use
from desensitize.written_policy import (
    DatasetName,
    Section,
    Strict,
    Written,
    WrittenColumn,
    WrittenPolicy,
    check_type,
)
from protos.faults import InputError
from protos.language import Text
from protos.names import check_name
from protos.toml_file import read_toml, validated

M = TypeVar("M", bound=BaseModel)
ColumnName = Annotated[str, StringConstraints(pattern=r"^[^\W\d]\w{0,62}$")]
Fraction = Annotated[float, Field(gt=0, le=1)]
# What a policy may list: every protocol, and the families of two schemes.
PROTOCOLS: Final = frozenset({*get_args(Protocol), *map(family_of, get_args(Protocol))})
ALL_USES: Final[frozenset[Use]] = frozenset({"join", "filter", "group", "aggregate"})
_NARROW: Final = Text(
    "narrow them, or leave them out: the declaration's count then",
    "请收窄，或删去该项：此时以数据集声明为准",
)
# How much a role says: a policy may make it stronger. Neither of the middle ones is the weaker.
_TELLS: Final[dict[Role, int]] = {"other": 0, "quasi": 1, "sensitive": 1, "direct": 2}


class DatasetColumn(Strict):
    """``[columns.NAME]`` of a dataset file."""

    type: ColumnType
    decimals: Annotated[int, Field(ge=0, le=9)] = 0
    bounds: tuple[Written, Written] | None = None
    codes: tuple[Written, ...] | None = None
    nullable: bool = True
    uses: frozenset[Use] = ALL_USES
    role: Role = "other"
    grade: Annotated[int, Field(ge=1, le=4)] = 2


class DatasetFile(Strict):
    """A dataset file, or one ``[[dataset]]`` table."""

    name: DatasetName
    title: str
    members: Annotated[tuple[str, ...], Field(min_length=1, max_length=10_000)]
    max_rows: Annotated[int, Field(ge=1, le=10**12)]
    subject: ColumnName
    max_rows_per_subject: Annotated[int, Field(ge=1, le=10**6)] = 1
    subjects_disjoint: bool = False
    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-6
    columns: Annotated[dict[ColumnName, DatasetColumn], Field(min_length=1)]


class BudgetTable(Strict):
    """``[query.budget]``."""

    epsilon: Annotated[float, Field(gt=0)]
    default: Annotated[float, Field(gt=0)]
    ceiling: Annotated[float, Field(gt=0)]
    in_flight: Annotated[int, Field(ge=1)] = 4
    least: Annotated[float, Field(gt=0)] = 0.01
    projects: dict[str, Fraction] = Field(default={"default": 1.0})


class QueryTable(Strict):
    """``[query]``."""

    subject: ColumnName
    max_rows_per_subject: Annotated[int, Field(ge=1)] | None = None
    min_group: Annotated[int, Field(ge=1)] = 5
    min_parties: Annotated[int, Field(ge=1)] = 3
    max_cells: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    protocols: tuple[str, ...] = ("masked_sum",)
    audience: tuple[str, ...] = ()
    colluders: Annotated[int, Field(ge=0)] = 0
    dominance: tuple[Annotated[int, Field(ge=1)], Fraction] | None = None
    budget: BudgetTable


class PolicyFile(WrittenPolicy):
    """A policy file."""

    query: QueryTable
    publish: Section | None = None


def load_dataset(source: Path | Mapping[str, Any]) -> Dataset:
    """Reads a dataset file, or a ``[[dataset]]`` table that was read before.

    Raises:
        InputError: The file is missing or not TOML, a key is unknown or wrong, or a column's
            bounds or codes do not suit its type. The message names file, key and column.
    """
    where, body = _open(source, "dataset")
    written = _validated(DatasetFile, body, where)
    folded = [name.casefold() for name in written.columns]
    for name in written.columns:
        if folded.count(name.casefold()) > 1:
            raise InputError(
                Text(
                    f"{where}: two columns differ from {name!r} by case only",
                    f"{where}：有两列仅大小写不同：{name!r}",
                )
            )
    for member in written.members:
        check_name(member)
        if written.members.count(member) > 1:
            raise InputError(
                Text(
                    f"{where}: members lists {member!r} twice",
                    f"{where}：members 中 {member!r} 重复",
                )
            )
    columns = {name: _column(name, c, where) for name, c in written.columns.items()}
    return Dataset(
        name=written.name,
        title=written.title,
        columns=columns,
        members=written.members,
        max_rows=written.max_rows,
        subject=written.subject,
        max_rows_per_subject=written.max_rows_per_subject,
        subjects_disjoint=written.subjects_disjoint,
        delta=written.delta,
    )


def load_policy(source: Path | Mapping[str, Any], dataset: Dataset, department: str) -> Policy:
    """Reads one department's policy for ``dataset``; types are inherited from the dataset.

    What ``[publish]`` says and what columns say for it alone is not part of the policy, nor of its
    version.

    Raises:
        InputError: As `load_dataset`; and a policy that is wider than the dataset is refused,
            naming the column and the key.
    """
    where, body = _open(source, "policy")
    written = _validated(PolicyFile, body, where)
    if written.dataset != dataset.name:
        raise InputError(
            Text(
                f"{where}: is for {written.dataset!r}, not for {dataset.name!r}",
                f"{where}：对应数据集 {written.dataset!r}，而不是 {dataset.name!r}",
            )
        )
    query, budget = written.query, written.query.budget
    rows = query.max_rows_per_subject or dataset.max_rows_per_subject
    if rows > dataset.max_rows_per_subject:
        raise InputError(
            Text(
                f"{where}: query.max_rows_per_subject is {rows}, the dataset allows at most "
                f"{dataset.max_rows_per_subject}",
                f"{where}：query.max_rows_per_subject 为 {rows}，数据集最多允许 "
                f"{dataset.max_rows_per_subject}",
            )
        )
    if unknown := sorted(set(query.protocols) - PROTOCOLS):
        raise InputError(
            Text(
                f"{where}: query.protocols: {unknown[0]!r} is not a protocol",
                f"{where}：query.protocols：{unknown[0]!r} 不是协议名",
            ),
            remedy=Text(
                f"use {', '.join(sorted(PROTOCOLS))}", f"可用：{'、'.join(sorted(PROTOCOLS))}"
            ),
        )
    _check_budget(budget, where)
    policy = Policy(
        dataset=dataset.name,
        department=department,
        columns=_law(written, dataset, where),
        subject=query.subject,
        max_rows_per_subject=rows,
        min_group=query.min_group,
        min_parties=query.min_parties,
        max_cells=query.max_cells,
        protocols=query.protocols,
        audience=query.audience,
        budget=Budget(
            budget.epsilon,
            budget.default,
            budget.ceiling,
            dict(budget.projects),
            budget.in_flight,
            budget.least,
        ),
        colluders=query.colluders,
        dominance=query.dominance,
    )
    return replace(policy, version=policy_version(policy))


def _check_budget(budget: BudgetTable, where: str) -> None:
    if not budget.least <= budget.default <= budget.ceiling <= budget.epsilon:
        raise InputError(
            Text(
                f"{where}: query.budget needs least <= default <= ceiling <= epsilon, not "
                f"{budget.least} <= {budget.default} <= {budget.ceiling} <= {budget.epsilon}",
                f"{where}：query.budget 须满足 least <= default <= ceiling <= epsilon，而现在是 "
                f"{budget.least} <= {budget.default} <= {budget.ceiling} <= {budget.epsilon}",
            )
        )
    # Shares such as 0.7 + 0.2 + 0.1 must not fail for the last bit of a float.
    if sum(Decimal(repr(share)) for share in budget.projects.values()) > 1:
        raise InputError(
            Text(
                f"{where}: query.budget.projects has shares that sum to more than 1",
                f"{where}：query.budget.projects 各项目份额之和超过 1",
            )
        )


def _column(name: str, written: DatasetColumn, where: str) -> Column:
    at = f"{where}: columns.{name}"
    if written.decimals and written.type != "decimal":
        raise InputError(
            Text(
                f"{at}.decimals: only a decimal column has decimals",
                f"{at}.decimals：只有 decimal 类型的列才有小数位",
            )
        )
    plain = Column(
        name=name,
        type=written.type,
        decimals=written.decimals,
        nullable=written.nullable,
        uses=written.uses,
        role=written.role,
        grade=written.grade,
    )
    return replace(
        plain,
        bounds=bounds_of(plain, written.bounds, at),
        codes=codes_of(plain, written.codes, at),
    )


def _law(written: PolicyFile, dataset: Dataset, where: str) -> dict[str, Column]:
    """Returns the columns of which the file says something to the node.

    Others are there to be published, or not to be: their names need be none of the dataset's.
    """
    law = {}
    for name, column in written.columns.items():
        check_type(column.type, f"{where}: columns.{name}")
        declared = dataset.columns.get(name)
        if declared is None and written.publish is not None and not column.uses:
            continue
        narrowed = _narrowed(name, column, dataset, where)
        if narrowed.uses or leaves_rows_out(narrowed, dataset):
            law[name] = narrowed
    return law


def _narrowed(name: str, written: WrittenColumn, dataset: Dataset, where: str) -> Column:
    at = f"{where}: columns.{name}"
    declared = dataset.columns.get(name)
    if declared is None:
        raise InputError(
            Text(
                f"{at}: the dataset {dataset.name!r} has no such column",
                f"{at}：数据集 {dataset.name!r} 没有这一列",
            ),
            remedy=Text(
                f"its columns are {', '.join(dataset.columns)}",
                f"该数据集的列：{'、'.join(dataset.columns)}",
            ),
        )
    _check_repeated(written, declared, at)
    if wider := sorted(written.uses - declared.uses):
        raise InputError(
            Text(
                f"{at}.uses: {wider[0]!r} is wider than the dataset allows",
                f"{at}.uses：{wider[0]!r} 超出数据集允许的用途",
            )
        )
    bounds = bounds_of(declared, written.bounds, at) or declared.bounds
    codes = codes_of(declared, written.codes, at) or declared.codes
    if (
        bounds
        and declared.bounds
        and not (declared.bounds[0] <= bounds[0] and bounds[1] <= declared.bounds[1])
    ):
        raise InputError(
            Text(
                f"{at}.bounds: are wider than the dataset's", f"{at}.bounds：范围超出数据集的声明"
            ),
            remedy=_NARROW,
        )
    if codes and declared.codes and (extra := [c for c in codes if c not in declared.codes]):
        raise InputError(
            Text(
                f"{at}.codes: {extra[0]!r} is not in the dataset's code list",
                f"{at}.codes：{extra[0]!r} 不在数据集的代码表中",
            ),
            remedy=_NARROW,
        )
    if written.codes and bounds and codes:
        outside = [c for c in codes if not bounds[0] <= int(c) <= bounds[1]]
        if outside:
            raise InputError(
                Text(
                    f"{at}.codes: {outside[0]!r} is outside the bounds",
                    f"{at}.codes：{outside[0]!r} 超出范围",
                )
            )
    return replace(
        declared, bounds=bounds, codes=codes, uses=written.uses,
        grade=declared.grade if written.grade is None else written.grade,
    )  # fmt: skip


def _check_repeated(written: WrittenColumn, declared: Column, at: str) -> None:
    """What a policy says again is what the dataset declares; grade and role may only rise.

    A type of the scan says what values mean, not how they are held: the dataset has none.
    """
    for key, said, meant in (
        ("type", written.type if written.type in DATA_TYPES else None, declared.type),
        ("decimals", written.decimals, declared.decimals),
    ):
        if said is not None and said != meant:
            raise InputError(
                Text(
                    f"{at}.{key}: is {said}, the dataset declares {meant}",
                    f"{at}.{key}：写为 {said}，而数据集声明为 {meant}",
                ),
                remedy=_declared_or_nothing(meant),
            )
    if written.grade is not None and written.grade < declared.grade:
        raise InputError(
            Text(
                f"{at}.grade: {written.grade} is less sensitive than the dataset's "
                f"{declared.grade}",
                f"{at}.grade：{written.grade} 低于数据集声明的级别 {declared.grade}",
            ),
            remedy=_declared_or_nothing(declared.grade),
        )
    if "role" in written.model_fields_set and _TELLS[written.role] < _TELLS[declared.role]:
        raise InputError(
            Text(
                f"{at}.role: {written.role!r} says less than the dataset's {declared.role!r}",
                f"{at}.role：{written.role!r} 弱于数据集声明的 {declared.role!r}",
            ),
            remedy=_declared_or_nothing(declared.role),
        )


def _declared_or_nothing(meant: object) -> Text:
    return Text(f"write {meant}, or leave it out", f"请写 {meant}，或删去该项")


def _open(source: Path | Mapping[str, Any], what: str) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(source, Path):
        return what, source
    missing = Text(f"name a {what} file", f"请指定 {what} 文件")
    return str(source), read_toml(source, missing, parse_float=Decimal)


def _validated(model: type[M], body: Mapping[str, Any], where: str) -> M:
    return validated(model, exact(body), where)
