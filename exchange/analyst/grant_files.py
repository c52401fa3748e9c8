"""The analyst's files around a grant: a signed request, and officers' decisions on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from catalog.algebra_text import aggregate_text
from catalog.certificates.decisions import (
    Matter,
    Office,
    Verdict,
    decide,
    decision_file,
    read_decision_file,
    request_digest,
)
from catalog.certificates.grants import read_granted
from desensitize.attesting.signing import read_signing_key
from exchange.ports import MOST_DECISION_BYTES, MOST_REQUEST_CHARACTERS
from protos.bounded_file import read_bounded
from protos.faults import InputError, TrustError
from protos.identity import show_fingerprint
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
    content = read_bounded(path, MOST_REQUEST_CHARACTERS)
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
    files = [read_bounded(path, MOST_DECISION_BYTES) for path in paths]
    for file in files:
        read_decision_file(file)
    return files


def sign_decision(
    token: str,
    department: str,
    office: Office,
    key: Path,
    output: Path,
    *,
    yes: bool,
    reasons: str = "",
) -> list[tuple[str, str]]:
    """Signs an officer's decision on a request, into a new file.

    Args:
        token: The request; whose it is, the node finds out by its own pins.
        department: For which it is decided.
        office: In which it is decided.
        key: The officer's.
        output: The new file, as `read_decisions` takes it.
        yes: Whether it is granted.
        reasons: Needed for a no.

    Returns:
        What was decided, for people.

    Raises:
        InputError: There are no reasons, or the file exists.
        TrustError: The request does not hold, or the key is unsafe.
    """
    request, digest = read_granted(token), request_digest(token)
    matter = Matter(f"grant/{digest[:16]}", digest, (digest,))
    verdict: Verdict = "approve" if yes else "refuse"
    document = decide(
        matter, department, office, verdict, read_signing_key(key),
        now=dt.datetime.now(dt.UTC), reasons=reasons,
    )  # fmt: skip
    write_private(output, decision_file([document]))
    until = dt.datetime.fromtimestamp(request.expires_at, dt.UTC)
    who = f"{request.analyst} {show_fingerprint(request.recipient)}"
    return [
        (str(Text("Computed", "实际计算内容")), aggregate_text(request.aggregate, {})),
        (str(Text("Analyst", "分析员")), who),
        (str(Text("Purpose", "用途")), request.purpose),
        (str(Text("Departments", "部门")), ", ".join(each.name for each in request.members)),
        (str(Text("Until", "有效期至")), f"{until:%Y-%m-%d}"),
        (str(Text("Decision", "决定")), str(_YES if yes else _NO)),
    ]


_YES: Final = Text("yes", "同意")
_NO: Final = Text("no", "不同意")
