"""The actions: what each returns. Whatever is not open to the public is not there for visitors."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from catalog.ckan.arguments import (
    Arguments,
    DatastoreInfo,
    DatastoreSearch,
    DatastoreSearchSql,
    GroupList,
    GroupShow,
    HelpShow,
    Listed,
    Named,
    PackageList,
    PackageSearch,
    Paged,
    ResourceSearch,
)
from catalog.ckan.call import Action, Call
from catalog.ckan.catalogue import View
from catalog.ckan.groups import FACET, Group, Kind, group, groups
from catalog.ckan.packages import LICENCE_TITLES, packages, resource_dicts
from catalog.ckan.rows import datastore_info, datastore_search, datastore_search_sql
from catalog.ckan.search import find, titled
from catalog.datastore.ask import AskError
from catalog.registry.withdrawal import unknown
from catalog.search.columns import Ints
from catalog.search.find import has
from catalog.search.query import MOST_HITS
from protos.language import Text

CKAN_VERSION: Final = "2.11.0"
"""Whose API this is: what clients that ask for a version are told."""


# ---- datasets ----------------------------------------------------------------------------------


def package_list(call: Call, asked: PackageList) -> list[str]:
    """Returns the names of datasets, in their order."""
    with call.view(private=asked.include_private) as view:
        places = np.flatnonzero(view.mask)
        names: list[str] = sorted(view.names.slugs[places].tolist())
    return names[asked.offset :][: asked.limit]


def package_show(call: Call, asked: Named) -> dict[str, Any]:
    """Returns one dataset with its resources."""
    with call.view() as view:
        [found] = _packages(call, view, np.array([view.place(asked.id)]))
    return found


def package_search(call: Call, asked: PackageSearch) -> dict[str, Any]:
    """Searches datasets; ``fq`` filters, ``facet.field`` counts."""
    with call.view(private=asked.include_private) as view:
        places, wanted, order, facets = find(view, asked, call.matches(view))
        found = _packages(call, view, places)
        return {
            "count": int(np.count_nonzero(wanted)), "sort": order, "facets": facets,
            "results": [{name: each[name] for name in asked.fl if name in each} for each in found]
            if asked.fl else found,
            "search_facets": titled(view, facets),
        }  # fmt: skip


def current_package_list_with_resources(call: Call, asked: Paged) -> list[dict[str, Any]]:
    """Returns datasets with their resources, those that changed last first."""
    with call.view() as view:
        places = np.flatnonzero(view.mask)
        order = np.lexsort((view.names.ids[places], -view.names.changed[places]))
        return _packages(call, view, places[order][asked.offset :][: asked.limit])


def _packages(call: Call, view: View, places: Ints) -> list[dict[str, Any]]:
    return packages(view, places, call.services.datastore.resources, call.site)


# ---- resources ---------------------------------------------------------------------------------


def resource_show(call: Call, asked: Named) -> dict[str, Any]:
    """Returns one resource."""
    with call.view() as view:
        found = call.services.datastore.resources.find(asked.id, view.scope)
    both = resource_dicts(found, call.site)
    return next((each for each in both if each["id"] == asked.id), both[0])


def resource_search(call: Call, asked: ResourceSearch) -> dict[str, Any]:
    """Searches resources whose fields have the terms, whatever their case."""
    terms = []
    for text in asked.query:
        field, colon, term = text.partition(":")
        if not colon or field not in _RESOURCE_FIELDS:
            raise AskError("query", Text(
                f"write field:term; fields are {', '.join(_RESOURCE_FIELDS)}",
                f"请写“字段:词”；字段有 {'、'.join(_RESOURCE_FIELDS)}",
            ))  # fmt: skip
        terms.append((field, term.casefold()))
    with call.view() as view:
        every = [
            each
            for resource in call.services.datastore.resources.all(view.scope)
            for each in resource_dicts(resource, call.site)
        ]
    found = [
        each for each in every if all(term in str(each[field]).casefold() for field, term in terms)
    ]
    if asked.order_by in _RESOURCE_FIELDS:
        found.sort(key=lambda each: str(each[asked.order_by]))
    return {"count": len(found), "results": found[asked.offset :][: asked.limit]}


_RESOURCE_FIELDS: Final = ("id", "name", "description", "format", "url", "hash", "package_id")


# ---- departments, themes, scenarios ------------------------------------------------------------


def organization_list(call: Call, asked: GroupList) -> list[Any]:
    """Returns departments with a dataset that the caller may know of."""
    return _listed(call, "organization", asked)


def organization_show(call: Call, asked: GroupShow) -> dict[str, Any]:
    """Returns one department."""
    return _shown(call, "organization", asked)


def group_list(call: Call, asked: GroupList) -> list[Any]:
    """Returns themes with a dataset that the caller may know of."""
    return _listed(call, "group", asked)


def group_show(call: Call, asked: GroupShow) -> dict[str, Any]:
    """Returns one theme."""
    return _shown(call, "group", asked)


def group_package_show(call: Call, asked: GroupShow) -> list[dict[str, Any]]:
    """Returns the datasets of a theme."""
    with call.view() as view:
        return _datasets(call, view, group(view, "group", asked.id), asked.limit)


def tag_list(call: Call, asked: GroupList) -> list[Any]:
    """Returns scenarios with a dataset that the caller may know of."""
    return _listed(call, "tag", asked)


def tag_show(call: Call, asked: GroupShow) -> dict[str, Any]:
    """Returns one scenario."""
    return _shown(call, "tag", asked)


def _listed(call: Call, kind: Kind, asked: GroupList) -> list[Any]:
    with call.view() as view:
        found = groups(view, kind)
    if asked.query:
        wanted = asked.query.casefold()
        found = [g for g in found if wanted in g.name.casefold() or wanted in g.title.casefold()]
    field, _, direction = asked.sort.strip().partition(" ")
    keys = {"name": lambda g: g.name, "title": lambda g: g.title,
            "package_count": lambda g: (g.datasets, g.name)}  # fmt: skip
    if field not in keys:
        raise AskError("sort", Text(f"sort by {', '.join(keys)}", f"可按 {'、'.join(keys)} 排序"))
    found.sort(key=keys[field], reverse=direction.strip().lower() == "desc")
    page = found[asked.offset :][: asked.limit]
    return [each.to_dict() if asked.all_fields else each.name for each in page]


def _shown(call: Call, kind: Kind, asked: GroupShow) -> dict[str, Any]:
    with call.view() as view:
        found = group(view, kind, asked.id)
        body = found.to_dict()
        if kind != "tag":
            body |= {"users": [], "tags": [], "groups": [], "extras": []}
        if asked.include_datasets:
            body["packages"] = _datasets(call, view, found, asked.limit)
    return body


def _datasets(call: Call, view: View, found: Group, limit: int) -> list[dict[str, Any]]:
    mask = view.mask & has(view.columns, FACET[found.kind], (found.code,))
    return _packages(call, view, np.flatnonzero(mask)[: min(limit, MOST_HITS)])


# ---- the site ----------------------------------------------------------------------------------


def license_list(_: Call, __: Arguments) -> list[dict[str, Any]]:
    """Returns the licences: what is open to all, and what is open on a condition."""
    return [
        {
            "id": name, "title": title, "url": "", "family": "", "maintainer": "",
            "status": "active", "is_generic": True, "domain_content": False,
            "domain_data": True, "domain_software": False,
            "od_conformance": "not reviewed", "osd_conformance": "not reviewed",
        }
        for name, title in LICENCE_TITLES.items()
    ]  # fmt: skip


def status_show(call: Call, _: Arguments) -> dict[str, Any]:
    """Returns what this server is."""
    return {
        "ckan_version": CKAN_VERSION, "site_title": "Veil", "site_description": "",
        "site_url": call.site, "locale_default": "zh_Hans_CN", "error_emails_to": None,
        "extensions": ["datastore", "veil"], "veil_version": version("veil-exchange"),
    }  # fmt: skip


def site_read(_: Call, __: Arguments) -> bool:
    """Returns whether the caller may read here: everybody may."""
    return True


def help_show(_: Call, asked: HelpShow) -> str:
    """Returns what an action does and takes."""
    if asked.name not in ACTIONS:
        raise unknown("", asked.name)
    return ACTIONS[asked.name].help


ACTIONS: Final[Mapping[str, Action]] = {
    # What is called most comes first: routes are tried in this order.
    "datastore_search": Action("data.use", DatastoreSearch, datastore_search),
    "datastore_search_sql": Action("data.use", DatastoreSearchSql, datastore_search_sql),
    "datastore_info": Action("data.use", DatastoreInfo, datastore_info),
    "package_search": Action("dataset.read", PackageSearch, package_search),
    "package_show": Action("dataset.read", Named, package_show),
    "package_list": Action("dataset.read", PackageList, package_list),
    "current_package_list_with_resources": Action(
        "dataset.read", Paged, current_package_list_with_resources
    ),
    "resource_show": Action("dataset.read", Named, resource_show),
    "resource_search": Action("dataset.read", ResourceSearch, resource_search),
    "organization_list": Action("dataset.read", GroupList, organization_list),
    "organization_show": Action("dataset.read", GroupShow, organization_show),
    "group_list": Action("dataset.read", GroupList, group_list),
    "group_show": Action("dataset.read", GroupShow, group_show),
    "group_package_show": Action("dataset.read", GroupShow, group_package_show),
    "tag_list": Action("dataset.read", GroupList, tag_list),
    "tag_show": Action("dataset.read", GroupShow, tag_show),
    "license_list": Action("dataset.read", Listed, license_list),
    "status_show": Action("dataset.read", Arguments, status_show),
    "site_read": Action("dataset.read", Arguments, site_read),
    "help_show": Action("dataset.read", HelpShow, help_show),
}
