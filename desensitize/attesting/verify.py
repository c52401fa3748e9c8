"""The verb `verify`: says check by check what of an attestation holds; offline, fails closed."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from desensitize.attacks.findings import from_dict as attacks_from
from desensitize.attesting import synthetic
from desensitize.attesting.agreement import unlike_manifest, unlike_policy
from desensitize.attesting.attestation import ATTESTATION, TYPES
from desensitize.attesting.checked import VerifyCheck, fails, holds
from desensitize.attesting.gate_rules import Figures, GateVerdict, judge
from desensitize.attesting.origin import check_original
from desensitize.attesting.revocation import check_revoked
from desensitize.policy import PublishPolicy
from desensitize.policy_file import read_policy
from desensitize.releasing.facts import (
    MANIFEST,
    POLICY,
    FileFacts,
    OriginalFacts,
    RescanFacts,
    lies_in,
    sha256_of,
)
from desensitize.risks import from_dict as risk_from
from desensitize.synthesis.facts import SynthesisFacts
from protos.data_integrity import CONTEXTS, Proof, check, read_time
from protos.did_key import fingerprint_of, is_signer, read_fingerprint
from protos.faults import VeilError
from protos.language import Text
from protos.strict_json import read_strict

MOST_BYTES: Final = 16 << 20
_SHOWN: Final = "%Y-%m-%d %H:%M:%S %Z"
_WHY: Final = {
    "the signature does not hold": Text(
        "a word of it was changed, or another key signed it", "内容被改动，或由其他密钥签署"
    ),
}
"""What `check` says of a document whose form is right, for people; the rest is for programs."""
_SKEW: Final = dt.timedelta(minutes=5)
_MEMBERS: Final = frozenset(
    {"@context", "id", "type", "issuer", "validFrom", "validUntil", "credentialSubject", "proof"}
)
_SUBJECT: Final = frozenset(
    {"id", "dataset", "open", "input", "output", "policySha256", "files", "population",
     "manifestSha256", "versions", "columns", "levels", "suppressedRows", "models", "limits",
     "gate", "rescan", "risk", "attacks", "earlier", "checks"}
)  # fmt: skip


@dataclass(frozen=True)
class Verification:
    """What an attestation is worth.

    Attributes:
        checks: In order; after a failure of file or proof nothing else is looked at.
        signer: did:key whose signature holds; empty if none does.
        dataset: As attested; empty if no signature holds.
    """

    checks: tuple[VerifyCheck, ...]
    signer: str = ""
    dataset: str = ""

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from desensitize.show.attack import show_verification
        from protos.terminal import as_html

        return as_html(show_verification, self)

    @property
    def valid(self) -> bool:
        """Whether everything holds, by a signer whom the caller has named."""
        return bool(self.checks) and all(each.state == "holds" for each in self.checks)


def verify(
    attestation: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    original: object = None,
    salt: str | os.PathLike[str] | None = None,
    revocations: Iterable[str | os.PathLike[str]] = (),
    signer: str = "",
    now: dt.datetime | None = None,
) -> Verification:
    """Checks an attestation offline. Answers for any file; raises only for a misspelt signer.

    Args:
        attestation: The file, or the directory in which it lies.
        data: The published file; the one beside the attestation by default.
        original: What the release was made from, for those who have it and its salt; a
            file, or the DataFrame, Arrow object or DuckDB relation.
        salt: The salt; the one beside the attestation's directory by default.
        revocations: Statements that take attestations back, or directories with such; one beside
            the attestation is looked at in any case.
        signer: did:key or fingerprint of whom the reader trusts, learnt from elsewhere.
        now: The time; the machine's by default.

    Raises:
        TrustError: ``signer`` is neither a did:key nor a fingerprint.
    """
    if signer:
        read_fingerprint(signer)
    path = Path(attestation)
    if path.is_dir():
        path /= ATTESTATION
    # A device or a pipe would never end.
    if not path.is_file():
        return Verification((fails("file", Text(
            f"{path} does not exist, or is no file", f"{path} 不存在，或不是文件"
        )),))  # fmt: skip
    try:
        body = _read(path)
    except (OSError, ValueError, RecursionError) as error:
        return Verification((fails("file", Text(
            f"{path.name} is no attestation that can be read in one way only: {error}",
            f"{path.name} 不是可唯一解读的证明文件：{error}",
        )),))  # fmt: skip
    try:
        proof = check(body)
    except (ValueError, TypeError, RecursionError) as error:
        why = _WHY.get(str(error), Text(str(error), str(error)))
        return Verification((fails("proof", Text(
            f"the signature over the attestation does not hold: {why.en}",
            f"证明的签名无效：{why.zh}",
        )),))  # fmt: skip
    checks = [
        holds("proof", Text("the signature holds over every word", "签名对全部内容有效")),
        _form(body, proof),
    ]
    if checks[-1].state == "holds":
        subject = body["credentialSubject"]
        checks += [
            _time(body, proof, now or dt.datetime.now(dt.UTC)),
            check_revoked(path, body, revocations),
            _signer(proof, signer),
            _data(path, subject, None if data is None else Path(data)),
            *_origin(path, subject, original, salt),
            *_beside(path, subject),
        ]
        return Verification(tuple(checks), proof.signer, str(subject["dataset"]))
    return Verification(tuple(checks), proof.signer)


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return read_strict(file.read(MOST_BYTES + 1), most=MOST_BYTES)


def _form(body: Mapping[str, Any], proof: Proof) -> VerifyCheck:
    """Whether it is an attestation of Veil, by the one who signed it."""
    subject = body.get("credentialSubject")
    members = _SUBJECT if body.get("type") == list(TYPES) else synthetic.SUBJECT
    known = body.get("type") in (list(TYPES), list(synthetic.TYPES))
    wrong = None
    if body.keys() != _MEMBERS or body["@context"] != list(CONTEXTS) or not known:
        wrong = Text("it is no attestation of a release", "不是发布证明")
    elif body["issuer"] != proof.signer:
        wrong = Text("somebody else signed than it says", "签名者与所称签发者不一致")
    elif not isinstance(subject, dict) or subject.keys() != members:
        wrong = Text("what it is about is incomplete", "证明内容不完整")
    else:
        try:
            output = FileFacts(**subject["output"])
            told = OriginalFacts(**subject["input"]) if "input" in subject else None
            if not _typed(output, told) or not isinstance(subject["dataset"], str):
                wrong = Text("input or output is incomplete", "输入或输出信息不完整")
            elif subject["id"] != f"urn:sha256:{output.sha256}":
                wrong = Text("it names two outputs", "所述输出前后不一致")
        except TypeError:
            wrong = Text("input or output is incomplete", "输入或输出信息不完整")
    if wrong is not None:
        return fails("form", wrong)
    return holds("form", Text("it is an attestation by its signer", "是签名者本人出具的发布证明"))


def _typed(output: FileFacts, told: OriginalFacts | None) -> bool:
    """Whether fields are what they should be: anybody can sign anything with his own key."""
    texts, numbers = [output.name, output.sha256], [output.rows, output.bytes]
    if told is not None:
        texts, numbers = [*texts, told.name, told.commitment], [*numbers, told.rows]
    return all(isinstance(each, str) for each in texts) and all(type(n) is int for n in numbers)


def _time(body: Mapping[str, Any], proof: Proof, now: dt.datetime) -> VerifyCheck:
    try:
        first, last = read_time(body["validFrom"]), read_time(body["validUntil"])
    except ValueError as error:
        return fails("time", Text(f"validity: {error}", f"有效期：{error}"))
    begins = max(filter(None, (first, proof.created)))
    ends = min(filter(None, (last, proof.expires)))
    if proof.created is None:
        return fails("time", Text("the signature says no time", "签名未注明时间"))
    if now + _SKEW < begins:
        return fails(
            "time", Text(f"it holds only from {begins:{_SHOWN}}", f"自 {begins:{_SHOWN}} 起才有效")
        )
    if now >= ends:
        return fails("time", Text(f"it expired on {ends:{_SHOWN}}", f"已于 {ends:{_SHOWN}} 过期"))
    return holds("time", Text(f"it holds until {ends:{_SHOWN}}", f"有效期至 {ends:{_SHOWN}}"))


def _signer(proof: Proof, named: str) -> VerifyCheck:
    fingerprint = fingerprint_of(proof.signer)
    if not named:
        return VerifyCheck("signer", "open", Text(
            f"unknown signer {proof.signer} (fingerprint {fingerprint}): anybody can make a key. "
            "Ask the publisher for the fingerprint, and name it with --signer",
            f"签署者未知：{proof.signer}（指纹 {fingerprint}）。任何人都能生成密钥；"
            "请向发布方核实指纹，并用 --signer 指定",
        ))  # fmt: skip
    if not is_signer(proof.signer, named):
        return fails("signer", Text(
            f"signed by somebody else: {proof.signer} (fingerprint {fingerprint})",
            f"由他人签署：{proof.signer}（指纹 {fingerprint}）",
        ))  # fmt: skip
    return holds("signer", Text(f"signed by {named}", f"由 {named} 签署"))


def _data(path: Path, subject: Mapping[str, Any], data: Path | None) -> VerifyCheck:
    output = FileFacts(**subject["output"])
    if data is None:
        # The attestation is not trusted to name a file elsewhere.
        data = path.parent / Path(str(output.name)).name
        if not data.is_file():
            return VerifyCheck("data", "open", Text(
                "the data were not compared: they do not lie beside it; name them with --data",
                "未比对数据：数据不在证明旁边；请用 --data 指定",
            ))  # fmt: skip
    try:
        found = sha256_of(data) if data.is_file() else ""
    except OSError:
        found = ""
    if found != output.sha256:
        return fails("data", Text(
            f"{data.name} is not the file that was attested", f"{data.name} 不是所证明的文件"
        ))  # fmt: skip
    return holds("data", Text(
        f"{data.name}: the very {output.bytes:,} bytes",
        f"{data.name}：逐字节一致（{output.bytes:,} 字节）",
    ))  # fmt: skip


def _origin(
    path: Path,
    subject: Mapping[str, Any],
    original: object,
    salt: str | os.PathLike[str] | None,
) -> Iterator[VerifyCheck]:
    """What the release was made from: only for those who have it."""
    if original is not None:
        yield check_original(path.parent, subject, original, salt)


def _beside(path: Path, subject: Mapping[str, Any]) -> Iterator[VerifyCheck]:
    """Policy and manifest, if they lie there: a reader of the data alone need not have them."""
    for name, file, said in (
        ("policy", POLICY, subject["policySha256"]),
        ("manifest", MANIFEST, subject["manifestSha256"]),
    ):
        there = path.parent / file
        if not there.is_file():
            continue
        if sha256_of(there) != said:
            yield fails(name, Text(f"{file} was changed", f"{file} 已被改动"))
            continue
        if name == "manifest" and (others := _unlike(there, subject)):
            yield fails(name, Text(
                f"{file} says something else about {', '.join(others)}",
                f"{file} 与证明所述不一致：{'、'.join(others)}",
            ))  # fmt: skip
            continue
        yield holds(name, Text(f"{file} is the attested one", f"{file} 与证明一致"))
        if name == "policy":
            yield _figures(there, subject)
    yield from _files(path.parent, subject.get("files", {}))  # synthetic rows have none


def _unlike(manifest: Path, subject: Mapping[str, Any]) -> list[str]:
    try:
        return list(unlike_manifest(manifest, subject))
    except (OSError, ValueError, TypeError, RecursionError, VeilError) as error:
        return [type(error).__name__]


def _files(folder: Path, said: object) -> Iterator[VerifyCheck]:
    """Hierarchy files, if they lie there; names outside the folder are not followed."""
    if not isinstance(said, dict) or not all(isinstance(each, str) for each in said.values()):
        yield fails("files", Text("the hierarchy files are no list", "层级文件清单无效"))
        return
    there = {name: path for name in said if (path := lies_in(folder, name)) is not None}
    changed = [name for name, path in there.items() if sha256_of(path) != said[name]]
    if changed:
        named, named_zh = ", ".join(changed), "、".join(changed)
        yield fails("files", Text(f"{named} was changed", f"{named_zh} 已被改动"))
    elif there:
        yield holds("files", Text(f"{len(there)} hierarchy files are the attested ones",
                                   f"{len(there)} 个层级文件与证明一致"))  # fmt: skip


def _figures(policy: Path, subject: Mapping[str, Any]) -> VerifyCheck:
    """Whether the signed figures pass the gate of the signed policy: the signer may be wrong."""
    try:
        rules = read_policy(policy)
        verdict = _judged(rules, subject)
        others = list(unlike_policy(rules, verdict, subject))
        english = "; ".join(each.reason.en for each in verdict.refusals)
        chinese = "；".join(each.reason.zh for each in verdict.refusals)
    except (VeilError, TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        return fails("figures", Text(
            f"the figures cannot be read: {type(error).__name__}",
            f"无法读取指标：{type(error).__name__}",
        ))  # fmt: skip
    if not verdict.passed:
        return fails("figures", Text(
            f"the signed figures do not pass the policy: {english}",
            f"所签指标未达到策略要求：{chinese}",
        ))  # fmt: skip
    if others:
        return fails("figures", Text(
            f"the policy says something else about {', '.join(others)}",
            f"策略与证明所述不一致：{'、'.join(others)}",
        ))  # fmt: skip
    if "synthesis" in subject:
        made = SynthesisFacts.from_dict(subject["synthesis"])
        return holds("figures", Text(
            f"the rows are synthetic: epsilon {made.epsilon:g}, delta {made.delta:g}, within the "
            "policy; that there was noise is the signer's word",
            f"这些行是合成数据：epsilon {made.epsilon:g}，delta {made.delta:g}，在策略允许范围内；"
            "确已加噪由签署者负责",
        ))  # fmt: skip
    return holds("figures", Text(
        f"the signed figures pass all {len(verdict.checks)} checks of the policy",
        f"所签指标通过策略的全部 {len(verdict.checks)} 项检查",
    ))  # fmt: skip


def _judged(policy: PublishPolicy, subject: Mapping[str, Any]) -> GateVerdict:
    rows, rescan = FileFacts(**subject["output"]).rows, subject["rescan"]
    scanned = None if rescan is None else RescanFacts(**rescan)
    if "synthesis" in subject:
        made = SynthesisFacts.from_dict(subject["synthesis"])
        return synthetic.judge_synthetic(policy, rows, scanned, made)
    risk, attacks = subject["risk"], subject["attacks"]
    return judge(
        policy,
        Figures(
            rows,
            scanned,
            None if risk is None else risk_from(risk),
            None if attacks is None else attacks_from(attacks),
        ),
    )
