"""One caller: who it is, and what it may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from catalog.access.permissions import PERMISSIONS, REACHES, Action, Reach
from catalog.access.roles import OF_DEPARTMENTS, Role
from protos.faults import LoginError, PolicyError
from protos.language import Text

EXCHANGE_NAME: Final = "exchange"
"""Who takes the steps that an exchange carries; no account has this name."""


@dataclass(frozen=True)
class Principal:
    """A caller.

    Attributes:
        account: Name of the account; empty for somebody who has not logged in.
        roles: What it holds; everybody is a visitor besides, and who has logged in a member.
        department: Code of the department in which it holds the roles of departments; "".
        scopes: The only actions that the key it called with allows; None for all of its roles.
        subject: The person or firm that the account stands for; "" for none.
        key: Number of the API key it called with; 0 for none.
    """

    account: str = ""
    roles: frozenset[Role] = frozenset()
    department: str = ""
    scopes: frozenset[Action] | None = None
    subject: str = ""
    key: int = 0

    def reach(self, action: Action) -> Reach | None:
        """Returns how far it may do something; None if not at all."""
        if self.scopes is not None and action not in self.scopes:
            return None
        table = PERMISSIONS[action]
        held: set[Role] = {"visitor", *self.roles, *(("member",) if self.account else ())}
        held -= frozenset() if self.department else OF_DEPARTMENTS
        found = [table[role] for role in table if role in held]
        return max(found, key=REACHES.index, default=None)

    def require(self, action: Action) -> Reach:
        """Returns how far it may do something.

        Raises:
            LoginError: It has not logged in, and somebody who has might.
            PolicyError: It may not.
        """
        reach = self.reach(action)
        if reach is None:
            raise self._refusal(action)
        return reach

    def require_of(self, action: Action, *, department: str = "", owner: str = "") -> None:
        """Checks that it may do something with one thing.

        Args:
            action: What.
            department: Code of the department that the thing belongs to; "" for none.
            owner: Account that the thing belongs to; "" for none.

        Raises:
            LoginError: It has not logged in, and somebody who has might.
            PolicyError: It may not.
        """
        reach = self.require(action)
        mine = bool(self.account) and owner == self.account
        ours = bool(self.department) and department == self.department
        if reach == "all" or (reach in {"own", "department"} and mine):
            return
        if reach == "department" and ours:
            return
        raise self._refusal(action)

    def _refusal(self, action: Action) -> Exception:
        if not self.account:
            return LoginError(
                Text("this needs a login", "此操作需要登录"),
                remedy=Text("log in, or send an API key", "请登录，或提供 API 密钥"),
                code="access.login",
            )
        return PolicyError(
            Text(
                f"{self.account} may not do this ({action})",
                f"{self.account} 无权执行此操作（{action}）",
            ),
            remedy=Text(
                "ask an administrator for the role, or use a key with this scope",
                "请向平台管理员申请相应角色，或使用具备该权限范围的密钥",
            ),
            code="access.refused",
        )


NOBODY: Final = Principal()
