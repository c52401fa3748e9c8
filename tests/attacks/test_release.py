"""Killing a release at any point, filling its disk, and looking for its keys."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import desensitize
from desensitize.attesting.signing import new_signing_key
from desensitize.engines import nursery
from desensitize.engines.snapshot import LoadLimits
from desensitize.keys import TokenKeys, new_keys
from desensitize.policy import PublishPolicy
from desensitize.policy_file import parse_policy
from desensitize.releasing import directory as publication
from desensitize.releasing.facts import MANIFEST, digest_of, read_release, write_manifest
from desensitize.releasing.headers import values_in
from desensitize.row_order import place
from desensitize.salt import Salt, salt_of
from protos.faults import InputError, PolicyError, TrustError, UnavailableError, VeilError
from tests.bomb_world import one_enormous_value
from tests.masking_world import KEYS, masked, tells

Run = Callable[..., subprocess.CompletedProcess[str]]
VEIL = Path(sys.executable).with_name("veil")
MIB = 1 << 20
POLICY = """dataset = "people"
[columns.id]
role = "direct"
[columns.x]
[publish]
methods = { id = { token = "ids", length = 64 }, x = { microaggregate = 3 } }
"""


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.parquet"
    rows = 150_000
    ids = [f"{i:018d}" for i in range(rows)]
    pq.write_table(pa.table({"id": ids, "x": [i % 977 for i in range(rows)]}), path)
    return path


@pytest.fixture
def policy() -> PublishPolicy:
    return parse_policy(POLICY)


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(".")]


def stages(folder: Path) -> Iterator[str]:
    """How far a run in another process has come, as one sees it in its directory."""
    for draft in hidden(folder):
        files = {path.name: path.stat().st_size for path in draft.iterdir()}
        if "manifest.json" in files:
            yield "manifest"
        if "policy.toml" in files:
            yield "policy"
        if files.get("people.parquet", 0) > MIB:
            yield "rows"
        yield "begun"


@pytest.mark.parametrize(
    ("stage", "sent"),
    [("begun", signal.SIGTERM), ("rows", signal.SIGKILL), ("policy", signal.SIGKILL)],
    ids=["begun", "rows", "policy"],
)
def test_a_run_that_is_killed_leaves_nothing_under_the_final_name(
    people: Path, tmp_path: Path, stage: str, sent: signal.Signals
) -> None:
    out, keys, rules = tmp_path / "out", tmp_path / "k.toml", tmp_path / "p.toml"
    new_keys(keys, ["ids"])
    rules.write_text(POLICY, "utf-8")
    command = [VEIL, "desensitize", "run", people, "--policy", rules, "--out", out]
    with subprocess.Popen(
        [*command, "--token-keys", keys],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        give_up = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < give_up:
            try:
                if stage in stages(tmp_path):
                    break
            except FileNotFoundError:  # it was renamed while we looked
                continue
            time.sleep(0.002)  # else looking takes a processor of its own
        ended = process.poll()
        process.send_signal(sent)
    if ended is None and not out.exists():
        # Who is asked to end tidies up; who is killed in the middle cannot.
        assert bool(hidden(tmp_path)) == (sent is signal.SIGKILL)
    else:  # it was quicker than we: then it is whole
        assert read_release(out).output.rows == 150_000
        out.rename(tmp_path / "done")
    # The next run sweeps up and succeeds.
    release = desensitize.run(people, policy=parse_policy(POLICY), out=out, token_keys=KEYS)
    assert release.output.rows == 150_000
    assert read_release(out) == release
    assert hidden(tmp_path) == []


class Stop(BaseException):
    """Like a kill: nothing in the program expects it."""


@pytest.mark.parametrize("step", range(40))
def test_an_end_at_any_step_of_publishing_leaves_all_or_nothing(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call that touches the disk is the last one, in turn."""
    out, count = tmp_path / "out", 0

    def last(real):  # noqa: ANN001, ANN202 - stands for any function
        def call(*args: object, **more: object) -> object:
            nonlocal count
            count += 1
            if count == step:
                raise OSError(28, "No space left on device")
            return real(*args, **more)

        return call

    for name in ("fsync", "open", "mkdir", "rename", "unlink"):
        monkeypatch.setattr(os, name, last(getattr(os, name)))
    try:
        with publication.publication(out) as draft:
            (draft / "a").write_text("a")
            (draft / "b").write_text("b")
    except UnavailableError as error:
        assert error.code == "release.disk"
    monkeypatch.undo()
    if out.exists():
        assert sorted(path.name for path in out.iterdir()) == ["a", "b"]
    else:
        with publication.publication(out) as draft:
            (draft / "c").write_text("c")
    assert [path for path in tmp_path.iterdir() if path.name != "out"] == []


