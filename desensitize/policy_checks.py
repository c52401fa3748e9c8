"""What in a policy does not go together, whatever table it is applied to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import PurePosixPath
from typing import get_args

from desensitize.column import DATA_TYPES
from desensitize.masking import HIDING, UNREADABLE
from desensitize.masking.base import Bounds, domain_of, needs_of, reads_division
from desensitize.masking.district import Level
from desensitize.masking.visible import Ends
from desensitize.policy import Delta, Models, PublishedColumn
from desensitize.spelling import plain
from desensitize.written_policy import check_type
from protos.faults import InputError
from protos.language import Text


def check_models(models: Models, columns: Mapping[str, PublishedColumn], where: str) -> None:
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


def check_beside(file: str, taken: set[str], at: str) -> None:
    """Refuses a file that a release could not carry along under its name.

    Raises:
        InputError: It lies elsewhere, is hidden, or has the name of another file of a release.
    """
    path = PurePosixPath(file)
    if path.is_absolute():
        wrong = Text("is an absolute path", "是绝对路径")
    elif "\\" in file or not file.isprintable():
        wrong = Text("has a backslash or a character that cannot be printed in its name",
                     "的名称含反斜杠或不可打印字符")  # fmt: skip
    elif not path.parts or any(part.startswith(".") for part in path.parts):
        wrong = Text("is no name, is hidden, or leads out of the policy's folder",
                     "为空、是隐藏文件，或指向策略所在目录之外")  # fmt: skip
    elif path.parts[0] in taken:
        wrong = Text("has the name that another file of the release has", "与发布中的其他文件重名")
    else:
        return
    usable = path.name.isprintable() and "\\" not in path.name and not path.name.startswith(".")
    new = path.name if path.name and usable and path.name not in taken else "levels.csv"
    raise InputError(
        Text(
            f"{at}: {file!r} {wrong.en}: the file goes into the release under the name that the "
            "policy gives it, so it has to lie in the policy's folder, or below it",
            f"{at}：{file!r} {wrong.zh}：该文件会以策略中的名称随发布保存，"
            "因此须位于策略所在目录或其下级目录",
        ),
        remedy=Text(
            f'copy it into the folder of the policy, and write "{new}"',
            f'请复制到策略所在目录，并写 "{new}"',
        ),
        code="policy.file",
    )


def check_column(kind: str, bounds: Bounds | None, at: str, *, dated: bool = False) -> None:
    """Refuses a type that nobody knows, bounds that do not rise, and days that are numbers.

    Args:
        kind: The column's type.
        bounds: Its bounds.
        at: Where it is written.
        dated: Whether it is said how its days are written.

    Raises:
        InputError: As said.
    """
    check_type(kind, at)
    if dated and (kind in {*DATA_TYPES} - {"date"} or (bounds and not isinstance(bounds[0], date))):
        raise InputError(
            Text(f"{at}.day_first is about days, and the column is said to hold none",
                 f"{at}.day_first 用于日期，而该列声明的不是日期"),
            remedy=Text('write type = "date", or leave day_first out',
                        '请写 type = "date"，或删去 day_first'),
            code="policy.day_first",
        )  # fmt: skip
    # Neither equal nor the other way round; both are numbers, or both days.
    if bounds is not None and sorted(bounds) != list(dict.fromkeys(bounds)):
        raise InputError(
            Text(f"{at}.bounds must rise", f"{at}.bounds 须递增"),
            remedy=Text("write [lowest, highest]", "请写 [最小值, 最大值]"),
            code="policy.bounds",
        )


def check_release(
    column: PublishedColumn, columns: Mapping[str, PublishedColumn], where: str
) -> None:
    """Refuses methods that contradict each other, or the role of their column.

    Raises:
        InputError: As said.
    """
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
    if column.within:
        check_within(column, columns, where)
    _check_same(column, f'{where}: columns."{column.name}".same')
    for method in column.methods:
        for name in needs_of(method):
            if name not in columns:
                raise undeclared(at, name, columns)
    if column.role == "direct" and (column.methods or column.hierarchy) and not _hidden(column):
        at = at if column.methods else at.replace("publish.methods", "publish.hierarchies")
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


def _hidden(column: PublishedColumn) -> bool:
    """Whether a method, or every level, leaves no value of an identifier."""
    if column.hierarchy is None:
        return any(isinstance(method, HIDING) for method in column.methods)
    # Of one person's many rows any k is met: levels that show the value would show it.
    return not column.hierarchy.file and {*column.hierarchy.levels} <= {*get_args(Level), "*"}


def _check_same(column: PublishedColumn, at: str) -> None:
    """Refuses words that mean the same where nobody counts them, and those of two meanings."""
    if not column.same:
        return
    if not column.sensitive or column.type in {*DATA_TYPES} - {"string"}:
        raise InputError(
            Text(f"{at} is about the words of a sensitive column", f"{at} 只用于文本型敏感列"),
            remedy=Text('leave it out, or write role = "sensitive"; quasi-identifiers have '
                        "hierarchies for this",
                        '请删去，或写 role = "sensitive"；准标识符请用层级归并'),
            code="policy.same",
        )  # fmt: skip
    words = [word for group in column.same for word in dict.fromkeys(plain(group))]
    if "" in words or len(set(words)) < len(words):
        raise InputError(
            Text(f"{at}: a word is empty, or in two groups", f"{at}：有空词，或同一词出现在两组中"),
            remedy=Text("write each meaning as one group", "请将每个含义写为一组"),
            code="policy.same",
        )


def check_within(
    column: PublishedColumn, columns: Mapping[str, PublishedColumn], where: str
) -> None:
    """Refuses a column of whose divisions nobody asks, and a place that nobody declares.

    Raises:
        InputError: As said.
    """
    at = f'{where}: columns."{column.name}".within'
    if column.within not in columns or column.within == column.name:
        raise undeclared(at, column.within, columns)
    levels = () if column.hierarchy is None else column.hierarchy.levels
    read = any(map(reads_division, column.methods))
    if column.published and not read and not {"street", *get_args(Level)} & {*levels}:
        raise InputError(
            Text(f"{at}: nothing here reads a division", f"{at}：该列没有按行政区划处理"),
            remedy=Text(
                'write { district = "city" } or levels such as ["district", "city", "*"], or leave '
                "within out",
                '请写 { district = "city" } 或 ["district", "city", "*"] 等层级，或删去 within',
            ),
            code="policy.within",
        )


def undeclared(at: str, name: str, columns: Mapping[str, object]) -> InputError:
    """What is said of a column that ``[columns]`` does not have."""
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
