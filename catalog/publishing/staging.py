"""A release as it is judged: its small files are copied once, its rows are held open.

Whoever hands it in may exchange files while it is looked at, or put links into it. So nothing is
read by name twice: what is judged is the copy, and what is published is the open file, hashed on
its way. No link is followed, at any depth.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from desensitize.attesting.attestation import ATTESTATION
from desensitize.attesting.revocation import REVOCATION
from desensitize.attesting.verify import MOST_BYTES
from desensitize.releasing.facts import MANIFEST, POLICY
from protos.faults import InputError, TrustError, UnavailableError
from protos.language import Text
from protos.strict_json import read_strict

_PREFIX: Final = ".staged-"
_MOST_FILES: Final = 1000  # hierarchies of one release


@dataclass(frozen=True)
class Staged:
    """A release that cannot change any more.

    Attributes:
        folder: Copy of the small files; nobody else's.
        output: Name of the rows' file in the release, as the attestation says it.
        data: The rows, open at their beginning; not copied.
    """

    folder: Path
    output: str
    data: IO[bytes]

    @property
    def attestation(self) -> Path:
        """The copy of the attestation."""
        return self.folder / ATTESTATION


@contextmanager
def staged(release: Path, beside: Path) -> Iterator[Staged]:
    """Holds a release fast.

    Args:
        release: Directory that `desensitize.run` or `desensitize.synthesise` wrote.
        beside: Directory in which the copies are made.

    Raises:
        InputError: There is no attested release.
        TrustError: One of its files is a link, or no file.
        UnavailableError: The disk is full.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX, dir=beside)))
        try:
            root = os.open(release, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise _missing(release, ATTESTATION) from error
        stack.callback(os.close, root)
        if not _copy(root, ATTESTATION, folder):
            raise _missing(release, ATTESTATION)
        output, files = _named(folder / ATTESTATION)
        for name in (MANIFEST, POLICY, REVOCATION, *files):
            _copy(root, name, folder)
        data = _open_inside(root, output)
        if data is None:
            raise _missing(release, output or "DATASET.parquet")
        yield Staged(folder, output, stack.enter_context(data))


def sweep_staged(beside: Path) -> None:
    """Removes copies that a killed process has left; only while nobody else publishes."""
    for left in beside.glob(f"{_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)


def _named(attestation: Path) -> tuple[str, list[str]]:
    """Names of output and hierarchies as an attestation says them, which nobody has checked yet."""
    try:
        subject: Any = read_strict(attestation.read_bytes(), most=MOST_BYTES)["credentialSubject"]
        output, files = subject["output"]["name"], subject.get("files", {})
        names = [name for name in files if isinstance(name, str)][:_MOST_FILES]
        return (output if isinstance(output, str) else ""), names
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", []


def _copy(root: int, name: str, folder: Path) -> bool:
    source = _open_inside(root, name)
    if source is None:
        return False
    target = folder / name
    try:
        with source:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as copy:
                copy.write(source.read(MOST_BYTES + 1))
    except OSError as error:
        raise UnavailableError(
            Text("the release cannot be copied", "无法复制发布目录"),
            remedy=Text("free disk space, and check the rights on both directories",
                        "请腾出磁盘空间，并检查两个目录的权限"),
            code="publish.disk",
            detail=str(error),
        ) from error  # fmt: skip
    return True


def _open_inside(root: int, name: str) -> IO[bytes] | None:
    """Opens a file below a directory; None if there is none of that name.

    Raises:
        TrustError: It, or a directory on the way, is a link; or it is no regular file.
    """
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or name.startswith("/") or "\0" in name:
        return None
    with ExitStack() as stack:
        at = root
        try:
            for part in parts[:-1]:
                at = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
                stack.callback(os.close, at)
            found = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
        except FileNotFoundError:
            return None
        except OSError as error:  # ELOOP or ENOTDIR: a link; ENAMETOOLONG and such
            raise _odd(parts[-1]) from error
        file = os.fdopen(found, "rb")
        if not stat.S_ISREG(os.fstat(found).st_mode):
            file.close()
            raise _odd(parts[-1])
        return file


def _odd(name: str) -> TrustError:
    return TrustError(
        Text(
            f"{name} in the release is a link or no file", f"发布目录中的 {name} 是链接或不是文件"
        ),
        remedy=Text(
            "publish the directory as 'veil desensitize' has written it",
            "请发布 veil desensitize 写出的原目录",
        ),
        code="publish.link",
    )


def _missing(release: Path, name: str) -> InputError:
    if not release.is_dir():
        return InputError(
            Text(f"there is no directory {release}", f"没有目录 {release}"),
            remedy=Text(
                "name the directory that 'veil desensitize run --out' has made",
                "请指定 veil desensitize run --out 生成的目录",
            ),
            code="publish.no_release",
        )
    return InputError(
        Text(f"{release} has no {name}", f"{release} 中没有 {name}"),
        remedy=Text(
            "name a release that is attested: veil desensitize gate … --signing-key KEY",
            "请指定已签署证明的发布目录：veil desensitize gate … --signing-key 密钥",
        ),
        code="publish.missing",
    )
