"""The salt of a release: 32 secret bytes that stay with whoever has the original.

A manifest must say what a release was made of, and must not let a reader try out what the original
may have been: of a short table all but some bits can be guessed. So it tells a commitment,
HMAC-SHA-256 under the salt over the SHA-256 of the original's bytes: without the salt it says
nothing, with it the original can be proved, and no other original fits. The order of the rows is
drawn under the same salt, for it would confirm a guess just as well.
"""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from desensitize.row_order import Occasion
from protos.faults import InputError
from protos.keyfile import read_private, write_private
from protos.language import Text

_BYTES: Final = 32
_SUFFIX: Final = ".salt"
_COMMITMENT: Final = b"veil commitment\0"
_ORDER: Final = b"veil row order\0"


@dataclass(frozen=True)
class Salt:
    """A salt; equal ones under different releases tell nobody anything.

    Attributes:
        secret: 32 bytes.
    """

    secret: bytes = field(repr=False)

    def commitment(self, digest: bytes) -> str:
        """Returns what a manifest says of a file, 64 hexadecimal digits.

        Args:
            digest: SHA-256 of its bytes.
        """
        return hmac.digest(self.secret, _COMMITMENT + digest, "sha256").hex()

    def order(self, digest: bytes, occasion: Occasion) -> bytes:
        """Returns the seed of the order of a release's rows, 32 secret bytes.

        Args:
            digest: SHA-256 of the original's bytes.
            occasion: What makes this release another than the next.
        """
        return hmac.digest(self.secret, _ORDER + digest + occasion.told(), "sha256")


def new_salt() -> Salt:
    """Draws one."""
    return Salt(secrets.token_bytes(_BYTES))


def place_of_salt(directory: str | os.PathLike[str]) -> Path:
    """Returns where the salt of a release lies if nobody says otherwise: beside it, never in it."""
    path = Path(os.path.abspath(directory))  # noqa: PTH100 - links are not to be followed
    return path.with_name(path.name + _SUFFIX)


def check_beside(path: Path, directory: Path) -> None:
    """Refuses a salt in the release itself, which is published.

    Raises:
        InputError: It would lie there, or in no directory that there is.
    """
    where = Path(os.path.abspath(path))  # noqa: PTH100 - nothing there exists yet
    if where.is_relative_to(os.path.abspath(directory)) or not where.parent.is_dir():  # noqa: PTH100
        raise InputError(
            Text(f"the salt cannot lie at {path}", f"盐值文件不能放在 {path}"),
            remedy=Text("name a place outside the release, in a directory that exists",
                        "请放在发布目录以外的已有目录中"),
            code="salt.place",
        )  # fmt: skip


def write_salt(salt: Salt, path: Path) -> None:
    """Writes a salt into a new file, mode 0600.

    Raises:
        InputError: The file exists.
        UnavailableError: It cannot be written.
    """
    write_private(path, salt.secret.hex().encode() + b"\n")


def salt_of(directory: str | os.PathLike[str], named: str | os.PathLike[str] | None = None) -> Salt:
    """Reads the salt of a release: the file that somebody names, or the one beside it.

    Raises:
        InputError: It is missing, or holds no salt.
        TrustError: Others can read the file.
    """
    return read_salt(place_of_salt(directory) if named is None else Path(named))


def read_salt(path: Path) -> Salt:
    """Reads a salt.

    Raises:
        InputError: It is missing, or holds no salt.
        TrustError: Others can read the file.
    """
    if not path.exists():
        raise InputError(
            Text(f"the salt {path} is missing: without it nobody can say what the release was "
                 "made from", f"缺少盐值文件 {path}：没有它，无法证明发布由哪份原始数据生成"),
            remedy=Text(
                "'run' wrote it beside the release: name it with --salt if it was moved; if it is "
                "lost, make the release again",
                "该文件由 run 写在发布目录旁边：如已移动，请用 --salt 指定；"
                "如已丢失，请重新生成发布",
            ),
            code="salt.missing",
        )  # fmt: skip
    try:
        secret = bytes.fromhex(read_private(path).decode("ascii").strip())
    except ValueError:
        secret = b""
    if len(secret) != _BYTES:
        raise InputError(
            Text(f"{path} holds no salt", f"{path} 中没有盐值"),
            remedy=Text("name the file that 'run' wrote beside the release",
                        "请指定 run 写在发布目录旁边的文件"),
            code="salt.form",
        )  # fmt: skip
    return Salt(secret)
