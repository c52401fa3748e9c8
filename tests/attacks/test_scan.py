"""Files made to hurt whoever scans them, and a scanner that would like to tell somebody."""

from __future__ import annotations

import ast
import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import desensitize
from desensitize.engines.snapshot import LoadLimits
from desensitize.scanning.finder import find
from protos.faults import InputError, UnavailableError, VeilError
from tests.bomb_world import one_enormous_value
from tests.chinese_tables import Maker

MIB = 1 << 20
SMALL = LoadLimits(memory_bytes=400 * MIB, disk_bytes=100 * MIB, cpu_s=60, deadline_s=60)
Run = Callable[..., subprocess.CompletedProcess[str]]
NURSERY = Path("desensitize/engines/nursery.py")


def test_a_parquet_bomb_ends_the_scanner_and_nobody_else(tmp_path: Path) -> None:
    """A cell of 250 MB in a file of a few kilobytes."""
    path = tmp_path / "bomb.parquet"
    one_enormous_value(path, "s", 250, n=[1])
    with pytest.raises(UnavailableError) as caught:
        desensitize.scan(path, limits=replace(SMALL, memory_bytes=256 * MIB))
    assert caught.value.code == "source.limits"


def test_a_zip_bomb_of_a_workbook(tmp_path: Path) -> None:
    """A sheet of a gigabyte in a file of a few megabytes."""
    good, path = tmp_path / "good.xlsx", tmp_path / "bomb.xlsx"
    openpyxl.Workbook().save(good)
    row = b'<row><c t="inlineStr"><is><t>' + b"1" * 1000 + b"</t></is></c></row>"
    packed = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with zipfile.ZipFile(good) as old, packed as new:
        for name in old.namelist():
            if not name.endswith("sheet1.xml"):
                new.writestr(name, old.read(name))
        with new.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
            sheet.write(f'<worksheet xmlns="{space}"><sheetData>'.encode())
            for _ in range(1000):
                sheet.write(row * 1000)
            sheet.write(b"</sheetData></worksheet>")
    assert path.stat().st_size < 10 * MIB
    with pytest.raises(UnavailableError):
        desensitize.scan(path, limits=SMALL)


