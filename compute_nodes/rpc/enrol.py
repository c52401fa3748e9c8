"""How a machine becomes a member: it makes its keys here and asks for a certificate.

This is plain HTTPS with the server's certificate checked against the CA inside the invitation:
a machine that is only now getting its certificate cannot speak mutual TLS yet.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature

from catalog.identity.authority import TlsKey
from catalog.identity.certificate import load_certificate, read_certificate
from catalog.identity.files import create_directory, read_public
from catalog.identity.invite import read_invite
from catalog.identity.registry import RENEWAL_TYPE
from compute_nodes.rpc.membership import Membership
from protos.cards import make_card, read_card
from protos.faults import InputError, TrustError, UnavailableError, from_public
from protos.identity import IdentityKey
from protos.language import Text
from protos.names import Role
from protos.sealing import SealingKey
from protos.whole_file import write_whole

TIMEOUT_S: Final = 20.0
_MAX_REPLY_BYTES: Final = 64 * 1024

K = TypeVar("K", IdentityKey, SealingKey, TlsKey)


def enroll(
    token: str,
    directory: Path,
    role: Role,
    *,
    clock: Callable[[], float] = time.time,
    timeout_s: float = TIMEOUT_S,
) -> Membership:
    """Redeems an invitation and writes the member's directory; see `compute_nodes.rpc.membership`.

    Private keys are made here, mode 0600, and never sent. When a first try was cut off, the
    same call again uses the keys that are there and gets the same certificate.

    Args:
        token: From the exchange's operator.
        directory: New or empty; mode 0700 afterwards.
        role: What we expect to become.
        clock: Unix seconds.
        timeout_s: Longest silence of the exchange, seconds.

    Raises:
        TrustError: The invitation is malformed, unknown, expired, used, or for another role; or
            the other side does not hold the CA that it names.
        InputError: The directory belongs to a member already.
        UnavailableError: The exchange cannot be reached, or a file not written.
    """
    invite = read_invite(token)
    if invite.role != role:
        raise TrustError(
            Text(
                f"the invitation is for the {invite.role} {invite.name}, not for a {role}",
                f"邀请码属于 {invite.role} {invite.name}，不能用于 {role}",
            ),
            remedy=Text(
                f"use it for that {invite.role}, or ask for another one",
                f"请用于该 {invite.role}，或另行索取",
            ),
            code="invite.role",
        )
    create_directory(directory)
    if (directory / "tls.crt").exists():
        raise InputError(
            Text(f"{directory} is enrolled already", f"{directory} 已经注册"),
            remedy=Text(
                "use another directory, or move this one away", "请换一个目录，或移走此目录"
            ),
            code="enrol.exists",
        )
    tls = _key(TlsKey, directory / "tls.key")
    identity = _key(IdentityKey, directory / "identity.key")
    sealing = _key(SealingKey, directory / "sealing.key")
    card = make_card(identity, invite.name, role, sealing.public_hex, int(clock()))
    request = tls.request()
    reply = _post(
        invite.url,
        "/enrol",
        {"secret": invite.secret, "request": request.decode(), "card": card},
        invite.ca_pem,
        timeout_s,
    )
    certificate = _own_certificate(reply, invite.ca_pem.encode(), tls, role, invite.name)
    if read_card(reply.exchange_card).role != "exchange":
        raise TrustError(
            Text("the exchange showed somebody else's card", "交换中心出示了他人的身份卡"),
            code="card.mismatch",
        )
    member = Membership(role, invite.name, reply.exchange, invite.url, reply.exchange_card)
    member.save(directory)
    write_whole(directory / "ca.crt", invite.ca_pem.encode())
    write_whole(directory / "card.jwt", card.encode())
    write_whole(directory / "tls.crt", certificate)  # last: its presence means enrolled
    return member


def renew(
    directory: Path,
    *,
    clock: Callable[[], float] = time.time,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Gets a certificate for another 90 days, also after the old one has expired.

    A running link takes it up when it is started again.

    Raises:
        TrustError: We are not a member any more, or the other side is not our exchange.
        UnavailableError: The exchange cannot be reached, or a file not read or written.
    """
    member = Membership.load(directory)
    ca_pem = read_public(directory / "ca.crt")
    tls = TlsKey.load(directory / "tls.key")
    identity = IdentityKey.load(directory / "identity.key")
    request = tls.request()
    proof = identity.sign(
        RENEWAL_TYPE,
        {
            "sub": member.name,
            "role": member.role,
            "request": hashlib.sha256(request).hexdigest(),
            "iat": int(clock()),
        },
    )
    body = {
        "role": member.role,
        "name": member.name,
        "request": request.decode(),
        "proof": proof,
    }
    reply = _post(member.enrolment, "/renew", body, ca_pem.decode(), timeout_s)
    certificate = _own_certificate(reply, ca_pem, tls, member.role, member.name)
    write_whole(directory / "tls.crt", certificate)


