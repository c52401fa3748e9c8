"""Logging in with a name, a password and, where there is one, a second factor.

Whatever is wrong, the answer is the same, and so is the work behind it: one hash. What is right
or wrong about an attempt is written to the audit journal, never what was typed.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from catalog.access import passwords
from catalog.access.accounts import Account, Accounts
from catalog.access.audit import Audit
from catalog.access.passwords import Passwords
from catalog.access.second_factor import SecondFactors
from catalog.access.slowdown import Shown, Slowdown
from catalog.access.vault import Vault
from protos.faults import LoginError
from protos.language import Text

BROWSER_S: Final = 180 * 24 * 3600
"""How long a browser is known in which somebody has logged in."""


@dataclass(frozen=True)
class Typed:
    """What somebody typed to log in.

    Attributes:
        name: Of the account.
        password: Its password.
        code: One-time code or recovery code; "" for none.
        source: Where it comes from.
        browser: Cookie of a known browser; "" for none.
    """

    name: str
    password: str
    code: str = ""
    source: str = ""
    browser: str = ""

    def __repr__(self) -> str:
        """Returns nothing of it."""
        return "Typed(…)"


class Logins:
    """The door for people with passwords.

    Args:
        accounts: Who there is.
        passwords: Compares.
        factors: Second factors.
        slowdown: Slows guessing down.
        vault: Knows browsers again.
        audit: Where attempts are written.
    """

    def __init__(
        self,
        accounts: Accounts,
        passwords: Passwords,
        factors: SecondFactors,
        slowdown: Slowdown,
        vault: Vault,
        audit: Audit,
    ) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._factors = factors
        self._slowdown = slowdown
        self._vault = vault
        self._audit = audit

    def enter(self, typed: Typed) -> Account:
        """Returns who has logged in.

        Raises:
            LoginError: Something is wrong: it does not say what.
            LimitError: There were too many attempts.
            UnavailableError: It cannot be written down.
        """
        name = typed.name.strip().lower()
        account, kept = self._accounts.kept_password(name)
        held = self._factors.has(name)
        attempt = self._slowdown.begin(
            name, typed.source,
            browser=self.known_browser(name, typed.browser),
            shown=self._shown(name, typed.code) if held and typed.code else None,
        )  # fmt: skip
        good = self._passwords.verify(kept, typed.password)
        good = good and account is not None and account.enabled
        if good and held:
            good = self._factors.use(name, typed.code)
        # A name that nobody has may be a password, typed in the wrong field.
        self._audit.write({
            "action": "login.enter", "account": name if account is not None else "",
            "source": typed.source, "outcome": "entered" if good else "refused",
        }, share=None if good else "visitors")  # fmt: skip
        if not good or account is None:
            raise refused()
        self._slowdown.succeeded(attempt)
        if self._passwords.outdated(kept):
            self._accounts.rehash(name, kept, self._passwords.hash(typed.password))
        return account

    def change_password(self, typed: Typed, new: str) -> None:
        """Exchanges one's own password; all sessions are over.

        Raises:
            LoginError: The old one (or the code) is wrong.
            LimitError: There were too many attempts.
            InputError: The new one is not good enough.
        """
        passwords.check(new, typed.name)
        account = self.enter(typed)
        self._accounts.set_password(account.name, self._passwords.hash(new))

    def set_password(self, name: str, new: str) -> None:
        """Gives an account a password, as an administrator or the operator.

        Raises:
            InputError: It is not good enough.
            MissingError: There is no such account.
        """
        passwords.check(new, name)
        self._accounts.set_password(name, self._passwords.hash(new))

    def new_password(self, name: str, new: str) -> str:
        """Returns what is to be kept of a new account's password; "" for none."""
        if not new:
            return ""
        passwords.check(new, name)
        return self._passwords.hash(new)

    def _shown(self, name: str, code: str) -> Shown:
        return Shown(self._factors.guessable(code), lambda: self._factors.matches(name, code))

    def browser_cookie(self, account: Account) -> str:
        """Returns the cookie by which a browser is known again at this account's next login."""
        number = secrets.token_hex(8)
        return f"{number}.{self._vault.mac('known browser', f'{account.name} {number}')}"

    def known_browser(self, name: str, cookie: str) -> str:
        """Returns the number of a browser in which this account has logged in; "" if it has not."""
        number, _, mac = cookie.partition(".")
        right = self._vault.mac("known browser", f"{name} {number}")
        same = secrets.compare_digest(mac.encode("utf-8", "replace"), right.encode())
        return number if same else ""


def refused() -> LoginError:
    """What is said of every login that does not hold."""
    return LoginError(
        Text("name, password or one-time code is wrong", "账号、密码或验证码有误"),
        remedy=Text("try again; an account with a second factor needs its code, too",
                    "请重试；启用双因素验证的账号还须输入验证码"),
        code="login.refused",
    )  # fmt: skip
