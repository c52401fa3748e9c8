"""What must hold before bytes become public: every reason at once, each with what to do.

Asked twice: before anything is copied, and again in the transaction that makes it public, so that a
signer who is removed meanwhile has not signed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from catalog.publishing.case import Case
from catalog.publishing.objection import Objection
from catalog.publishing.officers import enrolment, officers_of
from catalog.publishing.sign_offs import SignOff
from catalog.publishing.signers import Signer, signers
from catalog.registry.entries import Entry
from catalog.registry.tables import DatasetRow, PublicationRow, SignOffRow
from protos.canonical import canonical
from protos.language import Text

_NEEDED: Final = ("proof", "form", "time", "revocation", "data", "policy", "manifest", "figures")
_AGAIN: Final = Text(
    "have it attested again: veil desensitize gate RELEASE --original FILE --signing-key KEY",
    "请重新签署证明：veil desensitize gate 发布目录 --original 原始文件 --signing-key 密钥",
)
_WHOLE: Final = Text(
    "publish the directory as it was attested, whole and unchanged",
    "请发布签署证明时的目录，保持完整且未经改动",
)
_NEW: Final = Text(
    "mend what was wrong, make the release again, and have that one attested",
    "请改正问题，重新生成发布并签署证明",
)
_MENDS: Final = {
    "revocation": _NEW,
    "data": _WHOLE,
    "policy": _WHOLE,
    "manifest": _WHOLE,
    "files": _WHOLE,
}


@dataclass(frozen=True)
class Judged:
    """What came out.

    Attributes:
        objections: All of them; published is only what has none.
        signer: Number of the enrolment that the attestation rests on; 0 if there is none.
        officers: Sign-offs that count, by number of the enrolment.
    """

    objections: tuple[Objection, ...]
    signer: int
    officers: dict[int, SignOff]


def release_name(source: str, identifier: str, *, unique: bool = True) -> str:
    """Returns the name that a policy (``dataset = …``) must give to be published as a dataset.

    The code in small letters and underscores. Where another dataset of the department has the same,
    eight digits are added.

    Args:
        source: Catalog of the dataset.
        identifier: Its code.
        unique: Whether no other dataset of the department has this name.
    """
    plain = re.sub(r"[^a-z0-9]", "_", identifier.lower())
    plain = plain if re.match(r"[a-z]", plain) else f"d_{plain}"
    if unique and len(plain) <= 63:
        return plain
    digest = hashlib.sha256(f"{source}\n{identifier}".encode()).hexdigest()[:8]
    return f"{plain[:54]}_{digest}"


def judge(
    connection: Connection, entry: Entry, case: Case, *, synthetic: bool, now: dt.datetime
) -> Judged:
    """Judges a release against the catalog as it is in this transaction.

    Args:
        connection: To read with.
        entry: The dataset, read with the same connection.
        case: What was verified.
        synthetic: Whether the publisher says that the rows are synthetic.
        now: The time, with a time zone.
    """
    enrolled = signers(connection)
    found = [*_dataset(entry), *_attestation(case)]
    if not case.sound:
        return Judged(tuple(found), 0, {})
    found += _subject(connection, entry, case, enrolled, synthetic=synthetic)
    department, at = entry.record.provider.code, int(now.timestamp())
    signer, why = enrolment(enrolled, case.fingerprint, department, "signer", at)
    found += why
    gone = _last_unpublished(connection, case.sha256)
    ended = _ended_with(connection, case.sha256)
    late = case.signed_at is not None and case.signed_at.timestamp() <= gone
    if (
        late or _same_word(case.attestation) in ended
    ):  # a signer's clock may be fast: the same word is none
        found.append(Objection(
            "publish.replayed",
            Text("these bytes were unpublished after the attestation was signed",
                 "该数据在证明签署之后已被撤下"),
            _AGAIN,
        ))  # fmt: skip
    officers, why = officers_of(entry, case, enrolled, now, gone, ended)
    return Judged((*found, *why), signer, officers)


def _dataset(entry: Entry) -> Iterator[Objection]:
    if entry.state != "registered":
        yield Objection(
            "publish.withdrawn",
            Text("the dataset was withdrawn from the catalog", "该数据资源已从目录撤回"),
            Text("register it anew, under another code", "请以新的代码重新登记"),
        )
    if entry.record.opening.attribute == "none":
        yield Objection(
            "publish.closed",
            Text("its open attribute is 'not open'", "其开放类型为“不予开放”"),
            Text("have the provider change the record's open attribute, if the law allows it",
                 "如法律允许，请由提供方变更目录中的开放类型"),
        )  # fmt: skip


def _attestation(case: Case) -> Iterator[Objection]:
    for check in case.checks:
        if check.state != "holds":
            yield Objection(f"publish.{check.name}", check.reason, _MENDS.get(check.name, _AGAIN))
    missing = [name for name in _NEEDED if name not in {check.name for check in case.checks}]
    if case.sound and missing:
        yield Objection(
            "publish.incomplete",
            Text(f"not verified, because it is missing: {', '.join(missing)}",
                 f"因缺少文件而未能核验：{'、'.join(missing)}"),
            _WHOLE,
        )  # fmt: skip


def _subject(
    connection: Connection,
    entry: Entry,
    case: Case,
    enrolled: Sequence[Signer],
    *,
    synthetic: bool,
) -> Iterator[Objection]:
    # A key may sign for several departments, and names one of their datasets only.
    departments = {each.department for each in enrolled if each.fingerprint == case.fingerprint}
    wanted = wanted_name(connection, entry, departments)
    if case.dataset != wanted:
        yield Objection(
            "publish.dataset",
            Text(f"attested is the dataset {case.dataset!r}, not {wanted!r}",
                 f"所证明的数据集是“{case.dataset}”，不是“{wanted}”"),
            Text(f"name the right dataset with --dataset, or make the release with "
                 f'dataset = "{wanted}" in its policy',
                 f'请用 --dataset 指定正确的数据资源，或在策略中写 dataset = "{wanted}" '
                 "后重新生成"),
        )  # fmt: skip
    if not case.manifest_agrees:
        yield Objection(
            "publish.kind",
            Text("attestation and manifest differ on whether the rows are synthetic",
                 "证明与清单对数据是否为合成数据的说法不一致"),
            _AGAIN,
        )  # fmt: skip
    if case.synthetic != synthetic:
        yield Objection(
            "publish.synthetic",
            Text("the attestation is of synthetic rows, not of a desensitized copy",
                 "该证明针对合成数据，而非脱敏副本")
            if case.synthetic
            else Text("the attestation is of a desensitized copy, not of synthetic rows",
                      "该证明针对脱敏副本，而非合成数据"),
            Text("say so with --synthetic: readers are told", "请用 --synthetic 标明：读者会看到")
            if case.synthetic
            else Text("leave --synthetic out", "请去掉 --synthetic"),
        )  # fmt: skip
    public = select(PublicationRow.number).where(
        PublicationRow.dataset == entry.number,
        PublicationRow.sha256 == case.sha256,
        PublicationRow.state == "published",
    )
    number = connection.execute(public).scalar()
    if number is not None:
        yield Objection(
            "publish.already",
            Text(f"exactly these bytes are public already, as version {number}",
                 f"完全相同的数据已公开，版本 {number}"),
            Text("nothing is to do", "无需操作"),
        )  # fmt: skip


def wanted_name(connection: Connection, entry: Entry, departments: Collection[str] = ()) -> str:
    """Returns the name that releases of a dataset must have; see `release_name`.

    Args:
        connection: To read with.
        entry: The dataset.
        departments: Others whose datasets it must not be mistaken for.
    """
    plain = release_name(*entry.record.key)
    others = connection.execute(
        select(DatasetRow.source, DatasetRow.identifier).where(
            DatasetRow.provider.in_({entry.record.provider.code, *departments}),
            DatasetRow.id != entry.number,
        )
    )
    unique = all(release_name(source, code) != plain for source, code in others)
    return release_name(*entry.record.key, unique=unique)


def _ended_with(connection: Connection, sha256: str) -> frozenset[str]:
    """Documents, attestations and sign-offs, on which the same bytes were public once."""
    p, s = PublicationRow, SignOffRow
    over = (p.sha256 == sha256) & (p.state == "unpublished")
    attested = connection.execute(select(p.attestation).where(over)).scalars()
    signed = connection.execute(
        select(s.document).join(p, (p.dataset == s.dataset) & (p.number == s.number)).where(over)
    ).scalars()
    return frozenset((*map(_same_word, attested), *signed))


def _same_word(attestation: str) -> str:
    """What was signed, however somebody has written it down since."""
    return canonical(json.loads(attestation)).decode("utf-8")


def _last_unpublished(connection: Connection, sha256: str) -> int:
    """Unix seconds at which the same bytes were unpublished last; 0 if never, of any dataset."""
    last = select(func.coalesce(func.max(PublicationRow.unpublished_at), 0)).where(
        PublicationRow.sha256 == sha256
    )
    return connection.execute(last).scalar_one() or 0
