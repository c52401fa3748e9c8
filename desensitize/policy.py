"""The policy of a release: what becomes of each column, what must hold, what is tried.

Read from the ``[columns]`` and ``[publish]`` parts of a policy file (TOML); ``[query]``, which is
the exchange's, is left alone. A policy fails closed: what it does not name is not published.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from desensitize.column import Code, ColumnType, Role
from desensitize.masking import HIDING, KINDS, UNREADABLE
from desensitize.masking.base import Bounds, Kind, Method, domain_of, is_fresh, needs_of
from desensitize.masking.visible import Drop, Ends
from desensitize.recognisers import by_name
from desensitize.scanning.attributes import ATTRIBUTES
from desensitize.synthesis.allowed import check_columns
from desensitize.synthesis.spec import SynthesisRules, WrittenSynthesis, read_rules
from protos.faults import InputError
from protos.language import Text
from protos.toml_file import read_toml, refused, validated

FREE_TEXT: Final = "free_text"
DATA_TYPES: Final[tuple[str, ...]] = get_args(ColumnType)
_KINDS: Final = {kind.name: kind for kind in KINDS}
_OWN: Final = (
    "attestation.json", "manifest.json", "original.parquet", "policy.toml", "scratch",
)  # fmt: skip
_WRITE: Final = Text(
    "begin with what 'veil desensitize plan FILE' proposes",
    "可先用 veil desensitize plan FILE 生成建议策略",
)


@dataclass(frozen=True)
class HierarchyRule:
    """How a quasi-identifier may be made coarser.

    Attributes:
        levels: From fine to coarse, such as ``month, year, 5y, *``; ``*`` says nothing at all.
        file: CSV beside the policy with one line per value: the value, then its levels; empty if
            levels are named.
    """

    levels: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True)
class PublishedColumn:
    """One column of ``[columns]``.

    Attributes:
        name: As the scan shows it.
        type: What it holds: a type of the scan (``cn_resident_id``), ``free_text``, a data type
            (``integer``), or empty.
        role: How it identifies its subject.
        grade: Sensitivity, 1 (public) to 4 (core); None if nobody has said.
        bounds: Least and greatest value, or day; others are not published. None for no limit.
        methods: Applied one after the other; empty if the column has a hierarchy or is not named
            in ``[publish]``.
        hierarchy: Its levels, from which the models choose one.
        codes: Its code list; None if nobody has declared one.
        decimals: Digits after the point; None if nobody has said.
        nullable: Whether a row may have no value.
    """

    name: str
    type: str = ""
    role: Role = "other"
    grade: int | None = None
    bounds: Bounds | None = None
    methods: tuple[Method, ...] = ()
    hierarchy: HierarchyRule | None = None
    codes: tuple[Code, ...] | None = None
    decimals: int | None = None
    nullable: bool = True

    @property
    def published(self) -> bool:
        """Whether the release has the column."""
        return self.hierarchy is not None or bool(self.methods and not self.dropped)

    @property
    def quasi(self) -> bool:
        """Whether others may know it of a person: what has levels is, whatever its role says."""
        return self.role == "quasi" or self.hierarchy is not None

    @property
    def sensitive(self) -> bool:
        """Whether others may want to learn it, and cannot be taken to know it."""
        return self.role == "sensitive" and not self.quasi

    @property
    def dropped(self) -> bool:
        """Whether the policy says that it is dropped."""
        return any(isinstance(method, Drop) for method in self.methods)


@dataclass(frozen=True)
class Delta:
    """How certain it may be that somebody is in the table (δ-presence, Nergiz et al. 2007).

    Attributes:
        file: Everybody from whom the rows were drawn, beside the policy; never part of a release.
        most: Greatest share of a class's people whose rows are in the table, 0 to 1.
        least: Least share, also of those who are like nobody in the table, 0 to 1.
    """

    file: str
    most: float
    least: float = 0.0


@dataclass(frozen=True)
class Models:
    """What must hold of the released quasi-identifiers; None for what is not asked.

    Attributes:
        k: Least size of an equivalence class (Sweeney 2002).
        l: Least number of distinct values of each sensitive column in a class.
        entropy_l: Least exp(entropy) of each sensitive column in a class, greater than 1.
        t: Greatest distance of a class's distribution from the table's, 0 to 1.
        delta: Limits of what a population tells about who is in the table.
        max_suppressed: Greatest share of rows that may be left out to reach it, 0 to 1.
    """

    k: int | None = None
    l: int | None = None  # noqa: E741 - the model's own name
    entropy_l: float | None = None
    t: float | None = None
    delta: Delta | None = None
    max_suppressed: float = 0.0

    @property
    def asked(self) -> bool:
        """Whether anything is asked."""
        return self.of_sensitive or self.k is not None or self.delta is not None

    @property
    def of_sensitive(self) -> bool:
        """Whether something is asked of sensitive columns."""
        return any(each is not None for each in (self.l, self.entropy_l, self.t))


@dataclass(frozen=True)
class Attacks:
    """Limits that the attacks on a release must not break; None for what is not tried.

    Attributes:
        mask_candidates_min: Least number of values that a masked one could have been.
        linkage_correct_max: Greatest share of rows that linkage finds.
        small_cell_differences: Cells in which two releases differ by one person.
        unique_share_max: Greatest share of rows that are alone with what the masks leave.
        inference_share_max: Greatest share of rows whose sensitive value a class tells.
        singling_out_max: Greatest share of predicates that isolate one person, beyond chance.
    """

    mask_candidates_min: int | None = None
    linkage_correct_max: float | None = None
    small_cell_differences: int | None = None
    unique_share_max: float | None = None
    inference_share_max: float | None = None
    singling_out_max: float | None = None

    @property
    def asked(self) -> bool:
        """Whether a limit is set for an attack that needs no earlier release."""
        return any(
            value is not None
            for name, value in vars(self).items()
            if name != "small_cell_differences"
        )


@dataclass(frozen=True)
class Gate:
    """What a release must pass.

    Attributes:
        rescan: ``fail_on_any_hit``: one direct identifier that the scan of the output finds
            refuses the release; ``report``: it is said only.
        gbt42460_level_min: Least level of GB/T 42460-2023; None if not asked.
    """

    rescan: Literal["fail_on_any_hit", "report"] = "fail_on_any_hit"
    gbt42460_level_min: int | None = None


@dataclass(frozen=True)
class PublishPolicy:
    """A policy that was checked in itself; whether a table suits it is seen when it is applied.

    Attributes:
        dataset: Name of the dataset, and of its file in the release.
        open: Under which conditions it is opened.
        columns: By name, in the order of the file.
        unknown_column: What to do with columns of the table that nobody named: ``drop`` them and
            say so, or ``refuse`` the table.
        models: What must hold.
        attacks: What is tried.
        gate: What must be passed.
        synthesis: What synthetic rows are made of; None if it does not speak of them.
        text: The policy as it was written; a release carries it along.
        folder: Where the files lie that it names.
    """

    dataset: str
    open: Literal["unconditional", "conditional"]
    columns: Mapping[str, PublishedColumn]
    unknown_column: Literal["drop", "refuse"] = "drop"
    models: Models = field(default_factory=Models)
    attacks: Attacks = field(default_factory=Attacks)
    gate: Gate = field(default_factory=Gate)
    synthesis: SynthesisRules | None = None
    text: str = ""
    folder: Path = Path()

    @property
    def digest(self) -> str:
        """SHA-256 of the text, 64 hexadecimal digits: what ``sha256sum policy.toml`` says."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def published(self) -> tuple[PublishedColumn, ...]:
        """The columns of the release, in the order of the policy."""
        return tuple(column for column in self.columns.values() if column.published)

    @property
    def fresh(self) -> bool:
        """Whether a method draws anew each time, so that no two releases are alike."""
        return any(is_fresh(method) for column in self.published for method in column.methods)

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains whose keys are needed, each once."""
        named = (domain_of(method) for column in self.published for method in column.methods)
        return tuple(dict.fromkeys(filter(None, named)))


# ---- as it is written --------------------------------------------------------------------------

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Column(_Strict):
    """``[columns.NAME]``; the keys below ``bounds`` are the query policy's, and read there."""

    type: str = ""
    role: Role = "other"
    grade: Annotated[int, Field(ge=1, le=4)] | None = None
    bounds: Bounds | None = None
    decimals: int | None = None
    codes: tuple[Any, ...] | None = None
    nullable: bool = True
    uses: tuple[str, ...] = ()


