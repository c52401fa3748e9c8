"""``veil authorise``."""

from __future__ import annotations

from typing import Final

from catalog.client.cases.commands import app_of
from catalog.client.cases.parts import add_to_authorisations
from catalog.workflows.authorisations import AUTHORISATIONS
from protos.language import Text

app: Final = app_of(
    AUTHORISATIONS,
    Text(
        "As the person or firm whose data it is: authorise a use, see every use, withdraw.",
        "数据主体授权：授权使用、查看每次使用、撤回。",
    ),
)
add_to_authorisations(app)