def test_a_disk_that_is_full_publishes_nothing(
    people: Path, tmp_path: Path, policy: PublishPolicy
) -> None:
    limits = LoadLimits(disk_bytes=2 * MIB)
    with pytest.raises(UnavailableError) as caught:
        desensitize.run(people, policy=policy, out=tmp_path / "out", token_keys=KEYS, limits=limits)
    assert caught.value.code == "source.limits"
    assert [path.name for path in tmp_path.iterdir()] == ["people.parquet"]


def test_a_file_made_to_exhaust_memory_ends_the_child_only(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    one_enormous_value(path, "id", 250, x=[1])
    with pytest.raises(UnavailableError) as caught:
        desensitize.run(
            path, policy=parse_policy(POLICY), out=tmp_path / "out", token_keys=KEYS,
            limits=LoadLimits(memory_bytes=256 * MIB, deadline_s=60),
        )  # fmt: skip
    assert caught.value.code == "source.limits"
    assert [each.name for each in tmp_path.iterdir()] == ["bomb.parquet"]


def test_a_parquet_file_that_lies_about_its_rows(tmp_path: Path, policy: PublishPolicy) -> None:
    """Rows are counted as they are read: a lie is an error or the truth."""
    path = tmp_path / "liar.parquet"
    table = pa.table({"id": [str(i) for i in range(300)], "x": pa.array(range(300), pa.int64())})
    pq.write_table(table, path, compression="none")
    honest = path.read_bytes()
    # Thrift writes varints in zigzag form: 300 is d8 04. The footer is at the end.
    place = honest.rindex(b"\xd8\x04")
    path.write_bytes(honest[:place] + b"\xd8\x44" + honest[place + 2 :])  # 4396
    out = tmp_path / "out"
    try:
        release = desensitize.run(path, policy=policy, out=out, token_keys=KEYS)
    except VeilError as error:
        assert error.code in {"source.parquet", "source.limits"}
        assert not out.exists()
    else:
        rows = pq.read_table(out / "people.parquet").num_rows
        assert release.input.rows == release.output.rows == rows == 300


def test_the_keys_are_seen_nowhere(tmp_path: Path) -> None:
    """Neither in the release, nor in what its processes show to other users of the machine."""
    keys = new_keys(tmp_path / "k.toml", ["ids"])
    secret = keys.in_use()["ids"].secret
    subkey = keys.subkey("ids", "token")
    path, rules, out = tmp_path / "t.csv", tmp_path / "p.toml", tmp_path / "out"
    path.write_text("id,x\n" + "".join(f"{i},{i}\n" for i in range(300_000)), "utf-8")
    rules.write_text(POLICY, "utf-8")
    command = [VEIL, "desensitize", "run", path, "--policy", rules, "--out", out]
    shown, children = b"", set[int]()
    with subprocess.Popen(
        [*command, "--token-keys", tmp_path / "k.toml"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        while process.poll() is None:
            nurseries = children_of(process.pid)
            forked = {one for each in nurseries for one in children_of(each)}
            children |= forked
            shown += b"".join(seen_of([process.pid, *nurseries, *forked]))
            time.sleep(0.005)  # each child lives for a hundred times that
        assert process.stdout is not None
        shown += process.stdout.read()
    assert process.returncode == 0, shown[-500:]
    assert b"desensitize.engines.nursery" in shown
    assert len(children) > 1, "each has been looked at, more than once"
    shown += b"".join(each.read_bytes() for each in out.iterdir())
    for each in (secret, subkey):
        assert each not in shown
        assert each.hex().encode() not in shown


def test_the_keys_never_come_to_the_process_that_forks_the_children(
    tmp_path: Path, policy: PublishPolicy
) -> None:
    """Only the child itself is told them; it has ended, and its siblings are forked without."""
    path, keys = tmp_path / "t.csv", new_keys(tmp_path / "k.toml", ["ids"])
    path.write_text("id,x\n" + "".join(f"{i},{i}\n" for i in range(300)), "utf-8")
    desensitize.run(path, policy=policy, out=tmp_path / "out", token_keys=keys)
    forker = nursery._NURSERY._process
    assert forker is not None
    if os.geteuid() != 0:
        with pytest.raises(PermissionError):  # it does not let its owner look, either
            memory_of(forker.pid)
        return
    held = memory_of(forker.pid)
    assert b"desensitize.engines.release_child" in held, "this one has forked the release's child"
    secret, subkey = keys.in_use()["ids"].secret, keys.subkey("ids", "token")
    for each in (secret, subkey):
        for written in (each, each.hex().encode(), b64encode(each).rstrip(b"=")):
            assert written not in held
    for child in children_of(forker.pid):
        assert Path(f"/proc/{child}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"


def memory_of(pid: int) -> bytes:
    """What a process has written to its memory."""
    held = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text("utf-8").splitlines():
            place, rights = line.split()[:2]
            if rights.startswith("rw"):
                start, end = (int(each, 16) for each in place.split("-"))
                memory.seek(start)
                with suppress(OSError):  # of a device
                    held.append(memory.read(end - start))
    return b"".join(held)


def seen_of(pids: Iterable[int]) -> Iterator[bytes]:
    """Arguments and environment of processes."""
    for each in pids:
        for name in ("cmdline", "environ"):
            try:
                yield Path(f"/proc/{each}/{name}").read_bytes()
            except OSError:  # it has just ended, or does not let itself be looked at
                continue


def children_of(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]


def test_the_masking_process_has_no_network(run: Run) -> None:
    code = (
        "import os\nfrom desensitize.engines.limits import isolate\n"
        "before = os.readlink('/proc/self/ns/net')\nisolate()\n"
        "import desensitize.engines.release_child\n"
        "after = os.readlink('/proc/self/ns/net')\n"
        "print('same' if before == after else open('/proc/self/net/dev').read())"
    )
    said = run(sys.executable, "-c", code)
    assert said.returncode == 0, said.stderr
    text = Path("desensitize/engines/release_child.py").read_text("utf-8")
    head = text.split("from desensitize.engines.child")[0]
    assert "isolate()" in head, "the network is given up before the libraries are loaded"
    if said.stdout.strip() == "same":
        pytest.skip("this system allows no network namespace")
    devices = [line.split(":")[0].strip() for line in said.stdout.splitlines()[2:] if line]
    assert devices == ["lo"]


def test_no_call_to_the_network_while_an_object_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.socket

    def refuse(family: int = -1, *more: int) -> socket.socket:
        if family == socket.AF_UNIX:  # a pair, to the process that forks the children
            return real(family, *more)
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    data = pa.table({"id": ["1", "2"] * 5, "x": [1.0] * 10})
    release = desensitize.run(
        data, policy=parse_policy(POLICY), out=tmp_path / "out", token_keys=KEYS
    )
    assert release.output.rows == 10


@pytest.mark.parametrize(
    "text", ["", "'", '"); DROP TABLE x; --', "${x}", "{0}", "a\nb", "字" * 60]
)
def test_texts_of_a_policy_are_texts_in_the_statement(text: str) -> None:
    """Names of columns and parameters cannot become SQL."""
    name, mark = text or "x", (text or "***")[:60]
    how = f"{{ redact = {json.dumps(mark, ensure_ascii=False)} }}"
    assert masked({name: ["v", None]}, {name: how}) == {name: [mark, None], "lost": [0]}


def test_an_unkeyed_hash_is_not_on_offer() -> None:
    """The attack: all ids of a district are hashed in seconds; only a key stops that."""
    with pytest.raises(InputError, match="'hash' is no method"):
        masked({"x": ["1"]}, {"x": '"hash"'})
    with pytest.raises(InputError, match="no token key"):
        masked({"x": ["1"]}, {"x": '{ token = "ids" }'}, keys=TokenKeys())


def test_a_key_file_that_others_can_read_is_refused_before_any_work(
    people: Path, tmp_path: Path, policy: PublishPolicy
) -> None:
    keys = tmp_path / "k.toml"
    new_keys(keys, ["ids"])
    keys.chmod(0o644)
    with pytest.raises(TrustError):
        desensitize.run(people, policy=policy, out=tmp_path / "out", token_keys=keys)
    assert not (tmp_path / "out").exists()


def test_rows_of_two_releases_are_not_linked_by_their_place(tmp_path: Path) -> None:
    """Each alone is harmless; side by side in one order they would be one table with both."""
    rows = 2_000
    source = tmp_path / "t.parquet"
    age, salary = [i % 83 for i in range(rows)], [i * 7919 % 9973 for i in range(rows)]
    pq.write_table(pa.table({"age": age, "salary": salary}), source)
    head = 'dataset = "t"\n[columns.age]\n[columns.salary]\n[publish]\n'

    def released(name: str, methods: str) -> pa.Table:
        policy = parse_policy(f"{head}methods = {{ {methods} }}\n")
        desensitize.run(source, policy=policy, out=tmp_path / name)
        return pq.read_table(tmp_path / name / "t.parquet")

    ages = released("a", 'age = "keep", salary = "drop"')["age"].to_pylist()
    salaries = released("b", 'age = "drop", salary = "keep"')["salary"].to_pylist()
    assert (sorted(ages), sorted(salaries)) == (sorted(age), sorted(salary))
    truth = set(zip(age, salary, strict=True))
    linked = sum(pair in truth for pair in zip(ages, salaries, strict=True))
    assert linked < rows / 20  # by chance one in 83; in the original's order it would be all
    # Nor by a file in the original's order.
    assert sum(map(int.__eq__, ages, age)) < rows / 20


def test_a_hierarchy_file_is_scanned_like_the_rows(tmp_path: Path) -> None:
    """The column says `*` everywhere; the file beside it would list everybody's number."""
    ids = ["110101199003078515", "no number"]
    (tmp_path / "ids.csv").write_text("".join(f"{each};*\n" for each in ids), "utf-8")
    text = (
        'dataset = "t"\n[columns.id]\n[publish]\nhierarchies = { id = { file = "ids.csv" } }\n'
        "models = { k = 6 }\n"
    )
    (tmp_path / "p.toml").write_text(text, "utf-8")
    with pytest.raises(PolicyError, match=r"holds resident id in 1 cell of 'ids\.csv'"):
        desensitize.run(pa.table({"id": ids * 3}), policy=tmp_path / "p.toml", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "how",
    [
        "{ round = 1 }", "{ top_code = 1e14 }", "{ band = 1 }", "{ noise = 0.001 }",
        "{ shuffle = [] }", '{ date = "day" }', "{ keep_first = 17, shuffle = [] }",
        '{ keep_first = 17, mask = "0" }', "{ keep_last = 9, round = 1 }",
    ],
)  # fmt: skip
def test_a_direct_identifier_is_not_kept_by_another_name(how: str) -> None:
    """Such methods can leave each value as it is, or a mask whose candidates nobody counts."""
    text = f'dataset = "t"\n[columns.m]\nrole = "direct"\n[publish]\nmethods = {{ m = {how} }}\n'
    with pytest.raises(InputError):
        parse_policy(text)


@pytest.mark.parametrize("levels", ['["value", "*"]', '["first17", "*"]', '{ file = "l.csv" }'])
def test_a_direct_identifier_has_no_levels_that_show_it(levels: str) -> None:
    """With five rows of each person k = 5 holds of the whole number."""
    text = (
        'dataset = "t"\n[columns.m]\nrole = "direct"\n[publish]\nmodels = { k = 2 }\n'
        f"hierarchies = {{ m = {levels} }}\n"
    )
    with pytest.raises(InputError, match=r'publish\.hierarchies\."m": a direct identifier'):
        parse_policy(text)
    parse_policy(text.replace(levels, '["city", "*"]'))


def test_names_of_columns_are_scanned_like_the_rows(tmp_path: Path) -> None:
    """Of a table without a header, the first person's values are the header."""
    text = 'dataset = "t"\n[columns.13800138000]\n[publish]\nmethods = { 13800138000 = "keep" }\n'
    with pytest.raises(PolicyError, match=r"column 1 \(mobile number\)"):
        desensitize.run(
            pa.table({"13800138000": ["a"]}), policy=parse_policy(text), out=tmp_path / "out"
        )


def test_categories_of_no_published_row_are_not_published(tmp_path: Path) -> None:
    """A category of pandas keeps the list of all values, of rows that were taken out too."""
    people = pd.DataFrame({"ward": pd.Categorical([*"ab" * 9, "the minister's"])})
    text = (
        'dataset = "t"\n[columns.ward]\nrole = "quasi"\n[publish]\n'
        'hierarchies = { ward = ["value"] }\nmodels = { k = 5, max_suppressed = 0.1 }\n'
    )
    kept = 'dataset = "t"\n[columns.ward]\n[publish]\nmethods = { ward = "keep" }\n'
    for name, data, policy in (("a", people, text), ("b", people.head(18), kept)):
        desensitize.run(data, policy=parse_policy(policy), out=tmp_path / name)
        assert b"minister" not in (tmp_path / name / "t.parquet").read_bytes()
        assert pq.read_schema(tmp_path / name / "t.parquet").field("ward").type == pa.string()


def test_new_keys_or_new_noise_give_another_order(tmp_path: Path) -> None:
    """Else tokens before and after a rotation lie side by side, and noise is averaged away."""
    rows = 300
    table = pa.table({"id": [f"{i:09d}" for i in range(rows)], "x": list(range(rows))})
    text = (
        'dataset = "t"\n[columns.id]\nrole = "direct"\n[columns.x]\nbounds = [0, 300]\n[publish]\n'
        'methods = { id = { token = "ids" }, x = HOW }\n'
    )
    rotated = TokenKeys(tuple(replace(k, id=k.id + "b", secret=k.secret[::-1]) for k in KEYS.keys))

    def released(name: str, how: str, keys: TokenKeys) -> list[int]:
        policy = parse_policy(text.replace("HOW", how))
        desensitize.run(
            table, policy=policy, out=tmp_path / name, token_keys=keys, salt=tmp_path / "one.salt"
        )
        values: list[int] = pq.read_table(tmp_path / name / "t.parquet")["x"].to_pylist()
        return values

    kept, again, after = (
        released(name, '"keep"', keys) for name, keys in (("a", KEYS), ("b", KEYS), ("c", rotated))
    )
    assert kept == again
    assert sum(map(int.__eq__, kept, after)) < 20
    one, two = (released(name, "{ noise = 0.001 }", KEYS) for name in ("d", "e"))
    assert sum(map(int.__eq__, one, two)) < 20
    fresh = read_release(tmp_path / "d")
    assert fresh.drawn
    assert not fresh.repeatable


def test_who_has_original_and_salt_can_redraw_the_order_and_nobody_else(
    tmp_path: Path,
) -> None:
    source, rows = tmp_path / "t.parquet", 300
    pq.write_table(pa.table({"x": range(rows)}), source)
    policy = parse_policy('dataset = "t"\n[columns.x]\n[publish]\nmethods = { x = "keep" }\n')
    desensitize.run(source, policy=policy, out=tmp_path / "out")
    told = read_release(tmp_path / "out")
    found = pq.read_table(tmp_path / "out" / "t.parquet")["x"].to_pylist()

    def drawn(seed: bytes) -> list[int]:
        by = place("i", "$seed")
        sql = f"SELECT i - 1 FROM range(1, 301) r(i) ORDER BY {by}"  # noqa: S608
        return [x for (x,) in duckdb.execute(sql, {"seed": seed}).fetchall()]

    guessed = digest_of(source)
    salt = salt_of(tmp_path / "out")
    assert drawn(salt.order(guessed, told.occasion())) == found
    # Not even who has guessed the original, to the byte: the salt is what he lacks.
    assert sum(map(int.__eq__, drawn(Salt(bytes(32)).order(guessed, told.occasion())), found)) < 20
    public = (told.input.commitment, told.output.sha256, told.policy_sha256, guessed.hex())
    for digest in map(bytes.fromhex, public):
        for seed in (digest, hmac.digest(digest, policy.digest.encode(), "sha256")):
            assert sum(map(int.__eq__, drawn(seed), found)) < 20


def test_a_guess_of_the_original_is_not_confirmed(tmp_path: Path) -> None:
    """Of a short table one bit is unknown: whoever tries both must not see which it is."""
    text = 'dataset = "t"\n[columns.x]\n[publish]\nmethods = { x = "keep" }\n'
    rows = "name,hiv,x\n" + "".join(f"p{i},no,{i}\n" for i in range(40))
    guesses = [rows, rows.replace("p7,no", "p7,yes")]
    for number, guess in enumerate(guesses):
        (tmp_path / f"{number}.csv").write_text(guess, "utf-8")
    made = desensitize.run(tmp_path / "1.csv", policy=parse_policy(text), out=tmp_path / "out")
    published = (tmp_path / "out" / "manifest.json").read_text("utf-8")
    rows_out = (tmp_path / "out" / "t.parquet").read_bytes()
    for number, guess in enumerate(guesses):
        assert hashlib.sha256(guess.encode()).hexdigest() not in published
        assert not tells(published, str(len(guess.encode()))), "the size tells yes from no"
        # He has our program, and makes the release himself.
        again = desensitize.run(
            tmp_path / f"{number}.csv", policy=parse_policy(text), out=tmp_path / f"his{number}"
        )
        assert again.input.commitment != made.input.commitment
        assert (tmp_path / f"his{number}" / "t.parquet").read_bytes() != rows_out
    # Whoever has the salt proves it, and nothing else.
    salt = salt_of(tmp_path / "out")
    says = [salt.commitment(digest_of(tmp_path / f"{n}.csv")) for n in (0, 1)]
    assert [each == made.input.commitment for each in says] == [False, True]
    same = desensitize.run(
        tmp_path / "1.csv", policy=parse_policy(text), out=tmp_path / "same",
        salt=tmp_path / "out.salt",
    )  # fmt: skip
    assert (same.output, same.input) == (made.output, made.input)
    assert "out.salt" not in {path.name for path in (tmp_path / "out").iterdir()}


def test_a_salt_lies_in_no_release_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    policy = parse_policy('dataset = "t"\n[columns.x]\n[publish]\nmethods = { x = "keep" }\n')
    data, out = pa.table({"x": [1, 2, 3]}), tmp_path / "out"
    for wrong in (out / "s", out, tmp_path / "nowhere" / "s"):
        with pytest.raises(InputError, match="the salt cannot lie"):
            desensitize.run(data, policy=policy, out=out, salt=wrong)
    desensitize.run(data, policy=policy, out=out)
    path = tmp_path / "out.salt"
    with pytest.raises(TrustError, match="is not what the release was made from"):
        desensitize.gate(out, original=pa.table({"x": [1, 2, 4]}))
    path.chmod(0o644)
    with pytest.raises(TrustError):
        desensitize.gate(out, original=data)
    path.chmod(0o600)
    secret = path.read_text("ascii")
    path.write_text("00\n", "ascii")
    with pytest.raises(InputError, match="holds no salt"):
        desensitize.gate(out, original=data)
    path.write_text("0" * 64 + "\n", "ascii")  # another release's
    with pytest.raises(TrustError, match="or the salt is another's"):
        desensitize.gate(out, original=data)
    path.unlink()
    with pytest.raises(InputError, match="is missing") as caught:
        desensitize.gate(out, original=data)
    assert "--salt" in str(caught.value.remedy)
    path.write_text(secret, "ascii")
    path.chmod(0o600)
    moved = path.rename(tmp_path / "kept")
    assert desensitize.gate(out, original=data, salt=moved).figures.rows == 3


def test_a_shuffle_under_a_key_is_another_for_each_table(tmp_path: Path) -> None:
    """Who has seen one table before and after knows where each row went; the next differs."""
    rows = 200
    policy = parse_policy(
        'dataset = "t"\n[columns.n]\n[columns.x]\n[publish.methods]\nn = "keep"\n'
        'x = { shuffle = [], key = "ids" }\n'
    )

    def shuffled(name: str, first: int) -> dict[int, int]:
        """Row by row: whose value it is now."""
        table = pa.table({"n": range(rows), "x": range(first, first + rows)})
        desensitize.run(
            table, policy=policy, out=tmp_path / name, token_keys=KEYS,
            salt=tmp_path / "one.salt",
        )  # fmt: skip
        got = pq.read_table(tmp_path / name / "t.parquet").to_pydict()
        return dict(zip(got["n"], (x - first for x in got["x"]), strict=True))

    seen, next_one = shuffled("a", 0), shuffled("b", 1000)
    assert sorted(seen.values()) == sorted(next_one.values()) == list(range(rows))
    assert sum(seen[n] == next_one[n] for n in range(rows)) < 20
    assert shuffled("again", 0) == seen  # the same release again


def test_headers_that_nobody_mentions_are_not_told_if_they_may_be_values(tmp_path: Path) -> None:
    """A table came without a header line: its first person is the header."""
    person = {"张伟": ["李四"], "440106199003071231": ["x"], "8000": ["9000"], "备注": ["无"]}
    policy = parse_policy('dataset = "t"\n[columns.x]\n[publish]\nmethods = { x = "keep" }\n')
    made = desensitize.run(pa.table({"x": ["a"]} | person), policy=policy, out=tmp_path / "out")
    assert made.unmentioned == ("张*", "440***************", "8***", "备注")
    published = (tmp_path / "out" / "manifest.json").read_text("utf-8")
    for value in ("张伟", "440106199003071231", "8000"):
        assert not tells(published, value)


HEADLESS = """dataset = "t"
[columns.x]
[columns."张伟"]
type = "cn_person"
role = "direct"
[columns."欧阳娜娜"]
role = "direct"
[columns."440106199003071231"]
[columns."司机"]
type = "cn_person"
role = "direct"
[columns."成本"]
[publish]
methods = { x = "keep", "张伟" = { token = "ids" }, "成本" = "keep" }
"""


def test_headers_that_are_values_are_not_published_with_the_policy(tmp_path: Path) -> None:
    """The policy names the first person, as `plan` wrote it: by a place only is it told.

    The line of headers is missing, so 成本 may be a name as well; 司机 is a word of the list.
    """
    values = ("张伟", "欧阳娜娜", "440106199003071231")
    table = pa.table({"x": ["a"], "成本": [7], "司机": ["王五"]} | {v: ["李四"] for v in values})
    places = r"column 2 \(.*column 3 \(.*column 4 \(.*column 6 \("
    with pytest.raises(PolicyError, match=places) as caught:
        desensitize.run(table, policy=parse_policy(HEADLESS), out=tmp_path / "out", token_keys=KEYS)
    assert caught.value.code == "release.header"
    said = f"{caught.value} {caught.value.public} {caught.value.remedy}"
    assert not [value for value in (*values, "column 1", "column 5") if value in said]
    assert not list(tmp_path.iterdir())  # nothing at all, and no draft of it
    told = HEADLESS + '[publish.gate]\nrescan = "report"\n'
    made = desensitize.run(table, policy=parse_policy(told), out=tmp_path / "told", token_keys=KEYS)
    assert made.rescan.hits["policy.toml"] == {"cn_person": 3, "cn_resident_id": 1}


@pytest.mark.parametrize(
    ("headers", "places"),
    [
        (("科目", "张伟", "李晓明", "欧阳娜娜"), {1, 2, 3}),  # a column for each person
        (("张伟", "李晓明"), set()),  # too few to tell
        (("姓名", "年龄", "张晓明", "金额", "备注"), set()),  # one may be a word
        (("成本", "方向", "范围", "程度", "单价"), set()),  # short words
        (("13800138000", "张伟", "金额"), {0, 1}),  # no line of headers
    ],
)
def test_names_over_columns_of_which_nothing_is_said(
    headers: tuple[str, ...], places: set[int]
) -> None:
    columns = "".join(f'[columns."{header}"]\n' for header in headers)
    assert set(values_in(parse_policy(f'dataset = "t"\n{columns}[publish]\n'))) == places


def test_the_gate_refuses_a_release_whose_headers_are_values(tmp_path: Path) -> None:
    """Whoever made it: here it said `report`, and its policy was exchanged afterwards."""
    text = (
        'dataset = "t"\n[columns.440106199003071231]\n[publish]\n'
        'methods = { 440106199003071231 = "keep" }\n'
    )
    table, out = pa.table({"440106199003071231": ["a"]}), tmp_path / "out"
    told = text + '[publish.gate]\nrescan = "report"\n'
    made = desensitize.run(table, policy=parse_policy(told), out=out)
    verdict = desensitize.gate(out, original=table).verdict
    assert verdict.passed
    (out / "policy.toml").write_text(text, "utf-8")
    write_manifest(replace(made, policy_sha256=parse_policy(text).digest), out)
    new_signing_key(tmp_path / "key.pem")
    gated = desensitize.gate(out, original=table, signing_key=tmp_path / "key.pem")
    assert [check.name for check in gated.verdict.refusals] == ["rescan"]
    assert "policy.toml: 1" in gated.verdict.refusals[0].reason.en
    assert gated.attestation is None


@pytest.mark.parametrize("content", [b"[" * 200_000, b'{"a":' * 100_000, b"\xff", b"", b"[]"])
def test_a_manifest_of_somebody_else_gets_an_answer(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(InputError) as raised:
        read_release(tmp_path)
    assert raised.value.code == "release.missing"


def test_a_manifest_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / MANIFEST).open("wb") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(InputError) as raised:
        read_release(tmp_path)
    assert raised.value.code == "release.missing"