class _Hierarchy(_Strict):
    file: Annotated[str, Field(min_length=1)]


class _Delta(_Strict):
    file: Annotated[str, Field(min_length=1)]
    most: Annotated[float, Field(gt=0, le=1)]
    least: Share = 0.0


class _Models(_Strict):
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


class _Attacks(_Strict):
    mask_candidates_min: Annotated[int, Field(ge=1)] | None = None
    linkage_correct_max: Share | None = None
    small_cell_differences: Annotated[int, Field(ge=0)] | None = None
    unique_share_max: Share | None = None
    inference_share_max: Share | None = None
    singling_out_max: Share | None = None


class _Gate(_Strict):
    rescan: Literal["fail_on_any_hit", "report"] = "fail_on_any_hit"
    gbt42460_level_min: Annotated[int, Field(ge=1, le=4)] | None = None


class _Publish(_Strict):
    unknown_column: Literal["drop", "refuse"] = "drop"
    methods: dict[str, str | dict[str, Any]] = {}
    hierarchies: dict[str, Annotated[tuple[str, ...], Field(min_length=1)] | _Hierarchy] = {}
    models: _Models = _Models()
    attacks: _Attacks = _Attacks()
    gate: _Gate = _Gate()
    synthesis: WrittenSynthesis | None = None


