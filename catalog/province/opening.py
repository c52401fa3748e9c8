"""Opens the sample's rows as a department does: desensitized, attested, signed off, published.

The gate is the one that everybody's data pass; keys are made for this one catalog, and stay in its
directory with the releases, so that what they did can be looked at, taken back and done again.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from catalog.province.open_rows import OpenRows, open_rows
from catalog.publishing.listing import publications
from catalog.publishing.publish import publish
from catalog.publishing.rules import release_name
from catalog.publishing.sign_offs import sign_off_release
from catalog.publishing.signers import enrol
from catalog.registry.record import Record
from catalog.registry.registry import Registry
from desensitize.attesting.signing import new_signing_key
from desensitize.policy_file import parse_policy
from desensitize.releasing.run import run

FOLDER: Final = "sample"
"""In a catalog's directory: the sample department's keys, releases and sign-offs."""
_SIGNERS: Final = {
    "signer": "陈静（数据治理岗）",
    "steward": "何敏（数据专员）",
    "chief": "黄志（首席数据官）",
}
_SIGN_OFF_DAYS: Final = 30


class Opening:
    """Opens what is not open yet, beside the registration of everything else.

    The releases are made in processes of their own, which a thread waits for: on a machine with two
    processors they cost the registration little time. As a context it waits for that thread.

    Args:
        registry: The catalog.
        seed: Of the rows; None opens nothing.

    Attributes:
        wanted: What becomes open.
    """

    def __init__(self, registry: Registry, seed: int | None) -> None:
        self._registry = registry
        self.wanted = () if seed is None else closed_yet(registry, open_rows(seed))

    @property
    def records(self) -> list[Record]:
        """To be registered before `publish`."""
        return [rows.record for rows in self.wanted]

    def __enter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1)
        if self.wanted:
            self._by = new_department(self._registry.directory)
            self._made = self._thread.submit(attested, self.wanted, self._by)
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def publish(self) -> None:
        """Waits for the releases and publishes them.

        Raises:
            PolicyError: The gate refuses one; says why.
        """
        if self.wanted:
            open_all(self._registry, self._made.result(), self._by)


@dataclass(frozen=True)
class Attested:
    """Rows that passed the desensitization gate.

    Attributes:
        rows: What they are.
        release: Directory with policy, manifest, rows and attestation.
        sign_offs: Of the officers that the grade requires.
    """

    rows: OpenRows
    release: Path
    sign_offs: tuple[Path, ...]


@dataclass(frozen=True)
class Department:
    """Who opens them: keys by role, in files of a folder.

    Attributes:
        folder: Where keys and releases lie.
        dids: did:key by role.
    """

    folder: Path
    dids: dict[str, str]

    def key(self, role: str) -> Path:
        """The key file of a role."""
        return self.folder / f"{role}.pem"


def closed_yet(registry: Registry, wanted: Sequence[OpenRows]) -> list[OpenRows]:
    """Returns those that never had public rows in this catalog."""
    with registry.database.read() as connection:
        public = {(each.source, each.identifier) for each in publications(connection)}
    return [rows for rows in wanted if rows.record.key not in public]


def new_department(directory: Path) -> Department:
    """Makes the department's folder anew, with a key for each role.

    Args:
        directory: The catalog's.
    """
    folder = directory / FOLDER
    shutil.rmtree(folder, ignore_errors=True)  # a run that was killed published nothing from it
    folder.mkdir(mode=0o700)
    return Department(folder, {role: new_signing_key(folder / f"{role}.pem") for role in _SIGNERS})


def attested(wanted: Sequence[OpenRows], by: Department) -> list[Attested]:
    """Makes the releases and has each judged, attested and signed off; needs no catalog.

    Raises:
        PolicyError: The gate refuses one.
    """
    made = []
    for rows in wanted:
        name = release_name(*rows.record.key)
        policy = parse_policy(f'dataset = "{name}"\n{rows.policy}')
        release = by.folder / name
        # The gate tries the attacks; a run of its own would try them twice.
        run(rows.table, policy=policy, out=release, attack=False, signing_key=by.key("signer"))
        signed = []
        for role in rows.officers:
            signed.append(by.folder / f"{name}.{role}.json")
            sign_off_release(
                release, rows.record.key, role, by.key(role), signed[-1],
                valid_days=_SIGN_OFF_DAYS,
            )  # fmt: skip
        made.append(Attested(rows, release, tuple(signed)))
    return made


def open_all(registry: Registry, made: Sequence[Attested], by: Department) -> None:
    """Enrols the keys and publishes; the records are registered.

    Raises:
        PublicationRefusedError: With every reason.
    """
    for code in {each.rows.record.provider.code for each in made}:
        for role, name in _SIGNERS.items():
            enrol(registry, code, by.dids[role], role=role, name=name, by="veil catalog sample")
    for each in made:
        publish(registry, each.release, *each.rows.record.key, sign_offs=each.sign_offs)
