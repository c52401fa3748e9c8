"""The guide to reading open data: its programs run in order, and print what it shows."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from catalog.ckan.actions import ACTIONS
from catalog.publishing.publish import publish
from catalog.web.app import create_app
from catalog.web.server import HttpServer
from catalog.web.services import services
from tests.publishing_world import World, clone

GUIDE = (Path(__file__).resolve().parents[2] / "docs/guides/open-data-api.md").read_text("utf-8")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_guide_does_what_it_says(publishing: World, tmp_path: Path) -> None:
    with services(clone(publishing, tmp_path), public=True) as found:
        publish(found.registry, publishing.release, "local", "YL/001")
        server = HttpServer(create_app(found), "127.0.0.1:0")
        server.start()
        try:
            blocks = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", GUIDE, re.DOTALL)
            assert len(blocks) == 4
            here: dict[str, Any] = {}
            for program, shown in blocks:
                said = io.StringIO()
                with contextlib.redirect_stdout(said):
                    exec(program.replace("http://127.0.0.1:8080", server.url), here)  # noqa: S102
                assert said.getvalue() == shown
            here["ckan"].close()
        finally:
            server.stop()


def test_every_action_is_in_the_guide() -> None:
    for name in ACTIONS:
        kind, _, verb = name.partition("_")
        told = name in GUIDE or (verb == "show" and f"{kind}_list" in GUIDE)
        assert told or name == "group_package_show", name
