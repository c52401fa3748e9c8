"""The facts of a release: what went in, what came out, what was done to every column.

A release is a directory with three files: ``DATASET.parquet``, ``policy.toml`` as it was applied,
and ``manifest.json``, which this module writes and reads; beside them lie the hierarchy files that
the policy names. The manifest never holds a value of
the data: names of columns, counts, digests and figures only. What the privacy models, the risk
measures and the attacks found stands in ``figures``, under a name of each one's own.

A synthetic release has the same form. Of what went in its manifest says nothing at all: a digest or
an exact number of rows would tell whether somebody is in the table.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from desensitize.column import Role
from desensitize.row_order import Occasion
from desensitize.synthesis.facts import SynthesisFacts
from protos.bounded_file import read_bounded
from protos.faults import InputError, TrustError, VeilError
from protos.language import Text

MANIFEST: Final = "manifest.json"
POLICY: Final = "policy.toml"
FORMAT: Final = 2
_MOST_BYTES: Final = 64 << 20  # of a manifest: thousands of columns need a few


@dataclass(frozen=True)
class FileFacts:
    """One file of a release.

    Attributes:
        name: File name without a path, or the kind of object.
        sha256: 64 hexadecimal digits.
        rows: Rows in it.
        bytes: Size.
    """

    name: str
    sha256: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class OriginalFacts:
    """What a release was made from, told so that nobody can try out what it may have been.

    Attributes:
        name: File name without a path, or the kind of object.
        commitment: HMAC-SHA-256 under the release's salt, 64 hexadecimal digits; see `salt`.
        rows: Rows in it.
    """

    name: str
    commitment: str
    rows: int


@dataclass(frozen=True)
class Done:
    """One method as it was applied.

    Attributes:
        method: Its name in a policy, such as ``token``.
        parameters: As written; a domain's name, never its key.
        concludes: What a reader can still conclude from it.
    """

    method: str
    parameters: Mapping[str, Any]
    concludes: Text


@dataclass(frozen=True)
class ColumnFacts:
    """One published column.

    Attributes:
        name: In the output.
        stored: Arrow type in the output.
        type: What the policy says that it holds.
        role: How it identifies its subject.
        methods: What was done, in order; for a hierarchy one, ``level``, with its name.
        lost: Values that became NULL because the methods could not read them or the bounds
            exclude them.
        unclear: Those of them that name several divisions, of which one could be meant.
    """

    name: str
    stored: str
    type: str
    role: Role
    methods: tuple[Done, ...]
    lost: int = 0
    unclear: int = 0


@dataclass(frozen=True)
class RescanFacts:
    """What the scan of the output found.

    Attributes:
        rows: Rows looked at: all.
        hits: Cells with a direct identifier, by column and type; empty is what passes.
        expected: The same where the policy keeps a form on purpose (ff1): not counted as hits.
    """

    rows: int
    hits: Mapping[str, Mapping[str, int]]
    expected: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns with direct identifiers, expected or not."""
        return tuple({**self.hits, **self.expected})


