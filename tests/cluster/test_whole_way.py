"""The guide to the whole way, typed as it stands: one exchange, real nodes, real TLS, both ways."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from typer.testing import CliRunner

from catalog.sample_files import write_cluster
from exchange.analyst.client import connect
from exchange.cli import app
from exchange.cluster.cluster import Cluster
from protos.faults import InputError, PolicyError
from tests.cluster_world import eventually

GUIDE: Final = Path(__file__).resolve().parents[2] / "docs" / "guides" / "whole-way.md"
BLOCK: Final = re.compile(r"```(console|python|text)\n(.*?)```", re.DOTALL)
READS: Final = {"show", "list", "circulations"}
ROWS: Final = 200


class Walker:
    """Types what the guide says, in order, with the numbers that really came out."""

    def __init__(self) -> None:
        self.env: dict[str, str] = {}
        self.known: dict[str, str] = {}
        self.names: dict[str, Any] = {}
        self.printed: list[str] = []
        self.ran = 0

    def walk(self, text: str) -> None:
        """Does everything that stands in the text."""
        lines: list[str] = []
        for kind, block in BLOCK.findall(text):
            if kind == "console":
                self.printed, lines = [], re.findall(r"^\$ (.*)$", block, re.MULTILINE)
                for line in lines:
                    self.type(line)
            elif kind == "python":
                self.python(block)
            else:
                self.expect(block, lines)

    def python(self, block: str) -> None:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(block, GUIDE.name, "exec"), self.names)  # noqa: S102 - our own guide
        self.printed = said.getvalue().splitlines()

    def type(self, line: str) -> None:
        words = [self.known.get(word, word) for word in shlex.split(line)]
        env = dict(self.env)
        while re.match(r"[A-Z_]+=", words[0]):
            name, _, value = words.pop(0).partition("=")
            env[name] = value
        if words[1] == "up":
            self.up(words[1:])
            return
        if words[1:4] == ["node", "grants", "approve"]:
            assert eventually(lambda: self.arrived(words[4], words[6])), line
        if words[1] == "down":
            return  # the fixture does, whatever has happened
        result = CliRunner().invoke(app, words[1:], env=env)
        assert result.exit_code == 0, (line, result.output, result.exception)
        self.printed += result.output.splitlines()
        self.learn(words, result.output)
        self.ran += 1

    def up(self, words: list[str]) -> None:
        """In a process of its own, with fewer rows than the sample has."""
        config = write_cluster(Path("sample"), rows=ROWS)
        done = subprocess.run(
            [sys.executable, "-m", "exchange.cli", *words, "--config", str(config)],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        [exported] = re.findall(r"^export (.*)$", done.stdout, re.MULTILINE)
        self.env = dict(word.split("=", 1) for word in shlex.split(exported))
        os.environ.update(self.env)
        pages = re.findall(r"^https://\S+/dataset/\S+", done.stdout, re.MULTILINE)
        assert len(pages) == 2, "data with rows, public before the command ends"
        trusted = ssl.create_default_context(cafile=self.env["VEIL_CA"])
        for page in pages:
            assert "format=parquet" in httpx2.get(page, verify=trusted).text
        first = done.stdout.splitlines()[-1]
        assert first.startswith("veil demand submit"), "the next command to type"
        self.printed += done.stdout.splitlines()

    def arrived(self, request: str, directory: str) -> bool:
        listed = CliRunner().invoke(app, ["node", "grants", "list", "--dir", directory])
        return request[:12] in listed.output

    def learn(self, words: list[str], output: str) -> None:
        if words[2] == "submit":
            [case, *_] = re.findall(r"\b[0-9a-f]{16}\b", output)
            self.known[f"${words[1].upper()}"] = case
        if "--draft" in words:
            [self.known["$GRANT"]] = re.findall(r"\b[0-9a-f]{64}\b", output)

    def expect(self, block: str, lines: list[str]) -> None:
        """What the guide shows is printed; what only looks may have to look again."""
        end = time.monotonic() + 20
        while missing := [line for line in block.splitlines() if not self.shows(line)]:
            assert time.monotonic() < end, (missing, self.printed)
            looking = [line for line in lines if READS & set(line.split())]
            assert looking, (missing, self.printed)
            time.sleep(0.1)
            for line in looking:
                self.type(line)

    def shows(self, line: str) -> bool:
        words = ".*".join(re.escape(word) for word in line.split())
        return any(re.search(words, printed) for printed in self.printed)


@pytest.fixture(scope="module")
def walker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walker]:
    """Stands in a directory in which the guide's first command has been typed."""
    directory, before = tmp_path_factory.mktemp("way"), Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("VEIL_KEY_FILE", "VEIL_SERVER", "VEIL_CA", "VEIL_PROFILE"):
            patch.setenv(name, "")  # so that it is as before afterwards
            patch.delenv(name)
        patch.setenv("XDG_CONFIG_HOME", str(directory / "config"))
        patch.setenv("VEIL_LANG", "en")
        patch.chdir(directory)
        found = Walker()
        try:
            found.walk(part(1))
            yield found
        finally:
            os.chdir(before)
            Cluster(directory / ".veil").down()


