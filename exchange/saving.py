"""Writes an answer's files: the table as CSV, and the receipt that says which table it is for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.receipt import bind_release
from protos.faults import InputError
from protos.identity import IdentityKey

if TYPE_CHECKING:
    from exchange.answer import Answer


def check_places(*files: Path | None) -> None:
    """Refuses a file that cannot be written, before anything is asked and paid for.

    Raises:
        InputError: Its folder does not exist, or it is a folder itself.
    """
    for file in files:
        if file is None:
            continue
        if not file.parent.is_dir():
            raise InputError(
                f"there is no folder {file.parent} to write {file.name} into",
                remedy="make it first, or choose another file",
                code="output.folder",
            )
        if file.is_dir():
            raise InputError(
                f"{file} is a folder", remedy="name a file in it", code="output.folder"
            )


def save(
    answer: Answer, key: IdentityKey, table: Path | None, receipt: Path | None
) -> dict[str, Any]:
    """Writes the files that are named; the receipt of a written table is bound to its bytes.

    Args:
        answer: The answer.
        key: The analyst's identity; signs which table the receipt is for.
        table: CSV, or None.
        receipt: JSON, or None.

    Returns:
        The receipt document as written.

    Raises:
        InputError: A file cannot be written.
    """
    document: Mapping[str, Any] = answer.receipt
    try:
        if table is not None:
            import pyarrow.csv

            pyarrow.csv.write_csv(answer.to_arrow(), table)
            document = bind_release(key, document, table.read_bytes())
        if receipt is not None:
            text = json.dumps(dict(document), indent=1, ensure_ascii=False)
            receipt.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise InputError(
            f"cannot write {error.filename or table or receipt}: {error.strerror or error}",
            remedy="the answer is kept: ask again with another file, it costs nothing",
            code="output.unwritable",
        ) from error
    return dict(document)
