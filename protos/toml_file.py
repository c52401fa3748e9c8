"""Reading a TOML file that a person wrote: what is wrong with it, and where, in both languages."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from protos.faults import InputError
from protos.language import Text

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)


def read_toml(
    path: Path, missing: Text, *, parse_float: Callable[[str], Any] = float
) -> dict[str, Any]:
    """Reads a TOML file.

    Args:
        path: The file.
        missing: What to do when there is no such file.
        parse_float: As of `tomllib.loads`.

    Raises:
        InputError: It is missing, cannot be read or is no TOML in UTF-8.
    """
    try:
        return tomllib.loads(path.read_text("utf-8-sig"), parse_float=parse_float)
    except FileNotFoundError as error:
        raise InputError(
            Text(f"{path} does not exist", f"{path} 不存在"), remedy=missing, code="file.missing"
        ) from error
    except OSError as error:
        raise InputError(
            Text(f"{path} cannot be read: {error.strerror}", f"{path} 无法读取：{error.strerror}"),
            remedy=Text("check its name and its rights", "请检查文件名和权限"),
            code="file.unreadable",
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            Text(f"{path} is not UTF-8 text", f"{path} 不是 UTF-8 文本"),
            remedy=Text("save it as UTF-8", "请另存为 UTF-8 编码"),
            code="file.encoding",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            Text(f"{path} is not TOML: {error}", f"{path} 不是有效的 TOML：{error}"),
            remedy=Text(
                'mend that line; names that are not plain ASCII stand in straight quotes: "姓名"',
                '请改正该行；中文列名须用英文双引号括起，如 "姓名"',
            ),
            code="file.toml",
        ) from error


def validated(model: type[M], body: Mapping[str, Any], where: str) -> M:
    """Checks what a file says; ``where`` names it in errors.

    Raises:
        InputError: A key is unknown, missing or has a wrong value.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise refused(error, where) from error


def refused(error: ValidationError, where: str) -> InputError:
    """Says what Pydantic found, at the place in the file.

    Args:
        error: Of any Pydantic check.
        where: The file, or the file and a key in it.
    """
    # A misspelt key is both unknown and missing; the unknown one says more.
    unknown = {"extra_forbidden", "unexpected_keyword_argument"}
    first = min(error.errors(), key=lambda e: e["type"] not in unknown)
    key = ".".join(str(part) for part in first["loc"])
    at = f"{where}: {key}" if key else where
    if first["type"] in unknown:
        return InputError(
            Text(f"{at} is not a known key", f"{at} 不是已知的配置项"),
            remedy=Text("remove it, or mend its spelling", "请删除，或改正拼写"),
            code="file.key",
        )
    said = _explained(first)
    return InputError(
        Text(f"{at}: {said.en}", f"{at}：{said.zh}"),
        remedy=Text("mend that key", "请改正该项"),
        code="file.value",
    )


def _explained(error: ErrorDetails) -> Text:
    """Pydantic's finding in both languages; what is not known here stays in its English."""
    context = error.get("ctx", {})
    own = context.get("error")
    if isinstance(own, ValueError) and own.args and isinstance(own.args[0], Text):
        return own.args[0]
    known = _FINDINGS.get(error["type"])
    if known is None:
        return Text(error["msg"], error["msg"])
    return known.format(**context)


_NUMBER: Final = Text("must be a number", "须为数字")
_WHOLE: Final = Text("must be a whole number", "须为整数")
_LIST: Final = Text("must be a list: […]", "须为列表：[…]")
_TABLE: Final = Text("must be a table: [name] or {{…}}", "须为表：[名称] 或 {{…}}")
_FINDINGS: Final[dict[str, Text]] = {
    "missing": Text("is missing", "缺少此项"),
    "string_type": Text("must be text in quotes", "须为带引号的文本"),
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "bool_type": Text("must be true or false", "须为 true 或 false"),
    "bool_parsing": Text("must be true or false", "须为 true 或 false"),
    "path_type": Text("must be a file's name in quotes", "须为带引号的文件名"),
    "list_type": _LIST,
    "tuple_type": _LIST,
    "frozen_set_type": _LIST,
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "literal_error": Text("must be one of {expected}", "须为以下之一：{expected}"),
    "greater_than": Text("must be greater than {gt}", "须大于 {gt}"),
    "greater_than_equal": Text("must be at least {ge}", "须不小于 {ge}"),
    "less_than": Text("must be less than {lt}", "须小于 {lt}"),
    "less_than_equal": Text("must be at most {le}", "须不大于 {le}"),
    "string_pattern_mismatch": Text("must be of the form {pattern}", "须符合格式 {pattern}"),
    "string_too_short": Text("must not be empty", "不能为空"),
    "string_too_long": Text(
        "must not be longer than {max_length} characters", "不能超过 {max_length} 个字符"
    ),
    "too_short": Text("must not be empty", "不能为空"),
    "finite_number": Text("must be a finite number", "须为有限数"),
}
