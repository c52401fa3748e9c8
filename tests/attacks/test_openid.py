"""Logins at a real OpenID provider, and attacks on them: forged, borrowed, replayed, mixed up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from catalog.access import openid_settings
from catalog.access.id_token import Expected, identity_of
from catalog.access.openid_provider import Provider
from catalog.registry.registry import create
from catalog.web.callers import SESSION
from protos.faults import InputError, LoginError, TrustError, UnavailableError
from protos.keyfile import write_private
from tests.access_world import HOST, World, access_world
from tests.openid_provider import Client, Person, TestProvider, running

REDIRECT = f"{HOST}/login/openid/gov/callback"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestProvider]:
    with running(tmp_path_factory.mktemp("provider")) as made:
        made.clients["veil"] = Client("veil", "p:%ss wörd", REDIRECT)
        made.clients["other"] = Client("other", "secret", "https://other.test/callback")
        yield made


@pytest.fixture(scope="module")
def world(provider: TestProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("openid") / "c"
    create(directory)
    configure(directory, provider)
    with access_world(directory) as made:
        yield made


def configure(directory: Path, provider: TestProvider, extra: str = "") -> None:
    if not (directory / "gov.secret").exists():
        write_private(directory / "gov.secret", "p:%ss wörd\n".encode())
    (directory / "openid.toml").write_text(
        f'address = "{HOST}"\n'
        f'[[providers]]\nname = "gov"\ntitle = "统一身份认证"\nissuer = "{provider.issuer}"\n'
        f'client_id = "veil"\nclient_secret_file = "gov.secret"\nca_file = "{provider.ca}"\n'
        f"{extra}"
    )


def browser(world: World) -> TestClient:
    made = world.browser()
    made.follow_redirects = False
    return made


def go(client: TestClient) -> str:
    """Leaves for the provider, and returns its address with all that is sent along."""
    answer = client.get("/login/openid/gov", params={"next": "/zh/workbench"})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def at_provider(provider: TestProvider, url: str) -> str:
    """Logs in there, and returns the address to which the browser is sent back."""
    with httpx2.Client(verify=ssl.create_default_context(cafile=provider.ca)) as http:
        answer = http.get(url)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def back(client: TestClient, url: str, **changes: str) -> Response:
    query = {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()}
    return client.get(urlsplit(url).path, params=query | changes,
                      headers={"Sec-Fetch-Site": "cross-site"})  # fmt: skip


def refused(answer: Response) -> bool:
    return answer.status_code == 401 and f"{SESSION}=" not in str(answer.headers)


# ---- as it should be -------------------------------------------------------------------------


def test_who_comes_for_the_first_time_gets_an_account_without_roles(
    world: World, provider: TestProvider
) -> None:
    client = browser(world)
    assert "统一身份认证" in client.get("/zh/login").text
    answer = back(client, at_provider(provider, go(client)))
    assert (answer.status_code, answer.headers["location"]) == (303, "/zh/workbench")
    me = client.get("/api/me").json()
    assert me["name"].startswith("openid-")
    assert (me["title"], me["roles"]) == ("李伟", [])
    again = browser(world)
    back(again, at_provider(provider, go(again)))
    assert again.get("/api/me").json()["name"] == me["name"]
    # No password opens it, and a disabled account stays shut.
    assert world.gate.accounts.kept_password(me["name"])[1] == ""
    world.gate.accounts.change(me["name"], {"enabled": False})
    last = browser(world)
    assert refused(back(last, at_provider(provider, go(last))))
    assert last.get("/api/me").status_code == 401
    world.gate.accounts.change(me["name"], {"enabled": True})
    assert [each["outcome"] for each in world.audit(20) if each.get("provider")] == [
        "refused", "entered", "entered",
    ]  # fmt: skip


def test_an_account_follows_the_subject_and_not_the_e_mail(
    world: World, provider: TestProvider
) -> None:
    names = set()
    for sub in ("one", "two"):
        provider.person = Person(sub, "同名")
        provider.more = {"email": "same@example.test", "email_verified": True}
        client = browser(world)
        back(client, at_provider(provider, go(client)))
        names.add(client.get("/api/me").json()["name"])
    provider.person, provider.more = Person("248289761001", "李伟"), {}
    assert len(names) == 2


def test_a_new_key_of_the_provider_is_fetched(world: World, provider: TestProvider) -> None:
    before = provider.key
    provider.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
    (held,) = world.gate.openid.providers.values()
    held._keys = (time.time() - 61, held._keys[1]) if held._keys else None
    client = browser(world)
    assert back(client, at_provider(provider, go(client))).status_code == 303
    provider.key = before
    client = browser(world)
    assert refused(back(client, at_provider(provider, go(client)))), "asked for again in a minute"
    held._keys = None


# ---- mixed up, replayed, stolen --------------------------------------------------------------


def test_a_code_serves_once_and_a_login_ends_once(world: World, provider: TestProvider) -> None:
    client = browser(world)
    url = at_provider(provider, go(client))
    kept = dict(client.cookies)
    assert back(client, url).status_code == 303
    for name, value in kept.items():  # whoever copied the cookies, too
        client.cookies.set(name, value, domain="catalog.test")
    assert refused(back(client, url))
    # A used code in a login of one's own: the provider does not take it.
    thief = browser(world)
    mine = at_provider(provider, go(thief))
    used = parse_qs(urlsplit(url).query)["code"][0]
    assert refused(back(thief, mine, code=used))


def test_another_s_code_is_not_taken_with_my_verifier(world: World, provider: TestProvider) -> None:
    victim, thief = browser(world), browser(world)
    stolen = parse_qs(urlsplit(at_provider(provider, go(victim))).query)["code"][0]
    mine = at_provider(provider, go(thief))
    assert refused(back(thief, mine, code=stolen)), "PKCE"
    assert thief.get("/api/me").status_code == 401


def test_a_login_that_another_browser_began(world: World, provider: TestProvider) -> None:
    attacker, victim = browser(world), browser(world)
    url = at_provider(provider, go(attacker))
    assert refused(back(victim, url)), "no cookie"
    go(victim)
    assert refused(back(victim, url)), "a state of another login"
    assert victim.get("/api/me").status_code == 401


def test_too_late_and_another_provider(world: World, provider: TestProvider) -> None:
    client = browser(world)
    url = at_provider(provider, go(client))
    assert refused(back(client, url, iss="https://evil.test")), "RFC 9207"
    client = browser(world)
    url = at_provider(provider, go(client))
    world.later[0] += 601
    try:
        assert refused(back(client, url))
    finally:
        world.later[0] -= 601
    client = browser(world)
    at_provider(provider, go(client))
    answer = client.get("/login/openid/gov/callback", params={"error": "access_denied"})
    assert refused(answer)
    assert browser(world).get("/login/openid/none").status_code == 404


def test_a_token_for_another_s_client(world: World, provider: TestProvider) -> None:
    """The provider is right, the token is good, but somebody else's."""
    for more in ({"aud": "other"}, {"aud": ["veil", "other"]},
                 {"aud": ["veil", "other"], "azp": "other"}, {"azp": "other"},
                 {"nonce": "another"}, {"iss": "https://evil.test"},
                 {"exp": int(time.time()) - 61}, {"sub": ""}):  # fmt: skip
        provider.more = more
        client = browser(world)
        try:
            assert refused(back(client, at_provider(provider, go(client)))), more
        finally:
            provider.more = {}


