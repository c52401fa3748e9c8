"""Calls to a catalog's REST interface: JSON in and out, problems raised as Veil's own errors."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx2

from catalog.web.problems import STATUS
from protos.faults import KINDS, UnavailableError, VeilError
from protos.language import Text, joined

# Of several kinds with one status the first; the code says more.
_KINDS: Final = {status: kind for kind, status in reversed(STATUS.items())}
_OTHER_NAME: Final = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH (OpenSSL)


class Connection:
    """A catalog's server.

    Args:
        http: A client whose base is the server; a test may give its own.
        key: API key; empty to call as a visitor.
    """

    def __init__(self, http: httpx2.Client, key: str = "") -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def get(self, path: str, **params: object) -> Any:  # noqa: ANN401 - JSON
        """Reads something; parameters that are None or empty are left out.

        Raises:
            VeilError: What the server said, by its kind.
            UnavailableError: It cannot be reached.
        """
        given = {name: value for name, value in params.items() if value not in (None, "", [])}
        return self._call("GET", path, params=given)

    def send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Changes something; see `get`.

        Args:
            method: POST, PUT, PATCH or DELETE.
            path: From the server's root.
            body: Sent as JSON.
        """
        return self._call(method, path, json=body)

    def pieces(self, path: str) -> Iterator[bytes]:
        """Reads a file piece by piece; see `get`.

        Args:
            path: From the server's root; an address elsewhere is never asked.
        """
        if not path.startswith("/") or path.startswith("//"):
            raise ValueError(f"{path!r} is no path")
        try:
            with self._http.stream("GET", path, headers=self._headers) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _error(answer)
                yield from answer.iter_bytes()
        except httpx2.HTTPError as error:
            raise _unreachable(str(self._http.base_url), error) from error

    def _call(self, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401
        try:
            answer = self._http.request(method, path, headers=self._headers, **more)
        except httpx2.HTTPError as error:
            raise _unreachable(str(self._http.base_url), error) from error
        if not answer.is_success:
            raise _error(answer)
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise _error(answer) from error


def _unreachable(address: str, error: httpx2.HTTPError) -> UnavailableError:
    """Says why nobody answered: the four reasons have four remedies."""
    said = Text(f"the catalog at {address} cannot be reached", f"无法连接目录服务 {address}")
    remedy = Text("is it running, and is the address right?", "请确认服务已启动且地址正确")
    code = "catalog.unreachable"
    refused = _cause(error)
    if isinstance(refused, ssl.SSLCertVerificationError) and refused.verify_code in _OTHER_NAME:
        said = Text(
            f"the certificate of {address} is of another name", f"{address} 的证书属于其他名称"
        )
        remedy = Text("use the name that its operator has told", "请使用运维员告知的地址")
        code = "catalog.other_name"
    elif isinstance(refused, ssl.SSLCertVerificationError):
        said = Text(
            f"the certificate of {address} has ended, or is of no authority trusted here",
            f"{address} 的证书不由本机信任的机构签发，或已过期",
        )
        remedy = Text(
            "get its authority's file from its operator (an exchange has it as ca.crt), "
            "and name it: VEIL_CA=ca.crt, or veil login --ca ca.crt",
            "请向运维员索取并核对其证书机构文件（交换中心目录中的 ca.crt），"
            "再用 VEIL_CA=ca.crt 或 veil login --ca ca.crt 指定",
        )
        code = "catalog.untrusted"
    elif isinstance(refused, ssl.SSLError):
        remedy = Text(
            "it speaks no TLS 1.3: is it http://?", "对方未使用 TLS 1.3：地址是否应为 http://？"
        )
    elif isinstance(error, httpx2.RemoteProtocolError) and address.startswith("http://"):
        remedy = Text(
            "it speaks no HTTP: is it https://?", "对方未使用 HTTP：地址是否应为 https://？"
        )
    elif isinstance(error, httpx2.TimeoutException):
        remedy = Text("it was too slow to answer; try again", "服务响应超时，请重试")
    return UnavailableError(said, remedy=remedy, code=code, detail=str(error))


def _cause(error: BaseException) -> BaseException | None:
    """The error of TLS that an error comes from, if one does."""
    at: BaseException | None = error
    while at is not None and not isinstance(at, ssl.SSLError):
        at = at.__cause__ or at.__context__
    return at


def _error(answer: httpx2.Response) -> VeilError:
    try:
        body = answer.json()
        said = Text(body["title"], body.get("title_zh") or body["title"])
        advice = Text(body.get("detail", ""), body.get("detail_zh") or body.get("detail", ""))
        misfits = [Text(f"{each['at']}: {each['said']}",
                        f"{each['at']}：{each.get('said_zh') or each['said']}")
                   for each in body.get("errors", [])]  # fmt: skip
        if not advice.en:
            advice = joined(misfits)
        code = str(body["code"])
    except (ValueError, KeyError, TypeError):
        said, advice = Text("no answer of a catalog", "不是目录服务的应答"), Text("", "")
        code = f"http.{answer.status_code}"
    kind = "unavailable" if answer.status_code >= 500 else _KINDS.get(answer.status_code, "input")
    return KINDS[kind](said, remedy=advice, code=code)