def part(*numbers: int) -> str:
    """Chapters of the guide, by their numbers."""
    chapters = re.split(r"^## (?=\d)", GUIDE.read_text("utf-8"), flags=re.MULTILINE)
    return "".join(chapters[number] for number in numbers)


def test_one_command_serves_a_filled_catalog_with_what_the_nodes_hold(walker: Walker) -> None:
    trusted = ssl.create_default_context(cafile=walker.env["VEIL_CA"])
    with httpx2.Client(base_url=walker.env["VEIL_SERVER"], verify=trusted) as http:
        found = http.get("/api/catalog/datasets", params={"q": "门诊"}).json()
        assert found["total"] > 0
        for name in ("guangzhou", "zhuhai"):
            path = f"/api/catalog/datasets/nodes/{name}/visits"
            assert eventually(lambda path=path: http.get(path).status_code == 200)  # type: ignore[misc]
        registered = http.get("/api/certificates", params={"kind": "registration"}).json()
        assert [each["dataset"] for each in registered["certificates"]] == ["visits"]
    for file in Path(".veil/people").iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_by_commands_from_a_demand_to_a_certificate_and_back(walker: Walker) -> None:
    walker.walk(part(2, 3, 4))
    with connect(Path(".veil/analyst.toml")) as veil:
        [entry] = veil.grants(walker.known["$GRANT"])
        old = tuple(each["body"] for each in entry["answers"])
        walker.walk(part(5))
        assert walker.ran > 20
        with pytest.raises(InputError, match="no grant yet of guangzhou, shenzhen"):
            veil.sql(entry["statement"], exact=True, fresh=True)
        # A client that keeps the old grants, and an exchange that would serve it: the nodes do not.
        veil._grants = lambda _: (old, entry["purpose"])  # type: ignore[method-assign]
        with pytest.raises(PolicyError):
            veil.sql(entry["statement"], exact=True, fresh=True)
        for name in ("guangzhou", "shenzhen"):
            log = Path(f".veil/logs/{name}.log")
            assert eventually(lambda log=log: "this grant was revoked" in log.read_text("utf-8"))  # type: ignore[misc]


def test_over_rest_from_a_demand_to_a_certificate(walker: Walker) -> None:
    walker.walk(part(6))
    kinds = [each["kind"] for each in walker.names["result"]["leads_to"]]
    assert (kinds.count("authorisation"), kinds.count("registration")) == (5, 1)
    call = walker.names["call"]
    grant = walker.names["result"]["leads_to"][kinds.index("authorisation")]["id"]
    back = call("wang", "GET", f"/api/certificates/{grant}")
    assert walker.names["identifier"] in {each["id"] for each in back["led_to_by"]}
    assert {each["kind"] for each in back["leads_to"]} == {"registration"}