def test_onward_leads_nowhere_else(world: World, provider: TestProvider) -> None:
    for evil in ("https://evil.test", "//evil.test", "/\\evil.test", "javascript:alert(1)",
                 "/\r\nSet-Cookie: a=b", "evil"):  # fmt: skip
        client = browser(world)
        url = client.get("/login/openid/gov", params={"next": evil}).headers["location"]
        assert back(client, at_provider(provider, url)).headers["location"] == "/"


# ---- tokens ----------------------------------------------------------------------------------

NOW = 1_800_000_000
EXPECTED = Expected("https://issuer.test", "veil", "n", NOW)
CLAIMS = {"iss": "https://issuer.test", "aud": "veil", "sub": "1", "nonce": "n",
          "iat": NOW - 5, "exp": NOW + 300}  # fmt: skip
RSA = RSAKey.generate_key(2048, {"kid": "r"})
EC = ECKey.generate_key("P-256", {"kid": "e"})
KEYS = KeySet([
    RSAKey.import_key(RSA.as_dict(private=False)),
    ECKey.import_key(EC.as_dict(private=False)),
])  # fmt: skip


def signed(claims: dict[str, Any], **header: str) -> str:
    return jwt.encode({"alg": "RS256", "kid": "r"} | header, claims, RSA)


