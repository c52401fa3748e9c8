"""The offices that people hold in an exchange; one account may hold several."""

from __future__ import annotations

from typing import Final, Literal, get_args

from protos.language import Text

Role = Literal[
    "visitor", "member", "analyst", "steward", "chief", "operator", "broker", "auditor",
    "administrator",
]  # fmt: skip
ROLES: Final[tuple[Role, ...]] = get_args(Role)
TITLES: Final[dict[Role, Text]] = {
    "visitor": Text("visitor", "访客"),
    "member": Text("member", "注册用户"),
    "analyst": Text("analyst", "分析员"),
    "steward": Text("data steward", "数据管理员"),
    "chief": Text("chief data officer", "首席数据官"),
    "operator": Text("department operator", "部门运维员"),
    "broker": Text("data broker", "数据经纪人"),
    "auditor": Text("auditor", "审计员"),
    "administrator": Text("administrator", "平台管理员"),
}
IMPLIED: Final[frozenset[Role]] = frozenset({"visitor", "member"})
"""Roles that nobody is given: everybody is a visitor, everybody with an account a member."""
OF_DEPARTMENTS: Final[frozenset[Role]] = frozenset({"steward", "chief", "operator"})
"""Roles that are held in a department, and reach its things only."""
