"""All that says who calls, opened once for a catalog."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from catalog.access.accounts import Accounts
from catalog.access.audit import Audit
from catalog.access.keys import ApiKeys
from catalog.access.last_used import LastUsed
from catalog.access.login import Logins
from catalog.access.openid import OpenId
from catalog.access.openid_provider import Provider
from catalog.access.openid_settings import load
from catalog.access.passwords import Passwords
from catalog.access.quotas import Quotas
from catalog.access.second_factor import SecondFactors
from catalog.access.sessions import Sessions
from catalog.access.slowdown import Slowdown
from catalog.access.vault import Vault, open_vault
from catalog.registry.registry import Registry


@dataclass(frozen=True)
class Gate:
    """Who has an account, and how callers show that they are it.

    Attributes:
        accounts: Who there is.
        logins: With name and password.
        factors: Second factors.
        sessions: Of browsers.
        keys: Of programs.
        quotas: … and how often they may call.
        used: When sessions and keys were last used.
        vault: What is sealed.
        openid: Logins at OpenID providers.
    """

    accounts: Accounts
    logins: Logins
    factors: SecondFactors
    sessions: Sessions
    keys: ApiKeys
    quotas: Quotas
    used: LastUsed
    vault: Vault
    openid: OpenId


@contextmanager
def gate(registry: Registry, audit: Audit, passwords: Passwords | None = None) -> Iterator[Gate]:
    """Opens the gate of a catalog.

    Args:
        registry: The catalog.
        audit: Its journal.
        passwords: How they are hashed; by default as RFC 9106 says.

    Raises:
        TrustError: Others can read a secret.
        InputError: ``openid.toml`` is malformed.
        UnavailableError: Something cannot be read or written.
    """
    database, clock = registry.database, registry.now
    vault = open_vault(registry.directory)
    accounts = Accounts(database, clock)
    factors = SecondFactors(database, vault, clock)
    used = LastUsed(database, clock)
    slowdown = Slowdown(time.monotonic)
    providers = [Provider(client, time.time) for client in load(registry.directory)]
    used.start()
    try:
        yield Gate(
            accounts,
            Logins(accounts, passwords or Passwords(), factors, slowdown, vault, audit),
            factors,
            Sessions(database, used, clock),
            ApiKeys(database, clock),
            Quotas(database, clock),
            used,
            vault,
            OpenId(providers, accounts, vault, audit, clock),
        )
    finally:
        used.stop()
