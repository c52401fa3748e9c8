"""One document from another server, within bounds: of size, time, redirects, and where it leads.

Each connection resolves a name once, judges every address that comes of it (`networks`), and is
made to that very address, so a name that means something else a moment later (rebinding) changes
nothing; TLS still proves the name. The same is done for each redirect. A deadline counts for
all bytes together, headers and handshake included: a server that sends one byte a second does not
keep anybody. What is compressed is unpacked up to the same size as everything else.
"""

from __future__ import annotations

import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import httpcore2
import httpx2

from catalog.harvest.networks import Network, may_call, refusal
from protos.faults import InputError, UnavailableError, VeilError
from protos.language import Text

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LONGEST: Final = 2000  # characters of an address
_PIECE: Final = 1 << 20
Resolver = Callable[[str, int], Sequence[str]]
"""Returns the numeric addresses of a name."""


@dataclass(frozen=True)
class FetchLimits:
    """What one document may cost.

    Attributes:
        bytes: Its size, unpacked.
        deadline_s: From the first connection to the last byte, redirects included.
        silence_s: Longest wait for anything at all.
        hops: Redirects.
    """

    bytes: int = 16 << 20  # a graph takes fifty times as much memory as its text
    deadline_s: float = 120.0
    silence_s: float = 30.0
    hops: int = 5


@dataclass(frozen=True)
class Answer:
    """What a server sent.

    Attributes:
        url: Where it came from, after redirects.
        status: Of HTTP.
        headers: By lower-case names.
        body: Unpacked.
    """

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def addresses_of(host: str, port: int) -> Sequence[str]:
    """Asks the system's resolver, which also knows ``2130706433`` and ``0x7f.1`` as addresses."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Fetcher:
    """Fetches documents; for one thread.

    Args:
        allowed: Ranges of closed networks that may be called.
        limits: For each document.
        authorities: File of certificate authorities, PEM; the system's by default.
        resolve: Asks for the addresses of a name.
    """

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        *,
        limits: FetchLimits | None = None,
        authorities: Path | None = None,
        resolve: Resolver = addresses_of,
    ) -> None:
        self._limits = limits or FetchLimits()
        self._network = _Network(allowed, resolve)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_tls(authorities), network_backend=self._network, max_connections=4
        )

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Fetches a document.

        Raises:
            InputError: The address is none, or something in the answer passes a limit.
            PolicyError: It leads to where this machine may not be made to call.
            UnavailableError: The server cannot be reached, is too slow or broke off.
        """
        self._network.deadline = time.monotonic() + self._limits.deadline_s
        for _ in range(self._limits.hops + 1):
            answer = self._once(read_url(url), headers or {})
            if answer.status not in _REDIRECTS or "location" not in answer.headers:
                return answer
            following = urljoin(url, answer.headers["location"])
            if read_url(url).scheme == "https" and read_url(following).scheme != "https":
                raise InputError(
                    Text("the server leads from https to an address without it",
                         "服务器将 https 请求重定向到非 https 地址"),
                    remedy=Text("ask its operator for an https address", "请向对方索取 https 地址"),
                    code="harvest.downgrade",
                )  # fmt: skip
            url = following
        raise InputError(
            Text(f"more than {self._limits.hops} redirects", f"重定向超过 {self._limits.hops} 次"),
            remedy=Text("give the address that they lead to", "请填写最终地址"),
            code="harvest.redirects",
        )

    def close(self) -> None:
        """Ends all connections."""
        self._pool.close()

    def _once(self, url: httpx2.URL, headers: Mapping[str, str]) -> Answer:
        sent = {
            "Host": url.netloc.decode("ascii"),
            "User-Agent": f"veil-harvest/{version('veil-exchange')}",
            "Accept-Encoding": "gzip",
            **headers,
        }
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), self._limits.silence_s)
        with (
            _failures(url),
            self._pool.stream(
                "GET",
                httpcore2.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=list(sent.items()),
                extensions={"timeout": timeouts},
            ) as response,
        ):
            told = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            }
            body = b"" if response.status in _REDIRECTS else self._body(response, told)
            return Answer(str(url), response.status, told, body)

    def _body(self, response: httpcore2.Response, headers: Mapping[str, str]) -> bytes:
        packed = headers.get("content-encoding", "identity").strip().lower()
        parts = response.iter_stream()
        if packed in {"gzip", "x-gzip"}:
            parts = _unpacked(parts)
        elif packed != "identity":
            raise InputError(
                Text(
                    f"the answer is packed as {packed[:20]!r}", f"应答使用了压缩方式“{packed[:20]}”"
                ),
                remedy=Text("gzip and nothing are read", "仅支持 gzip 或不压缩"),
                code="harvest.encoding",
            )
        body = bytearray()
        for part in parts:
            body += part
            if len(body) > self._limits.bytes:
                raise InputError(
                    Text(f"a page has more than {self._limits.bytes >> 20} MiB",
                         f"单页超过 {self._limits.bytes >> 20} MiB"),
                    remedy=Text("ask for smaller pages, such as …/catalog.ttl?limit=100",
                                "请减小分页，如 …/catalog.ttl?limit=100"),
                    code="harvest.large",
                )  # fmt: skip
        return bytes(body)


