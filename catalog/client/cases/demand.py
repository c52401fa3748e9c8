"""``veil demand``."""

from __future__ import annotations

from typing import Final

from catalog.client.cases.commands import app_of
from catalog.workflows.demands import DEMANDS
from protos.language import Text

app: Final = app_of(
    DEMANDS,
    Text(
        "Ask a department for data that is not there, and answer such demands.",
        "提出数据需求，答复数据需求。",
    ),
)
