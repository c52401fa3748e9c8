"""Errors over a real gRPC connection: the public part arrives, the private part does not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NoReturn

import grpc
import pytest

from protos.faults import (
    KINDS,
    BudgetError,
    SqlError,
    TrustError,
    UnavailableError,
    VeilError,
)
from protos.grpc_faults import METADATA_KEY, abort, raise_from

METHOD = "/veil.test/Call"


def passthrough(data: bytes) -> bytes:
    return data


class Handler(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic in the stubs only
    """One method that fails in the way it was made for."""

    def __init__(self, error: VeilError | None, raw: bytes | None) -> None:
        self.error = error
        self.raw = raw

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        return grpc.unary_unary_rpc_method_handler(self.call, passthrough, passthrough)

    def call(self, request: bytes, context: grpc.ServicerContext) -> NoReturn:
        if self.error is not None:
            abort(context, self.error)
        context.set_trailing_metadata(((METADATA_KEY, self.raw or b""),))
        context.abort(grpc.StatusCode.INTERNAL, "raw")


@contextmanager
def served(error: VeilError | None = None, raw: bytes | None = None) -> Iterator[str]:
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=[Handler(error, raw)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


def called(address: str, timeout_s: float = 10) -> VeilError:
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary(METHOD, None, None)(b"", timeout=timeout_s)
    with pytest.raises(VeilError) as caught:
        raise_from(failed.value)
    assert caught.value.__cause__ is failed.value
    return caught.value


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_error_arrives_as_itself(kind: str) -> None:
    error = KINDS[kind]("预算不足: 0.3 left", remedy="ask for less", code=f"{kind}.test")
    error.detail = "row 17: Zhang San"
    with served(error) as address:
        fault = called(address)
    assert type(fault) is KINDS[kind]
    assert fault.public() == error.public()
    assert fault.detail == ""


def test_the_private_part_stays_at_home() -> None:
    error = BudgetError("spent", detail="resident 440103 was the last")
    with served(error) as address, grpc.insecure_channel(address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(METHOD, None, None)(b"", timeout=10)
        assert "440103" not in str(caught.value)


def test_an_sql_error_does_not_carry_the_statement() -> None:
    with served(SqlError("no", sql="SELECT secret", start=0, end=3)) as address:
        fault = called(address)
    assert isinstance(fault, SqlError)
    assert fault.sql == ""


def test_a_very_long_message_still_arrives() -> None:
    with served(VeilError("很" * 100_000, remedy="x" * 100_000)) as address:
        fault = called(address)
    assert fault.message.startswith("很很很")


@pytest.mark.parametrize(
    "raw", [b"", b"no json", b"[1]", b"5", b"\xff", b'{"kind": 7}', b"[" * 4000]
)
def test_a_broken_error_of_a_peer_is_still_an_error(raw: bytes) -> None:
    with served(raw=raw) as address:
        assert isinstance(called(address), VeilError)


def test_nobody_there_is_said_with_a_remedy() -> None:
    with served(VeilError("x")) as address:
        pass
    fault = called(address)
    assert isinstance(fault, UnavailableError)
    assert fault.code == "link.unavailable"
    assert "address" in fault.remedy


def test_silence_and_certificates_have_their_own_words() -> None:
    class Broken(grpc.RpcError, grpc.Call):  # as gRPC's own errors are
        def __init__(self, code: grpc.StatusCode, said: str) -> None:
            self._code, self._said = code, said

        def code(self) -> grpc.StatusCode:
            return self._code

        def details(self) -> str:
            return self._said

        def trailing_metadata(self) -> tuple[()]:
            return ()

    Broken.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
    with pytest.raises(UnavailableError, match="in time"):
        raise_from(Broken(grpc.StatusCode.DEADLINE_EXCEEDED, "late"))
    with pytest.raises(TrustError, match="certificate"):
        raise_from(Broken(grpc.StatusCode.UNAVAILABLE, "SSL_ERROR_SSL: CERTIFICATE_VERIFY_FAILED"))
    with pytest.raises(UnavailableError):
        raise_from(grpc.RpcError("closed"))
