"""Veil's errors over gRPC: a status code, and the public part as JSON in trailing metadata.

Only `VeilError.public` crosses the wire; ``detail`` stays in the log of who raised. A failure
that carries no such metadata (a broken connection, a deadline) becomes `UnavailableError`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NoReturn

import grpc

from protos.canonical import canonical
from protos.faults import TrustError, UnavailableError, VeilError, from_public
from protos.language import Text

METADATA_KEY: Final = "veil-error-bin"
_MAX_FIELD: Final = 1400  # bytes; four of them in base64 stay below gRPC's 8 KiB of metadata

_STATUS: Final[Mapping[str, grpc.StatusCode]] = {
    "error": grpc.StatusCode.INTERNAL,
    "input": grpc.StatusCode.INVALID_ARGUMENT,
    "sql": grpc.StatusCode.INVALID_ARGUMENT,
    "policy": grpc.StatusCode.PERMISSION_DENIED,
    "budget": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "trust": grpc.StatusCode.UNAUTHENTICATED,
    "protocol": grpc.StatusCode.FAILED_PRECONDITION,
    "job": grpc.StatusCode.ABORTED,
    "unavailable": grpc.StatusCode.UNAVAILABLE,
}


def abort(context: grpc.ServicerContext, error: VeilError) -> NoReturn:
    """Ends the call with the public part of ``error``; never returns (gRPC raises)."""
    body = {name: _short(text) for name, text in error.public().items()}
    context.set_trailing_metadata(((METADATA_KEY, canonical(body)),))
    # HTTP/2 status text should be short ASCII; the real message is in the metadata.
    context.abort(_STATUS.get(error.kind, grpc.StatusCode.INTERNAL), f"veil: {error.code}")
    raise AssertionError("unreachable: abort raises")


def raise_from(error: grpc.RpcError) -> NoReturn:
    """Raises what the other side meant, with the gRPC error as its cause."""
    raise to_fault(error) from error


def to_fault(error: Exception) -> VeilError:
    """Reads a `grpc.RpcError`; what is not Veil's own becomes an error about the connection."""
    call = error if isinstance(error, grpc.Call) else None
    if call is None:  # raised before there was a call, such as on a closed channel
        return _unreachable("no_call", str(error))
    for key, value in call.trailing_metadata() or ():
        if key == METADATA_KEY and (fault := _read(value)) is not None:
            return fault
    code, said = call.code(), str(call.details() or "")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return UnavailableError(
            Text("the other side did not answer in time", "对方未及时应答"),
            remedy=Text(
                "try again; look at its log if it stays silent",
                "请重试；若一直无应答，请查看其日志",
            ),
            code="link.deadline",
            detail=said,
        )
    if code is grpc.StatusCode.UNAUTHENTICATED or "certificate" in said.lower():
        return TrustError(
            Text("one side did not accept the other's certificate", "一方不接受另一方的证书"),
            remedy=Text(
                "check with 'veil status' that this machine is enrolled and not revoked",
                "请用 veil status 检查本机是否已注册且未被吊销",
            ),
            code="link.certificate",
            detail=said,
        )
    return _unreachable(code.name.lower(), said)


def _unreachable(why: str, said: str) -> UnavailableError:
    return UnavailableError(
        Text(f"the other side cannot be reached ({why})", f"无法连接对方（{why}）"),
        remedy=Text(
            "check the address and that it runs; calls are repeated when it is back",
            "请检查地址以及对方是否在运行；恢复后会自动重试",
        ),
        code=f"link.{why}",
        detail=said,
    )


def _read(value: object) -> VeilError | None:
    """Reads the metadata of a peer, which may hold anything."""
    try:
        body = json.loads(value) if isinstance(value, bytes) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    return from_public({name: _short(text) for name, text in body.items() if isinstance(text, str)})


def _short(text: str) -> str:
    """Cuts a field, never in the middle of a character."""
    return text.encode("utf-8", "replace")[:_MAX_FIELD].decode("utf-8", "ignore")
