"""Certificates and the log over REST: what anybody may fetch, verify and audit."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from catalog.access.principal import Principal
from catalog.certificates.office_files import OfficeFiles
from catalog.certificates.open_office import OpenOffice, opened_to_read
from catalog.certificates.status import read_list
from catalog.rest.certificates import MOST_BUNDLE
from catalog.transparency.checkpoints import read_proof
from catalog.transparency.merkle import Frontier, leaf_hash
from catalog.transparency.tiles import tile_name
from catalog.web.app import create_app
from tests.certificate_world import ExactJob, Office
from tests.web_world import client_of, served

PEOPLE = {
    "root": Principal("root", frozenset({"administrator"})),
    "li": Principal("li", frozenset({"steward", "analyst", "auditor"}), "440100-1"),
}


class Today(Office):
    """An office whose jobs are of today: a server has the real clock."""

    @property
    def job(self) -> ExactJob:
        return ExactJob(self.key, self.owners, at=self.now)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """A chain of five certificates, and enough others for a full tile of the log."""
    directory: Path = tmp_path_factory.mktemp("office")
    made = Today(directory, now=int(time.time()) - 60)
    files = OfficeFiles(directory / "o")
    files.create("hub", "hub.example/log", made.key)
    made.office = files.office(lambda: float(made.now))
    made.chain()
    files.publish({name: key.public.fingerprint for name, key in made.owners.items()})
    for number in range(1, 261):
        made.register(number)
    made.office.sign_lists()
    return made


@pytest.fixture(scope="module")
def client(office: Office, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with served(tmp_path_factory.mktemp("c") / "c", people=PEOPLE) as (_, services):
        opened = OpenOffice(office.office, OfficeFiles(office.directory / "o"))
        with client_of(create_app(replace(services, office=opened))) as client:
            yield client


def circulation(client: TestClient) -> str:
    found = client.get("/api/certificates", params={"kind": "circulation"}).json()
    return str(found["certificates"][0]["id"])


def test_certificates_are_listed_in_pages(client: TestClient) -> None:
    seen: list[str] = []
    params: dict[str, int | str] = {"limit": 100, "dataset": "visits"}
    while True:
        answer = client.get("/api/certificates", params=params)
        assert answer.headers["cache-control"] == "public, max-age=60"
        page = answer.json()
        seen += [each["id"] for each in page["certificates"]]
        if page["next"] is None:
            break
        params["before"] = page["next"]
    assert len(seen) == len(set(seen)) == 265
    kinds = client.get("/api/certificates", params={"kind": "authorisation"}).json()
    assert [each["kind"] for each in kinds["certificates"]] == ["authorisation"] * 3
    assert client.get("/api/certificates", params={"dataset": "none"}).json()["certificates"] == []
    assert client.get("/api/certificates", params={"limit": 201}).status_code == 422


def test_a_result_leads_to_its_grants_and_registration_and_back(client: TestClient) -> None:
    shown = client.get(f"/api/certificates/{circulation(client)}").json()
    kinds = [each["kind"] for each in shown["leads_to"]]
    assert sorted(kinds) == ["authorisation"] * 3 + ["registration"]
    for each in shown["leads_to"]:
        back = client.get(f"/api/certificates/{each['id']}").json()["led_to_by"]
        assert shown["id"] in [other["id"] for other in back]
    assert shown["says"]["mode"] == "exact"


def test_what_is_not_there_is_missing(client: TestClient) -> None:
    for path in ("certificates/" + "0" * 32, "status/" + "0" * 32, "log/tile/0/999", "log/tile/0/1",
                 "log/tile/5/000", "log/tile/entries/000.p/0", "log/tile/entries/000.p/256",
                 "log/tile/entries/0000", "log/tile/0/x000/000"):  # fmt: skip
        answer = client.get(f"/api/{path}")
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/api/certificates/xyz").status_code == 422
    for params in ({"entry": 5, "size": 5}, {"entry": 0, "size": 2}, {"entry": 0, "size": 9999}):
        assert client.get("/api/log/proof", params=params).status_code == 404
    for old, new in ((0, 5), (9, 5), (1, 9999)):
        answer = client.get("/api/log/consistency", params={"old": old, "new": new})
        assert answer.status_code == 404


def test_a_bundle_from_the_server_verifies_there_and_elsewhere(
    client: TestClient, office: Office
) -> None:
    content = client.get(f"/api/certificates/{circulation(client)}/bundle").content
    assert len(json.loads(content)["linked"]) == 4
    said = client.post("/api/verify", content=content).json()
    assert said["ok"], [each for each in said["checks"] if each["ok"] is False]
    assert said["lacking"] == []
    assert "In the log" in [each["question"] for each in said["checks"]]
    altered = content.replace(b'"salt":"', b'"salt":"A', 1)
    for wrong in (altered, b"{}", b"", b"\xff", content[:-1]):
        answer = client.post("/api/verify", content=wrong)
        assert answer.status_code == 200
        assert answer.json()["ok"] is False
    # Whoever hands it in leaves parts out: a program that reads ``ok`` alone is not deceived.
    for left_out in ({"document": ""}, {"linked": []}, {"document": "", "linked": []}):
        stripped = json.dumps(json.loads(content) | left_out)
        told = client.post("/api/verify", content=stripped).json()
        assert (told["ok"], told["complete"]) == (False, False)
        assert len(told["lacking"]) == len(left_out)
        assert not [each for each in told["checks"] if each["ok"] is False]
    long = client.post("/api/verify", content=b" " * (MOST_BUNDLE + 1))
    assert (long.status_code, long.json()["code"]) == (400, "request.too_long")


def test_the_whole_log_can_be_fetched_as_tiles_and_recomputed(
    client: TestClient, office: Office
) -> None:
    note = client.get("/api/log/checkpoint").text
    checkpoint = OfficeFiles(office.directory / "o").policy().open(note).checkpoint
    size = checkpoint.size
    entries: list[bytes] = []
    hashes: list[bytes] = []
    for number in range((size + 255) // 256):
        width = min(256, size - 256 * number)
        bundle = client.get(f"/api/log/tile/entries/{tile_name(number, width)}")
        full = "immutable" in bundle.headers["cache-control"]
        assert full == (width == 256)
        body = bundle.content
        while body:
            long = int.from_bytes(body[:2], "big")
            entries.append(body[2 : 2 + long])
            body = body[2 + long :]
        tile = client.get(f"/api/log/tile/0/{tile_name(number, width)}").content
        hashes += [tile[at : at + 32] for at in range(0, len(tile), 32)]
    assert hashes == [leaf_hash(entry) for entry in entries]
    tree = Frontier()
    for entry in entries:
        list(tree.add(leaf_hash(entry)))
    assert tree.root == checkpoint.root
    second = client.get("/api/log/tile/1/000.p/1").content
    level = hashes[:256]
    while len(level) > 1:
        level = [
            hashlib.sha256(b"\x01" + level[at] + level[at + 1]).digest()
            for at in range(0, len(level), 2)
        ]
    assert second == level[0]
    shown = client.get("/api/log/proof", params={"entry": 3, "size": size}).text
    read_proof(shown).check(entries[3], checkpoint)
    steps = client.get("/api/log/consistency", params={"old": 5, "new": size}).json()["proof"]
    assert steps


def test_revoking_is_the_administrators_and_shows_at_once(client: TestClient) -> None:
    [found] = client.get("/api/certificates", params={"limit": 1}).json()["certificates"]
    path = f"/api/certificates/{found['id']}/revoke"
    why = {"reason": "a mistake\r\nX-Header: 1"}
    assert client.post(path, json=why).status_code == 401
    assert client.post(path, json=why, headers={"X-As": "li"}).status_code == 403
    root = {"X-As": "root"}
    assert client.post(path, json={"reason": " "}, headers=root).status_code == 422
    absent = client.post(f"/api/certificates/{'0' * 32}/revoke", json=why, headers=root)
    assert absent.status_code == 404
    done = client.post(path, json=why, headers=root)
    assert done.json()["revoked"] is True
    assert client.post(path, json=why, headers=root).status_code == 409
    shown = client.get(f"/api/certificates/{found['id']}").json()
    assert (shown["revoked"], shown["led_to_by"][0]["kind"]) == (True, "status")
    bundle = client.get(f"/api/certificates/{found['id']}/bundle").content
    assert client.post("/api/verify", content=bundle).json()["ok"] is False


def test_status_lists_are_served_as_signed(client: TestClient, office: Office) -> None:
    record = office.office.listed("VeilCirculation")[0]
    bundle = office.office.bundle(record)
    for token in bundle.status:
        known = read_list(token)
        name = known.credential.id.removeprefix("urn:uuid:").replace("-", "")
        served_list = client.get(f"/api/status/{name}")
        assert served_list.headers["content-type"].startswith("application/vc+jwt")
        assert served_list.text == token
        assert record.slot is not None
        assert not read_list(served_list.text).is_set(record.slot)


def test_a_portal_reads_the_book_without_any_key(office: Office, tmp_path: Path) -> None:
    copy = tmp_path / "office"
    (copy / "public").mkdir(parents=True)
    office.office.db.settle()
    for name in ("office.toml", "certificates.db", "public/pins.toml", "public/log.policy"):
        (copy / name).write_bytes((office.directory / "o" / name).read_bytes())
    with opened_to_read(copy) as found:
        assert isinstance(found, OpenOffice)
        assert found.issuing is None
        with served(tmp_path / "c", public=True, people=PEOPLE) as (_, services):
            client = client_of(create_app(replace(services, office=found)))
            identifier = circulation(client)
            content = client.get(f"/api/certificates/{identifier}/bundle").content
            assert client.post("/api/verify", content=content).json()["ok"]
            path = f"/api/certificates/{identifier}/revoke"
            assert client.post(path, json={"reason": "x"}).status_code in {404, 405}
            members = client_of(create_app(replace(services, office=found, public=False)))
            refused = members.post(path, json={"reason": "x"}, headers={"X-As": "root"})
            assert (refused.status_code, refused.json()["code"]) == (409, "certificate.read_only")
        with found.book.db.write() as db, pytest.raises(Exception, match="readonly"):
            db.execute("DELETE FROM certificates")


def test_a_catalog_without_an_office_says_so(tmp_path: Path) -> None:
    with served(tmp_path / "c", public=True) as (client, _):
        answer = client.get("/api/certificates")
        assert (answer.status_code, answer.json()["code"]) == (404, "certificate.none")
