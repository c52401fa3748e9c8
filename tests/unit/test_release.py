"""From a file and a policy to a release: what it says, and what is refused before any work."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import desensitize
from desensitize.engines.foreign_file import engine_config
from desensitize.engines.release_child import ReleaseTask
from desensitize.engines.release_child import run as run_child
from desensitize.keys import TokenKeys, new_keys
from desensitize.masking import apply
from desensitize.policy_file import parse_policy
from desensitize.releasing.directory import publication
from desensitize.releasing.facts import Release, digest_of, from_dict, read_release
from desensitize.salt import place_of_salt, salt_of
from desensitize.sources import Table, columns_of
from protos.faults import InputError, PolicyError, TrustError, UnavailableError
from tests.chinese_tables import Maker
from tests.masking_world import KEYS, tells

Run = Callable[..., subprocess.CompletedProcess[str]]
VEIL = Path(sys.executable).with_name("veil")
MIB = 1 << 20
TABLE = """姓名,身份证号,出生日期,收入,备注
张三,11010519491231002X,1949-12-31,8000,无
李四,440106199003071231,1990/3/7,"12,000",无
王五,,1985年1月2日,abc,
"""
POLICY = """dataset = "people"
[columns."姓名"]
role = "direct"
[columns."身份证号"]
role = "direct"
[columns."出生日期"]
role = "quasi"
[columns."收入"]
type = "integer"
role = "sensitive"
bounds = [0, 100000]
[publish]
methods = { "姓名" = "drop", "身份证号" = { token = "ids" }, "出生日期" = { date = "year" }, "收入" = { round = 5000 } }
"""  # noqa: E501 - a policy as people write it


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(TABLE, "utf-8")
    return path


def test_a_release_of_a_csv_file(people: Path, tmp_path: Path) -> None:
    policy, keys, out = tmp_path / "p.toml", tmp_path / "k.toml", tmp_path / "out"
    policy.write_text(POLICY, "utf-8")
    made = new_keys(keys, ["ids"]).in_use()["ids"]
    seen: list[int] = []
    release = desensitize.run(
        people, policy=policy, out=out, token_keys=keys, progress=lambda rows, _: seen.append(rows)
    )
    assert sorted(path.name for path in out.iterdir()) == [
        "manifest.json", "people.parquet", "policy.toml",
    ]  # fmt: skip
    rows = pq.read_table(out / "people.parquet")
    assert rows.column_names == ["身份证号", "出生日期", "收入"]
    born, income = (rows.column(name).to_pylist() for name in ("出生日期", "收入"))
    assert sorted(zip(born, income, strict=True)) == [
        ("1949", 10_000), ("1985", None), ("1990", 10_000),
    ]  # fmt: skip
    assert rows.schema.field("收入").type == pa.int64()
    digest = hashlib.sha256(people.read_bytes())
    assert release.input.commitment == salt_of(out).commitment(digest.digest())
    assert digest.hexdigest() not in (out / "manifest.json").read_text("utf-8")
    assert place_of_salt(out).stat().st_mode & 0o777 == 0o600
    assert (release.input.name, release.input.rows) == ("people.csv", 3)
    assert (
        release.output.sha256 == hashlib.sha256((out / "people.parquet").read_bytes()).hexdigest()
    )
    assert release.policy_sha256 == hashlib.sha256(policy.read_bytes()).hexdigest()
    assert (release.dropped, release.unmentioned) == (("姓名",), ("备注",))
    assert [column.lost for column in release.columns] == [0, 0, 1]
    assert release.token_keys == {"ids": made.id}
    assert (release.repeatable, release.fresh) == (True, ())
    assert release.rescan is not None
    assert (release.rescan.rows, release.rescan.hits) == (3, {})
    assert seen
    assert read_release(out) == release == from_dict(json.loads(json.dumps(release.to_dict())))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    # The manifest tells nothing about people, and nothing about keys.
    manifest = (out / "manifest.json").read_text("utf-8")
    for secret in ("张三", "11010519491231002X", "8000", "1949", made.secret.hex()):
        assert not tells(manifest, secret)


def test_a_release_that_was_changed_is_not_read(people: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    desensitize.run(people, policy=parse_policy(POLICY), out=out, token_keys=KEYS)
    for name in ("people.parquet", "policy.toml"):
        before = (out / name).read_bytes()
        (out / name).write_bytes(before[:-1] + b"?")
        with pytest.raises(TrustError, match=f"{name} is not the file"):
            read_release(out)
        (out / name).unlink()
        with pytest.raises(TrustError, match=f"{name} is missing"):
            read_release(out)
        (out / name).write_bytes(before)
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    manifest["output"]["name"] = "../people.csv"
    (out / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(TrustError, match=r"people\.csv is missing"):
        read_release(out)
    with pytest.raises(InputError, match="is no release"):
        read_release(tmp_path)


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pa.Table]:
    """Masks a file as the child does, but in this process, which is quicker."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path / "scratch")
    count = iter(range(100))

    def start(path: Path, policy: str, sheet: str = "") -> pa.Table:
        out = tmp_path / f"out{next(count)}.parquet"
        keys = [(k.domain, k.id, k.secret.hex()) for k in KEYS.keys]
        task = ReleaseTask(
            str(path), sheet, 2048 * MIB, 1 << 40, 1 << 20, 2,
            policy, str(tmp_path), "", keys, "", str(out),
        )  # fmt: skip
        run_child(task)
        return pq.read_table(out)

    return start


