"""Reads another catalog from its first page to its last, and goes on after a kill where it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import func, insert, select

from catalog.harvest.alone import alone
from catalog.harvest.dialects import DIALECTS, Page
from catalog.harvest.entering import confirm, enter, save, tags
from catalog.harvest.fetching import Answer, Fetcher, read_url
from catalog.harvest.networks import read_network
from catalog.harvest.sources import Harvest, Run, last_run, named
from catalog.harvest.tables import HarvestRecordRow, HarvestRunRow
from catalog.harvest.withdrawing import Gone, finish
from catalog.registry.registry import Registry
from catalog.registry.writing import Progress
from protos.faults import ConflictError, InputError, UnavailableError, VeilError
from protos.language import Text

_GOES_ON_S: Final = 86_400
"""A run that stopped longer ago begins anew: too much of what it saw may have changed."""
_TRIES: Final = 3
_LONGEST_WAIT_S: Final = 60.0
_BUSY: Final = frozenset({429, 502, 503, 504})
READER: Final = version("veil-exchange")
"""Another version may understand a page in another way, so it reads all of them again."""


def fetcher(harvest: Harvest) -> Fetcher:
    """Returns what fetches a harvest's pages.

    Raises:
        InputError: Its file of certificate authorities cannot be read.
    """
    return Fetcher(
        [read_network(network) for network in harvest.networks],
        authorities=Path(harvest.authorities) if harvest.authorities else None,
    )


def run(
    registry: Registry,
    harvest: Harvest,
    fetch: Fetcher,
    *,
    withdraw: bool = False,
    progress: Progress = lambda _done, _total: None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Run, tuple[Gone, ...]]:
    """Reads a catalog, or goes on reading it.

    Args:
        registry: Open.
        harvest: What is read.
        fetch: Fetches its pages.
        withdraw: Whether everything that the source no longer has is withdrawn, however much.
        progress: Told how many records are seen, and of how many.
        sleep: Waits between pages; a test does not.

    Returns:
        The run, and what the source no longer has: withdrawn, or waiting for a decision.

    Raises:
        InputError: A page cannot be read as what it should be.
        PolicyError: The source leads to where this machine may not be made to call.
        UnavailableError: The source cannot be reached; another run goes on where this one was.
        ConflictError: Its settings were changed since they were looked up.
    """
    with alone(registry, harvest.name):
        _forbid_old_settings(registry, harvest)
        now = _begin(registry, harvest)
        try:
            while now.following:
                now = _page(registry, harvest, fetch, now, sleep)
                progress(_seen(registry, harvest, now), now.total)
                if now.following:
                    sleep(harvest.pause_ms / 1000)
            return finish(registry, harvest, now, withdraw=withdraw)
        except VeilError as error:
            _fail(registry, harvest, error)
            raise


def _forbid_old_settings(registry: Registry, harvest: Harvest) -> None:
    if named(registry.database, harvest.name) != harvest:
        raise ConflictError(
            Text(f"the settings of {harvest.name} have just been changed",
                 f"{harvest.name} 的设置刚刚被修改"),
            remedy=Text("run it again", "请重新运行"),
            code="harvest.changed",
        )  # fmt: skip


def _begin(registry: Registry, harvest: Harvest) -> Run:
    with registry.database.write() as (connection, _):
        before = last_run(connection, harvest.name)
        now = registry.now()
        if before is not None and before.state in {"running", "failed"}:
            if now - before.begun_at < _GOES_ON_S:
                return before
            save(connection, harvest, replace(before, state="given up", ended_at=now))
        first = DIALECTS[harvest.dialect].first(harvest.url)
        number = 1 if before is None else before.number + 1
        begun = Run(number, "running", now, None, first, None, True, 0, 0, 0, 0, 0, 0,  # noqa: FBT003
                    Text("", ""))  # fmt: skip
        row = {"harvest": harvest.name, "number": number, "state": "running", "begun_at": now,
               "following": first, "steady": 1, "error": ""}  # fmt: skip
        zeros = dict.fromkeys(("pages", "confirmed", "new", "changed", "unchanged", "withdrawn"), 0)
        connection.execute(insert(HarvestRunRow), row | zeros)
        return begun


def _page(
    registry: Registry, harvest: Harvest, fetch: Fetcher, now: Run, sleep: Callable[[float], None]
) -> Run:
    url, dialect = now.following, DIALECTS[harvest.dialect]
    known = tags(registry, harvest, url, READER)
    answer = _asked(fetch, url, {**dialect.headers, **known}, sleep)
    if answer.status == 304:
        if known and (confirmed := confirm(registry, harvest, now)) is not None:
            return confirmed
        answer = _asked(fetch, url, dict(dialect.headers), sleep)
    if answer.status != 200:
        raise _refused(url, answer.status)
    page = dialect.read(answer, harvest.usual_place)
    _forbid_strangers(harvest, answer, page)
    return enter(registry, harvest, now, page, answer, reader=READER)


def _asked(
    fetch: Fetcher, url: str, headers: dict[str, str], sleep: Callable[[float], None]
) -> Answer:
    """Asks for a page; of a server that is busy again, as late as it says."""
    for attempt in range(_TRIES):
        answer = fetch.get(url, headers)
        if answer.status not in _BUSY or attempt == _TRIES - 1:
            break
        said = answer.headers.get("retry-after", "")
        wait = float(said) if said.isascii() and said.isdigit() and len(said) < 6 else 2.0**attempt
        sleep(min(wait, _LONGEST_WAIT_S))
    return answer


def _refused(url: str, status: int) -> VeilError:
    host = urlsplit(url).hostname or ""
    said = Text(f"{host} answers with HTTP {status}", f"{host} 返回 HTTP {status}")
    if status >= 500 or status == 429:
        remedy = Text("run it again: it goes on where it was", "请稍后重新运行，将从中断处继续")
        return UnavailableError(said, remedy=remedy, code="harvest.status")
    remedy = Text("check the address", "请检查地址")
    return InputError(said, remedy=remedy, code="harvest.status")


def _forbid_strangers(harvest: Harvest, answer: Answer, page: Page) -> None:
    """The next page is on the same server, or somebody else's catalog would be harvested."""
    if not page.following:
        return
    following = read_url(page.following)
    ours = {
        (each.scheme, each.host, each.port) for each in map(read_url, (harvest.url, answer.url))
    }
    if (following.scheme, following.host, following.port) not in ours:
        raise InputError(
            Text(
                f"the next page is at {following.scheme}://{following.host}, another server",
                f"下一页位于另一服务器 {following.scheme}://{following.host}",
            ),
            remedy=Text(
                "tell the source's operator; a Veil behind a proxy needs its url in portal.toml",
                "请联系来源方；若为代理后的 Veil，请在其 portal.toml 中填写 url",
            ),
            code="harvest.stranger",
        )


def _fail(registry: Registry, harvest: Harvest, error: VeilError) -> None:
    """Notes why a run stopped; it goes on where it was if only the way there was blocked."""
    with registry.database.write() as (connection, _):
        now = last_run(connection, harvest.name)
        if now is not None:
            state = "failed" if isinstance(error, UnavailableError) else "given up"
            ended = replace(now, state=state, ended_at=registry.now(), error=error.said)
            save(connection, harvest, ended)


def _seen(registry: Registry, harvest: Harvest, now: Run) -> int:
    r = HarvestRecordRow
    with registry.database.read() as connection:
        seen = select(func.count()).where(r.harvest == harvest.name, r.run == now.number)
        return connection.execute(seen).scalar_one()
