"""CKAN's harvesters and ckanext-dcat's parser read a Veil; runs in CKAN's own environment.

Nothing of theirs is changed or replaced: the harvesters' gather and fetch stages run in CKAN's own
application over a PostgreSQL of its own. Its import stage, which writes into CKAN's search index,
would need a Solr, and is CKAN's business.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import requests
from ckan.cli import load_config
from ckan.config.middleware import make_app


def main(url: str, config: str, out: str) -> None:
    application = make_app(load_config(config))
    flask = getattr(application, "_wsgi_app", application)
    with flask.test_request_context():
        said = {
            "versions": {
                name: version(name) for name in ("ckan", "ckanext-harvest", "ckanext-dcat")
            },
            "parser": {form: parsed(url, form) for form in ("ttl", "xml", "jsonld")},
            "dcat_harvester": harvested(f"{url}/catalog.xml?limit=20", "dcat"),
            "ckan_harvester": harvested(url, "ckan"),
        }
    Path(out).write_text(json.dumps(said), "utf-8")


def parsed(url: str, form: str) -> list[dict]:
    """What ckanext-dcat's parser makes of all pages in one form."""
    from ckanext.dcat.processors import RDFParser

    formats = {"ttl": "turtle", "xml": "xml", "jsonld": "json-ld"}
    following, found = f"{url}/catalog.{form}?limit=20", []
    while following:
        parser = RDFParser(profiles=["euro_dcat_ap_3"])
        answer = requests.get(following, timeout=30)
        parser.parse(answer.content.decode("utf-8"), _format=formats[form])
        found += [facts(dataset) for dataset in parser.datasets()]
        following = parser.next_page()
    return sorted(found, key=lambda each: each["uri"])


def facts(dataset: dict) -> dict:
    """What a package says that a catalog must not lose."""
    extras = {extra["key"]: extra["value"] for extra in dataset["extras"]}
    names = ("uri", "identifier", "publisher_name", "frequency", "access_rights", "theme")
    return {
        "title": dataset["title"],
        "notes": dataset["notes"],
        "tags": sorted(tag["name"] for tag in dataset["tags"]),
        "resources": [resource["access_url"] for resource in dataset["resources"]],
        **{name: extras.get(name) for name in names},
    }


def harvested(url: str, kind: str) -> list[dict]:
    """What a harvester gathers and fetches."""
    from ckan import model
    from ckanext.dcat.harvesters.rdf import DCATRDFHarvester
    from ckanext.harvest.harvesters import CKANHarvester
    from ckanext.harvest.model import HarvestJob, HarvestObject, HarvestSource

    harvester = {"ckan": CKANHarvester, "dcat": DCATRDFHarvester}[kind]()
    source = HarvestSource(url=url, type=harvester.info()["name"], title=kind, config="{}")
    source.save()
    package = model.Package.__table__.insert().values(
        id=source.id, name=f"veil-{kind}", title=kind, type="harvest", state="active"
    )
    model.Session.execute(package)
    model.Session.commit()
    job = HarvestJob(source=source)
    job.save()
    gathered = harvester.gather_stage(job) or []
    errors = [error.message for error in job.gather_errors]
    if errors:
        raise SystemExit("\n".join(errors))
    objects = [HarvestObject.get(each) for each in gathered]
    if not all(harvester.fetch_stage(each) for each in objects):
        raise SystemExit("not everything could be fetched")
    found = [{"guid": each.guid, "title": json.loads(each.content)["title"]} for each in objects]
    return sorted(found, key=lambda each: each["guid"])


if __name__ == "__main__":
    main(*sys.argv[1:])