def test_all_kinds_of_sources_give_the_same_rows(
    tmp_path: Path, release: Callable[..., pa.Table]
) -> None:
    rows = {"id": ["a", "b", None], "n": [1, 2, 3]}
    arrow = pa.table(rows)
    pq.write_table(arrow, tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("id,n\na,1\nb,2\n,3\n", "utf-8")
    (tmp_path / "gb.csv").write_bytes("\ufeffid;n\na;1\nb;2\n;3\n".encode("gb18030"))
    book = openpyxl.Workbook()
    for row in (["id", "n"], ["a", 1], ["b", 2], [None, 3]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    policy = (
        'dataset = "t"\n[columns.id]\n[columns.n]\ntype = "integer"\n'
        '[publish]\nmethods = { id = { token = "ids" }, n = "keep" }\n'
    )
    expected = release(tmp_path / "t.parquet", policy).sort_by("n")
    assert expected.column("n").to_pylist() == [1, 2, 3]
    for name in ("t.csv", "gb.csv", "t.xlsx"):
        assert release(tmp_path / name, policy).sort_by("n") == expected, name
    objects = {
        "arrow": arrow, "pandas": pd.DataFrame(rows), "duckdb": duckdb.connect().from_arrow(arrow),
        "reader": arrow.to_reader(),
    }  # fmt: skip
    for name, data in objects.items():
        out = tmp_path / name
        made = desensitize.run(data, policy=parse_policy(policy), out=out, token_keys=KEYS)
        assert pq.read_table(out / "t.parquet").sort_by("n") == expected, name
        assert (made.input.rows, len(made.input.commitment)) == (3, 64)


@pytest.mark.parametrize("rows", [0, 1])
def test_no_rows_and_one_row(tmp_path: Path, release: Callable[..., pa.Table], rows: int) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * rows, "utf-8")
    policy = (
        'dataset = "t"\n[columns.a]\n[columns.b]\n'
        '[publish]\nmethods = { a = { token = "ids" }, b = { microaggregate = 2 } }\n'
    )
    got = release(path, policy)
    assert (got.num_rows, got.column_names) == (rows, ["a", "b"])
    assert got.column("b").to_pylist() == [None] * rows


def test_odd_headers(tmp_path: Path, release: Callable[..., pa.Table]) -> None:
    path = tmp_path / "t.csv"
    path.write_text('"a\n(x)", b ,电话,电话,,lost0,LOST0x,"q""q"\n1,2,3,4,5,6,7,8\n', "utf-8")
    names = ["a\n(x)", " b ", "电话 #3", "电话 #4", "column 5", "lost0", 'q"q']
    keyed = [json.dumps(name, ensure_ascii=False) for name in names]
    policy = "\n".join([
        'dataset = "t"', *(f"[columns.{key}]" for key in keyed),
        "[publish.methods]", *(f'{key} = "redact"' for key in keyed),
    ])  # fmt: skip
    got = release(path, policy)
    assert got.column_names == names
    assert got.to_pylist() == [dict.fromkeys(names, "***")]


@pytest.mark.parametrize("width", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_very_many_columns(tmp_path: Path, release: Callable[..., pa.Table], width: int) -> None:
    path = tmp_path / "t.csv"
    names = [f"c{i}" for i in range(width)]
    path.write_text(",".join(names) + "\n" + ",".join(["12345678"] * width) + "\n", "utf-8")
    policy = "\n".join([
        'dataset = "t"', *(f"[columns.{name}]" for name in names),
        "[publish.methods]", *(f"{name} = {{ keep_first = 2 }}" for name in names),
    ])  # fmt: skip
    assert set(release(path, policy).to_pylist()[0].values()) == {"12******"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("a,b\n1,2\n3\n4,5\n", "source.broken_row"),
        ('a,b\n1,"x\n2,3\n', "source.broken_row"),
        ("", "source.header"),
        ("a,b\n1," + "x" * 3_000_000, "source.long_line"),
        ("姓名\n1\n".encode() + "李四".encode("gb18030") + b"\xff\xff\n", "source.encoding"),
    ],
    ids=["fields", "quotes", "empty", "huge cell", "mixed encodings"],
)
def test_broken_files_are_refused_and_nothing_is_published(
    tmp_path: Path, content: str | bytes, code: str
) -> None:
    path, out = tmp_path / "t.csv", tmp_path / "out"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    policy = parse_policy('dataset = "t"\n[columns.a]\n[publish]\nmethods = { a = "redact" }\n')
    with pytest.raises(InputError) as caught:
        desensitize.run(path, policy=policy, out=out)
    assert caught.value.code == code
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]


