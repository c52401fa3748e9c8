"""The way in: an attested release becomes public, or nothing changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from catalog.publishing.alone import alone, sweep
from catalog.publishing.case import Case, examine
from catalog.publishing.listing import Publication, publications
from catalog.publishing.objection import Objection
from catalog.publishing.revoked import known_revocations
from catalog.publishing.rules import Judged, judge
from catalog.publishing.staging import Staged, staged
from catalog.publishing.store import Store, object_name, open_store
from catalog.registry.entries import Entry, entry
from catalog.registry.registry import Registry
from catalog.registry.tables import PublicationRow, SignOffRow
from protos.faults import PolicyError, TrustError, VeilError
from protos.language import Text, joined


class PublicationRefusedError(PolicyError):
    """A release that does not become public.

    Args:
        objections: Every reason.

    Attributes:
        objections: Every reason, with its remedy.
    """

    def __init__(self, objections: Sequence[Objection]) -> None:
        reasons = joined(each.said for each in objections)
        super().__init__(
            Text(f"not published: {reasons.en}", f"未发布：{reasons.zh}"),
            remedy=joined(each.remedy for each in objections),
            code=objections[0].code if len(objections) == 1 else "publish.refused",
        )
        self.objections = tuple(objections)


def publish(
    registry: Registry,
    release: Path,
    source: str,
    identifier: str,
    *,
    sign_offs: Sequence[Path] = (),
    synthetic: bool = False,
    store: Store | None = None,
) -> Publication:
    """Publishes a release as the next version of a dataset.

    The rows are copied into the store first, and hashed on their way; then one transaction judges
    once more and makes them public. Who is killed in between leaves bytes that nothing refers to,
    and which the next one removes.

    Args:
        registry: The catalog.
        release: Directory with an attestation.
        source: Catalog of the dataset.
        identifier: Its code.
        sign_offs: Files of officers' decisions.
        synthetic: Whether the rows are synthetic, as the publisher says.
        store: Where to; the catalog's own by default.

    Raises:
        PublicationRefusedError: With every reason.
        InputError: There is no such dataset or release.
        TrustError: A file of the release is a link, or was exchanged meanwhile.
        UnavailableError: A disk is full, or something cannot be reached.
    """
    store = store or open_store(registry.directory)
    with alone(registry, store), staged(release, registry.directory) as stage:
        case = examine(
            stage, release / stage.output, sign_offs, _time(registry), known_revocations(registry)
        )
        with registry.database.read() as connection:
            _judged(connection, registry, (source, identifier), case, synthetic=synthetic)
        name = object_name(case.sha256)
        try:
            _copy(stage, case, store, name)
            with registry.database.write() as (connection, _):
                about, judged = _judged(
                    connection, registry, (source, identifier), case, synthetic=synthetic
                )
                if store.size(name) != case.bytes:  # somebody has swept who holds another lock
                    raise _swapped()
                number = _insert(connection, about, case, judged, name, registry.now())
        except BaseException:
            # Whether the commit came through is known to the database only: it is asked.
            with suppress(VeilError):
                sweep(registry, store)
            raise
    with registry.database.read() as connection:
        return publications(connection, dataset=about.number, number=number)[0]


def _time(registry: Registry) -> dt.datetime:
    return dt.datetime.fromtimestamp(registry.now(), dt.UTC)


def _judged(
    connection: Connection,
    registry: Registry,
    key: tuple[str, str],
    case: Case,
    *,
    synthetic: bool,
) -> tuple[Entry, Judged]:
    about = entry(connection, *key)
    judged = judge(connection, about, case, synthetic=synthetic, now=_time(registry))
    if judged.objections:
        raise PublicationRefusedError(judged.objections)
    return about, judged


def _copy(stage: Staged, case: Case, store: Store, name: str) -> None:
    if store.put(name, stage.data) != (case.sha256, case.bytes):
        raise _swapped()


def _insert(
    connection: Connection, about: Entry, case: Case, judged: Judged, name: str, now: int
) -> int:
    last = select(func.coalesce(func.max(PublicationRow.number), 0)).where(
        PublicationRow.dataset == about.number
    )
    number = int(connection.execute(last).scalar_one()) + 1
    row = {
        "dataset": about.number, "number": number, "state": "published",
        "kind": "synthetic" if case.synthetic else "copy",
        "record_version": about.versions[0].number, "sha256": case.sha256, "bytes": case.bytes,
        "rows": case.rows, "object": name, "attestation": case.attestation,
        "signer": judged.signer, "published_at": now,
    }  # fmt: skip
    connection.execute(insert(PublicationRow), row)
    for officer, sign_off in judged.officers.items():
        connection.execute(
            insert(SignOffRow),
            {"dataset": about.number, "number": number, "signer": officer,
             "document": sign_off.document},
        )  # fmt: skip
    return number


def _swapped() -> TrustError:
    return TrustError(
        Text("the rows changed while they were published", "数据在发布过程中被改动"),
        remedy=Text("nothing was published; find out who changed them, then publish again",
                    "未发布任何数据；请查明由谁改动后重新发布"),
        code="publish.swapped",
    )  # fmt: skip
