"""The audit of a log: reads every entry, and names the one where something was done to it.

What an auditor holds decides how exactly the place can be named. An entry that no longer fits the
hashes beside it, a gap, or a difference from another copy is named exactly. If the log's keeper has
recomputed every hash and all that is left is a checkpoint noted elsewhere, then the place lies
between the last checkpoint that fits and the first that does not.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from catalog.transparency.checkpoints import Checkpoint
from catalog.transparency.merkle import Frontier, Read, leaf_hash
from catalog.transparency.notes import from_base64
from protos.faults import TrustError
from protos.language import Text

_COPY: Final = "veil-log-copy/v1"


class BrokenLogError(TrustError):
    """A log that is not what it was.

    Attributes:
        first: Index of the first entry in question.
        last: Index of the last one; equal to ``first`` where the place is exact.
    """

    def __init__(self, said: Text, first: int, last: int, code: str) -> None:
        super().__init__(said, remedy=_REMEDY, code=code)
        self.first = first
        self.last = last


@dataclass(frozen=True)
class Audited:
    """A log in which nothing is wrong.

    Attributes:
        size: Entries that were read.
        root: Root over them.
        checkpoints: How many checkpoints fit.
    """

    size: int
    root: bytes
    checkpoints: int


def audit(
    entries: Iterable[tuple[int, bytes]],
    *,
    stored: Read | None = None,
    checkpoints: Sequence[Checkpoint] = (),
    noted: Sequence[Checkpoint] = (),
) -> Audited:
    """Recomputes a log from its entries.

    Args:
        entries: Index and content, in order.
        stored: The log's own hashes of complete subtrees, if they can be read.
        checkpoints: The log's own signed states, their signatures already verified; the last one
            is over all entries. Whoever has the log's key can make others, so they narrow no place
            of a noted one.
        noted: Signed states that somebody noted elsewhere, verified too.

    Raises:
        BrokenLogError: Something was altered, cut or reordered; names the place.
    """
    tree, own, others = Frontier(), _States(checkpoints, _altered), _States(noted, _forked)
    own.settle(tree)
    others.settle(tree)
    for index, entry in entries:
        _add(tree, index, entry, stored)
        own.settle(tree)
        others.settle(tree)
    own.finish(tree)
    others.finish(tree)
    signed = max((each.size for each in checkpoints), default=tree.size)
    if signed < tree.size:
        raise _unsigned(signed, tree.size - 1)
    return Audited(tree.size, tree.root, len(checkpoints) + len(noted))


def _add(tree: Frontier, index: int, entry: bytes, stored: Read | None) -> None:
    if index != tree.size:
        raise _missing(tree.size)
    for level, position, made in tree.add(leaf_hash(entry)):
        if stored is not None and stored(level, position) != made:
            raise _altered(position << level, index)


class _States:
    """Signed states of one source, waiting for the tree to reach their sizes."""

    def __init__(
        self, checkpoints: Sequence[Checkpoint], broken: Callable[[int, int], BrokenLogError]
    ) -> None:
        self._broken = broken
        self._waiting = deque(sorted(checkpoints, key=lambda checkpoint: checkpoint.size))
        self._good = 0  # size of the last one that fits

    def settle(self, tree: Frontier) -> None:
        """Compares those of the tree's present size."""
        at = self._good
        while self._waiting and self._waiting[0].size == tree.size:
            if self._waiting.popleft().root != tree.root:
                raise self._broken(self._good, max(tree.size - 1, 0))
            at = tree.size
        self._good = at

    def finish(self, tree: Frontier) -> None:
        """Says that the log was cut, if one was larger than all of it."""
        if self._waiting:
            raise _missing(tree.size, self._waiting[-1].size)


def compare(one: Iterable[tuple[int, bytes]], other: Iterable[tuple[int, bytes]]) -> None:
    """Compares two copies of one log, as far as the shorter goes.

    Raises:
        BrokenLogError: They differ; names the first entry that does.
    """
    for index, (mine, theirs) in enumerate(zip_longest(one, other)):
        if mine is None or theirs is None:
            return
        if mine != theirs:
            raise BrokenLogError(
                Text(
                    f"two copies of the log differ at entry {index}: it was forked there",
                    f"两份日志副本在第 {index} 条处不同：日志在此分叉",
                ),
                index,
                index,
                "log.forked",
            )


def write_copy(entries: Iterable[tuple[int, bytes]], note: str) -> str:
    """Writes a copy of a log for others: a line for each entry, and a checkpoint."""
    lines = [base64.b64encode(entry).decode() for _, entry in entries]
    return "\n".join([_COPY, *lines, "", note])


def read_copy(content: str) -> tuple[list[tuple[int, bytes]], str]:
    """Reads a copy: entries with their indices, and the checkpoint's note.

    Raises:
        TrustError: It is malformed.
    """
    head, _, note = content.partition("\n\n")
    kind, *lines = head.split("\n")
    try:
        if kind != _COPY:
            raise ValueError("no copy of a log")
        return list(_numbered(lines)), note
    except ValueError as error:
        raise TrustError(
            Text("the copy of the log is malformed", "日志副本格式有误"), code="log.copy"
        ) from error


def _numbered(lines: list[str]) -> Iterator[tuple[int, bytes]]:
    for index, line in enumerate(lines):
        yield index, from_base64(line)


def _altered(first: int, last: int) -> BrokenLogError:
    said = (
        Text(
            f"the log was altered at entry {first}: its hash is another one",
            f"日志第 {first} 条被改动：哈希不符",
        )
        if first == last
        else Text(
            f"the log was altered between entries {first} and {last}: their common hash is another",
            f"日志在第 {first} 条至第 {last} 条之间被改动：共同的哈希不符",
        )
    )
    return BrokenLogError(said, first, last, "log.altered")


def _forked(first: int, last: int) -> BrokenLogError:
    said = Text(
        f"the log has signed another history: between entries {first} and {last} it was altered "
        "or forked",
        f"日志签署过另一段历史：在第 {first} 条至第 {last} 条之间被改动或分叉",
    )
    return BrokenLogError(said, first, last, "log.forked")


def _unsigned(first: int, last: int) -> BrokenLogError:
    said = Text(
        f"entries {first} to {last} are under no checkpoint: somebody has added them",
        f"第 {first} 条至第 {last} 条没有检查点：系他人所加",
    )
    return BrokenLogError(said, first, last, "log.unsigned")


def _missing(index: int, wanted: int | None = None) -> BrokenLogError:
    said = (
        Text(f"entry {index} of the log is missing", f"日志缺少第 {index} 条")
        if wanted is None
        else Text(
            f"the log was cut at entry {index}: a checkpoint of {wanted} entries was signed",
            f"日志从第 {index} 条起被截断：曾签署过 {wanted} 条的检查点",
        )
    )
    return BrokenLogError(said, index, index if wanted is None else wanted - 1, "log.cut")


_REMEDY: Final = Text(
    "keep the log as it is, and compare with the copies and checkpoints that others hold",
    "请原样保留日志，并与他方持有的副本和检查点核对",
)
