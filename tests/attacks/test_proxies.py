"""Who stands behind a proxy: believed of the operator's own proxies, of nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from catalog.access.slowdown import FREE
from catalog.web.app import create_app
from catalog.web.proxies import BehindProxies, read_networks
from protos.faults import InputError
from tests.access_world import HOST, login
from tests.web_world import served

PROXIES = read_networks(["10.0.0.0/28", "2001:db8:f::1"])
PROXY, INNER, CALLER = "10.0.0.5", "10.0.0.6", "203.0.113.7"


def seen(peer: str, headers: Sequence[tuple[str, str]]) -> str:
    """Returns where the application believes that a request comes from."""

    def page(request: Request) -> PlainTextResponse:
        assert request.client is not None
        return PlainTextResponse(request.client.host)

    app = BehindProxies(Starlette(routes=[Route("/", page)]), PROXIES)
    return TestClient(app, client=(peer, 1)).get("/", headers=list(headers)).text


def xff(*lines: str) -> list[tuple[str, str]]:
    return [("X-Forwarded-For", each) for each in lines]


def forwarded(*lines: str) -> list[tuple[str, str]]:
    return [("Forwarded", each) for each in lines]


def test_a_header_of_somebody_else_is_not_believed() -> None:
    for peer in (CALLER, "127.0.0.1", "10.0.0.16", "2001:db8:f::2", "testclient"):
        assert seen(peer, xff("198.51.100.1")) == peer
        assert seen(peer, forwarded("for=198.51.100.1")) == peer


@pytest.mark.parametrize("peer", [PROXY, f"::ffff:{PROXY}", "2001:db8:f::1"])
def test_a_proxy_of_ours_says_who_stands_behind_it(peer: str) -> None:
    assert seen(peer, xff(CALLER)) == CALLER
    assert seen(peer, xff(f"{CALLER}:5678")) == CALLER
    assert seen(peer, xff("2001:db8::7")) == "2001:db8::7"
    assert seen(peer, forwarded(f"For={CALLER};proto=https;by=10.0.0.5")) == CALLER
    assert seen(peer, forwarded('proto=https;for="[2001:db8::7]:4711"')) == "2001:db8::7"
    assert seen(peer, xff(CALLER) + forwarded(f"for={CALLER}")) == CALLER


@pytest.mark.parametrize("invented", ["198.51.100.1", "127.0.0.1", PROXY, "unknown", ",,", '"'])
def test_what_the_caller_invents_stands_to_the_left_and_counts_for_nothing(invented: str) -> None:
    assert seen(PROXY, xff(f"{invented}, {CALLER}")) == CALLER
    assert seen(PROXY, xff(invented, CALLER)) == CALLER
    # Through two proxies: each adds what it saw.
    assert seen(PROXY, xff(f"{invented}, {CALLER}, {INNER}")) == CALLER
    assert seen(PROXY, forwarded(f"for={invented}, for={CALLER}", f"for={INNER}")) == CALLER
    # A proxy that is not ours is the caller, whomever it names.
    assert seen(PROXY, xff(f"{invented}, 192.0.2.99, {INNER}")) == "192.0.2.99"


def test_the_header_that_a_proxy_passes_on_as_it_came_is_no_way_around() -> None:
    assert seen(PROXY, xff(CALLER) + forwarded("for=198.51.100.1")) == PROXY
    assert seen(PROXY, xff("198.51.100.1") + forwarded(f"for={CALLER}")) == PROXY


@pytest.mark.parametrize(
    "said", ["", "unknown", "_hidden", "1.2.3.4.5", "x" * 30_000, "::1::", "%"]
)
def test_what_names_nobody_is_the_proxy_itself(said: str) -> None:
    assert seen(PROXY, xff(said)) == PROXY
    assert seen(PROXY, xff(f"{said}, {INNER}")) == INNER
    assert seen(PROXY, forwarded(f"for={said}")) == PROXY
    assert seen(PROXY, xff(", ".join([said] * 500 + [CALLER]))) == CALLER


def test_everybody_is_no_proxy() -> None:
    for text in ("0.0.0.0/0", "::/0", "proxy.example", "10.0.0.5/28", ""):
        with pytest.raises(InputError) as raised:
            read_networks([text])
        assert raised.value.code == "http.proxy"


def test_guessing_through_a_proxy_slows_down_who_guesses_and_nobody_else(tmp_path: Path) -> None:
    with served(tmp_path / "c") as (_, services):
        behind = BehindProxies(create_app(services), PROXIES)
        through = TestClient(behind, base_url=HOST, client=(PROXY, 1))

        def tries(source: str, times: int) -> list[int]:
            through.headers["X-Forwarded-For"] = source
            return [login(through, f"n{n}", "wrong words").status_code for n in range(times)]

        # A new invention with every attempt does not help; its neighbour is not held up.
        found = [tries(f"198.51.100.{n}, {CALLER}", 1)[0] for n in range(FREE["pair"] + 2)]
        assert found == [401] * FREE["pair"] + [429] * 2
        assert tries("203.0.113.8", 1) == [401]
        told = {each.record["source"] for each in services.audit.before(None, 50)}
        assert told == {CALLER, "203.0.113.8"}
