"""One OpenID provider, over HTTP: what it says about itself, its keys, and a code for a token.

Answers are bounded, redirects are not followed, and every address that the provider names must be
https. Its keys are asked for again when a token names one that is not known, at most once a
minute: a stranger's token must not make us ask all the time.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx2
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from catalog.access.id_token import refused
from catalog.access.openid_settings import Client, safe_url
from protos.faults import UnavailableError
from protos.language import Text

_TIMEOUT_S: Final = 10.0
_LONGEST: Final = 256 * 1024
_KEPT_S: Final = 3600
_PAUSE_S: Final = 60
_AT_ONCE: Final = 4  # threads of this server that one provider may hold up
_PATIENCE_S: Final = 0.5


@dataclass(frozen=True)
class Metadata:
    """What a provider says about itself (OpenID Connect Discovery 1.0, section 3).

    Attributes:
        authorization: Where people are sent.
        token: Where codes are exchanged.
        keys: Where its public keys are.
        names_itself: Whether it names itself in what it sends back (RFC 9207).
    """

    authorization: str
    token: str
    keys: str
    names_itself: bool


class Provider:
    """A provider.

    Args:
        client: Ourselves, there.
        clock: Unix seconds.
        transport: Instead of the network, for tests of malformed answers.
    """

    def __init__(
        self,
        client: Client,
        clock: Callable[[], float],
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.client = client
        self._clock = clock
        self._transport = transport
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Lends one of a few turns to speak to it: one that hangs must not hang this server.

        Raises:
            UnavailableError: All are taken.
        """
        if not self._turns.acquire(timeout=_PATIENCE_S):
            raise self._useless(f"{_AT_ONCE} wait for it already")
        try:
            yield
        finally:
            self._turns.release()

    def metadata(self) -> Metadata:
        """Returns what it says about itself, not older than an hour.

        Raises:
            UnavailableError: It cannot be reached, or says nothing that can be used.
        """
        with self._lock:
            if self._metadata is None or self._clock() - self._metadata[0] > _KEPT_S:
                self._metadata = (self._clock(), self._discover())
            return self._metadata[1]

    def keys_for(self, token: str) -> KeySet:
        """Returns its public keys, asked for again if they do not have the token's.

        Raises:
            LoginError: The token is none.
            UnavailableError: They cannot be had.
        """
        try:
            kid = jws.extract_compact(token.encode("ascii", "replace")).headers().get("kid")
        except (JoseError, ValueError) as error:
            raise refused(f"no JWS: {error}") from error
        url = self.metadata().keys
        with self._lock:
            age = self._clock() - self._keys[0] if self._keys is not None else None
            known = self._keys is not None and kid in {key.kid for key in self._keys[1].keys}
            if age is None or age > _KEPT_S or (not known and age > _PAUSE_S):
                self._keys = (self._clock(), _public(self._json("GET", url)))
            return self._keys[1] if self._keys is not None else KeySet([])

    def exchange(self, code: str, verifier: str) -> str:
        """Exchanges a code for an ID token (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

        Raises:
            LoginError: The provider does not take the code.
            UnavailableError: It cannot be reached.
        """
        form = {
            "grant_type": "authorization_code", "code": code, "code_verifier": verifier,
            "redirect_uri": self.client.redirect,
        }  # fmt: skip
        headers = {}
        if self.client.secret:
            # Form-encoded first (RFC 6749 section 2.3.1); a blank as %20 is read by all.
            pair = f"{quote(self.client.client_id, '')}:{quote(self.client.secret, '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
        else:
            form["client_id"] = self.client.client_id
        body = self._json("POST", self.metadata().token, data=form, headers=headers)
        token = body.get("id_token")
        if not isinstance(token, str):
            raise refused("the answer holds no ID token")
        return token

    def _discover(self) -> Metadata:
        issuer = self.client.issuer
        body = self._json("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if body.get("issuer") != issuer:
            raise self._useless("it calls itself by another name")
        urls = [body.get(f"{name}_endpoint") for name in ("authorization", "token")]
        urls.append(body.get("jwks_uri"))
        if not all(isinstance(url, str) and safe_url(url) for url in urls):
            raise self._useless("an address of it is missing or not https")
        authorization, token, keys = map(str, urls)
        itself = body.get("authorization_response_iss_parameter_supported") is True
        return Metadata(authorization, token, keys, itself)

    def _json(self, method: str, url: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        try:
            with (
                httpx2.Client(
                    verify=self._trust(), timeout=_TIMEOUT_S, transport=self._transport,
                    trust_env=False,
                ) as http,
                http.stream(method, url, **more) as answer,
            ):  # fmt: skip
                raw = b""
                for piece in answer.iter_bytes():
                    raw += piece
                    if len(raw) > _LONGEST:
                        raise self._useless("its answer is too long")
                status = answer.status_code
            body = json.loads(raw) if raw else None
        except (httpx2.HTTPError, OSError) as error:
            raise self._useless(f"{type(error).__name__}: {error}") from error
        except ValueError as error:
            raise self._useless("its answer is no JSON") from error
        if method == "POST" and 400 <= status < 500:
            raise refused(f"the provider answered {status}: {str(body)[:200]}")
        if status != 200 or not isinstance(body, dict):
            raise self._useless(f"it answered {status}")
        return body

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.client.ca)

    def _useless(self, detail: str) -> UnavailableError:
        return UnavailableError(
            Text(f"the login of {self.client.title} cannot be used now",
                 f"{self.client.title} 登录暂不可用"),
            remedy=Text("try again later, or log in with a password",
                        "请稍后重试，或使用密码登录"),
            code="login.provider", detail=f"{self.client.issuer}: {detail}",
        )  # fmt: skip


def _public(body: dict[str, Any]) -> KeySet:
    """Reads a JWK set; what is not a public key for signatures is left out."""
    listed = body.get("keys")
    good = []
    for each in listed if isinstance(listed, list) else []:
        if not isinstance(each, dict) or each.get("kty") not in {"RSA", "EC", "OKP"}:
            continue
        if each.get("use", "sig") == "sig":
            try:
                good += KeySet.import_key_set({"keys": [each]}).keys
            except (JoseError, ValueError, TypeError, KeyError):
                continue  # a kind of key that we do not know verifies nothing
    return KeySet(good)