def renewal_due(directory: Path, now: float, *, left_s: float = 30 * 86_400) -> bool:
    """Whether the certificate ends within ``left_s`` seconds of ``now`` (Unix seconds)."""
    return read_certificate(read_public(directory / "tls.crt")).not_after - now < left_s


@dataclass(frozen=True)
class _Reply:
    certificate: str
    exchange: str
    exchange_card: str


def _key(kind: type[K], path: Path) -> K:
    """Loads the key that an interrupted try left, or makes one."""
    if path.exists():
        return kind.load(path)
    key = kind.generate()
    key.save(path)
    return key


def _own_certificate(reply: _Reply, ca_pem: bytes, tls: TlsKey, role: Role, name: str) -> bytes:
    """Checks that the certificate is ours: our key, our name, signed by the invitation's CA."""
    pem = reply.certificate.encode()
    certificate, authority = load_certificate(pem), load_certificate(ca_pem)
    certified = read_certificate(pem)
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise TrustError(
            Text(
                "the certificate is not signed by this exchange's CA",
                "证书不是由本交换中心的 CA 签署",
            ),
            code="enrol.certificate",
        ) from error
    if (certified.role, certified.name) != (role, name) or (
        certificate.public_key() != tls.private.public_key()
    ):
        raise TrustError(
            Text(
                "the exchange answered with a certificate that is not ours",
                "交换中心返回的证书不是我们的",
            ),
            code="enrol.certificate",
        )
    return pem


def _post(url: str, path: str, body: dict[str, str], ca_pem: str, timeout_s: float) -> _Reply:
    place = urlsplit(url)
    try:
        context = ssl.create_default_context(cadata=ca_pem)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        connection = http.client.HTTPSConnection(
            place.hostname or "", place.port, timeout=timeout_s, context=context
        )
    except (ValueError, ssl.SSLError) as error:
        raise TrustError(
            Text(
                "the invitation holds no usable address or CA certificate",
                "邀请码中没有可用的地址或 CA 证书",
            ),
            remedy=Text("ask for a new one", "请重新索取"),
            code="invite.malformed",
            detail=repr(error),
        ) from error
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read(_MAX_REPLY_BYTES)
    except ssl.SSLCertVerificationError as error:
        raise TrustError(
            Text(
                f"{place.netloc} does not show a certificate of the exchange that invited us",
                f"{place.netloc} 没有出示邀请我们的交换中心的证书",
            ),
            remedy=Text(
                "check the address and this machine's clock; somebody may be in the middle",
                "请检查地址和本机时钟；可能有人在中间冒充",
            ),
            code="enrol.server",
            detail=error.verify_message,
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(
            Text(
                f"cannot reach the exchange at {place.netloc}",
                f"无法连接 {place.netloc} 的交换中心",
            ),
            remedy=Text(
                "check that the exchange runs and that this machine may connect to it",
                "请检查交换中心是否在运行、本机能否连接",
            ),
            code="enrol.unreachable",
            detail=repr(error),
        ) from error
    finally:
        connection.close()
    fields = _object(answer)
    if response.status != http.client.OK:
        raise from_public(fields)
    return _Reply(fields.get("certificate", ""), fields.get("exchange", ""), fields.get("card", ""))


def _object(answer: bytes) -> dict[str, str]:
    try:
        value: Any = json.loads(answer)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return value
    raise UnavailableError(
        Text(
            "the exchange's enrolment service did not answer as one", "交换中心的注册服务应答异常"
        ),
        code="enrol.reply",
    )
