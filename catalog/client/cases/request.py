"""``veil request``."""

from __future__ import annotations

from typing import Final

from catalog.client.cases.commands import app_of
from catalog.client.cases.parts import add_to_requests
from catalog.workflows.requests import REQUESTS
from protos.language import Text

app: Final = app_of(
    REQUESTS,
    Text(
        "Ask to use data, decide on it with your own key, and hand in grants.",
        "申请使用数据，以本人密钥签批，提交授权。",
    ),
)
add_to_requests(app)
