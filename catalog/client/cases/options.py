"""What a step's fields are on the command line, and how they become JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from catalog.certificates.grants import read_granted
from catalog.workflows.fields import LONGEST_TOKEN, Field
from protos.bounded_file import read_bounded
from protos.faults import InputError
from protos.language import Text

_SINGULAR: Final = {
    "columns": "column", "datasets": "dataset", "statements": "statement", "grants": "grant",
}  # fmt: skip
_FILES: Final = Text("; a file, may be given again", "；文件，可多次指定")
_AGAIN: Final = Text("; may be given again", "；可多次指定")
_DATASET: Final = Text("; [SOURCE:]CODE, may be given again", "；[来源:]代码，可多次指定")
_DAY: Final = Text("; 2026-12-31", "；如 2026-12-31")


def option(field: Field) -> tuple[str, Any, Any]:
    """Returns name, annotated type and default of a field's option."""
    name = _SINGULAR.get(field.name, field.name)
    kind, more = _kind(field)
    about = str(Text(f"{_capital(field.title.en)}{more.en}.", f"{field.title.zh}{more.zh}。"))
    flag = typer.Option(
        f"--{name}", help=about, metavar=_METAVARS.get(field.form),
        formats=_FORMATS if field.form == "day" else None,
    )  # fmt: skip
    default = ... if field.required else None
    return field.name, Annotated[kind if field.required else kind | None, flag], default


def body_of(fields: tuple[Field, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the options say as the JSON of a step.

    Raises:
        InputError: A file cannot be read, or is no signed document.
    """
    return {
        field.name: _value(field, given[field.name]) for field in fields if given.get(field.name)
    }


def _kind(field: Field) -> tuple[Any, Text]:
    match field.form:
        case "day":
            return dt.datetime, _DAY
        case "number":
            return int, Text("", "")
        case "names":
            return list[str], _AGAIN
        case "datasets":
            return list[str], _DATASET
        case "statements" | "tokens":
            return list[Path], _FILES
        case _:
            return str, Text("", "")


def _value(field: Field, given: Any) -> Any:  # noqa: ANN401 - as Typer reads it
    match field.form:
        case "day":
            return given.date().isoformat()
        case "datasets":
            return [_dataset(each) for each in given]
        case "tokens":
            return [_token(path) for path in given]
        case "statements":
            tokens = [_token(path) for path in given]
            return [{"sql": read_granted(each).statement, "grant_request": each} for each in tokens]
        case _:
            return given


def _dataset(text: str) -> dict[str, str]:
    source, colon, code = text.rpartition(":")
    return {"source": source if colon else "local", "identifier": code}


def _token(path: Path) -> str:
    content = read_bounded(path, LONGEST_TOKEN)
    text = content.decode("ascii", "replace").strip()
    if text.count(".") != 2:
        raise InputError(
            Text(f"{path} is no signed document", f"{path} 不是签名文件"),
            remedy=Text("name a file that veil grant or veil node grants has written",
                        "请指定由 veil grant 或 veil node grants 写出的文件"),
            code="file.token",
        )  # fmt: skip
    return text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_METAVARS: Final = {
    "datasets": "[SOURCE:]CODE", "statements": "FILE", "tokens": "FILE", "names": "<str>",
    "code": "CODE", "day": "YYYY-MM-DD",
}  # fmt: skip
_FORMATS: Final = ["%Y-%m-%d"]