class _File(_Strict):
    dataset: Name
    open: Literal["unconditional", "conditional"] = "conditional"
    columns: Annotated[dict[str, _Column], Field(min_length=1)]
    publish: _Publish
    query: dict[str, Any] = {}


def read_policy(path: Path) -> PublishPolicy:
    """Reads a policy file.

    Raises:
        InputError: It is missing, no TOML, or says what cannot be; names the place.
    """
    read_toml(path, _WRITE, parse_float=Decimal)  # says what is wrong with the file
    # What is applied is what the digest is of, also if somebody saves the file just now.
    return parse_policy(path.read_text("utf-8"), where=path.name, folder=path.parent)


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
                raise _undeclared(f'{where}: publish.{part}."{name}"', name, written.columns)
    for name, rule in publish.hierarchies.items():
        if isinstance(rule, _Hierarchy):
            at = f'{where}: publish.hierarchies."{name}".file'
            _check_beside(rule.file, {f"{written.dataset}.parquet", *_OWN}, at)
    columns = {}
    for name, column in written.columns.items():
        at = f'{where}: columns."{name}"'
        _check_column(column, at)
        methods: tuple[Method, ...] = ()
        if name in publish.methods:
            methods = read_methods(publish.methods[name], f'{where}: publish.methods."{name}"')
        columns[name] = PublishedColumn(
            name, column.type, column.role, column.grade, column.bounds, methods,
            _hierarchy(publish.hierarchies.get(name)),
            column.codes, column.decimals, column.nullable,
        )  # fmt: skip
    for each in columns.values():
        _check_release(each, columns, where)
    models = publish.models.made()
    _check_models(models, columns, where)
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