def test_what_does_not_go_together_is_refused_before_any_work(people: Path, tmp_path: Path) -> None:
    policy, out = parse_policy(POLICY), tmp_path / "out"
    missing = parse_policy(POLICY.replace('"姓名"', '"名字"'))
    with pytest.raises(InputError, match="has no column '名字', which the policy declares"):
        desensitize.run(people, policy=missing, out=out, token_keys=KEYS)
    unknown = parse_policy(POLICY.replace("[publish]", '[publish]\nunknown_column = "refuse"'))
    with pytest.raises(InputError, match="the policy says nothing about '备注'"):
        desensitize.run(people, policy=unknown, out=out, token_keys=KEYS)
    nothing = parse_policy('dataset = "t"\n[columns."姓名"]\n[publish]\n')
    with pytest.raises(InputError, match="publishes no column"):
        desensitize.run(people, policy=nothing, out=out)
    with pytest.raises(InputError, match="no token key for ids"):
        desensitize.run(people, policy=policy, out=out)
    with pytest.raises(InputError, match="is no file"):
        desensitize.run(tmp_path / "none.csv", policy=policy, out=out, token_keys=KEYS)
    with pytest.raises(InputError, match="no directory that you may write to"):
        desensitize.run(people, policy=policy, out=tmp_path / "no" / "out", token_keys=KEYS)
    with pytest.raises(InputError, match="cannot be scanned"):
        desensitize.run(3, policy=policy, out=out, token_keys=KEYS)
    assert [each.name for each in tmp_path.iterdir()] == ["people.csv"]


@pytest.mark.parametrize("kind", ["directory", "file", "dangling link"])
def test_an_output_that_exists_is_never_touched(people: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    match kind:
        case "directory":
            out.mkdir()
        case "file":
            out.write_text("mine")
        case _:
            out.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="exists already"):
        desensitize.run(people, policy=parse_policy(POLICY), out=out, token_keys=KEYS)


