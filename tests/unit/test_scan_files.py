"""Files as departments have them, and as they should not be."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

import desensitize
from desensitize.engines.scan_child import ScanTask, run
from desensitize.engines.snapshot import LoadLimits
from desensitize.engines.workbook import read_workbook
from desensitize.scanning.findings import ScanReport
from protos.faults import InputError, UnavailableError
from tests.chinese_tables import Maker

Run = Callable[..., subprocess.CompletedProcess[str]]
VEIL = Path(sys.executable).with_name("veil")
MIB = 1 << 20
ID = "11010519491231002X"


@pytest.fixture
def scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ScanReport]:
    """Scans a file as the child does, but in this process, which is quicker."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path / "scratch")

    def scan(content: bytes | str | Path, name: str = "t.csv", sheet: str = "") -> ScanReport:
        path = content if isinstance(content, Path) else tmp_path / name
        if not isinstance(content, Path):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return run(ScanTask(str(path), sheet, 2048 * MIB, 1 << 40, 1 << 20, 2, True, 1000))

    return scan


Scan = Callable[..., ScanReport]


@pytest.mark.parametrize(
    "content",
    [
        f"姓名,证件号码\n张三,{ID}\n",
        f"\ufeff姓名,证件号码\r\n张三,{ID}\r\n",
        f"姓名;证件号码\n张三;{ID}\n",
        f"姓名\t证件号码\n张三\t{ID}",
        f'"姓名","证件号码"\n"张三","{ID}"\n',
        f"姓名,证件号码\n张三,{ID}\n".encode("gb18030"),
        f'"姓名\n(必填)"," 证件\n号码 "\n张三,{ID}\n',
    ],
    ids=["plain", "bom and crlf", "semicolons", "tabs", "quotes", "gb18030", "headers over lines"],
)
def test_csv(scanned: Scan, content: str | bytes) -> None:
    report = scanned(content)
    assert [column.type for column in report.columns] == ["cn_person", "cn_resident_id"]
    assert (report.rows, report.complete, report.source) == (1, True, "t.csv")


