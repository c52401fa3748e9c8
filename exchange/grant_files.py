"""The analyst's files around a grant: a signed request, and officers' decisions on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from catalog.certificates.decisions import read_decision_file, request_digest
from exchange.desk import MOST_CHARACTERS, MOST_DECISION_BYTES
from protos.faults import InputError, TrustError
from protos.keyfile import write_private
from protos.language import Text


def write_draft(path: Path, token: str) -> str:
    """Writes a signed request into a new file and returns its digest, which officers sign.

    Raises:
        InputError: The file exists.
        UnavailableError: It cannot be written.
    """
    write_private(path, token.encode("ascii"))
    return request_digest(token)


def read_signed(path: Path, *, statement: str = "", draft: Path | None = None) -> str:
    """Reads what `write_draft` has written.

    Args:
        path: The file.
        statement: Of the command; what is signed has one already.
        draft: Of the command.

    Raises:
        InputError: It cannot be read or is none, or a statement is given besides.
    """
    if statement or draft is not None:
        raise InputError(
            Text("a signed request has its statement already", "已签名的申请已含语句"),
            remedy=Text(
                "give either a statement or --signed FILE", "请只给出语句或 --signed 文件之一"
            ),
            code="grant.signed",
        )
    content = _read(path, MOST_CHARACTERS)
    try:
        token = content.decode("ascii").strip()
        request_digest(token)
    except (UnicodeDecodeError, TrustError) as error:
        raise InputError(
            Text(f"{path} is no signed request", f"{path} 不是已签名的申请"),
            remedy=Text(
                "make one: veil grant request … --draft FILE",
                "请生成：veil grant request … --draft 文件",
            ),
            code="grant.signed",
        ) from error
    return token


def read_decisions(paths: Sequence[Path]) -> list[bytes]:
    """Reads files of decisions, and checks that their signatures hold before they go anywhere.

    Raises:
        InputError: One cannot be read or is too long.
        TrustError: One is no file of decisions.
    """
    files = [_read(path, MOST_DECISION_BYTES) for path in paths]
    for file in files:
        read_decision_file(file)
    return files


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise InputError(
            Text(f"cannot read {path}: {error.strerror}", f"无法读取 {path}：{error.strerror}"),
            remedy=Text("check its name and its rights", "请检查文件名和权限"),
            code="file.unreadable",
        ) from error
    if len(content) > most:
        raise InputError(
            Text(f"{path} is longer than {most} bytes", f"{path} 超过 {most} 字节"),
            remedy=Text("hand it in in several files", "请分多个文件提交"),
            code="file.too_long",
        )
    return content
