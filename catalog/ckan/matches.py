"""What a query finds: masks over all datasets, combined as the query says."""

from __future__ import annotations

import datetime as dt
import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.ckan import solr
from catalog.ckan.catalogue import View
from catalog.ckan.groups import FACET, Kind, name_of
from catalog.registry import vocabulary as v
from catalog.search.columns import Ints
from catalog.search.find import Mask, has, matching
from catalog.search.query import Facet
from protos.language import Text

FACETS: Final[Mapping[str, Facet]] = {
    "organization": "department", "owner_org": "department", "groups": "theme",
    "tags": "scenario",
}  # fmt: skip
"""CKAN's fields that are facets of the catalog."""
KINDS: Final[Mapping[Facet, Kind]] = {facet: kind for kind, facet in FACET.items()}
LICENCES: Final[Mapping[str, str]] = {
    "unconditional": "other-open", "conditional": "other-closed", "none": "other-closed",
}  # fmt: skip
_ALWAYS: Final = {
    "state": "active", "type": "dataset", "dataset_type": "dataset", "entity_type": "package",
}  # fmt: skip
_SINCE: Final = re.compile(r"NOW(?:([+-])(\d{1,6})(SECOND|MINUTE|HOUR|DAY|MONTH|YEAR)S?)?(/DAY)?")
_SECONDS: Final = {
    "SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86_400, "MONTH": 30 * 86_400,
    "YEAR": 365 * 86_400,
}  # fmt: skip


class Matches:
    """Answers queries about what a caller may know of.

    Args:
        view: That.
        published: Places of datasets with public rows.
        now: Unix seconds.
    """

    def __init__(self, view: View, published: Iterable[int], now: int) -> None:
        self._view = view
        self._now = now
        self.published = np.zeros(len(view.mask), dtype=np.bool_)
        self.published[list(published)] = True

    def of(self, node: solr.Node) -> Mask:
        """Returns which datasets a query finds, among all.

        Raises:
            QueryError: A date is none.
        """
        match node:
            case solr.Everything():
                return np.ones(len(self._view.mask), dtype=np.bool_)
            case solr.Not(part):
                return ~self.of(part)
            case solr.All(parts):
                return self._folded(parts, np.logical_and)
            case solr.Some(parts):
                return self._folded(parts, np.logical_or)
            case solr.Range():
                return self._range(node)
            case solr.Term(field, text):
                return self._term(field, text)

    def _folded(self, parts: tuple[solr.Node, ...], how: Callable[[Mask, Mask], Mask]) -> Mask:
        first, *others = parts
        found = self.of(first)
        for part in others:
            found = how(found, self.of(part))
        return found

    def _term(self, field: str, text: str) -> Mask:
        view = self._view
        columns, names = view.columns, view.names
        if field in FACETS:
            return has(columns, FACETS[field], self._codes(FACETS[field], text))
        if field in {"name", "id"}:
            return _like(names.slugs if field == "name" else names.uuids, text)
        if field == "res_format":
            wanted = [each for each in ("CSV", "Parquet") if _same(each, text)]
            return self.published if wanted else np.zeros(len(view.mask), dtype=np.bool_)
        if field == "license_id":
            return has(columns, "opening", tuple(o for o, name in LICENCES.items() if name == text))
        if field in {"private", "capacity"}:
            closed = text.lower() in {"true", "private"}
            return has(columns, "opening", ("none",) if closed else tuple(v.OPENING.terms)[:2])
        if field in _ALWAYS:
            return np.full(len(view.mask), _same(_ALWAYS[field], text), dtype=np.bool_)
        if field in {"metadata_modified", "metadata_created"}:
            return self._range(solr.Range(field, text, text, with_low=True, with_high=True))
        if field in {"", "text", "title", "notes"}:
            words = tuple(text.rstrip("*").split())
            return matching(view.connection, columns, words[:8])
        return np.zeros(len(view.mask), dtype=np.bool_)

    def _codes(self, facet: Facet, text: str) -> tuple[str, ...]:
        """Values of a facet that CKAN calls so: its names are in small letters."""
        pattern = text.casefold()
        return tuple(
            value
            for value in self._view.columns.facets[facet].values
            if fnmatch.fnmatchcase(name_of(KINDS[facet], value).casefold(), _literal(pattern))
        )

    def _range(self, node: solr.Range) -> Mask:
        times: dict[str, Ints] = {
            "metadata_modified": self._view.names.changed,
            "metadata_created": self._view.names.created,
        }
        if node.field not in times:
            return np.zeros(len(self._view.mask), dtype=np.bool_)
        times_of = times[node.field]
        found = np.ones(len(times_of), dtype=np.bool_)
        if (low := self._time(node.low, up=False)) is not None:
            found &= times_of >= low if node.with_low else times_of > low
        if (high := self._time(node.high, up=True)) is not None:
            found &= times_of <= high if node.with_high else times_of < high
        return found

    def _time(self, text: str, *, up: bool) -> int | None:
        """Reads a time as Solr writes it; ``*`` is none."""
        if text == "*":
            return None
        if match := _SINCE.fullmatch(text):
            sign, count, unit, _ = match.groups()
            step = int(count) * _SECONDS[unit] if count else 0
            return self._now + (step if sign == "+" else -step)
        try:
            when = dt.datetime.fromisoformat(text)
        except ValueError as error:
            raise solr.QueryError(
                Text(f"{text[:40]!r} is no time", f"“{text[:40]}”不是有效时间")
            ) from error
        when = when if when.tzinfo else when.replace(tzinfo=dt.UTC)
        seconds = when.timestamp()
        # The catalog counts whole seconds: what changed within this one is not earlier than it.
        return int(np.ceil(seconds)) if up else int(np.floor(seconds))


def _same(one: str, other: str) -> bool:
    return fnmatch.fnmatchcase(one.casefold(), _literal(other.casefold()))


def _literal(pattern: str) -> str:
    """Leaves ``*`` and ``?`` their meaning, which they have in Solr, too."""
    return pattern.replace("[", "[[]")


def _like(texts: NDArray[Any], pattern: str) -> Mask:
    if "*" not in pattern and "?" not in pattern:
        return np.asarray(texts == pattern, dtype=np.bool_)
    wanted = re.compile(fnmatch.translate(_literal(pattern)))
    return np.fromiter((bool(wanted.match(text)) for text in texts), np.bool_, len(texts))