def test_the_same_input_policy_and_keys_give_the_same_bytes(tmp_path: Path) -> None:
    """Also with a shuffle under a key, with sums of floats, and in another number of threads."""
    rows = 300_000
    source = tmp_path / "t.parquet"
    table = pa.table({
        "id": [f"{i * 7919 % rows:018d}" for i in range(rows)],
        "g": [i % 5 for i in range(rows)],
        "x": [(i * 104729 % 10_007) / 7 for i in range(rows)],
    })  # fmt: skip
    pq.write_table(table, source, row_group_size=40_000)
    policy = parse_policy(
        'dataset = "t"\n[columns.id]\n[columns.g]\n[columns.x]\n[publish.methods]\n'
        'id = { token = "ids" }\ng = { shuffle = [], key = "ids" }\nx = { microaggregate = 7 }\n'
    )
    first = desensitize.run(source, policy=policy, out=tmp_path / "a", token_keys=KEYS)
    with duckdb.connect(config=engine_config(2048 * MIB, 7)) as engine:
        read = f"read_parquet('{source}')"
        again = Table("t.parquet", engine, read, columns_of(engine, read))
        order = salt_of(tmp_path / "a").order(digest_of(source), first.occasion())
        apply.write_masked(again, policy, KEYS, tmp_path / "b.parquet", order=order)
    assert (tmp_path / "a" / "t.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert first.repeatable
    assert first.output.rows == rows


def test_what_comes_out_is_scanned_and_a_leak_refuses_the_release(tmp_path: Path) -> None:
    path, out = tmp_path / "t.csv", tmp_path / "out"
    path.write_text("note\n" + "ok\n" * 500 + "call 13800138000 now\n", "utf-8")
    text = 'dataset = "t"\n[columns.note]\n[publish]\nmethods = { note = "keep" }\n'
    with pytest.raises(PolicyError, match="mobile number in 1 cell of 'note'") as caught:
        desensitize.run(path, policy=parse_policy(text), out=out)
    assert caught.value.code == "release.rescan"
    assert "13800138000" not in str(caught.value) + caught.value.detail + caught.value.remedy
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]
    said = parse_policy(text + 'gate = { rescan = "report" }\n')
    release = desensitize.run(path, policy=said, out=out)
    assert release.rescan is not None
    assert release.rescan.hits == {"note": {"cn_mobile": 1}}


