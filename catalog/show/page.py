"""One page of a search's hits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from catalog.registry import vocabulary as v
from catalog.search.find import Hit, Page
from catalog.search.query import FACETS, TITLES, VOCABULARIES, Facet, Query
from catalog.show.words import place_name
from protos import terminal
from protos.language import Text

_SHOWN_VALUES: Final = 6


def show_page(page: Page, query: Query, departments: dict[str, str], *, facets: bool) -> None:
    """Prints one page of hits, and what else there is."""
    for hit in page.hits:
        terminal.say(f"{hit.name}  {hit.identifier}", style="bold", hang=2)
        terminal.say(" · ".join(filter(None, _facts_of(hit))), indent=2, hang=2)
    terminal.say(
        Text(
            f"{page.total:,} dataset{'' if page.total == 1 else 's'}"
            f"{f', {len(page.hits)} shown' if page.hits else ''}.",
            f"共 {page.total:,} 个数据资源{f'，显示 {len(page.hits)} 个' if page.hits else ''}。",
        )
    )
    if facets and page.total:
        for facet in FACETS:
            if values := list(page.facets[facet].items()):
                _show_facet(facet, values, departments)
    if page.cursor:
        terminal.say(
            Text(f"Next page: --cursor {page.cursor}", f"下一页：--cursor {page.cursor}"),
            style=terminal.SOFT,
        )
    elif not page.hits and query.text:
        terminal.say(
            Text(
                "Every word must be in a record: try fewer, or shorter ones.",
                "每个词都须出现在同一资源中：请减少或缩短检索词。",
            ),
            style=terminal.SOFT,
        )


def _facts_of(hit: Hit) -> tuple[str, ...]:
    return (
        hit.provider_name,
        f"L{hit.grade}",
        str(v.OPENING.title(hit.opening)),
        str(v.CYCLES.title(hit.cycle)),
        "" if hit.updated is None else hit.updated.isoformat(),
    )


def _show_facet(
    facet: Facet, values: Sequence[tuple[str, int]], departments: dict[str, str]
) -> None:
    shown = [
        f"{_value_name(facet, code, departments)} {count:,}"
        for code, count in values[:_SHOWN_VALUES]
    ]
    more = "" if len(values) <= _SHOWN_VALUES else f" … ({len(values):,})"
    colon = str(Text(": ", "："))
    line = f"{TITLES[facet]}{colon}{' · '.join(shown)}{more}"
    terminal.say(line, style=terminal.SOFT, hang=2)


def _value_name(facet: Facet, code: str, departments: dict[str, str]) -> str:
    """Returns what a facet's code is called."""
    if facet in VOCABULARIES:
        return str(VOCABULARIES[facet].title(code))
    if facet == "place":
        return place_name(code)
    if facet == "grade":
        return f"L{code}"
    return departments.get(code, code) if facet == "department" else code
