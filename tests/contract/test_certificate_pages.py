"""Certificates on pages: what one says, how it stands, and bundles that are handed in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from fastapi.testclient import TestClient

from catalog.certificates.office_files import OfficeFiles
from catalog.certificates.open_office import OpenOffice
from catalog.certificates.records import Record
from catalog.portal.certificates import MOST_BUNDLE
from catalog.web.app import create_app
from tests.catalog_world import record
from tests.certificate_world import ExactJob, Office
from tests.web_world import client_of, served

HTML = {"accept": "text/html"}


class Today(Office):
    """An office whose jobs are of today: a server has the real clock."""

    @property
    def job(self) -> ExactJob:
        return ExactJob(self.key, self.owners, at=self.now)


@dataclass(frozen=True)
class World:
    """A portal with certificates: a chain of five, and one that was revoked."""

    client: TestClient
    office: Office
    registration: Record
    authorised: list[Record]
    circulation: Record
    revoked: Record


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    office = Today(tmp_path_factory.mktemp("office"), now=int(time.time()) - 60)
    files = OfficeFiles(office.directory / "o")
    files.create("hub", "hub.example/log", office.key)
    office.office = files.office(lambda: float(office.now))
    registration, authorised, circulation = office.chain()
    revoked = office.register(7)
    office.office.change(revoked.id, "revocation", "<b>mistake</b>")
    files.publish({name: key.public.fingerprint for name, key in office.owners.items()})
    office.office.sign_lists()
    with served(tmp_path_factory.mktemp("c") / "c", public=True) as (_, found):
        found.registry.register([record("visits", "就诊记录")])
        app = create_app(replace(found, office=OpenOffice(office.office, files)))
        with client_of(app) as client:
            yield World(client, office, registration, authorised, circulation, revoked)


def page(world: World, path: str) -> str:
    answer = world.client.get(path, headers=HTML)
    assert answer.status_code == 200, answer.text[:300]
    return answer.text


def test_developers_are_told_of_certificates_where_there_are_some(world: World) -> None:
    assert "veil verify" in page(world, "/en/developers")
    assert "curl --cacert" not in page(world, "/en/developers"), "this is the public site"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_kind_says_what_it_is_in_words(world: World, language: str) -> None:
    says = {
        world.registration: {
            "zh": "提供，已登记；最高分级为",
            "en": "its most sensitive column has grade",
        },
        world.authorised[0]: {"zh": "提出一项查询，用途：", "en": "to ask one question of"},
        world.circulation: {"zh": "的结果已交付", "en": "was handed over, computed by"},
    }
    for each, words in says.items():
        text = page(world, f"/{language}/certificate/{each.id}")
        assert words[language] in text
        assert each.urn in text
        assert "data:image/svg+xml;base64," in text
        assert {"zh": "成立", "en": "holds"}[language] in text
        assert {"zh": "不成立", "en": "fails"}[language] not in text


def test_a_certificate_leads_up_and_down_its_chain(world: World) -> None:
    top = page(world, f"/en/certificate/{world.circulation.id}")
    bottom = page(world, f"/en/certificate/{world.registration.id}")
    for each in world.authorised:
        assert f"/en/certificate/{each.id}" in top
        assert f"/en/certificate/{each.id}" in bottom
    assert f"/en/certificate/{world.circulation.id}" in bottom
    # And from the dataset, whose name it has.
    assert world.registration.id in page(world, "/zh/dataset/local/visits")


def test_a_revoked_one_says_so_and_fails(world: World) -> None:
    text = page(world, f"/en/certificate/{world.revoked.id}")
    assert "state-revoked" in text
    assert "It does not hold." in text
    listed = page(world, "/en/certificates")
    assert "state-revoked" in listed
    assert "<b>mistake" not in listed


def test_the_first_pages_count_certificates(world: World) -> None:
    assert "<dd>6</dd>" in page(world, "/zh/"), "a change of status is none"
    text = page(world, "/zh/certificates")
    assert "hub.example/log" in text
    assert "二维码下方的完整编号" in text


def test_an_id_is_understood_in_every_spelling(world: World) -> None:
    for spelled in (world.registration.urn, world.registration.id.upper(), world.registration.id):
        answer = world.client.get(
            "/zh/certificates", params={"id": spelled}, headers=HTML, follow_redirects=False
        )
        assert answer.headers["location"] == f"/zh/certificate/{world.registration.id}"
    for wrong in (world.registration.id[:8], "x" * 32, "0" * 32, "%00", "' OR 1=1 --"):
        answer = world.client.get(f"/zh/certificate/{wrong}", headers=HTML)
        assert answer.status_code == 404, wrong
    lead = world.client.get(
        "/zh/certificates", params={"id": "//evil.example"}, headers=HTML, follow_redirects=False
    )
    assert lead.headers["location"].startswith("/zh/certificate/")


def test_a_bundle_is_verified_as_a_file_and_as_text(world: World) -> None:
    content = world.client.get(f"/api/certificates/{world.circulation.id}/bundle").content
    where = "/zh/certificates/verify"
    assert "提交的内容不会保存" in page(world, where)
    sent = world.client.post(where, files={"file": ("c.json", content)}, headers=HTML)
    assert sent.status_code == 200
    assert "可核验的各项均成立" in sent.text, "no witness has cosigned"
    typed = world.client.post(where, data={"text": content.decode()}, headers=HTML)
    assert "可核验的各项均成立" in typed.text
    body = json.loads(content)
    stripped = world.client.post(where, data={"text": json.dumps(body | {"linked": []})})
    assert "不完整：文件缺少证书所指明的内容" in stripped.text
    assert "可核验的各项均成立" not in stripped.text
    body["salt"] = "A" * 43 + "="
    altered = world.client.post(where, data={"text": json.dumps(body)}, headers=HTML)
    assert "验证未通过" in altered.text
    for hostile in ("{}", "<script>alert(1)</script>", '{"type":' * 5000, "\x00", "[" * 100_000):
        answer = world.client.post(where, data={"text": hostile}, headers=HTML)
        assert answer.status_code == 200
        assert "验证未通过" in answer.text
        assert "<script>alert" not in answer.text


def test_a_bundle_has_an_end(world: World) -> None:
    where = "/zh/certificates/verify"
    none = world.client.post(where, data={"text": " "}, headers=HTML)
    assert (none.status_code, "1 字节至 1 MiB" in none.text) == (400, True)
    long = world.client.post(where, files={"file": ("c", b"x" * (MOST_BUNDLE + 1))}, headers=HTML)
    assert long.status_code == 400

    def endless() -> Iterator[bytes]:  # without a length; more than is ever read
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        for _ in range(200):
            yield b"x" * 65536

    answer = world.client.post(
        where, content=endless(), headers=HTML | {"content-type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code == 413


def test_a_catalog_without_certificates_says_so(tmp_path: object) -> None:
    with served(tmp_path / "c", public=True) as (client, _):  # type: ignore[operator]
        assert "尚未签发证书" in client.get("/zh/certificates", headers=HTML).text
        assert client.get(f"/zh/certificate/{'0' * 32}", headers=HTML).status_code == 404