@pytest.mark.parametrize(
    ("content", "message", "code"),
    [
        ("a,b\n1,2\n3\n4,5\n", "line 3: 1 fields instead of 2", "source.broken_row"),
        ('a,b\n1,"x\n2,3\n', "line 2: the quotes do not match", "source.broken_row"),
        ("姓名,b\n".encode() + "李四,2\n".encode("gb18030") + b"\xff\xff\n",
         "line 2: the text is neither UTF-8 nor GB18030", "source.encoding"),
        ("姓名,b\n李四,2\n".encode("gb18030") + "王小五,3\n".encode(),
         "line 3: the text is neither UTF-8 nor GB18030", "source.encoding"),
        ('a,b\n1,"x"y\n2,3\n', "line 2: .* must come a delimiter", "source.broken_row"),
        ('a,b\n1,2\n3,"' + ("x" * 999_000 + "\n") * 18, "line 3: a field of more than 16 MB",
         "source.broken_row"),
        ('a,b\r\n1,"2\n3"\r\n1,2\n3,4\r\n', "line 4: it does not end as the first line does",
         "source.broken_row"),
        (b"PK\x03\x04....", "is a ZIP archive or a workbook, not CSV", "source.kind"),
        (b"\x1f\x8b\x08....", "is a gzip archive, not CSV", "source.kind"),
        (b"%PDF-1.4\n", "is a PDF, not CSV", "source.kind"),
        (b"ARROW1\0\0....", "is an Arrow .Feather. file, not CSV", "source.kind"),
        (b"\xff\xff\xff\xff....", "is an Arrow stream, not CSV", "source.kind"),
        (b"SQLite format 3\0", "is an SQLite database, not CSV", "source.kind"),
        ('\ufeff\n{"a": 1, "b": 2}\n', "is JSON, not CSV", "source.kind"),
        ("<!DOCTYPE HTML>\n<html>", "is a web page .HTML., not CSV", "source.kind"),
        ("姓名,b\n".encode("utf-16"), "is text in UTF-16, not CSV", "source.kind"),
        ("", "no header line", "source.header"),
        ("a,b\n1," + "x" * 3_000_000, "line 2: longer than 2 MB", "source.long_line"),
        ('a,b\n1,"' + "x\n" * 1_500_000 + '"\n', "record of more than 2 MB", "source.long_line"),
    ],
    ids=["fields", "quotes", "mixed encodings", "mixed from GB18030",
         "quote within", "many lines", "line ends", "ZIP", "gzip", "PDF", "Arrow",
         "Arrow stream", "SQLite", "JSON", "HTML", "UTF-16", "empty", "huge cell",
         "huge cell over lines"],
)  # fmt: skip
def test_broken_csv_is_refused_and_says_where(
    scanned: Scan, content: str | bytes, message: str, code: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        scanned(content)
    assert caught.value.code == code
    assert caught.value.remedy


def test_a_last_line_larger_than_the_reader_s_buffer_is_not_lost(scanned: Scan) -> None:
    """DuckDB 2.0.0 reads such a file without an error and without its last row."""
    with pytest.raises(InputError, match="longer than 2 MB"):
        scanned("a,b\n1,2\n3," + ID + "x" * 40_000_000)


def test_headers_that_are_empty_or_there_twice(scanned: Scan) -> None:
    report = scanned(f"电话,电话,,a\n13800138000,13800138000,{ID},1\n")
    assert [column.name for column in report.columns] == ["电话 #1", "电话 #2", "column 3", "a"]
    assert [column.type for column in report.columns][:3] == ["cn_mobile"] * 2 + ["cn_resident_id"]
    assert len(report.notes) == 3


def test_no_rows_one_row_and_only_nulls(scanned: Scan) -> None:
    assert scanned("姓名,电话\n").rows == 0
    assert scanned("姓名,电话\n张三,13800138000\n").rows == 1
    nothing = scanned("a,b\n,\n,\n")
    assert (nothing.rows, nothing.columns[0].values) == (2, 0)


def test_dates_of_many_forms(scanned: Scan) -> None:
    dates = ["1990-01-02", "1990/1/2", "1990年1月2日", "19900102", "1990.01", "1990-13-45"]
    column = scanned("出生日期\n" + "\n".join(dates)).columns[0]
    assert (column.type, column.counts["birth_date"].whole) == ("birth_date", 5)
    assert column.counts["birth_date"].invalid == 1


@pytest.mark.parametrize("width", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_very_many_columns(scanned: Scan, width: int) -> None:
    """More than one pass takes; each column has patterns of its own in the engine."""
    header = ",".join(f"c{i}" for i in range(width))
    row = ",".join(["13800138000"] * (width - 1) + [ID])
    report = scanned(f"{header}\n{row}\n{row}\n")
    assert report.columns[-1].type == "cn_resident_id"
    assert {column.type for column in report.columns[:-1]} == {"cn_mobile"}


def test_parquet(scanned: Scan, tmp_path: Path) -> None:
    path = tmp_path / "[a]*.parquet"  # no wildcard
    make = Maker(1)
    ids = [make.resident_id() for _ in range(50)]
    born = [dt.date(1990, 1, 2)] * 50
    pq.write_table(pa.table({"x": ids, "出生日期": born}), path)
    (tmp_path / "[a]b.parquet").write_bytes(b"")
    report = scanned(path)
    assert [column.type for column in report.columns] == ["cn_resident_id", "birth_date"]


@pytest.mark.parametrize("name", ["t.parquet", "t.xlsx", "t.xls", "t.ods"])
def test_a_file_that_is_not_what_its_name_says(scanned: Scan, name: str) -> None:
    with pytest.raises(InputError, match="is not a readable"):
        scanned("hello", name)


def test_a_damaged_parquet_file(scanned: Scan, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": [str(i) for i in range(50_000)]}), path, compression="zstd")
    whole = bytearray(path.read_bytes())
    whole[1000:3000] = bytes(2000)
    path.write_bytes(whole)
    with pytest.raises(InputError, match="damaged"):
        scanned(path)


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    book = openpyxl.Workbook()
    first = book.active
    assert first is not None
    first.title = "人员"
    first.append(["姓名", "身份证号", "手机", "生日", "公式"])
    for _ in range(20):
        first.append(["张三", float("110105194912310020"), 13800138000, dt.date(1990, 1, 2),
                      "=1+1"])  # fmt: skip
    second = book.create_sheet("其他")
    second.append(["备注"])
    second.append([f"证件{ID}"])
    path = tmp_path / "表.xlsx"
    book.save(path)
    return path


def test_a_workbook(scanned: Scan, workbook: Path) -> None:
    report = scanned(workbook)
    types = [column.type for column in report.columns]
    assert types[:4] == ["cn_person", "cn_resident_id", "cn_mobile", "birth_date"]
    assert report.columns[4].values == 0, "a formula that was never computed has no value"
    assert "其他" in report.notes[0].en
    assert "one whose result it does not keep reads as empty" in report.notes[1].en


def test_a_workbook_that_counts_days_from_1904(scanned: Scan, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    sheet = book.active
    assert sheet is not None
    sheet.append(["就诊日期"])
    sheet.append([dt.date(2024, 3, 7)])
    book.save(tmp_path / "mac.xlsx")
    assert zipfile.ZipFile(tmp_path / "mac.xlsx").read("xl/workbook.xml").count(b"date1904")
    _, table, [note] = read_workbook(tmp_path / "mac.xlsx", "mac.xlsx", "")
    assert table.column(0).to_pylist() == ["2024-03-07"]
    assert "from 1904" in note.en
    assert note in scanned(tmp_path / "mac.xlsx").notes


def test_a_table_without_a_line_of_names_is_said_to_be_one(scanned: Scan) -> None:
    report = scanned("张伟,13800138000,8000\n李娜,13900139000,9000\n")
    [note] = report.notes
    assert "3 of 3 names of columns look like values (张*)" in note.en
    assert "张伟" not in note.en + note.zh
    assert scanned("姓名,2019,2020,备注,电话\n张伟,1,2,无,110\n").notes == ()


def test_a_sheet_of_a_workbook(scanned: Scan, workbook: Path) -> None:
    report = scanned(workbook, sheet="其他")
    assert report["备注"].counts["cn_resident_id"].inside == 1
    assert report.notes == ()
    with pytest.raises(InputError, match="no sheet 'x'") as caught:
        scanned(workbook, sheet="x")
    assert "人员, 其他" in caught.value.remedy
    with pytest.raises(InputError, match="no sheets"):
        scanned("a\n1\n", sheet="x")


def test_a_file_through_its_own_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Maker(2)
    path = tmp_path / "t.csv"
    rows = "".join(f"{make.person()},{make.resident_id()}\n" for _ in range(1000))
    path.write_bytes(f"姓名,证件\n{rows}".encode("gb18030"))
    (temporary := tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    told: list[tuple[int, int | None]] = []
    report = desensitize.scan(str(path), progress=lambda *row: told.append(row))
    assert [column.type for column in report.columns] == ["cn_person", "cn_resident_id"]
    assert list(temporary.iterdir()) == [], "no copy stays behind"


def test_a_delimiter_that_nobody_knows_is_told(scanned: Scan) -> None:
    (note,) = scanned("姓名#b\n李四#2\n").notes
    assert "only one column was found" in note.en


def test_faults_of_the_process_arrive(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with pytest.raises(InputError, match="is no file"):
        desensitize.scan(path)
    path.write_text("a,b\n1\n")
    with pytest.raises(InputError, match="line 2: 1 fields instead of 2"):
        desensitize.scan(path)
    with pytest.raises(UnavailableError, match="the scanner ended before t"):
        desensitize.scan(path, limits=LoadLimits(deadline_s=0.01))


def test_the_command(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "people.csv"
    path.write_text(f"姓名,证件号码,\x1b[31mx\n张三,{ID},1\n", "utf-8")
    out = tmp_path / "report.json"
    said = run(VEIL, "desensitize", "scan", path, "--json", out)
    assert said.returncode == 0, said.stderr
    assert "direct identifier" in said.stdout
    assert "L4" in said.stdout
    assert ID not in said.stdout + said.stderr
    assert "张三" not in said.stdout
    assert "\x1b" not in said.stdout, "a header must not move the cursor"
    report = json.loads(out.read_text("utf-8"))
    assert report["complete"]
    assert [column["type"] for column in report["columns"]] == ["cn_person", "cn_resident_id", ""]
    assert ID not in out.read_text("utf-8")


def test_the_command_refuses_before_it_reads(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")
    said = run(VEIL, "desensitize", "scan", path, "--json", tmp_path / "no" / "out.json")
    assert said.returncode == 1
    assert "cannot be written" in said.stderr
