"""DCAT-AP documents: a page of the catalog, or one dataset, in each form of RDF."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from catalog.datastore.resources import Resource
from catalog.feeds import places
from catalog.feeds.shown import Page, Shown
from catalog.interchange.dcat import CONTEXT, dataset_iri, to_jsonld
from catalog.interchange.rdf_text import rdf_xml, turtle
from catalog.web.site import Site

_LANGUAGES: Final = "http://publications.europa.eu/resource/authority/language/"
Nodes = Iterable[Mapping[str, Any]]
Public = Callable[[int], Sequence[Resource]]
"""Returns what is public of a dataset, by its number in the tables, the newest first."""


@dataclass(frozen=True)
class Form:
    """A way to write RDF.

    Attributes:
        suffix: Of an address.
        media_type: As its standard registers it.
        lines: Writes nodes.
    """

    suffix: str
    media_type: str
    lines: Callable[[Nodes], Iterator[str]]

    def write(self, nodes: Nodes) -> bytes:
        """Returns a document."""
        return "".join(self.lines(nodes)).encode()


def _jsonld(nodes: Nodes) -> Iterator[str]:
    yield json.dumps({"@context": CONTEXT, "@graph": list(nodes)}, ensure_ascii=False, indent=1)


FORMS: Final = (
    Form("ttl", "text/turtle; charset=utf-8", lambda nodes: turtle(nodes, CONTEXT)),
    Form("jsonld", "application/ld+json", _jsonld),
    Form("xml", "application/rdf+xml", lambda nodes: rdf_xml(nodes, CONTEXT)),
)


def dataset_node(shown: Shown, url: str, public: Sequence[Resource]) -> dict[str, Any]:
    """Returns one dataset.

    Args:
        shown: The dataset.
        url: Of the site.
        public: What of its data is, the newest first.
    """
    return to_jsonld(
        shown.record,
        page=places.dataset(url, *shown.record.key),
        downloads=places.downloads(url, public),
        departments=shown.departments,
    )


def catalog_nodes(
    site: Site, url: str, page: Page, public: Public, *, here: str, limit: int
) -> Iterator[Any]:
    """Yields a page of the catalog: where it stands among the others, and its datasets.

    Args:
        site: Whose it is.
        url: Of the site.
        page: The datasets.
        public: Tells what of a dataset's data is.
        here: Address of the form, without a query.
        limit: Most datasets on a page.
    """
    yield {
        "@id": f"{url}/catalog",
        "@type": "dcat:Catalog",
        "dct:title": _in_both(site.title.zh, site.title.en),
        "dct:description": _in_both(site.title.zh, site.title.en),
        "dct:publisher": {
            "@id": f"{url}/",
            "@type": "foaf:Agent",
            "foaf:name": _in_both(
                site.operator.zh or site.title.zh, site.operator.en or site.title.en
            ),
        },
        "foaf:homepage": {"@id": f"{url}/", "@type": "foaf:Document"},
        "dct:language": [
            {"@id": _LANGUAGES + name, "@type": "dct:LinguisticSystem"} for name in ("ZHO", "ENG")
        ],
        "dcat:themeTaxonomy": {
            "@id": "urn:veil:themes",
            "@type": "skos:ConceptScheme",
            "dct:title": _in_both("主题", "Themes"),
        },
        "dcat:dataset": [{"@id": dataset_iri(*each.record.key)} for each in page.datasets],
    }
    yield _view(page, here, limit)
    for each in page.datasets:
        yield dataset_node(each, url, public(each.number))


def _view(page: Page, here: str, limit: int) -> dict[str, Any]:
    """Where this page stands among the others, in Hydra's words of today and of before."""
    first = f"{here}?{urlencode({'limit': limit})}"
    node: dict[str, Any] = {
        "@id": first,
        "@type": ["hydra:PartialCollectionView", "hydra:PagedCollection"],
        "hydra:totalItems": page.total,
        "hydra:itemsPerPage": limit,
        "hydra:first": {"@id": first},
        "hydra:firstPage": {"@id": first},
    }
    if page.after is not None:
        following = f"{here}?{urlencode({'limit': limit, 'after': page.after})}"
        node |= {"hydra:next": {"@id": following}, "hydra:nextPage": {"@id": following}}
    return node


def _in_both(zh: str, en: str) -> list[dict[str, str]]:
    return [
        {"@value": text, "@language": language}
        for text, language in ((zh, "zh"), (en, "en"))
        if text
    ]
