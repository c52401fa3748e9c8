"""Data assets: apply, accept, review, public notice, objection, registered, change, cancel."""

from __future__ import annotations

from typing import Final

from catalog.workflows.fields import Field
from catalog.workflows.model import State, Step, Workflow
from protos.language import Text

_APPLIED: Final = (
    Field("title", "line", Text("name of the asset", "资产名称")),
    Field("datasets", "datasets", Text("the dataset", "数据资源")),
    Field("text", "text", Text("what it is, where it comes from, by which right it is held",
                               "资产说明、来源与权属依据")),
)  # fmt: skip
_REASONS: Final = Field("reasons", "text", Text("reasons", "理由"))
_PENDING: Final = ("applied", "accepted", "noticed", "objected")

ASSETS: Final = Workflow(
    kind="assets",
    title=Text("data asset", "数据资产登记"),
    read="asset.read",
    states=(
        State("applied", Text("applied for", "已申请"), "exchange", days=5),
        State("accepted", Text("accepted for review", "已受理"), "exchange", days=15),
        State("noticed", Text("in public notice", "公示中"), "exchange", days=10, open=True),
        State("objected", Text("objected to", "有异议"), "exchange", days=15, open=True),
        State("registered", Text("registered", "已登记"), open=True),
        State("rejected", Text("rejected", "不予登记")),
        State("cancelled", Text("cancelled", "已注销"), open=True),
        State("withdrawn", Text("withdrawn", "已撤回")),
    ),
    steps=(
        Step("apply", Text("apply", "申请"), (), "applied", "asset.apply", "department", _APPLIED,
             asks=True),
        Step("change", Text("apply for a change", "变更申请"), ("registered", "rejected"),
             "applied", "asset.apply", "department", _APPLIED, asks=True),
        Step("withdraw", Text("withdraw", "撤回"), ("applied", "accepted"), "withdrawn",
             "asset.apply", "department"),
        Step("keep", Text("take the change back, keep what is registered", "撤回变更，维持原登记"),
             ("applied", "accepted", "rejected"), "registered", "asset.apply", "department"),
        Step("accept", Text("accept for review", "受理"), ("applied",), "accepted",
             "asset.examine", "exchange", apart=("apply", "change")),
        Step("review", Text("give public notice", "审查通过并公示"), ("accepted",), "noticed",
             "asset.examine", "exchange", apart=("apply", "change", "accept")),
        Step("reject", Text("reject", "不予登记"), _PENDING, "rejected", "asset.examine",
             "exchange", (_REASONS,), apart=("apply", "change")),
        Step("object", Text("object", "提出异议"), ("noticed",), "objected", "asset.object",
             "anybody", (_REASONS,), clock="running", apart=("apply", "change")),
        # A new notice of full length: what was answered is public, and may be answered again.
        Step("dismiss", Text("dismiss the objection", "异议不成立"), ("objected",), "noticed",
             "asset.examine", "exchange", (_REASONS,), apart=("apply", "change", "object")),
        Step("register", Text("register", "登记"), ("noticed",), "registered", "asset.examine",
             "exchange", clock="over", apart=("apply", "change")),
        Step("cancel", Text("cancel", "注销"), ("registered",), "cancelled", "asset.cancel",
             "department", (_REASONS,)),
        Step("strike", Text("strike off", "撤销登记"), ("registered",), "cancelled",
             "asset.examine", "exchange", (_REASONS,)),
    ),
    open_fields=("title", "datasets"),
)  # fmt: skip
