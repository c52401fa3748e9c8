"""A policy file (TOML), as it is written, and how it becomes a policy.

Read are its ``[columns]`` and ``[publish]`` parts; ``[query]``, which is the node's, is left alone
(`written_policy`).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from desensitize.masking import KINDS
from desensitize.masking.base import Bounds, Kind, Method
from desensitize.policy import (
    Attacks,
    Delta,
    Gate,
    HierarchyRule,
    Models,
    PublishedColumn,
    PublishPolicy,
)
from desensitize.policy_checks import (
    check_beside,
    check_column,
    check_models,
    check_release,
    undeclared,
)
from desensitize.synthesis.allowed import check_columns
from desensitize.synthesis.spec import WrittenSynthesis, read_rules
from desensitize.written_policy import Section, Strict, Written, WrittenPolicy, read_day
from protos.faults import InputError
from protos.language import Text
from protos.toml_file import read_toml, refused, validated

_KINDS: Final = {kind.name: kind for kind in KINDS}
_OWN: Final = (
    "attestation.json", "manifest.json", "original.parquet", "policy.toml", "scratch",
)  # fmt: skip
_WRITE: Final = Text(
    "begin with what 'veil desensitize plan FILE' proposes",
    "可先用 veil desensitize plan FILE 生成建议策略",
)
GivenPolicy = str | os.PathLike[str] | PublishPolicy
"""A policy file, the text of one, or one that was read; see `given_policy`."""
Share = Annotated[float, Field(ge=0, le=1)]


_Levels = Annotated[tuple[str, ...], Field(min_length=1)]


class _Hierarchy(Strict):
    file: Annotated[str, Field(min_length=1)]


class _Delta(Strict):
    file: Annotated[str, Field(min_length=1)]
    most: Annotated[float, Field(gt=0, le=1)]
    least: Share = 0.0


class _Models(Strict):
    k: Annotated[int, Field(ge=2)] | None = None
    l: Annotated[int, Field(ge=2)] | None = None  # noqa: E741 - the model's own name
    entropy_l: Annotated[float, Field(gt=1)] | None = None
    t: Annotated[float, Field(gt=0, le=1)] | None = None
    delta: _Delta | None = None
    max_suppressed: Share = 0.0

    def made(self) -> Models:
        """Returns it as the rest of the program knows it."""
        plain = self.model_dump(exclude={"delta"})
        delta = None if self.delta is None else Delta(**self.delta.model_dump())
        return Models(**plain, delta=delta)


class _Attacks(Strict):
    mask_candidates_min: Annotated[int, Field(ge=1)] | None = None
    linkage_correct_max: Share | None = None
    small_cell_differences: Annotated[int, Field(ge=0)] | None = None
    unique_share_max: Share | None = None
    inference_share_max: Share | None = None
    singling_out_max: Share | None = None


class _Gate(Strict):
    rescan: Literal["fail_on_any_hit", "report"] = "fail_on_any_hit"
    gbt42460_level_min: Annotated[int, Field(ge=1, le=4)] | None = None


class _Publish(Strict):
    unknown_column: Literal["drop", "refuse"] = "drop"
    methods: dict[str, str | dict[str, Any]] = Field(default={})
    hierarchies: dict[str, _Levels | _Hierarchy] = Field(default={})
    models: _Models = _Models()
    attacks: _Attacks = _Attacks()
    gate: _Gate = _Gate()
    synthesis: WrittenSynthesis | None = None


class _File(WrittenPolicy):
    publish: _Publish
    query: Section | None = None


def read_policy(path: Path) -> PublishPolicy:
    """Reads a policy file.

    Raises:
        InputError: It is missing, no TOML, or says what cannot be; names the place.
    """
    read_toml(path, _WRITE, parse_float=Decimal)  # says what is wrong with the file
    # What is applied is what the digest is of, also if somebody saves the file just now.
    return parse_policy(path.read_text("utf-8-sig"), where=path.name, folder=path.parent)


def given_policy(given: GivenPolicy) -> PublishPolicy:
    """Reads a policy as a program gives it: one that was read, a file, or the text of one.

    Text is what has line breaks, as all that `plan` returns: nobody's files have them in their
    names.

    Raises:
        InputError: As `read_policy`.
    """
    if isinstance(given, PublishPolicy):
        return given
    if isinstance(given, str) and "\n" in given:
        return parse_policy(given)
    return read_policy(Path(given))


def parse_policy(text: str, *, where: str = "policy", folder: Path | None = None) -> PublishPolicy:
    """Reads the text of a policy; as `read_policy`.

    Args:
        text: TOML.
        where: What to call it in errors.
        folder: Where files lie that it names; the working directory by default.
    """
    try:
        body = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            Text(f"{where} is not TOML: {error}", f"{where} 不是有效的 TOML：{error}"),
            remedy=Text(
                'mend that line; names that are not plain ASCII stand in straight quotes: "姓名"',
                '请改正该行；中文列名须用英文双引号括起，如 "姓名"',
            ),
            code="file.toml",
        ) from error
    return _checked(body, text, where, folder or Path())


def _checked(body: dict[str, Any], text: str, where: str, folder: Path) -> PublishPolicy:
    written = validated(_File, body, where)
    publish = written.publish
    for part, names in (("methods", publish.methods), ("hierarchies", publish.hierarchies)):
        for name in names:
            if name not in written.columns:
                raise undeclared(f'{where}: publish.{part}."{name}"', name, written.columns)
    for name, rule in publish.hierarchies.items():
        if isinstance(rule, _Hierarchy):
            at = f'{where}: publish.hierarchies."{name}".file'
            check_beside(rule.file, {f"{written.dataset}.parquet", *_OWN}, at)
    columns = {}
    for name, column in written.columns.items():
        at = f'{where}: columns."{name}"'
        bounds = _bounds(column.bounds, f"{at}.bounds")
        check_column(column.type, bounds, at, dated=column.day_first is not None)
        methods: tuple[Method, ...] = ()
        if name in publish.methods:
            methods = read_methods(publish.methods[name], f'{where}: publish.methods."{name}"')
        columns[name] = PublishedColumn(
            name, column.type, column.role, column.grade, bounds, methods,
            _hierarchy(publish.hierarchies.get(name)),
            column.codes, column.decimals, column.nullable, column.within, column.day_first,
            column.same,
        )  # fmt: skip
    for each in columns.values():
        check_release(each, columns, where)
    models = publish.models.made()
    check_models(models, columns, where)
    synthesis = None
    if publish.synthesis is not None:
        at = f"{where}: publish.synthesis"
        synthesis = read_rules(publish.synthesis, at)
        check_columns(synthesis, columns, at)
    return PublishPolicy(
        written.dataset, written.open, columns, publish.unknown_column, models,
        Attacks(**publish.attacks.model_dump()), Gate(**publish.gate.model_dump()), synthesis,
        text, folder,
    )  # fmt: skip


def _bounds(written: tuple[Written, Written] | None, at: str) -> Bounds | None:
    if written is None:
        return None
    low, high = written
    if isinstance(low, str | date):
        return read_day(low, at), read_day(high, at)
    if isinstance(low, bool) or isinstance(high, bool | str | date):
        raise InputError(
            Text(f"{at} must be two numbers or two days", f"{at} 须为两个数或两个日期"),
            remedy=Text(
                "write [0, 100] or [2024-01-01, 2024-12-31]",
                "请写 [0, 100] 或 [2024-01-01, 2024-12-31]",
            ),
            code="policy.bounds",
        )
    return Decimal(low), Decimal(high)


def _hierarchy(written: tuple[str, ...] | _Hierarchy | None) -> HierarchyRule | None:
    if written is None:
        return None
    if isinstance(written, _Hierarchy):
        return HierarchyRule(file=written.file)
    return HierarchyRule(written)


def read_methods(written: str | Mapping[str, Any], where: str) -> tuple[Method, ...]:
    """Reads what a policy says about one column: ``"drop"`` or ``{ top_code = "p99", … }``.

    Methods are applied in the order in which they are written; a key that belongs to the method
    before it (``days`` of ``date_shift``) is that one's.

    Raises:
        InputError: A method or a parameter is unknown or wrong.
    """
    if isinstance(written, str):
        kind = _kind(written, where)
        return (_made(kind, {}, f"{where}.{kind.name}"),)
    steps: list[tuple[Kind, dict[str, Any]]] = []
    for key, value in written.items():
        if steps and key in steps[-1][0].options:
            steps[-1][1][steps[-1][0].options[key]] = value
            continue
        kind = _kind(key, where)
        if not kind.value:
            raise InputError(
                Text(f"{where}.{key} takes no value", f"{where}.{key} 不带参数"),
                remedy=Text(f'write it alone: "{key}"', f'请单独写："{key}"'),
                code="policy.method",
            )
        steps.append((kind, {kind.value: value}))
    if not steps:
        raise InputError(
            Text(f"{where} names no method", f"{where} 没有写方法"),
            remedy=_known_methods(),
            code="policy.method",
        )
    return tuple(_made(kind, values, f"{where}.{kind.name}") for kind, values in steps)


def _kind(name: str, where: str) -> Kind:
    if name not in _KINDS:
        raise InputError(
            Text(f"{where}: {name!r} is no method", f"{where}：没有名为 {name!r} 的方法"),
            remedy=_known_methods(),
            code="policy.method",
        )
    return _KINDS[name]


def _known_methods() -> Text:
    return Text(f"methods: {', '.join(_KINDS)}", f"可用的方法：{'、'.join(_KINDS)}")


def _made(kind: Kind, values: Mapping[str, Any], where: str) -> Method:
    try:
        method: Method = TypeAdapter(kind.make).validate_python(dict(values))
    except ValidationError as error:
        raise refused(error, where) from error
    return method