@pytest.mark.slow
def test_large_cells_come_in_small_batches(tmp_path: Path) -> None:
    """230 MB of documents, each with a find, under a limit of 600 MB: memory is flat."""
    path = tmp_path / "documents.parquet"
    schema = pa.schema([("doc", pa.string())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for _ in range(10):
            writer.write_table(
                pa.table({"doc": ["字 " * 75_000 + "电话13800138000"] * 100}, schema)
            )
    limits = replace(SMALL, memory_bytes=600 * MIB)
    column = desensitize.scan(path, limits=limits).columns[0]
    assert column.counts["cn_mobile"].inside == 1000


def test_a_parquet_file_whose_footer_lies_about_its_rows(tmp_path: Path) -> None:
    """Rows are counted as they are read; a lie is an error or the truth, never a shorter table."""
    path = tmp_path / "liar.parquet"
    pq.write_table(pa.table({"n": pa.array(range(300), pa.int64())}), path, compression="none")
    honest = path.read_bytes()
    # Thrift writes varints in zigzag form: 300 is d8 04.
    places = [i for i in range(len(honest)) if honest[i : i + 2] == b"\xd8\x04"]
    assert places
    for place in places[:4]:
        lie = bytearray(honest)
        lie[place : place + 2] = b"\xd8\x44"  # 4396
        path.write_bytes(lie)
        try:
            assert desensitize.scan(path, limits=SMALL).rows == 300
        except VeilError as error:
            assert error.code in {"source.parquet", "source.limits"}


def test_a_pattern_cannot_be_made_to_run_for_ever() -> None:
    """Repetitions of what addresses, e-mails and numbers are made of, without ever ending one."""
    hard = ["区" * 50_000, "a." * 50_000, "1 " * 50_000, "路1" * 50_000, "公司" * 50_000,
            ":" * 50_000, "患者" * 50_000, "0.0.0." * 20_000]  # fmt: skip
    code = (
        "import sys, json\nfrom desensitize.scanning.finder import find\nfind(json.load(sys.stdin))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(hard), text=True, timeout=60, check=False,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "hidden", ["13800138000", " 138 0013 8000", "11010519491231002X", "粤A12345"]
)
@pytest.mark.parametrize(
    ("header", "make"),
    [("住址", Maker.address), ("单位名称", Maker.company)],
    ids=["address", "company"],
)
def test_a_value_behind_one_of_the_column_s_own_form_is_found(
    header: str, make: Callable[[Maker], str], hidden: str
) -> None:
    """An address may be followed by almost anything, and is an address still."""
    maker = Maker(3)
    cells = [make(maker) for _ in range(200)]
    cells[150] = hidden + cells[150] if header == "单位名称" else cells[150] + hidden
    column = desensitize.scan(pa.table({header: cells})).columns[0]
    assert column.role == "direct", column.counts


def test_no_character_that_nobody_sees_hides_a_number() -> None:
    """Copied from a page or a chat, or put there: zero width, soft hyphens, other digits."""
    tel, number = "13812345678", "110101199003078515"
    arabic, bold = ({48 + i: zero + i for i in range(10)} for zero in (0x660, 0x1D7CE))
    hidden = {
        "zero width": f"{tel[:3]}\u200b{tel[3:]}",
        "joined": f"电话{tel[:1]}\u200d\u200b{tel[1:]}了",
        "soft hyphen": f"{number[:6]}\u00ad{number[6:]}",
        "direction": f"\u202d{tel}\u202c",
        "byte order": f"{number[:17]}\ufeff{number[17:]}",
        "blanks": "138\u00a01234\u20095678",
        "arabic": number.translate(arabic),
        "bold": tel.translate(bold),
        "address": "zhang\u200b@example\u2060.com",
    }
    table = pa.table({name: [text] for name, text in hidden.items()})
    found = desensitize.scan(table, full=True)
    assert [column.name for column in found.columns if column.role != "direct"] == []
    assert all(sum(c.whole + c.inside for c in f.counts.values()) == 1 for f in found.columns)


def test_a_point_and_zeros_do_not_hide_a_number(tmp_path: Path) -> None:
    """What pandas writes of a column of numbers with gaps."""
    path = tmp_path / "t.csv"
    path.write_text("tel,id,sum\n" + "13812345678.0,110101199003078515.00,0.13812345678\n" * 3)
    tel, number, total = desensitize.scan(path, full=True).columns
    assert (tel.role, number.role) == ("direct", "direct")
    assert not total.counts


def test_the_scanner_has_no_network(run: Run) -> None:
    code = (
        "import os\nfrom desensitize.engines.limits import isolate\n"
        "before = os.readlink('/proc/self/ns/net')\nisolate()\n"
        "import desensitize.engines.scan_child\n"
        "after = os.readlink('/proc/self/ns/net')\n"
        "print('same' if before == after else open('/proc/self/net/dev').read())"
    )
    said = run(sys.executable, "-c", code)
    assert said.returncode == 0, said.stderr
    if said.stdout.strip() == "same":
        pytest.skip("this system allows no network namespace")
    devices = [line.split(":")[0].strip() for line in said.stdout.splitlines()[2:] if line]
    assert devices == ["lo"]
    text = Path("desensitize/engines/scan_child.py").read_text("utf-8")
    first = text.split("from desensitize.engines.child")[0]
    assert "isolate()" in first, "the network is given up before the libraries are loaded"


@pytest.mark.parametrize(
    "child",
    [NURSERY, *sorted(NURSERY.parent.glob("*_child.py"))],
    ids=lambda path: path.stem,
)
def test_every_child_gives_up_the_network_before_it_loads_a_library(child: Path) -> None:
    said = ast.parse(child.read_text("utf-8")).body
    assert isinstance(said[0], ast.Expr), "its docstring"
    assert [ast.unparse(each) for each in said[1:4]] == [
        "from __future__ import annotations",
        "from desensitize.engines.limits import isolate",
        "if __name__ == '__main__':\n    isolate()",
    ]
    last = ast.unparse(said[-1])
    if child == NURSERY:  # what it loads, it loads for them
        assert last.startswith("if __name__ == '__main__':\n    _serve("), "and reads no file"
        return
    assert last.startswith("if __name__ == '__main__':\n    serve("), "and binds its limits"


def test_no_call_to_the_network_while_objects_are_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    data = pa.table({"a": ["li@qq.com 10.0.0.1 13800138000"] * 5})
    assert len(desensitize.scan(data).columns[0].counts) == 3
    assert len(find(["li@qq.com 10.0.0.1"])) == 2


@pytest.mark.parametrize("content", ["a,b\n1,机密\n3\n", 'a,b\n1,"机密\n', "a,b\n机密,2,3\n"])
def test_errors_do_not_repeat_what_is_in_the_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content, "utf-8")
    with pytest.raises(InputError) as caught:
        desensitize.scan(path)
    assert "机密" not in str(caught.value.public())


def test_the_scanner_dies_with_its_caller(tmp_path: Path, run: Run) -> None:
    """SIGKILL to the caller, in the middle of a scan."""
    path = tmp_path / "t.csv"
    path.write_text("a\n" + "13800138000\n" * 3_000_000)
    code = (
        "import os, subprocess, sys, time, desensitize\n"
        "def progress(done, total):\n"
        "    child = open(f'/proc/self/task/{os.getpid()}/children').read().split()[0]\n"
        "    print(child, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        f"desensitize.scan({str(path)!r}, progress=progress)\n"
    )
    said = run(sys.executable, "-c", code)
    assert said.returncode == -9, said.stderr
    child = int(said.stdout.split()[0])
    for _ in range(200):
        if not _alive(child):
            return
        time.sleep(0.05)
    pytest.fail("the scanner outlived its caller")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_the_network_is_blocked_wherever_only_the_pipeline_is_tested(network: str) -> None:
    """Presidio's own recogniser of e-mail addresses would ask for the list of top-level domains."""
    assert network == "blocked"
    with pytest.raises(AssertionError, match="asked for the network"):
        socket.create_connection(("127.0.0.1", 9))
    with (
        socket.socket() as asking,
        pytest.raises(AssertionError, match="asked for the network"),
    ):
        asking.connect(("127.0.0.1", 9))


@pytest.mark.parametrize("kind", ["lists", "structs"])
def test_values_nested_without_end_are_refused_before_they_are_written_out(
    tmp_path: Path, kind: str
) -> None:
    """60 levels in a file of a kilobyte: the engine would double its work 60 times."""
    value: object = "x"
    stored: pa.DataType = pa.string()
    for _ in range(60):
        stored = pa.list_(stored) if kind == "lists" else pa.struct([("a, )[b", stored)])
        value = [value] if kind == "lists" else {"a, )[b": value}
    table = pa.table({"deep": pa.array([value], stored)})
    pq.write_table(table, tmp_path / "deep.parquet")
    for source in (tmp_path / "deep.parquet", table):
        with pytest.raises(InputError, match="'deep'") as raised:
            desensitize.scan(source)
        assert raised.value.code == "source.nested"


def test_values_within_values_are_scanned() -> None:
    inner = pa.struct([("a", pa.list_(pa.decimal128(9, 2))), ("b), ", pa.list_(pa.string()))])
    rows = [[{"a": [1], "b), ": ["440103199001011234"]}]]
    found = desensitize.scan(pa.table({"x": pa.array(rows, pa.list_(inner))}))
    assert found.rows == 1
    categories = pa.array(["((,])'" * 20, '"(']).dictionary_encode()
    assert desensitize.scan(pa.table({"x": categories})).rows == 2


@pytest.mark.parametrize("kind", ["csv", "parquet", "table"])
def test_columns_without_end_are_an_error_and_not_a_day_s_work(tmp_path: Path, kind: str) -> None:
    width, source = 100_000 if kind == "csv" else 6000, tmp_path / f"wide.{kind}"
    table = pa.table([pa.array(["x"])] * 6000, names=[f"c{n}" for n in range(6000)])
    if kind == "csv":
        line = ",".join(f"c{n}" for n in range(width))
        source.write_text(f"{line}\n{line}\n", "utf-8")
    elif kind == "parquet":
        pq.write_table(table, source)
    with pytest.raises(InputError, match=f"{width:,} columns") as raised:
        desensitize.scan(table if kind == "table" else source)
    assert raised.value.code == "source.wide"