def _check_models(models: Models, columns: Mapping[str, PublishedColumn], where: str) -> None:
    """Refuses hierarchies without models, and models that would have nothing to hold of.

    Raises:
        InputError: As said.
    """
    published = [column for column in columns.values() if column.published]
    if any(column.hierarchy for column in published) and not models.asked:
        raise InputError(
            Text(
                f"{where}: publish.hierarchies: nothing chooses a level, for publish.models asks "
                "nothing",
                f"{where}：publish.hierarchies：publish.models 未提出要求，无法选定层级",
            ),
            remedy=Text(
                "write publish.models = { k = 20 }, or a method such as { date = 'month' }",
                "请写 publish.models = { k = 20 }，或改用固定方法，如 { date = 'month' }",
            ),
            code="policy.models",
        )
    if models.asked and not any(column.quasi for column in published):
        raise InputError(
            Text(
                f"{where}: publish.models: no quasi-identifier is published, so they say nothing",
                f"{where}：publish.models：没有发布任何准标识符，模型无从约束",
            ),
            remedy=Text(
                'write role = "quasi" for columns that others may know of a person, or leave '
                "models out",
                '请为他人可能掌握的列写上 role = "quasi"，或删去 models',
            ),
            code="policy.models",
        )
    if models.of_sensitive and not any(column.sensitive for column in published):
        raise InputError(
            Text(
                f"{where}: publish.models: l, entropy_l and t are about sensitive columns, and "
                "none is published",
                f"{where}：publish.models：l、entropy_l 与 t 针对敏感属性，但没有发布任何敏感属性",
            ),
            remedy=Text(
                'write role = "sensitive" for what nobody should learn about a person, or leave '
                "l, entropy_l and t out",
                '请为不应被得知的列写上 role = "sensitive"，或删去 l、entropy_l 与 t',
            ),
            code="policy.models",
        )
    if models.delta is not None:
        _check_delta(models.delta, models.max_suppressed, where)
        keyed = [c.name for c in published if c.quasi and any(map(domain_of, c.methods))]
        if keyed:
            raise InputError(
                Text(
                    f"{where}: publish.models.delta: {', '.join(keyed)} would have to be compared "
                    "with the population under a key, which no gate has",
                    f"{where}：publish.models.delta：{'、'.join(keyed)} 须用密钥处理后才能与总体"
                    "比对，而门禁没有密钥",
                ),
                remedy=Text("give the column a hierarchy, or drop it", "请设置层级，或删除该列"),
                code="policy.delta",
            )


def _check_delta(delta: Delta, max_suppressed: float, where: str) -> None:
    if delta.least > delta.most:
        raise InputError(
            Text(f"{where}: publish.models.delta: least is above most",
                 f"{where}：publish.models.delta：least 大于 most"),
            remedy=Text("write least ≤ most", "请使 least ≤ most"),
            code="policy.delta",
        )  # fmt: skip
    if delta.least and max_suppressed:
        raise InputError(
            Text(
                f"{where}: publish.models.delta: with a least share no row can be left out: of "
                "who is left out it would be certain",
                f"{where}：publish.models.delta：设有 least 时不能删去任何行：被删去者必然不在表中",
            ),
            remedy=Text("write max_suppressed = 0, or leave least out",
                        "请写 max_suppressed = 0，或删去 least"),
            code="policy.delta",
        )  # fmt: skip


def _check_beside(file: str, taken: set[str], at: str) -> None:
    """Refuses a file that a release could not carry along under its name.

    Raises:
        InputError: It lies elsewhere, is hidden, or has the name of another file of a release.
    """
    path = PurePosixPath(file)
    hidden = any(part.startswith(".") for part in path.parts) or not path.parts
    odd = "\\" in file or not file.isprintable()
    if path.is_absolute() or hidden or odd or path.parts[0] in taken:
        raise InputError(
            Text(
                f"{at}: {file!r} cannot lie in the release: a file beside the policy, or below it, "
                f"is copied there; {', '.join(sorted(taken))} are names of others",
                f"{at}：{file!r} 无法随发布保存：只能是策略旁边或其下级目录中的文件；"
                f"{'、'.join(sorted(taken))} 已有他用",
            ),
            remedy=Text("put it beside the policy, under another name", "请放到策略旁边并改名"),
            code="policy.file",
        )


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


