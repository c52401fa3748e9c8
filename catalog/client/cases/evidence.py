"""What a server shows of a case, verified on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog.client.connection import Connection
from catalog.transparency.checkpoints import Checkpoint, read_proof, unverified_checkpoint
from catalog.transparency.notes import read_note
from catalog.transparency.policy import LogPolicy
from catalog.workflows.case import Kept
from catalog.workflows.events import Event, read_event, unverified_event
from catalog.workflows.model import Workflow
from catalog.workflows.verifying import BrokenCaseError, verify_events
from protos.faults import TrustError
from protos.language import Text
from protos.signing import PublicIdentity


@dataclass(frozen=True)
class Evidence:
    """A case whose events hold.

    Attributes:
        events: In order.
        fingerprint: Of the catalog's key that signed them.
        logged: How many are proven to be in the log.
        checked_log: Whether the log's own signature was checked, too.
    """

    events: tuple[Kept, ...]
    fingerprint: str
    logged: int
    checked_log: bool

    @property
    def said(self) -> list[Event]:
        """What they say."""
        return [kept.said for kept in self.events]

    def to_dict(self) -> dict[str, object]:
        """Returns what was verified, as JSON types."""
        return {
            "events": len(self.events), "logged": self.logged, "signer": self.fingerprint,
            "log_checked": self.checked_log,
        }  # fmt: skip

    @property
    def asked(self) -> Event:
        """The event that says what is asked."""
        return self.said[self.said[-1].asked - 1]


def fetch(
    connection: Connection,
    workflow: Workflow,
    identifier: str,
    *,
    key: str = "",
    policy: LogPolicy | None = None,
) -> Evidence:
    """Reads the events of a case and verifies them.

    Args:
        connection: To the server.
        workflow: The case's.
        identifier: The case's id.
        key: Fingerprint of the catalog's key (64 hex digits) that was told elsewhere; "" takes the
            one that the server names.
        policy: The log and its witnesses, told elsewhere; None leaves the log's signature out.

    Raises:
        TrustError: Something does not hold; names the first event.
        VeilError: What the server said.
    """
    body = connection.get(f"/api/{workflow.kind}/{identifier}/events")
    return read_evidence(body, workflow, identifier, key=key, policy=policy)


def read_evidence(
    body: Any,  # noqa: ANN401 - JSON
    workflow: Workflow,
    identifier: str,
    *,
    key: str = "",
    policy: LogPolicy | None = None,
) -> Evidence:
    """Verifies the events of a case that were read from a server, or from a file of it.

    Args:
        body: As ``GET /api/…/events`` gives it.
        workflow: The case's.
        identifier: The case's id; "" takes the one that the events name.
        key: See `fetch`.
        policy: See `fetch`.

    Raises:
        TrustError: Something does not hold; names the first event.
    """
    try:
        signer = PublicIdentity.from_jwk(body["signer"])
        events = [_kept(each) for each in body["events"]]
        proofs = [str(each["proof"]) for each in body["events"]]
        kind, _, case = events[0].said.case.partition("/") if events else ("", "", "")
        named = kind == workflow.kind and case == (identifier or case)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _strange(str(error)) from error
    if not named:
        raise _strange("another case")
    if key and "".join(key.split()).lower() not in {signer.fingerprint, signer.fingerprint[:32]}:
        raise TrustError(
            Text("this case is signed by another key than the catalog's",
                 "签名密钥不是该目录的密钥"),
            remedy=Text("compare the fingerprint with the catalog's operator",
                        "请与目录运维员核对指纹"),
            code="case.signer",
        )  # fmt: skip
    verify_events(workflow, events, signer)
    logged = _check_log(events, proofs, policy)
    return Evidence(tuple(events), signer.fingerprint, logged, policy is not None)


def check_uses(page: dict[str, Any]) -> list[Kept]:
    """Checks a page of uses: signature and place in the log of each.

    Raises:
        TrustError: One does not hold.
    """
    try:
        signer = PublicIdentity.from_jwk(page["signer"])
        events = [_kept(each) for each in page["uses"]]
        proofs = [str(each["proof"]) for each in page["uses"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _strange(str(error)) from error
    for kept in events:
        if read_event(kept.token, signer).step != "use":
            raise _strange("no use")
    _check_log(events, proofs, None)
    return events


def _kept(body: dict[str, Any]) -> Kept:
    token, entry = str(body["token"]), body["entry"]
    return Kept(
        unverified_event(token), token, str(body["salt"]), str(body["document"]),
        None if entry is None else int(entry),
    )  # fmt: skip


def _check_log(events: Sequence[Kept], proofs: Sequence[str], policy: LogPolicy | None) -> int:
    logged = 0
    for kept, written in zip(events, proofs, strict=True):
        if not written:
            continue
        try:
            proof = read_proof(written)
            proof.check(kept.said.committed(bytes.fromhex(kept.salt)), _state(proof.note, policy))
        except (TrustError, ValueError) as error:
            why = Text("is not proven to be in the log", "的日志收录证明不成立")
            raise BrokenCaseError(kept.said.case, kept.said.number, why) from error
        logged += 1
    return logged


def _state(note: str, policy: LogPolicy | None) -> Checkpoint:
    if policy is None:
        return unverified_checkpoint(read_note(note))
    seen = policy.open(note)
    policy.check_quorum(seen.witnesses.keys())
    return seen.checkpoint


def _strange(detail: str) -> TrustError:
    return TrustError(
        Text("the server's answer is no case", "服务应答不是案件记录"),
        remedy=Text("is it a catalog of this version?", "请确认服务为相同版本的目录"),
        code="case.answer",
        detail=detail,
    )
