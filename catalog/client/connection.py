"""Calls to a catalog's REST interface: JSON in and out, problems raised as Veil's own errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httpx2

from catalog.web.problems import STATUS
from protos.faults import KINDS, UnavailableError, VeilError
from protos.language import Text

# Of several kinds with one status the first; the code says more.
_KINDS: Final = {status: kind for kind, status in reversed(STATUS.items())}


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

    def _call(self, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401
        try:
            answer = self._http.request(method, path, headers=self._headers, **more)
        except httpx2.HTTPError as error:
            raise UnavailableError(
                Text(
                    f"the catalog at {self._http.base_url} cannot be reached",
                    f"无法连接目录服务 {self._http.base_url}",
                ),
                remedy=Text(
                    "is it running, and is the address right?", "请确认服务已启动且地址正确"
                ),
                code="catalog.unreachable",
                detail=str(error),
            ) from error
        if not answer.is_success:
            raise _error(answer)
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise _error(answer) from error


def _error(answer: httpx2.Response) -> VeilError:
    try:
        body = answer.json()
        said, advice = (
            Text(body["title"], body.get("title_zh") or body["title"]),
            body.get("detail", ""),
        )
        where = "; ".join(f"{each['at']}: {each['said']}" for each in body.get("errors", []))
        code = str(body["code"])
    except (ValueError, KeyError, TypeError):
        said, advice, where = Text("no answer of a catalog", "不是目录服务的应答"), "", ""
        body, code = {}, f"http.{answer.status_code}"
    kind = "unavailable" if answer.status_code >= 500 else _KINDS.get(answer.status_code, "input")
    return KINDS[kind](
        said, remedy=Text(advice or where, body.get("detail_zh") or advice or where), code=code
    )