def test_ff1_looks_like_what_it_was_and_that_is_no_leak(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("tel\n" + "".join(f"138{i:08d}\n" for i in range(300)), "utf-8")
    policy = parse_policy(
        'dataset = "t"\n[columns.tel]\nrole = "direct"\n[publish]\n'
        'methods = { tel = { ff1 = "ids", clear_first = 3 } }\n'
    )
    release = desensitize.run(path, policy=policy, out=tmp_path / "out", token_keys=KEYS)
    assert release.rescan is not None
    assert release.rescan.hits == {}
    assert release.rescan.expected["tel"]["cn_mobile"] == 300


def test_a_source_that_changes_meanwhile_is_refused(people: Path, tmp_path: Path) -> None:
    def change(_rows: int, _total: int | None) -> None:
        people.write_text(TABLE + "赵六,,,,\n", "utf-8")

    with pytest.raises(InputError, match="changed while it was read"):
        desensitize.run(
            people, policy=parse_policy(POLICY), out=tmp_path / "out", token_keys=KEYS,
            progress=change,
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_a_directory_is_published_whole_or_not_at_all(tmp_path: Path) -> None:
    final = tmp_path / "out[1]*"
    with pytest.raises(UnavailableError, match="No space left"), publication(final) as draft:
        (draft / "a").write_text("half")
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []
    with publication(final) as draft:
        (draft / "a").write_text("whole")
        assert draft.stat().st_mode & 0o777 == 0o700
        assert not final.exists()
    assert [path.name for path in final.iterdir()] == ["a"]
    with pytest.raises(InputError, match="exists already"), publication(final):
        pass


def test_a_living_run_is_not_swept_away(tmp_path: Path) -> None:
    final = tmp_path / "out"
    with publication(final) as first:
        with publication(tmp_path / "other"):
            pass
        with publication(final) as second:
            assert first.exists()
            (second / "a").write_text("second")
        with pytest.raises(InputError, match="exists already"):
            raise_at_the_end(final)
        final.rename(tmp_path / "moved")
    assert (final.exists(), (tmp_path / "moved" / "a").exists()) == (True, True)


def raise_at_the_end(final: Path) -> None:
    with publication(final):
        pass


def test_dates_of_an_object_in_memory(tmp_path: Path) -> None:
    data = pa.table({"d": [dt.date(1990, 3, 7)]})
    policy = parse_policy('dataset = "t"\n[columns.d]\n[publish]\nmethods = { d = "keep" }\n')
    made = desensitize.run(data, policy=policy, out=tmp_path / "out")
    assert made.columns[0].stored == "date32[day]"
    with pytest.raises(InputError, match="are for files"):
        desensitize.run(data, policy=policy, out=tmp_path / "other", sheet="x")


def test_the_command_line(people: Path, tmp_path: Path, run: Run) -> None:
    keys, policy, out = tmp_path / "k.toml", tmp_path / "p.toml", tmp_path / "out"
    policy.write_text(POLICY, "utf-8")
    made = run(VEIL, "desensitize", "keys", "new", keys, "ids")
    assert made.returncode == 0, made.stderr
    command = ("desensitize", "run", people, "--policy", policy, "--out", out, "--token-keys", keys)
    said = run(VEIL, *command)
    assert said.returncode == 0, said.stderr
    assert "dropped, because the policy does not mention them: '备注'" in said.stdout
    assert "'收入' 1" in said.stdout
    again = run(VEIL, *command)
    assert again.returncode == 1
    assert "exists already" in again.stderr
    secret = TokenKeys(new_keys(tmp_path / "x.toml", ["y"]).keys).keys[0].secret.hex()
    listed = run(VEIL, "desensitize", "keys", "list", tmp_path / "x.toml")
    assert "y" in listed.stdout
    assert secret not in listed.stdout + listed.stderr
    rotated = run(VEIL, "desensitize", "keys", "rotate", keys, "ids")
    assert rotated.returncode == 0, rotated.stderr


def test_a_release_says_how_it_differs(people: Path, tmp_path: Path) -> None:
    policy = parse_policy(POLICY)
    first, second = (
        desensitize.run(
            people, policy=policy, out=tmp_path / name, token_keys=KEYS, salt=tmp_path / "one.salt"
        )
        for name in ("a", "b")
    )
    assert (tmp_path / "a" / "manifest.json").read_bytes() == (
        tmp_path / "b" / "manifest.json"
    ).read_bytes()
    assert isinstance(first, Release)
    assert replace(second, figures={"k": 5}).to_dict()["figures"] == {"k": 5}


def test_run_refuses_what_its_own_attacks_defeat(tmp_path: Path) -> None:
    """The classic 6 + 8 stars + 4 mask, beside the birth month: a file and a table in memory."""
    maker = Maker(5)
    ids = pd.Series([maker.resident_id() for _ in range(400)])
    frame = pd.DataFrame({"id": ids, "born": ids.str[6:14]})
    text = """dataset = "people"
[columns.id]
type = "cn_resident_id"
role = "direct"
[columns.born]
type = "date"
role = "quasi"
[publish]
methods = { id = { keep_first = 6, keep_last = 4 }, born = { date = "month" } }
attacks = { mask_candidates_min = 1000 }
"""
    frame.to_csv(tmp_path / "people.csv", index=False)
    for data in (frame, tmp_path / "people.csv"):
        with pytest.raises(PolicyError, match="with born beside it at least") as refused:
            desensitize.run(data, policy=parse_policy(text), out=tmp_path / "r")
        assert refused.value.code == "release.attacks"
        assert "drop born, and keep the mask" in refused.value.remedy
        assert list(tmp_path.iterdir()) == [tmp_path / "people.csv"]
    alone = text.replace(', born = { date = "month" }', "")
    release = desensitize.run(frame, policy=parse_policy(alone), out=tmp_path / "r")
    assert release.figures["attacks"]["findings"][0]["figure"] >= 1000
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == [
        "manifest.json", "people.parquet", "policy.toml",
    ]  # fmt: skip