def test_a_good_token() -> None:
    for aud in ("veil", ["veil"]):
        assert identity_of(signed(CLAIMS | {"aud": aud}), KEYS, EXPECTED).subject == "1"
    both = CLAIMS | {"aud": ["veil", "other"], "azp": "veil", "name": "a\nb" + "x" * 200}
    assert identity_of(signed(both), KEYS, EXPECTED).title == "ab" + "x" * 98
    token = jwt.encode({"alg": "ES256", "kid": "e"}, CLAIMS, EC)
    assert identity_of(token, KEYS, EXPECTED).subject == "1"


@pytest.mark.parametrize(
    "change",
    [{"iss": "https://issuer.test/"}, {"iss": None}, {"aud": "other"}, {"aud": []}, {"aud": None},
     {"aud": ["veil", "other"]}, {"azp": "other"}, {"exp": NOW - 61}, {"exp": None},
     {"exp": "never"}, {"iat": NOW + 61}, {"iat": NOW - 601}, {"iat": None}, {"nonce": "m"},
     {"nonce": None}, {"nonce": ["n"]}, {"sub": ""}, {"sub": None}, {"sub": 1}, {"sub": "x" * 256},
     {"sub": "a\nb"}, {"nbf": NOW + 61}],
    ids=str,
)  # fmt: skip
def test_claims_that_are_not_for_this_login(change: dict[str, Any]) -> None:
    claims = {name: value for name, value in (CLAIMS | change).items() if value is not None}
    with pytest.raises(LoginError) as raised:
        identity_of(signed(claims), KEYS, EXPECTED)
    assert raised.value.code == "login.openid"


def _encoded(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def _parts(header: dict[str, str]) -> str:
    return f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(CLAIMS).encode())}."


def _keyed_with(public: bytes, token: str) -> str:
    """HMAC with what everybody knows: the public key's own bytes."""
    mac = hmac.new(public, token.rstrip(".").encode(), hashlib.sha256).digest()
    return token + _encoded(mac)


def test_signatures_that_are_none() -> None:
    public = RSA.as_pem(private=False)
    stranger = RSAKey.generate_key(2048, {"kid": "r"})
    good = signed(CLAIMS)
    forged = [
        _parts({"alg": "none"}), _parts({"alg": "None", "kid": "r"}),
        _keyed_with(public, _parts({"alg": "HS256", "kid": "r"})),
        jwt.encode({"alg": "RS256", "kid": "r"}, CLAIMS, stranger),
        jwt.encode({"alg": "RS256", "kid": "r", "jwk": stranger.as_dict(private=False)}, CLAIMS,
                   stranger),
        jwt.encode({"alg": "RS256", "kid": "unknown"}, CLAIMS, RSA),
        good[:-4] + "AAAA", good.rsplit(".", 1)[0] + ".", good + ".x", "", "x", "é.é.é", "." * 9,
        good.replace(".", ".e30.", 1), "x" * 40_000,
    ]  # fmt: skip
    for token in forged:
        with pytest.raises(LoginError):
            identity_of(token, KEYS, EXPECTED)


# ---- providers -------------------------------------------------------------------------------


def test_a_shared_secret_in_the_provider_s_keys_is_left_out() -> None:
    """A key set with a symmetric key would let everybody sign who can read it."""
    body = {"keys": [{"kty": "oct", "k": "AAAA", "kid": "o"}, {"kty": "??"}, 7,
                     RSA.as_dict(private=False) | {"use": "enc"},
                     EC.as_dict(private=False)]}  # fmt: skip
    from catalog.access.openid_provider import _public

    assert [key.kid for key in _public(body).keys] == ["e"]


