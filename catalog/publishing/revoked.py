"""Attestations that were taken back: the catalog keeps the statements, and publishes on none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import select

from catalog.publishing.listing import Publication, publications
from catalog.publishing.unpublish import unpublish
from catalog.registry.registry import Registry
from catalog.registry.tables import PublicationRow
from desensitize.attesting.revocation import MOST_BYTES, Revocation, revocation_of
from desensitize.attesting.signed_file import write_signed
from protos.faults import InputError
from protos.language import Text

_FOLDER: Final = "revocations"


def known_revocations(registry: Registry) -> Sequence[Path]:
    """Returns where the catalog keeps the statements that it was told."""
    folder = registry.directory / _FOLDER
    return (folder,) if folder.is_dir() else ()


def take_revocation(registry: Registry, file: Path, *, who: str) -> list[Publication]:
    """Keeps a statement for good, and unpublishes what rests on the attestation it takes back.

    Only the word of who had signed counts: a statement by another key changes nothing. It is kept
    before anything is unpublished, so that whoever is killed in between runs it again.

    Args:
        registry: The catalog.
        file: The statement.
        who: Who brought it.

    Returns:
        What was public until now.

    Raises:
        InputError: It is no statement whose signature holds.
        UnavailableError: Something cannot be written.
    """
    try:
        with file.open("rb") as opened:  # once: what is kept is what was read
            content = opened.read(MOST_BYTES + 1)
        said = revocation_of(content)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(
            Text(
                f"{file.name} is no revocation that can be read",
                f"{file.name} 不是可读取的撤销声明",
            ),
            remedy=Text(
                "it is written by: veil desensitize revoke", "请用 veil desensitize revoke 生成"
            ),
            code="revoked.file",
            detail=str(error),
        ) from error
    folder = registry.directory / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    # One file for each attestation and signer, whatever somebody calls it.
    path = folder / f"{_name(said)}.json"
    if not path.exists():
        write_signed(path, content, "revoked")
    gone = []
    for each in _resting_on(registry, said):
        unpublish(
            registry, each.source, each.identifier, each.number,
            reason=f"revoked by its signer: {said.reason}"[:900], who=who,
        )  # fmt: skip
        gone.append(each)
    return gone


def _name(said: Revocation) -> str:
    return hashlib.sha256(f"{said.signer}\n{said.attestation}".encode()).hexdigest()[:32]


def _resting_on(registry: Registry, said: Revocation) -> list[Publication]:
    """What is public on the word of an attestation."""
    with registry.database.read() as connection:
        rows = connection.execute(
            select(PublicationRow.dataset, PublicationRow.number, PublicationRow.attestation).where(
                PublicationRow.state == "published", PublicationRow.sha256 == said.output
            )
        ).all()
        mine = [
            (dataset, number)
            for dataset, number, text in rows
            if (body := json.loads(text))["id"] == said.attestation
            and body["issuer"] == said.signer
        ]
        return [publications(connection, dataset=d, number=n)[0] for d, n in mine]
