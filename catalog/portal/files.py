"""Files of the pages: one style sheet, one picture, one library."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse, Response

from catalog.portal.rendering import STATIC
from catalog.portal.visit import Looking
from protos.faults import MissingError
from protos.language import Text

router = APIRouter(include_in_schema=False)
_TYPES: Final = {
    "veil.css": "text/css; charset=utf-8",
    "mark.svg": "image/svg+xml",
    "hero.svg": "image/svg+xml",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "copy.js": "text/javascript; charset=utf-8",
}
"""All that is given out of the directory: a name is looked up here, never on the disk."""
_YEAR_S: Final = 31_536_000


@router.get("/static/{name}")
def file(visit: Looking, name: Annotated[str, Path(max_length=40)]) -> Response:
    """Gives out one of the files.

    Raises:
        MissingError: It is none of them.
    """
    if name not in _TYPES:
        raise MissingError(
            Text("there is no such file", "文件不存在"),
            remedy=Text("go to the first page", "请返回首页"),
            code="portal.file",
        )
    kept = f"public, max-age={_YEAR_S}, immutable" if visit.request.query_params.get("v") else (
        "public, max-age=300"
    )  # fmt: skip
    return FileResponse(STATIC / name, media_type=_TYPES[name], headers={"Cache-Control": kept})


@router.get("/favicon.ico")
def icon(visit: Looking) -> Response:
    """Gives the picture to browsers that ask for it by this name."""
    return file(visit, "mark.svg")
