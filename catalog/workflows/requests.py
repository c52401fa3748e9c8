"""Request for use: steward and chief data officer decide, the department's own key grants.

The two officers sign with keys of their own, over exactly what was asked, and their reasons stand
in what they sign; these decisions are what a node may sign a grant upon. The grants come in from
outside: the catalog has no key that could make one.
"""

from __future__ import annotations

from typing import Final

from catalog.workflows.fields import Field
from catalog.workflows.model import State, Step, Workflow
from protos.language import Text

_ASKED: Final = (
    Field("title", "line", Text("title", "标题")),
    Field("datasets", "datasets", Text("datasets, all of one department", "数据资源（同一部门）")),
    Field("columns", "names", Text("data items", "数据项")),
    Field("purpose", "line", Text("purpose", "用途")),
    Field("statements", "statements", Text("statements, each with the signed request for its grant",
                                           "查询语句及各自的授权申请签名文件")),
    Field("until", "day", Text("last day of use", "使用截止日")),
)  # fmt: skip
_OPEN: Final = ("submitted", "reviewed")

REQUESTS: Final = Workflow(
    kind="requests",
    title=Text("request for use", "使用申请"),
    read="request.read",
    states=(
        State("submitted", Text("submitted", "待数据专员审核"), "department", days=5),
        State("reviewed", Text("reviewed by the steward", "待首席数据官审批"), "department",
              days=5),
        State("returned", Text("sent back", "已退回补充"), "owner"),
        State("approved", Text("approved, not granted yet", "已批准，待授权"), "department",
              days=5),
        State("granted", Text("granted", "已授权")),
        State("refused", Text("refused", "不予批准")),
        State("revoked", Text("revoked", "已撤销")),
        State("withdrawn", Text("withdrawn", "已撤回")),
    ),
    steps=(
        Step("submit", Text("submit", "提交"), (), "submitted", "request.submit", "owner", _ASKED,
             asks=True),
        Step("resubmit", Text("submit again", "重新提交"), ("returned",), "submitted",
             "request.submit", "owner", _ASKED, asks=True),
        Step("withdraw", Text("withdraw", "撤回"), (*_OPEN, "returned", "approved"), "withdrawn",
             "request.submit", "owner"),
        Step("review", Text("approve as steward", "数据专员同意"), ("submitted",), "reviewed",
             "request.review", "department", office="steward", verdict="approve",
             apart=("submit", "resubmit")),
        Step("review-refuse", Text("refuse as steward", "数据专员不同意"), ("submitted",),
             "refused", "request.review", "department", office="steward",
             verdict="refuse", apart=("submit", "resubmit")),
        Step("review-return", Text("send back as steward", "数据专员退回"), ("submitted",),
             "returned", "request.review", "department", office="steward",
             verdict="return", apart=("submit", "resubmit")),
        Step("approve", Text("approve as chief data officer", "首席数据官批准"), ("reviewed",),
             "approved", "request.approve", "department", office="chief",
             verdict="approve", apart=("submit", "resubmit", "review")),
        Step("refuse", Text("refuse as chief data officer", "首席数据官不批准"), ("reviewed",),
             "refused", "request.approve", "department", office="chief",
             verdict="refuse", apart=("submit", "resubmit", "review")),
        Step("return", Text("send back as chief data officer", "首席数据官退回"), ("reviewed",),
             "returned", "request.approve", "department", office="chief",
             verdict="return", apart=("submit", "resubmit", "review")),
        # Whoever brings them: what counts is the department's signature under each.
        Step("grant", Text("hand in the signed grants", "提交部门签署的授权"), ("approved",),
             "granted", "request.grant", "anybody",
             (Field("grants", "tokens", Text("one grant for each statement",
                                             "每条语句一份授权")),)),
        Step("revoke", Text("revoke", "撤销"), ("approved", "granted"), "revoked",
             "request.approve", "department", office="chief", verdict="refuse"),
    ),
)  # fmt: skip
