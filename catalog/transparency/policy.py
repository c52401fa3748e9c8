"""Whom a reader believes about a log: C2SP ``tlog-policy``, one line for each key or group.

::

    log hub.example/certificates+…+…
    witness guangzhou guangzhou.example/w+…+…
    witness shenzhen shenzhen.example/w+…+…
    witness foshan foshan.example/w+…+…
    group cities 2 guangzhou shenzhen foshan
    quorum cities

A group names how many of its members are needed (or ``any``, ``all``); members are witnesses or
groups of lines above. ``quorum none`` asks for no witness: then the log alone is believed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.transparency.checkpoints import Checkpoint, cosigned_at, read_checkpoint
from catalog.transparency.notes import LOG, WITNESS, Note, NoteKey, read_note
from protos.faults import InputError, TrustError, UnavailableError
from protos.language import Text

NONE: Final = "none"
_MOST: Final = 1024  # lines


@dataclass(frozen=True)
class Seen:
    """A checkpoint that a policy accepts.

    Attributes:
        checkpoint: What it says.
        witnesses: Name of each witness that has cosigned → Unix seconds.
    """

    checkpoint: Checkpoint
    witnesses: dict[str, int]


@dataclass(frozen=True)
class LogPolicy:
    """A log, its witnesses, and how many of them must have cosigned.

    Attributes:
        log: The log's key.
        witnesses: Name in this policy → key.
        groups: Name → (how many are needed, members).
        quorum: Name of a witness or a group, or ``none``.
    """

    log: NoteKey
    witnesses: dict[str, NoteKey]
    groups: dict[str, tuple[int, tuple[str, ...]]]
    quorum: str

    @classmethod
    def load(cls, path: Path) -> LogPolicy:
        """Reads a file.

        Raises:
            InputError: It is malformed; the message names the line.
            UnavailableError: It cannot be read.
        """
        try:
            return cls.parse(path.read_text("utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise UnavailableError(
                Text(f"cannot read {path}", f"无法读取 {path}"),
                remedy=Text(
                    "ask the exchange for its log policy: the log's key and the witnesses'",
                    "请向交换中心索取日志策略文件：日志与见证方的公钥",
                ),
                code="policy.missing",
            ) from error

    @classmethod
    def parse(cls, content: str, where: str = "policy") -> LogPolicy:
        """Reads the text of a policy.

        Raises:
            InputError: It is malformed; the message names the line.
        """
        reading = _Reading()
        lines = content.splitlines()[:_MOST]
        for number, line in enumerate(lines, 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            try:
                reading.line(words)
            except (ValueError, InputError) as error:
                raise _malformed(f"{where}:{number}", line) from error
        if reading.log is None or reading.quorum is None:
            raise InputError(
                Text(f"{where} needs a log and a quorum", f"{where} 缺少 log 或 quorum 行"),
                remedy=Text("add a line 'quorum …'", "请加上一行：quorum …"),
                code="policy.invalid",
            )
        own = [name for name, key in reading.witnesses.items() if key.raw == reading.log.raw]
        if own:
            raise _malformed(where, f"witness {own[0]} has the log's own key")
        return cls(reading.log, reading.witnesses, reading.groups, reading.quorum)

    def __str__(self) -> str:
        """Writes the policy."""
        lines = [f"log {self.log}"]
        lines += [f"witness {name} {key}" for name, key in self.witnesses.items()]
        lines += [
            " ".join(["group", name, str(needed), *members])
            for name, (needed, members) in self.groups.items()
        ]
        return "\n".join([*lines, f"quorum {self.quorum}", ""])

    def open(self, content: str) -> Seen:
        """Reads a checkpoint: the log's signature, and every known witness's.

        Raises:
            TrustError: It is not a checkpoint of this log, or a signature of a known key does
                not hold. Too few witnesses are `check_quorum`'s.
        """
        note = read_note(content)
        return Seen(read_checkpoint(note, self.log), self._witnessed(note))

    def check_quorum(self, names: Collection[str]) -> None:
        """Checks that enough witnesses have cosigned.

        Args:
            names: Of the witnesses that have, as in this policy.

        Raises:
            TrustError: They are too few.
        """
        if not self._met(self.quorum, names):
            raise TrustError(
                Text(
                    f"cosigned by {', '.join(sorted(names)) or 'nobody'}; "
                    f"the policy asks for {self.asked.en}",
                    f"会签方：{'、'.join(sorted(names)) or '无'}；策略要求{self.asked.zh}",
                ),
                remedy=Text(
                    "ask for a bundle whose checkpoint the witnesses have cosigned",
                    "请索取检查点已由见证方会签的证书文件",
                ),
                code="log.quorum",
            )

    @property
    def asked(self) -> Text:
        """What the quorum is, for people."""
        if self.quorum in self.groups:
            needed, members = self.groups[self.quorum]
            return Text(
                f"{needed} of {', '.join(members)}", f" {'、'.join(members)} 中的 {needed} 个"
            )
        if self.quorum == NONE:
            return Text("no witness", "无需见证方")
        return Text(self.quorum, f" {self.quorum}")

    def _witnessed(self, note: Note) -> dict[str, int]:
        times = {name: cosigned_at(note, key) for name, key in self.witnesses.items()}
        return {name: at for name, at in times.items() if at is not None}

    def _met(self, name: str, cosigners: Collection[str]) -> bool:
        if name == NONE:
            return True
        if name not in self.groups:
            return name in cosigners
        needed, members = self.groups[name]
        return sum(self._met(member, cosigners) for member in members) >= needed


class _Reading:
    """A policy on the way: names must stand above where they are used."""

    def __init__(self) -> None:
        self.log: NoteKey | None = None
        self.witnesses: dict[str, NoteKey] = {}
        self.groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.quorum: str | None = None

    def line(self, words: list[str]) -> None:
        """Takes one line.

        Raises:
            ValueError: It is none, or contradicts one above.
            InputError: A key in it is malformed.
        """
        match words:
            case ["log", vkey] | ["log", vkey, _] if self.log is None:
                self.log = _key(vkey, LOG)
            case ["witness", name, vkey] | ["witness", name, vkey, _] if self._new(name):
                key = _key(vkey, WITNESS)
                if any(key.raw == other.raw for other in self.witnesses.values()):
                    raise ValueError("one key would count as two witnesses")
                self.witnesses[name] = key
            case ["group", name, needed, *members] if self._new(name):
                if len(set(members)) < len(members) or any(map(self._new, members)):
                    raise ValueError("a member is unknown, or comes twice")
                count = {"any": 1, "all": len(members)}.get(needed) or int(needed)
                if not 1 <= count <= len(members):
                    raise ValueError("it could never be met, or always is")
                self.groups[name] = count, tuple(members)
            case ["quorum", name] if self.quorum is None:
                if name != NONE and self._new(name):
                    raise ValueError("an unknown name")
                self.quorum = name
            case _:
                raise ValueError("not understood")

    def _new(self, name: str) -> bool:
        return name != NONE and name not in self.witnesses and name not in self.groups


def _key(vkey: str, kind: int) -> NoteKey:
    key = NoteKey.parse(vkey)
    if key.kind != kind:
        raise ValueError("a key for something else")
    return key


def _malformed(where: str, line: str) -> InputError:
    return InputError(
        Text(f"{where} is not understood: {line[:80]}", f"{where} 无法理解：{line[:80]}"),
        remedy=Text(
            "lines are: log KEY, witness NAME KEY, group NAME N MEMBER …, quorum NAME|none",
            "可用的行：log 密钥、witness 名称 密钥、group 名称 数目 成员…、quorum 名称|none",
        ),
        code="policy.invalid",
    )