@contextmanager
def answering(provider: TestProvider, **changes: str | None) -> Iterator[Provider]:
    def answer(_: httpx2.Request) -> httpx2.Response:
        body = {
            "issuer": provider.issuer,
            "authorization_endpoint": f"{provider.issuer}/a",
            "token_endpoint": f"{provider.issuer}/t",
            "jwks_uri": f"{provider.issuer}/k",
        }
        return httpx2.Response(200, json=body | changes)  # fmt: skip

    client = openid_settings.Client("gov", "T", provider.issuer, "veil", "", None, REDIRECT)
    yield Provider(client, time.time, httpx2.MockTransport(answer))


def test_a_provider_that_says_odd_things(provider: TestProvider) -> None:
    with answering(provider) as good:
        assert good.metadata().token.endswith("/t")
    for changes in ({"issuer": "https://evil.test"}, {"token_endpoint": "http://evil.test/t"},
                    {"token_endpoint": "https://a:b@evil.test/t"}, {"jwks_uri": None},
                    {"jwks_uri": "file:///etc/passwd"}, {"padding": "x" * 300_000}):  # fmt: skip
        with answering(provider, **changes) as odd, pytest.raises(UnavailableError) as raised:
            odd.metadata()
        assert raised.value.code == "login.provider"
    for raw in (b"<html>", b"[]", b""):
        client = openid_settings.Client("gov", "T", provider.issuer, "veil", "", None, REDIRECT)
        odd_one = Provider(
            client,
            time.time,
            httpx2.MockTransport(lambda _, raw=raw: httpx2.Response(200, content=raw)),
        )
        with pytest.raises(UnavailableError):  # fmt: skip
            odd_one.metadata()


def test_a_provider_that_hangs_holds_up_a_few_and_not_the_server(provider: TestProvider) -> None:
    held = threading.Event()

    def hanging(_: httpx2.Request) -> httpx2.Response:
        held.wait(30)
        return httpx2.Response(500)

    client = openid_settings.Client("gov", "T", provider.issuer, "veil", "", None, REDIRECT)
    slow = Provider(client, time.time, httpx2.MockTransport(hanging))

    def begin(_: int) -> str:
        try:
            with slow.turn():
                slow.metadata()
        except UnavailableError as error:
            return str(error.detail)
        return ""

    with ThreadPoolExecutor(12) as pool:
        begun = [pool.submit(begin, n) for n in range(12)]
        while sum(each.done() for each in begun) < 8:
            time.sleep(0.01)
        held.set()
        assert sum("wait for it" in each.result() for each in begun) == 8


def test_a_provider_with_another_certificate_is_not_spoken_to(provider: TestProvider) -> None:
    client = openid_settings.Client("gov", "T", provider.issuer, "veil", "", None, REDIRECT)
    with pytest.raises(UnavailableError):
        Provider(client, time.time).metadata()
    trusting = replace(client, ca=provider.ca)
    assert Provider(trusting, time.time).metadata().authorization.startswith(provider.issuer)


def test_settings_that_are_none(provider: TestProvider, tmp_path: Path) -> None:
    assert openid_settings.load(tmp_path) == ()
    configure(tmp_path, provider)
    (client,) = openid_settings.load(tmp_path)
    assert (client.secret, client.redirect) == ("p:%ss wörd", REDIRECT)
    assert "wörd" not in repr(client)
    file = tmp_path / "openid.toml"
    good = file.read_text()
    for bad in (good.replace('name = "gov"', 'name = "../x"'), good + 'client_secret = "x"\n',
                good.replace(provider.issuer, "http://login.test"),
                good.replace(HOST, "http://catalog.test"), 'address = "https://x"\n',
                good + good[good.index("[["):]):  # fmt: skip
        file.write_text(bad)
        with pytest.raises(InputError):
            openid_settings.load(tmp_path)
    file.write_text(good)
    (tmp_path / "gov.secret").chmod(0o644)
    with pytest.raises(TrustError):
        openid_settings.load(tmp_path)
