"""``veil asset``."""

from __future__ import annotations

from typing import Final

from catalog.client.cases.commands import app_of
from catalog.client.cases.parts import add_to_assets
from catalog.workflows.assets import ASSETS
from protos.language import Text

app: Final = app_of(
    ASSETS,
    Text(
        "Register data assets: apply, review, public notice, objection, certificate.",
        "数据资产登记：申请、审查、公示、异议、登记证书。",
    ),
)
add_to_assets(app)
