"""``package_search``: a query in Solr's language, answered by the catalog's own search."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from catalog.ckan import solr
from catalog.ckan.arguments import PackageSearch
from catalog.ckan.catalogue import View
from catalog.ckan.groups import name_of, titles_of
from catalog.ckan.matches import FACETS, KINDS, LICENCES, Matches
from catalog.search.columns import Ints
from catalog.search.find import Mask, count, relevance
from catalog.search.query import MOST_HITS, MOST_WORDS
from protos.language import Text

_SORT: Final = re.compile(r"\s*([\w.]+)(?:\s+(asc|desc))?\s*(?:,|$)", re.IGNORECASE)
Found = tuple[Ints, Mask, str, dict[str, dict[str, int]]]


def find(view: View, asked: PackageSearch, matches: Matches) -> Found:
    """Answers a search.

    Args:
        view: What the caller may know of.
        asked: What is searched for.
        matches: Answers queries.

    Returns:
        Places of the hits on the page, which datasets there are in all, how they are sorted, and
        facet → value → how many.

    Raises:
        QueryError: The query or its order cannot be read.
    """
    node = solr.parse(asked.q)
    words = solr.words_of(node)
    words = words if words and len(words) <= MOST_WORDS else ()
    filters = [solr.parse(text) for text in (asked.fq, *asked.fq_list)]
    if sum(map(solr.terms, (node, *filters))) > solr.MOST_TERMS:
        raise solr.QueryError(Text(f"a search has at most {solr.MOST_TERMS} values and words",
                                   f"检索最多 {solr.MOST_TERMS} 个取值和检索词"))  # fmt: skip
    wanted = view.mask & matches.of(node)
    for part in filters:
        wanted &= matches.of(part)
    order = asked.sort.strip() or "score desc, metadata_modified desc"
    places = np.flatnonzero(wanted)
    places = _sorted(view, places, order, words)
    page = places[asked.start : asked.start + min(asked.rows, MOST_HITS)]
    return page, wanted, order, _facets(view, asked, wanted, matches)


def _sorted(view: View, places: Ints, order: str, words: tuple[str, ...]) -> Ints:
    names, columns = view.names, view.columns
    keys: dict[str, Callable[[], Ints]] = {
        "score": lambda: relevance(columns, places, words) if words else np.zeros_like(places),
        "metadata_modified": lambda: names.changed[places],
        "metadata_created": lambda: names.created[places],
        "name": lambda: names.by_name[places],
        "id": lambda: names.by_id[places],
        "title": lambda: columns.by_name[1][places],
        "views_recent": lambda: columns.usage[places],
        "views_total": lambda: columns.usage[places],
    }
    keys |= {"title_string": keys["title"], "popularity": keys["views_total"]}
    by: list[Ints] = []
    at = 0
    while at < len(order):
        match = _SORT.match(order, at)
        if match is None or match[1] not in keys or len(by) >= len(keys):
            raise solr.QueryError(
                Text(f"datasets are not sorted by {order[at : at + 40]!r}",
                     f"不支持按“{order[at : at + 40]}”排序")
            )  # fmt: skip
        key = keys[match[1]]()
        by.append(-key if (match[2] or "asc").lower() == "desc" else key)
        at = match.end()
    # The last key counts most; of two alike the one that was registered first comes first.
    return places[np.lexsort((view.names.ids[places], *reversed(by)))]


def _facets(
    view: View, asked: PackageSearch, wanted: Mask, matches: Matches
) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for field in asked.facet_fields if asked.facet else ():
        counted = _counted(view, field, wanted, matches)
        kept = [(name, n) for name, n in counted.items() if n >= asked.facet_mincount]
        found[field] = dict(kept if asked.facet_limit < 0 else kept[: asked.facet_limit])
    return found


def _counted(view: View, field: str, wanted: Mask, matches: Matches) -> dict[str, int]:
    if field in FACETS:
        facet = FACETS[field]
        return {
            name_of(KINDS[facet], code): number
            for code, number in count(view.columns.facets[facet], wanted).items()
        }
    if field == "license_id":
        licences: dict[str, int] = {}
        for code, number in count(view.columns.facets["opening"], wanted).items():
            licences[LICENCES[code]] = licences.get(LICENCES[code], 0) + number
        return licences
    if field == "res_format":
        number = int(np.count_nonzero(matches.published & wanted))
        return {"CSV": number, "Parquet": number} if number else {}
    return {}


def titled(view: View, facets: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Returns facets with titles for people, as CKAN's ``search_facets``."""
    found = {}
    for field, counted in facets.items():
        titles: dict[str, str] = {}
        if field in FACETS:
            kind = KINDS[FACETS[field]]
            titles = {name_of(kind, c): t for c, t in titles_of(view.connection, kind).items()}
        items = [
            {"name": name, "display_name": titles.get(name, name), "count": number}
            for name, number in counted.items()
        ]
        found[field] = {"title": field, "items": items}
    return found