def read_url(text: str) -> httpx2.URL:
    """Returns an address that may be fetched.

    Raises:
        InputError: It is none, is not http or https, or has a password in it.
    """
    try:
        url = httpx2.URL(text) if len(text) <= _LONGEST and text.isprintable() else httpx2.URL("")
    except (httpx2.InvalidURL, ValueError, TypeError):
        url = httpx2.URL("")
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        raise InputError(
            Text(f"{text[:100]!r} is no address of a catalog", f"“{text[:100]}”不是有效的目录地址"),
            remedy=Text(
                "write https://host/path, without a user name or password",
                "请填写 https://主机/路径，不含用户名和口令",
            ),
            code="harvest.url",
        )
    return url.copy_with(fragment=None)


class _Network(httpcore2.NetworkBackend):
    """Makes connections to judged addresses, and ends everything at the deadline."""

    def __init__(self, allowed: Sequence[Network], resolve: Resolver) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._sockets = httpcore2.SyncBackend()
        self.deadline = 0.0

    def left(self, timeout: float | None) -> float:
        """Returns how long the next step may take, seconds."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the deadline of the document has passed")
        return min(left, timeout if timeout is not None else left)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connects to the first address of a name; a name with one bad address is not called."""
        found = self._resolve(host, port)
        for address in found:
            if not may_call(address, self._allowed):
                raise refusal(host, address)
        if not found:
            raise httpcore2.ConnectError("the name has no address")
        stream = self._sockets.connect_tcp(
            found[0], port, self.left(timeout), local_address, socket_options
        )
        return _Stream(stream, self)


class _Stream(httpcore2.NetworkStream):
    """A connection on which each step ends at the deadline at the latest."""

    def __init__(self, inner: httpcore2.NetworkStream, network: _Network) -> None:
        self._inner = inner
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._network.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._network.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left = self._network.left(timeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._network)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's own
        return self._inner.get_extra_info(info)


def _unpacked(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Unpacks gzip a piece at a time: a bomb is stopped at the limit, not after it."""
    unpacker = zlib.decompressobj(wbits=31)
    for part in parts:
        waiting = part
        while waiting and not unpacker.eof:
            yield unpacker.decompress(waiting, _PIECE)
            waiting = unpacker.unconsumed_tail
    if not unpacker.eof:
        raise httpcore2.RemoteProtocolError("the packed answer ends too early")


def _tls(authorities: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            Text(f"{authorities} holds no certificates", f"{authorities} 中没有证书"),
            remedy=Text("name a PEM file of certificate authorities", "请指定 CA 证书 PEM 文件"),
            code="harvest.authorities",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@contextmanager
def _failures(url: httpx2.URL) -> Iterator[None]:
    """Turns what libraries say into Veil's words."""
    try:
        yield
    except VeilError:
        raise
    except (httpcore2.TimeoutException, TimeoutError) as error:
        raise _unreachable(url, Text("is too slow", "响应过慢"), error) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, UnicodeError,
            zlib.error) as error:  # fmt: skip
        raise _unreachable(url, Text("cannot be read", "无法读取"), error) from error


def _unreachable(url: httpx2.URL, what: Text, error: Exception) -> UnavailableError:
    return UnavailableError(
        Text(f"{url.host} {what.en}", f"{url.host} {what.zh}"),
        remedy=Text("run it again: it goes on where it was", "请重新运行，将从中断处继续"),
        code="harvest.unreachable",
        detail=repr(error),
    )
