"""``veil product``: products, with brokers' licences and orders as words of their own."""

from __future__ import annotations

from typing import Final

from catalog.client.cases.commands import app_of
from catalog.client.cases.downloading import add_to_orders
from catalog.workflows.products import LICENCES, ORDERS, PRODUCTS
from protos.language import Text

app: Final = app_of(
    PRODUCTS,
    Text(
        "The market: products of licensed brokers, orders and deliveries.",
        "数据产品市场：持牌经纪人的产品、订购与交付。",
    ),
)
app.add_typer(app_of(LICENCES, Text("Brokers' licences.", "数据经纪人资质。")), name="licence")
_orders: Final = app_of(ORDERS, Text("Orders of products.", "产品订单。"))
add_to_orders(_orders)
app.add_typer(_orders, name="order")
