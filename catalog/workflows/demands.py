"""Demand → answer: somebody asks for data that is not there, a department must answer in time."""

from __future__ import annotations

from typing import Final

from catalog.workflows.fields import Field
from catalog.workflows.model import State, Step, Workflow
from protos.language import Text

_ASKED: Final = (
    Field("title", "line", Text("what is wanted", "所需数据")),
    Field("text", "text", Text("what it should hold, and what for", "内容与用途")),
)
_DEPARTMENT: Final = Field("department", "code", Text("department's code", "部门代码"))
_REASONS: Final = Field("reasons", "text", Text("reasons", "理由"))
_HELD: Final = ("submitted", "accepted")

DEMANDS: Final = Workflow(
    kind="demands",
    title=Text("demand", "数据需求"),
    read="demand.read",
    states=(
        State("submitted", Text("submitted", "已提交"), "department", days=5),
        State("accepted", Text("accepted", "已受理"), "department", days=20),
        State("returned", Text("sent back", "已退回补充"), "owner"),
        State("answered", Text("answered", "已答复")),
        State("refused", Text("refused", "不予提供")),
        State("withdrawn", Text("withdrawn", "已撤回")),
    ),
    steps=(
        Step("submit", Text("submit", "提交"), (), "submitted", "demand.submit", "owner",
             (*_ASKED, _DEPARTMENT), asks=True),
        Step("resubmit", Text("submit again", "重新提交"), ("returned",), "submitted",
             "demand.submit", "owner", _ASKED, asks=True),
        Step("withdraw", Text("withdraw", "撤回"), (*_HELD, "returned"), "withdrawn",
             "demand.submit", "owner"),
        Step("forward", Text("forward to the department that is responsible", "转办"),
             _HELD, "submitted", "demand.answer", "department", (_DEPARTMENT, _REASONS)),
        Step("accept", Text("accept", "受理"), ("submitted",), "accepted", "demand.answer",
             "department", apart=("submit",)),
        Step("return", Text("send back", "退回补充"), _HELD, "returned", "demand.answer",
             "department", (_REASONS,)),
        Step("answer", Text("answer", "答复"), _HELD, "answered", "demand.answer", "department",
             (Field("text", "text", Text("answer", "答复内容")),
              Field("datasets", "datasets", Text("datasets that answer it", "所提供的数据资源"))),
             apart=("submit",)),
        # A refusal is signed by the steward's own key: a department answers for it, not a login.
        Step("refuse", Text("refuse", "不予提供"), _HELD, "refused", "demand.answer",
             "department", office="steward", verdict="refuse", apart=("submit",)),
    ),
)  # fmt: skip
