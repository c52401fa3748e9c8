"""The guide to the portal: its file is read, and every address that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

from catalog.web.site import FILE
from tests.catalog_world import record
from tests.web_world import served

MEMBERS = {"/zh/workbench", "/zh/account"}
GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "guides" / "portal.md").read_text("utf-8")


def test_every_address_of_the_guide_is_there(tmp_path: Path) -> None:
    with served(tmp_path / "c") as (_, found):
        found.registry.register([record()])
    [file] = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "c" / FILE).write_text(file, "utf-8")
    rows = re.findall(r"^\| (`/.*?) \|", GUIDE, re.MULTILINE)
    addresses = [each for cells in rows for each in re.findall(r"`(/[^`]*)`", cells)]
    assert len(addresses) > 12
    with served(tmp_path / "c") as (client, _):
        for address in addresses:
            path = address.replace("SOURCE/CODE", "local/A/1")
            answer = client.get(path, headers={"accept": "text/html"})
            assert answer.status_code == (401 if path in MEMBERS else 200), path
        assert "示例省公共数据开放平台" in client.get("/zh/").text
        assert "Data Bureau of Example" in client.get("/en/").text
