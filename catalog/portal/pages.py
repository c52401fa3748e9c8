"""All pages of the portal, in the order in which addresses are compared."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from catalog.portal import (
    certificates,
    crawlers,
    dataset,
    developers,
    files,
    home,
    places,
    searching,
)

PAGES: Final[tuple[APIRouter, ...]] = (
    home.router, searching.router, dataset.router, places.router, certificates.router,
    developers.router, crawlers.router, files.router,
)  # fmt: skip
