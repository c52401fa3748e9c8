"""Pages out of templates: Jinja with everything escaped, and the few words that templates use.

In a template ``t("Search", "检索")`` is a text of ours in the page's language, ``text | said`` the
same for a `Text`, ``to("dataset", …)`` an address. Nothing is marked as safe but the pictures that
this package draws itself.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.requests import Request

from catalog.access.principal import NOBODY, Principal
from catalog.access.roles import TITLES
from catalog.portal import words
from catalog.portal.languages import TAGS
from catalog.portal.links import Value, link, with_query
from catalog.registry import vocabulary
from catalog.registry.cities import place_title
from catalog.registry.scenarios import scenario_title
from catalog.web.services import Services
from protos.language import Language, Words, both

STATIC: Final = Path(__file__).parent / "static"


def page(
    request: Request,
    language: Language,
    template: str,
    *,
    caller: Principal = NOBODY,
    status: int = 200,
    **facts: Any,  # noqa: ANN401 - whatever the template shows
) -> HTMLResponse:
    """Renders one page.

    Args:
        request: What is answered.
        language: Of the page.
        template: Name, without its ending.
        caller: Who sees it.
        status: Of the answer.
        **facts: What the template shows.
    """
    services: Services = request.app.state.services
    said: Callable[[str, str], str] = lambda en, zh: zh if language == "zh" else en  # noqa: E731 - a word of the template
    body = environment().get_template(f"{template}.html.jinja").render(
        facts,
        language=language,
        tag=TAGS[language],
        t=said,
        to=lambda *parts, **query: link(language, *parts, **query),
        here=request.url.path,
        others=_alternates(request, language),
        origin=services.site.address(request),
        site=services.site,
        caller=caller,
        members=not services.public,
        witnessed=services.office is not None and bool(services.office.policy.witnesses),
    )  # fmt: skip
    # What a member sees is nobody else's; what all see may be kept, and is asked for again.
    kept = "private, no-store" if caller.account else "no-cache"
    return HTMLResponse(body, status, {"Cache-Control": kept, "Content-Language": TAGS[language]})


def _alternates(request: Request, language: Language) -> dict[Language, str]:
    """The same page in both languages; of a page without a language, both first pages."""
    rest = request.url.path.removeprefix(f"/{language}")
    if rest == request.url.path:
        return {"zh": "/zh/", "en": "/en/"}
    rest = quote(rest)  # it has been unquoted
    query = f"?{request.url.query}" if request.url.query else ""
    found: dict[Language, str] = {"zh": f"/zh{rest}{query}", "en": f"/en{rest}{query}"}
    return found


@cache
def environment() -> Environment:
    """Returns the templates' environment, made once."""
    made = Environment(
        loader=PackageLoader("catalog.portal"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {
        "place": place_title,
        "v": vocabulary,
        "w": words,
        "role_titles": TITLES,
        "scenario_title": scenario_title,
        "static": _static,
        "integrity": _integrity,
        "feed": lambda form, query: with_query(f"/feed.{form}", _without_order(query)),
        "rest": lambda query: with_query("/api/catalog/datasets", query),
    }
    made.filters |= {
        "said": _said,
        "head": _head,
        "number": lambda value: f"{value:,}",
        "size": _size,
        "day": _day,
        "minute": lambda second: f"{_time(second):%Y-%m-%d %H:%M} UTC",
    }
    return made


def _without_order(query: dict[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in query.items() if name != "order"}


@pass_context
def _said(context: Context, text: Words) -> str:
    return both(text).of(context["language"])


@pass_context
def _head(context: Context, text: Words) -> str:
    """A text that stands alone, such as a label: English ones begin with a capital."""
    said = _said(context, text)
    return said[:1].upper() + said[1:]


def _time(second: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(second, dt.UTC)


def _day(value: int | dt.date | None) -> str:
    if value is None:
        return "–"
    return value.isoformat() if isinstance(value, dt.date) else f"{_time(value):%Y-%m-%d}"


def _size(count: int) -> str:
    size, units = float(count), ["B", "KB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "B" else f"{size:.1f} {units[0]}"


@cache
def _static(name: str) -> str:
    """Returns a file's address, which changes with its content: browsers keep it for a year."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


@cache
def _integrity(name: str) -> str:
    """Returns a file's digest as of Subresource Integrity."""
    digest = hashlib.sha384((STATIC / name).read_bytes()).digest()
    return f"sha384-{base64.b64encode(digest).decode()}"
