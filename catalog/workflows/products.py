"""The market: brokers are licensed, list products, take orders, and deliver with a certificate."""

from __future__ import annotations

from typing import Final

from catalog.workflows.fields import Field
from catalog.workflows.model import State, Step, Workflow
from protos.language import Text

_REASONS: Final = Field("reasons", "text", Text("reasons", "理由"))
_OFFER: Final = (
    Field("title", "line", Text("name", "产品名称")),
    Field("text", "text", Text("what it is", "产品说明")),
    Field("datasets", "datasets", Text("datasets that it is made of", "所用数据资源")),
    Field("price", "line", Text("price", "价格")),
)

LICENCES: Final = Workflow(
    kind="licences",
    title=Text("broker's licence", "数据经纪人资质"),
    read="licence.read",
    states=(
        State("applied", Text("applied for", "已申请"), "exchange", days=20),
        State("licensed", Text("licensed", "已认定"), open=True),
        State("refused", Text("refused", "不予认定")),
        State("revoked", Text("revoked", "已撤销"), open=True),
    ),
    steps=(
        Step("apply", Text("apply", "申请"), (), "applied", "licence.apply", "owner",
             (Field("title", "line", Text("name of the broker", "经纪人名称")),
              Field("text", "text", Text("business, staff and safeguards",
                                         "业务、人员与安全措施"))),
             asks=True),
        Step("license", Text("license", "认定"), ("applied",), "licensed", "licence.decide",
             "exchange", (Field("until", "day", Text("last day", "有效期至")),),
             apart=("apply",)),
        Step("refuse", Text("refuse", "不予认定"), ("applied",), "refused", "licence.decide",
             "exchange", (_REASONS,), apart=("apply",)),
        Step("revoke", Text("revoke", "撤销"), ("licensed",), "revoked", "licence.decide",
             "exchange", (_REASONS,)),
    ),
    open_fields=("title", "until"),
)  # fmt: skip

PRODUCTS: Final = Workflow(
    kind="products",
    title=Text("data product", "数据产品"),
    read="product.read",
    states=(
        State("listed", Text("listed", "已上架"), open=True),
        State("delisted", Text("delisted", "已下架")),
    ),
    steps=(
        Step("list", Text("put on the market", "上架"), (), "listed", "product.offer", "owner",
             _OFFER, asks=True),
        Step("relist", Text("put on the market again", "重新上架"), ("delisted", "listed"),
             "listed", "product.offer", "owner", _OFFER, asks=True),
        Step("delist", Text("take off the market", "下架"), ("listed",), "delisted",
             "product.offer", "owner"),
        Step("ban", Text("delist by the exchange", "强制下架"), ("listed",), "delisted",
             "licence.decide", "exchange", (_REASONS,)),
    ),
    open_fields=("title", "text", "datasets", "price"),
    open_under=("licences", "licensed"),
)  # fmt: skip

ORDERS: Final = Workflow(
    kind="orders",
    title=Text("order", "产品订单"),
    read="order.read",
    states=(
        State("placed", Text("placed", "已下单"), "counterpart", days=5),
        State("accepted", Text("accepted", "已接单"), "counterpart", days=20),
        State("delivered", Text("delivered", "已交付")),
        State("refused", Text("refused", "已拒绝")),
        State("cancelled", Text("cancelled", "已取消")),
    ),
    steps=(
        Step("place", Text("place an order", "下单"), (), "placed", "order.place", "owner",
             (Field("product", "code", Text("the product's id", "产品编号")),
              Field("purpose", "line", Text("purpose", "用途"))),
             asks=True),
        Step("cancel", Text("cancel", "取消"), ("placed",), "cancelled", "order.place", "owner"),
        Step("accept", Text("accept", "接单"), ("placed",), "accepted", "order.deliver",
             "counterpart", apart=("place",)),
        Step("refuse", Text("refuse", "拒绝"), ("placed", "accepted"), "refused", "order.deliver",
             "counterpart", (_REASONS,)),
        # What leaves the exchange has a circulation certificate, whoever brings it; files that are
        # public anyway are named with their digests, and nobody has to say more.
        Step("deliver", Text("deliver", "交付"), ("accepted",), "delivered", "order.deliver",
             "counterpart",
             (Field("circulation", "code",
                    Text("id of the circulation certificate; none where all data is public files",
                         "流通证书编号；所用数据均为公开文件时不填"), required=False),),
             adds=(Field("files", "files", Text("files to download", "可下载的文件")),),
             apart=("place",)),
    ),
)  # fmt: skip
