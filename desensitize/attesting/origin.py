"""What a release was made from, as far as an attestation proves it: to whoever has the salt."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from desensitize.attesting.checked import VerifyCheck, fails, holds, undecided
from desensitize.releasing.facts import OriginalFacts
from desensitize.releasing.originals import original as opened_original
from desensitize.salt import salt_of
from protos.faults import VeilError
from protos.language import Text


def check_original(
    directory: Path,
    subject: Mapping[str, Any],
    original: object,
    salt: str | os.PathLike[str] | None,
) -> VerifyCheck:
    """Says whether a release was made from the bytes of a file.

    Args:
        directory: Where the attestation lies.
        subject: What it says; its form was checked.
        original: The file; or the DataFrame, Arrow object or DuckDB relation.
        salt: File of the salt; the one beside the directory by default.
    """
    if "input" not in subject:
        return fails("original", Text(
            "the rows are synthetic: they were made from counts with noise, and no file is named",
            "这些行是合成数据，由加噪计数生成，未记录原始文件",
        ))  # fmt: skip
    told = OriginalFacts(**subject["input"])
    try:
        secret = salt_of(directory, salt)
        with opened_original(original) as origin:
            name, found = origin.name, secret.commitment(origin.digest)
    except (OSError, VeilError) as error:
        why = error.said if isinstance(error, VeilError) else Text(str(error), str(error))
        return undecided("original", Text(
            f"the original was not compared: {why.en}", f"未比对原始数据：{why.zh}"
        ))  # fmt: skip
    if not hmac.compare_digest(found.encode(), told.commitment.encode()):
        return fails("original", Text(
            f"it was not made from {name}, or the salt is another's",
            f"并非由 {name} 生成，或盐值文件不属于此发布",
        ))  # fmt: skip
    return holds("original", Text(
        f"made from the very bytes of {name}", f"确由 {name} 逐字节生成"
    ))  # fmt: skip
