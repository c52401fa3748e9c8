"""All workflows, by the last part of their address."""

from __future__ import annotations

from typing import Final

from catalog.workflows.assets import ASSETS
from catalog.workflows.authorisations import AUTHORISATIONS
from catalog.workflows.demands import DEMANDS
from catalog.workflows.model import Workflow
from catalog.workflows.products import LICENCES, ORDERS, PRODUCTS
from catalog.workflows.requests import REQUESTS

WORKFLOWS: Final[tuple[Workflow, ...]] = (
    DEMANDS, REQUESTS, ASSETS, AUTHORISATIONS, LICENCES, PRODUCTS, ORDERS,
)  # fmt: skip