# ---- what does not go together -----------------------------------------------------------------


def _check_column(column: _Column, at: str) -> None:
    known = {*by_name(), *(a.name for a in ATTRIBUTES), FREE_TEXT, *DATA_TYPES, ""}
    if column.type not in known:
        listed = ", ".join(sorted(known - {""}))
        raise InputError(
            Text(f"{at}.type: {column.type!r} is no type", f"{at}.type：没有类型 {column.type!r}"),
            remedy=Text(f"types: {listed}; or leave it out", f"类型：{listed}；也可省略"),
            code="policy.type",
        )
    # Neither equal nor the other way round; both are numbers, or both days.
    if column.bounds is not None and sorted(column.bounds) != list(dict.fromkeys(column.bounds)):
        raise InputError(
            Text(f"{at}.bounds must rise", f"{at}.bounds 须递增"),
            remedy=Text("write [lowest, highest]", "请写 [最小值, 最大值]"),
            code="policy.bounds",
        )


def _check_release(
    column: PublishedColumn, columns: Mapping[str, PublishedColumn], where: str
) -> None:
    at = f'{where}: publish.methods."{column.name}"'
    if column.hierarchy and column.methods:
        raise InputError(
            Text(
                f"{at}: the column has a hierarchy too, and only one of both can decide",
                f"{at}：该列同时写了层级（hierarchies），两者只能取一",
            ),
            remedy=Text("take it out of one", "请删去其中之一"),
            code="policy.twice",
        )
    if column.dropped and len(column.methods) > 1:
        raise InputError(
            Text(f"{at}: what is dropped has no other method", f"{at}：已删除的列不能再用其他方法"),
            remedy=Text('write "drop" alone', '请只写 "drop"'),
            code="policy.twice",
        )
    for method in column.methods:
        for name in needs_of(method):
            if name not in columns:
                raise _undeclared(at, name, columns)
    hidden = any(isinstance(method, HIDING) for method in column.methods)
    if column.role == "direct" and column.methods and not hidden:
        raise InputError(
            Text(
                f"{at}: a direct identifier cannot be kept as it is, and nothing here hides it",
                f"{at}：直接标识符不能原样保留，而所写方法都不能将其隐藏",
            ),
            remedy=Text(
                'write "drop", or { token = "a-domain" } if rows must stay linkable',
                '请写 "drop"；如需保持可关联，写 { token = "域名" }',
            ),
            code="policy.keep",
        )
    for place, method in enumerate(column.methods[:-1]):
        after = column.methods[place + 1 :]
        # The attack that counts candidates looks at masks that are the last thing that was done.
        if isinstance(method, Ends) and not any(isinstance(m, (Ends, *UNREADABLE)) for m in after):
            raise InputError(
                Text(
                    f"{at}: what a mask leaves could not be counted after another method",
                    f"{at}：掩码之后再用其他方法，将无法统计掩码的候选值",
                ),
                remedy=Text("write the mask last, or token or redact after it",
                            "请把掩码写在最后，或在其后使用 token 或 redact"),
                code="policy.mask",
            )  # fmt: skip


def _undeclared(at: str, name: str, columns: Mapping[str, object]) -> InputError:
    return InputError(
        Text(
            f"{at}: [columns] declares no column {name!r}",
            f"{at}：[columns] 中没有声明列“{name}”",
        ),
        remedy=Text(
            f'write [columns."{name}"], or mend the name; declared: {", ".join(columns)}',
            f'请写 [columns."{name}"]，或改正列名；已声明：{"、".join(columns)}',
        ),
        code="policy.column",
    )
