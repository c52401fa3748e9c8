"""Logging in at an OpenID provider: authorization code with PKCE, state and nonce.

What a browser is sent away with stands in a sealed cookie, so only the browser that began a login
ends it, within ten minutes, once, and with the provider that it was sent to. Whoever comes for the
first time gets an account without roles; an administrator gives it some. Accounts belong to
(issuer, subject): e-mail addresses change hands.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from catalog.access.accounts import Account, Accounts
from catalog.access.audit import Audit
from catalog.access.id_token import Expected, Identity, identity_of, refused
from catalog.access.openid_provider import Provider
from catalog.access.vault import Vault
from protos.faults import ConflictError, MissingError, TrustError
from protos.language import Text

LASTS_S: Final = 600


@dataclass(frozen=True)
class Departure:
    """How a browser is sent to a provider.

    Attributes:
        url: Where to.
        cookie: What it keeps meanwhile.
    """

    url: str
    cookie: str


@dataclass(frozen=True)
class Returned:
    """What a browser comes back with.

    Attributes:
        cookie: What it kept; "" for nothing.
        state: Of the address.
        code: Of the address; "" if the provider refused.
        issuer: Of the address (RFC 9207); None if it names none.
        source: Where it comes from, for the journal.
    """

    cookie: str
    state: str
    code: str
    issuer: str | None = None
    source: str = ""

    def __repr__(self) -> str:
        """Returns nothing of it."""
        return "Returned(…)"


class OpenId:
    """The door for people with an account elsewhere.

    Args:
        providers: At which they may have it.
        accounts: Who there is here.
        vault: Seals cookies.
        audit: Where attempts are written.
        clock: Unix seconds.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        accounts: Accounts,
        vault: Vault,
        audit: Audit,
        clock: Callable[[], int],
    ) -> None:
        self.providers = {each.client.name: each for each in providers}
        self._accounts = accounts
        self._vault = vault
        self._audit = audit
        self._clock = clock
        self._lock = threading.Lock()
        self._ended: dict[str, int] = {}

    def begin(self, name: str, onward: str = "/") -> Departure:
        """Begins a login.

        Args:
            name: Of the provider.
            onward: Path here where the browser goes afterwards.

        Raises:
            MissingError: There is no such provider.
            UnavailableError: It cannot be reached.
        """
        provider = self._provider(name)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code", "scope": "openid profile",
            "client_id": provider.client.client_id, "redirect_uri": provider.client.redirect,
            "state": state, "nonce": nonce, "code_challenge_method": "S256",
            "code_challenge": base64.urlsafe_b64encode(challenge).decode("ascii").rstrip("="),
        }  # fmt: skip
        with provider.turn():
            at = provider.metadata().authorization
        kept = json.dumps([state, nonce, verifier, self._clock(), onward])
        return Departure(
            f"{at}{'&' if '?' in at else '?'}{urlencode(query)}",
            self._vault.seal("openid", kept, bound=name),
        )

    def end(self, name: str, returned: Returned) -> tuple[Account, str]:
        """Ends a login.

        Returns:
            Who has logged in, and the path where the browser goes.

        Raises:
            LoginError: It does not hold.
            MissingError: There is no such provider.
            UnavailableError: It cannot be reached, or nothing can be written down.
        """
        provider = self._provider(name)
        account, onward = None, "/"
        try:
            nonce, verifier, onward = self._kept(name, returned)
            with provider.turn():
                who = self._identity(provider, returned, nonce, verifier)
            account = self._account(who)
            if not account.enabled:
                raise refused("the account is disabled")
        finally:
            held = account is not None and account.enabled
            self._audit.write({
                "action": "login.enter", "account": "" if account is None else account.name,
                "source": returned.source, "provider": name,
                "outcome": "entered" if held else "refused",
            }, share=None if held else "visitors")  # fmt: skip
        return account, onward

    def _identity(
        self, provider: Provider, returned: Returned, nonce: str, verifier: str
    ) -> Identity:
        issuer = provider.client.issuer
        named = provider.metadata().names_itself
        if (named or returned.issuer is not None) and returned.issuer != issuer:
            raise refused("sent back by another provider")
        if not returned.code:
            raise refused("the provider sent no code")
        token = provider.exchange(returned.code, verifier)
        expected = Expected(issuer, provider.client.client_id, nonce, self._clock())
        return identity_of(token, provider.keys_for(token), expected)

    def _kept(self, name: str, returned: Returned) -> tuple[str, str, str]:
        try:
            kept = self._vault.open("openid", returned.cookie, bound=name)
        except TrustError as error:
            raise refused("no login of this browser at this provider") from error
        state, nonce, verifier, began, onward = json.loads(kept)
        now = self._clock()
        if not secrets.compare_digest(state.encode(), returned.state.encode("utf-8", "replace")):
            raise refused("the state is another login's")
        if now - began > LASTS_S:
            raise refused("it took too long")
        with self._lock:
            self._ended = {k: at for k, at in self._ended.items() if now - at <= LASTS_S}
            if state in self._ended:
                raise refused("this login was ended before")
            self._ended[state] = began
        return nonce, verifier, onward

    def _account(self, who: Identity) -> Account:
        found = self._accounts.with_identity(who.issuer, who.subject)
        if found is not None:
            return found
        short = hashlib.sha256(f"{who.issuer}\n{who.subject}".encode()).hexdigest()[:12]
        new = Account(f"openid-{short}", who.title)
        try:
            return self._accounts.add(new, identity=(who.issuer, who.subject))
        except ConflictError:  # the same person in two windows
            found = self._accounts.with_identity(who.issuer, who.subject)
            if found is None:
                raise
            return found

    def _provider(self, name: str) -> Provider:
        if name not in self.providers:
            raise MissingError(
                Text(f"there is no provider {name!r}", f"没有身份提供方“{name}”"),
                remedy=Text("choose one on the page of the login", "请在登录页选择"),
                code="login.provider",
            )
        return self.providers[name]
