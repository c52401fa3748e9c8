"""The guide to workflows: its commands run in order against a server, and print what it shows."""

from __future__ import annotations

import re
import shlex
import time
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalog.certificates.grants import GrantRequest, issue_grant, read_granted, sign_request
from catalog.certificates.office_files import OfficeFiles
from catalog.certificates.open_office import DIRECTORY
from catalog.plan import Member
from catalog.web.app import create_app
from catalog.web.server import HttpServer
from catalog.web.services import services
from catalog.workflows.all import WORKFLOWS
from catalog.workflows.clocks import FILE, read_clocks
from exchange.cli import app
from protos.keyfile import write_private
from protos.signing import IdentityKey
from tests.certificate_world import COUNT
from tests.workflow_world import issuing

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "workflows.md"
TEXT = GUIDE.read_text("utf-8")
ANALYST, NODE = IdentityKey.generate(), IdentityKey.generate()


def draft() -> str:
    """What `veil grant request --draft` writes; it needs an exchange, which other tests have."""
    now = int(time.time())
    return sign_request(ANALYST, GrantRequest(
        id="f" * 32, issued_at=now, expires_at=now + 3600, analyst="li",
        recipient=ANALYST.public.fingerprint, dataset="visits", dataset_digest="d" * 64,
        statement="SELECT COUNT(*) FROM visits", aggregate=COUNT, purpose="统计床位",
        members=(Member("health", NODE.public.fingerprint),),
    ))  # fmt: skip


class Reader:
    """Types what the guide says, with the ids and keys that really came out."""

    def __init__(self) -> None:
        self.known = {"NODE-FINGERPRINT": NODE.public.fingerprint}
        self.printed: list[str] = []
        self.ran = 0
        self.server = ""

    def type(self, block: str) -> None:
        for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
            words, env = shlex.split(line), {"VEIL_SERVER": self.server}
            while re.match(r"[A-Z_]+=", words[0]):
                name, _, value = words.pop(0).partition("=")
                env[name] = value
            if words[1:3] == ["grant", "request"]:
                self.grant_request(words)
                continue
            for wanted, real in self.known.items():
                words = [word.replace(wanted, real) for word in words]
            result = CliRunner().invoke(app, words[1:], env=env)
            assert result.exit_code == 0, (line, result.output, result.exception)
            self.printed += [" ".join(each.split()) for each in result.output.splitlines()]
            self.learn(words, result.output)
            self.ran += 1

    def grant_request(self, words: list[str]) -> None:
        if "--draft" in words:
            write_private(Path("draft.jwt"), draft().encode())
            return
        asked = read_granted(Path("draft.jwt").read_text("ascii"))
        grant = issue_grant(NODE, "health", asked, now=int(time.time()))
        write_private(Path("grant.jwt"), grant.encode())

    def learn(self, words: list[str], output: str) -> None:
        if words[1:4] == ["desensitize", "keys", "signing"]:
            [did] = re.findall(r"did:key:(\w+)", output)[:1]
            self.known[f"did:key:{Path(words[4]).stem.upper()}"] = f"did:key:{did}"
        if words[2] == "submit":
            [case] = re.findall(r"\b[0-9a-f]{16}\b", output)[:1]
            self.known["1" * 16 if words[1] == "demand" else "2" * 16] = case


def test_the_guide_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("VEIL_KEY_FILE", "VEIL_SERVER", "VEIL_CA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    [form] = re.findall(r"```csv\n(.*?)```", TEXT, re.DOTALL)
    Path("form.csv").write_text(form, "utf-8")
    reader, directory = Reader(), Path("c")
    blocks = re.findall(r"```console\n(.*?)```(?:\n\n```text\n(.*?)```)?", TEXT, re.DOTALL)
    for block, _ in blocks[:2]:  # before it is served
        reader.type(block)
    OfficeFiles(directory / DIRECTORY).create("hub", "hub.example/log")
    with issuing(directory) as office, services(directory, public=False, office=office) as found:
        server = HttpServer(create_app(found), "127.0.0.1:0")
        server.start()
        reader.server = server.url
        try:
            for block, shown in blocks[2:]:
                reader.printed = []
                reader.type(block)
                for line in shown.splitlines():
                    begin = " ".join(line.split())
                    assert any(begin in each for each in reader.printed), (line, reader.printed)
        finally:
            server.stop()
        [program] = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
        exec(program, {"cases": found.cases})  # noqa: S102 - the guide's own
    assert reader.ran > 20


def test_the_clocks_of_the_guide_are_read_and_all_states_are_named(tmp_path: Path) -> None:
    [text] = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert tomllib.loads(text)["days"]
    (tmp_path / FILE).write_text(text, "utf-8")
    assert read_clocks(tmp_path, WORKFLOWS).days["demands", "submitted"] == 3
    named = " ".join(TEXT.split())
    for workflow in WORKFLOWS:
        if waiting := [state.name for state in workflow.states if state.turn]:
            assert f"`{workflow.kind}`: {', '.join(waiting)}" in named
