"""Outside clients, unmodified, against a city that is served: ``make clients``.

Each runs in the environment that it installs into; what it asked for and what it made of the
answers is written to ``transcripts/``, which the suite compares with what we say today.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import postgres_server
from tests.clients.city import BASE, OPENED

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CKAN = Path(os.environ.get("CKAN_PYTHON", ROOT / ".tools/ckan/bin/python"))
CROISSANT = Path(os.environ.get("MLCROISSANT_PYTHON", ROOT / ".tools/mlcroissant/bin/python"))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="veil-clients-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as a user of its own
        for client, run in (("ckan", ckan), ("croissant", croissant)):
            notes = folder / f"{client}.jsonl"
            notes.touch()
            with city(notes) as url:
                said = run(folder, url)
            body = {"said": said, "requests": asked(notes)}
            text = json.dumps(body, ensure_ascii=False, indent=1).replace(url, BASE)
            (HERE / "transcripts" / f"{client}.json").write_text(text + "\n", "utf-8")
            print(f"{client}: {len(body['requests'])} requests, each answer was understood")  # noqa: T201 - for who runs it


def asked(notes: Path) -> list[dict[str, Any]]:
    """The requests of a client, each once, in order."""
    found = [json.loads(line) for line in notes.read_text().splitlines()]
    return list({(each["method"], each["path"], each["accept"]): each for each in found}.values())


@contextmanager
def city(notes: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.clients.city", notes]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def ckan(folder: Path, url: str) -> dict[str, Any]:
    data = folder / "postgres"
    data.mkdir()
    with postgres_server.server(data) as database:
        config, tool = folder / "ckan.ini", CKAN.with_name("ckan")
        quietly([tool, "generate", "config", config])
        text = config.read_text()
        for key, value in {
            "sqlalchemy.url": database, "ckan.plugins": "harvest ckan_harvester dcat",
        }.items():  # fmt: skip
            old = next(line for line in text.splitlines() if line.startswith(f"{key} ="))
            text = text.replace(old, f"{key} = {value}")
        config.write_text(text)
        quietly([tool, "-c", config, "db", "upgrade"])
        quietly([tool, "-c", config, "db", "upgrade", "-p", "harvest"])
        return result([CKAN, HERE / "ckan_client.py", url, config], folder)


def quietly(command: list[str | Path]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def croissant(folder: Path, url: str) -> dict[str, Any]:
    return result([CROISSANT, HERE / "croissant_client.py", url, OPENED], folder)


def result(command: list[str | Path], folder: Path) -> dict[str, Any]:
    """Runs a client; gives what it has written, and shows what it said if it failed."""
    out = folder / "said.json"
    done = subprocess.run([*command, out], check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[1]}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    said: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return said


if __name__ == "__main__":
    main()