@dataclass(frozen=True)
class Release:
    """Everything that is known about a release but its rows.

    Attributes:
        dataset: Its name.
        open: Under which conditions it is opened.
        input: What went in; None if the rows are synthetic.
        output: The Parquet file.
        policy_sha256: Of ``policy.toml``.
        files: SHA-256 of each hierarchy file, by name.
        population: Commitment to the population that δ was measured beside, which lies elsewhere;
            empty without one.
        versions: Packages by name, and what read and wrote.
        columns: The published ones, in order.
        dropped: Columns that the policy drops.
        unmentioned: Columns that it does not mention, and which were dropped for that; masked where
            the name may be a value.
        levels: Level of each generalised column, by name.
        suppressed_rows: Rows that were left out so that the models hold.
        token_keys: Id of the key that was used, by domain; an id tells nothing about a key.
        repeatable: Whether the same input, policy, keys and salt give the same bytes.
        fresh: Columns because of which they do not.
        rescan: What the scan of the output found.
        drawn: What was drawn anew for the order of rows; empty where the release is repeatable.
        notes: What was odd about the input.
        figures: What models, risk measures and attacks say: JSON types only.
        synthesis: How the rows were made if they are synthetic; None if they are a copy's.
        format: Of the manifest.
    """

    dataset: str
    open: str
    input: OriginalFacts | None
    output: FileFacts
    policy_sha256: str
    versions: Mapping[str, str]
    columns: tuple[ColumnFacts, ...]
    dropped: tuple[str, ...] = ()
    unmentioned: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    population: str = ""
    levels: Mapping[str, str] = field(default_factory=dict)
    suppressed_rows: int = 0
    token_keys: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    fresh: tuple[str, ...] = ()
    drawn: str = ""
    rescan: RescanFacts | None = None
    notes: tuple[Text, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    synthesis: SynthesisFacts | None = None
    format: int = FORMAT

    def occasion(self, sheet: str = "") -> Occasion:
        """Returns what its order of rows was drawn for.

        Args:
            sheet: Of the original, as it was named when the release was made.
        """
        return Occasion(
            self.policy_sha256, dict(self.token_keys), dict(self.files),
            self.population, sheet, self.drawn,
        )  # fmt: skip

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from desensitize.show.release import show_release
        from desensitize.show.synthesis import show_synthesis
        from protos.terminal import as_html

        return as_html(show_release if self.synthesis is None else show_synthesis, self)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        return asdict(self)


def write_manifest(release: Release, directory: Path) -> None:
    """Writes ``manifest.json`` and brings it to disk.

    Raises:
        OSError: The disk is full, or the directory is not ours.
    """
    body = json.dumps(release.to_dict(), ensure_ascii=False, indent=2) + "\n"
    with (directory / MANIFEST).open("w", encoding="utf-8") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def read_release(directory: Path, *, check: bool = True) -> Release:
    """Reads the manifest of a release.

    Args:
        directory: The release.
        check: Whether the other files must be those that the manifest speaks of.

    Raises:
        InputError: It is no release.
        TrustError: A file is not the one that the manifest speaks of.
    """
    try:
        content = read_bounded(directory / MANIFEST, _MOST_BYTES)
        release = from_dict(json.loads(content.decode("utf-8")))
    except (
        VeilError, ValueError, TypeError, KeyError, AttributeError, RecursionError
    ) as error:  # fmt: skip
        raise InputError(
            Text(f"{directory} is no release", f"{directory} 不是发布目录"),
            remedy=Text(
                "name the directory that 'veil desensitize run' has written",
                "请指定 veil desensitize run 写出的目录",
            ),
            code="release.missing",
            detail=f"{type(error).__name__}: {error}",
        ) from error
    if check:
        for name, said in (
            (release.output.name, release.output.sha256),
            (POLICY, release.policy_sha256),
            *release.files.items(),
        ):
            _check_file(directory, name, said)
    return release


def read_copy(directory: Path) -> Release:
    """Reads the manifest of a desensitized copy, whose rows are people's.

    Raises:
        InputError: It is no release, or a synthetic one: what counts rows says nothing of it.
        TrustError: A file is not the one that the manifest speaks of.
    """
    release = read_release(directory)
    if release.synthesis is not None or release.input is None:
        raise InputError(
            Text(
                f"the rows of {directory} are synthetic: none is a person's, so nothing here can "
                "be counted, attacked or attested as of a copy",
                f"{directory} 中的行是合成数据，不对应真实个人，无法按脱敏副本度量、攻击或签署证明",
            ),
            remedy=Text(
                "what protects the people is epsilon and delta in its manifest.json; risk, attack, "
                "gate and report are for what 'veil desensitize run' has written. Synthetic rows "
                "are attested when they are made: synthesise --signing-key",
                "其保护强度见 manifest.json 中的 epsilon 与 delta；"
                "risk、attack、gate、report 只用于 veil desensitize run 写出的目录。"
                "合成数据须在生成时签署证明：synthesise --signing-key",
            ),
            code="release.synthetic",
        )
    return release


def from_dict(body: Mapping[str, Any]) -> Release:
    """Rebuilds what `Release.to_dict` wrote.

    Raises:
        KeyError: A field is missing.
        TypeError: A field is there that no release has.
        ValueError: It is of a format that this version does not know.
    """
    if body["format"] != FORMAT:
        raise ValueError(f"format {body['format']} is not {FORMAT}")
    columns = tuple(
        ColumnFacts(
            **column
            | {
                "methods": tuple(
                    Done(**done | {"concludes": Text(**done["concludes"])})
                    for done in column["methods"]
                )
            }
        )
        for column in body["columns"]
    )
    return Release(
        **dict(body)
        | {
            "input": OriginalFacts(**body["input"]) if body["input"] else None,
            "output": FileFacts(**body["output"]),
            "columns": columns,
            "rescan": RescanFacts(**body["rescan"]) if body["rescan"] else None,
            "notes": tuple(Text(**note) for note in body["notes"]),
            "dropped": tuple(body["dropped"]),
            "unmentioned": tuple(body["unmentioned"]),
            "fresh": tuple(body["fresh"]),
            "synthesis": SynthesisFacts.from_dict(made)
            if (made := body.get("synthesis"))
            else None,
        }
    )


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file, 64 hexadecimal digits."""
    return digest_of(path).hex()


def digest_of(path: Path) -> bytes:
    """Returns the SHA-256 of a file, 32 bytes.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def lies_in(directory: Path, name: str) -> Path | None:
    """Returns a file of a release, None if there is none of that name.

    Whoever names it is not trusted: it lies in the directory or below, or is none.
    """
    path = directory / name
    try:
        inside = path.is_file() and path.resolve().is_relative_to(directory.resolve())
    except (OSError, ValueError):  # no name that a file can have
        return None
    return path if inside else None


def _check_file(directory: Path, name: str, said: str) -> None:
    path = lies_in(directory, name)
    if path is None:
        said_name = Path(name).name
        raise TrustError(
            Text(f"{said_name} is missing from the release", f"发布目录中缺少 {said_name}"),
            remedy=Text("make the release again", "请重新生成发布"),
            code="release.file",
        )
    if sha256_of(path) != said:
        raise TrustError(
            Text(
                f"{path.name} is not the file that the manifest speaks of",
                f"{path.name} 与清单记录的不是同一文件",
            ),
            remedy=Text(
                "it was changed after the release was made: make the release again",
                "文件在发布后被改动：请重新生成发布",
            ),
            code="release.changed",
        )
