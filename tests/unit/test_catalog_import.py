"""Files into the registry: what is read, what is refused, and where the fault is."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from catalog.interchange.exporting import export_file
from catalog.interchange.form import HEADERS
from catalog.interchange.importing import import_file
from catalog.registry import vocabulary
from catalog.registry.record import Record
from catalog.registry.registry import Registry, create, opened
from catalog.registry.vocabulary import Vocabulary
from catalog.search.find import Search
from catalog.search.query import Query
from protos.faults import InputError
from tests.catalog_world import HEALTH, POLICE, citizen_item, record

CELLS = {
    "信息资源名称": "医疗机构基本信息",
    "信息资源代码": "A/1",
    "信息资源提供方": "广州市卫生健康委员会",
    "信息资源提供方代码": "11440100MB2C000012",
    "信息资源格式分类": "数据库",
    "信息项名称": "机构名称",
    "数据类型": "字符型",
    "共享类型": "无条件共享",
    "开放类型": "无条件开放",
    "更新周期": "每月",
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog without records, to be copied: making one costs a quarter of a second."""
    directory = tmp_path_factory.mktemp("empty") / "catalog"
    create(directory)
    return directory


@pytest.fixture
def registry(empty: Path, tmp_path: Path) -> Iterator[Registry]:
    directory = tmp_path / "catalog"
    directory.mkdir()
    for file in empty.iterdir():
        (directory / file.name).write_bytes(file.read_bytes())
        (directory / file.name).chmod(0o600)
    with opened(directory) as registry:
        yield registry


def form(path: Path, *rows: dict[str, str], encoding: str = "utf-8") -> Path:
    headers = list(dict.fromkeys([*CELLS, *(name for row in rows for name in row)]))
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, headers, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


# ---- what is read -----------------------------------------------------------------------------


def test_a_form_as_departments_have_it(registry: Registry, tmp_path: Path) -> None:
    path = form(
        tmp_path / "目录.csv",
        CELLS | {"共享类型": " 有条件共享 ", "共享条件": "履职需要", "发布日期": "2024年3月5日",
                 "主题分类": "医疗卫生、社保就业",
                 "关联资源代码": "B/1；加工自：C/1@shenzhen"},
        {"信息项名称": "床位数", "数据类型": "数值型N", "数据分级": "L2级",
         "允许用途": "汇总、分组"},
        {"信息资源代码": "A/1", "信息项名称": "备注", "数据类型": "备注型"},
        CELLS | {"信息资源代码": "A/2", "信息资源名称": "接口", "信息资源格式分类": "服务接口"},
        encoding="gb18030",
    )  # fmt: skip
    report = import_file(registry, path, source="guangzhou")
    assert (report.new, report.bad) == (2, 0)
    first = registry.entry("guangzhou", "A/1").record
    assert [i.name for i in first.items] == ["机构名称", "床位数", "备注"]
    assert first.items[1].uses == {"aggregate", "group"}
    assert str(first.published) == "2024-03-05"
    assert first.themes == ("health", "social-security")
    assert [(r.kind, r.source, r.identifier) for r in first.relations] == [
        ("related", "guangzhou", "B/1"), ("derived", "shenzhen", "C/1"),
    ]  # fmt: skip
    assert first.provider.place == first.place == "440100"  # of the credit code
    assert registry.entry("guangzhou", "A/2").record.kind == "service"


def test_a_workbook_with_merged_cells(registry: Registry, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append([f"{name}（必填）" for name in CELLS])
    sheet.append(list(CELLS.values()))
    sheet.append(["" if name not in {"信息项名称", "数据类型"} else "床位数" if name == "信息项名称"
                  else "整型" for name in CELLS])  # fmt: skip
    book.save(tmp_path / "form.xlsx")
    assert import_file(registry, tmp_path / "form.xlsx").new == 1
    assert len(registry.entry("local", "A/1").record.items) == 2


def test_the_same_file_again_touches_nothing(registry: Registry, tmp_path: Path) -> None:
    path = form(tmp_path / "f.csv", CELLS, CELLS | {"信息资源代码": "A/2"})
    import_file(registry, path)
    again = import_file(registry, path)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 2)
    form(path, CELLS, CELLS | {"信息资源代码": "A/2", "信息资源摘要": "新"})
    third = import_file(registry, path)
    assert (third.new, third.changed, third.unchanged) == (0, 1, 1)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonld", ".ttl", ".xlsx"])
def test_what_is_exported_is_imported(registry: Registry, tmp_path: Path, suffix: str) -> None:
    wanted = [record("A/1", source="x"), record("B/1", "乙", source="x", provider=POLICE)]
    path = tmp_path / f"all{suffix}"
    assert export_file(wanted, path) == 2
    assert import_file(registry, path).new == 2
    assert list(registry.records()) == wanted


def test_a_package_of_any_ckan(registry: Registry, tmp_path: Path) -> None:
    package = {
        "id": "8a5", "name": "bus-stops", "title": "Bus stops", "notes": "All of them",
        "organization": {"name": "transport", "title": "Transport Authority"},
        "groups": [{"name": "transport"}], "tags": [{"name": "bus"}],
        "metadata_modified": "2024-05-06T07:08:09.000",
        "resources": [{"name": "stops.csv", "format": "CSV",
                       "schema": {"fields": [{"name": "lat", "type": "number"}]}}],
    }  # fmt: skip
    path = tmp_path / "ckan.json"
    path.write_text(json.dumps({"success": True, "result": {"count": 1, "results": [package]}}))
    assert import_file(registry, path, source="city").bad == 0
    found = registry.entry("city", "bus-stops").record
    assert (found.format, found.themes, found.scenarios) == (
        "spreadsheet",
        ("transport",),
        ("bus",),
    )
    assert [(i.name, i.type) for i in found.items] == [("lat", "decimal")]


def test_dcat_of_another_portal(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "feed.ttl"
    path.write_text(
        """
        @prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
        @prefix foaf: <http://xmlns.com/foaf/0.1/> .
        <https://example.org/d/17> a dcat:Dataset ; dct:title "Trees"@en, "树木"@zh ;
          dct:description "Every tree" ; dcat:keyword "green" ;
          dct:publisher [ dct:identifier "parks" ; foaf:name "Parks" ] ;
          dcat:distribution [ dct:title "trees.csv" ; dct:format
            <http://publications.europa.eu/resource/authority/file-type/CSV> ] .
        """
    )
    assert import_file(registry, path, source="city").bad == 0
    found = registry.entry("city", "17").record
    assert (found.name, found.name_en, found.format) == ("树木", "Trees", "spreadsheet")
    assert found.opening.attribute == "unconditional"


def test_no_spelling_stands_for_two_terms() -> None:
    lists = [each for each in vars(vocabulary).values() if isinstance(each, Vocabulary)]
    assert vocabulary.TYPES in lists
    for each in lists:
        for code, title in each.terms.items():
            assert [each.read(text) for text in (code, title.en, title.zh)] == [code] * 3
        assert {text: each.read(text) for text in each.spellings} == each.spellings


# ---- what is refused --------------------------------------------------------------------------

BAD = [
    ({"数据类型": "字父型"}, "数据类型", "'字父型' is no data type", "字符型C"),
    ({"共享类型": ""}, "共享类型", "is missing", "fill it in"),
    ({"共享类型": "有条件共享"}, "共享条件", "names no condition", "say on what condition"),
    ({"开放类型": "不予开放"}, "开放条件", "no legal ground", "name the law"),
    ({"数据分级": "L5"}, "数据分级", "is no grade", "L1, L2, L3 or L4"),
    ({"数据分级": "L3"}, "数据分级", "open to all", "desensitized copy"),
    ({"发布日期": "2024-02-30"}, "发布日期", "is no date", "2025-01-31"),
    ({"数据长度": "长"}, "数据长度", "is no whole number", "digits only"),
    ({"行政区划代码": "999999"}, "行政区划代码", "is no division", "GB/T 2260"),
    ({"信息资源代码": "../../etc/passwd"}, "信息资源代码", "no code", "letters, digits"),
    ({"信息资源类": "", "信息资源名称": ""}, "信息资源名称", "is missing", "fill it in"),
    ({"信息资源摘要": "x" * 4001}, "信息资源摘要", "longer than 4,000", "shorten"),
    ({"信息资源摘要": "a\u202eb"}, "信息资源摘要", "invisible character", "type it anew"),
    ({"数源部门代码": "11440100000000009X"}, "数源部门代码", "not of what", "自然人"),
    ({"信息资源分类-类": "基础信息资源"}, "信息资源分类-项", "five bases", "人口"),
    ({"主题分类": "医疗卫生；养生"}, "主题分类", "'养生' is no theme", "write"),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "column", "said", "remedy"), BAD, ids=[b[1] + b[2] for b in BAD])
def test_a_bad_row_is_told_with_line_column_reason_and_remedy(
    registry: Registry, tmp_path: Path, cells: dict[str, str], column: str, said: str, remedy: str
) -> None:
    good = CELLS | {"信息资源代码": "A/0"}
    report = import_file(registry, form(tmp_path / "f.csv", good, CELLS | cells))
    [problem] = report.problems
    assert (problem.line, problem.column) == (3, column)
    assert said in problem.said.en
    assert remedy in problem.remedy.en
    assert problem.said.zh != problem.said.en
    assert not report.written
    assert registry.count() == 0


def test_what_cannot_be_read_hides_no_broken_rule(registry: Registry, tmp_path: Path) -> None:
    path = form(
        tmp_path / "a.csv",
        CELLS | {"更新周期": "每个月", "数据分级": "L9"},
        {"信息项名称": "床位数", "数据类型": "整型", "数据分级": "一般"},
    )
    told = [(each.line, each.column) for each in import_file(registry, path).problems]
    assert told == [(2, "更新周期"), (2, "数据分级"), (3, "数据分级")]


@pytest.mark.parametrize("suffix", ["", ".csv", ".json", ".ttl"])
def test_a_folder_and_a_file_that_is_not_there(
    registry: Registry, tmp_path: Path, suffix: str
) -> None:
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    for path, code in ((folder, "folder"), (tmp_path / f"no{suffix}", "not_found")):
        with pytest.raises(InputError) as raised:
            import_file(registry, path)
        assert raised.value.code == f"import.{code}"
        assert raised.value.advice.zh


def test_every_problem_is_told_at_once(registry: Registry, tmp_path: Path) -> None:
    path = form(
        tmp_path / "f.csv",
        CELLS | {"数据类型": "?", "更新周期": "有空"},
        {"信息项名称": "二", "数据类型": "!"},
        {"信息资源代码": "A/1", "信息资源名称": "别名", "信息项名称": "三", "数据类型": "整型"},
        CELLS | {"信息资源代码": "A/2"},
        CELLS | {"信息资源代码": "A/3"},
        CELLS | {"信息资源代码": "A/4", "信息资源提供方": "广州市卫生局"},
    )
    report = import_file(registry, path)
    assert [(p.line, p.column) for p in report.problems] == [
        (2, "数据类型"), (2, "更新周期"), (3, "数据类型"), (4, "信息资源名称"),
        (7, "信息资源提供方"),
    ]  # fmt: skip
    assert report.bad == 2


def test_a_code_that_comes_back_later_is_a_repeat(registry: Registry, tmp_path: Path) -> None:
    path = form(tmp_path / "f.csv", CELLS, CELLS | {"信息资源代码": "A/2"}, CELLS)
    [problem] = import_file(registry, path).problems
    assert (problem.line, problem.column) == (4, "信息资源代码")
    assert "stands at 2" in problem.said.en


def test_broken_quotes_are_told_and_nothing_is_registered(
    registry: Registry, tmp_path: Path
) -> None:
    path = form(tmp_path / "f.csv", CELLS, CELLS | {"信息资源代码": "A/2"})
    path.write_text(path.read_text("utf-8") + '"never closed', "utf-8")
    report = import_file(registry, path)
    assert [p.line for p in report.problems] == [4]
    assert registry.count() == 0


def test_a_trial_tells_all_and_keeps_nothing(registry: Registry, tmp_path: Path) -> None:
    path = form(tmp_path / "f.csv", CELLS, CELLS | {"信息资源代码": "A/2"})
    report = import_file(registry, path, dry_run=True)
    assert (report.new, report.written) == (2, False)
    assert (registry.count(), registry.providers()) == (0, [])


def test_the_bad_ones_go_to_a_file_if_that_is_asked(registry: Registry, tmp_path: Path) -> None:
    registry.register([record("W/1")])
    registry.withdraw("local", "W/1", reason="x", who="y")
    path = form(
        tmp_path / "f.csv",
        CELLS,
        CELLS | {"信息资源代码": "A/2", "数据类型": "=1+1"},
        CELLS | {"信息资源代码": "W/1"},
        CELLS | {"信息资源代码": "A/3", "信息资源提供方": "广州市卫生局"},
    )
    bad = tmp_path / "bad.csv"
    report = import_file(registry, path, bad_file=bad)
    assert (report.new, report.bad, report.written) == (1, 3, True)
    rows = list(csv.DictReader(io.StringIO(bad.read_text("utf-8-sig"))))
    assert [row["信息资源代码"] for row in rows] == ["A/2", "W/1", "A/3"]
    assert rows[0]["数据类型"] == "'=1+1"  # as harmless as what we export
    assert "数据类型" in rows[0]["问题"]
    assert "撤回" in rows[1]["问题"]
    assert rows[2]["建议"]
    # Mended, it can be given again: the columns that tell what was wrong are no columns of a form.
    assert import_file(registry, bad).bad == 3


def test_the_file_that_is_read_is_never_written_over(registry: Registry, tmp_path: Path) -> None:
    path = form(tmp_path / "bad.csv", {"数据类型": "浮点"})
    before = path.read_bytes()
    with pytest.raises(InputError) as refused:
        import_file(registry, path, bad_file=path)
    assert refused.value.code == "import.bad_file"
    assert path.read_bytes() == before


def test_packages_that_are_wrong_are_told_by_number(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    extras = [{"key": "veil:items", "value": "{"}]
    path.write_text(json.dumps(["x", {"title": "t", "extras": extras}, {"title": 7}]))
    report = import_file(registry, path, bad_file=tmp_path / "bad")
    assert {p.line for p in report.problems} == {1, 2, 3}
    assert len((tmp_path / "bad").read_text("utf-8-sig").splitlines()) == 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("f.pdf", b"%PDF", "cannot be told"),
        ("f.csv", b"a,b\n1,2\n", "has no column"),
        ("f.csv", b"", "header"),
        ("f.csv", b"\xff\xfe\x00", "is text in UTF-16"),
        ("f.xlsx", b"PK\x03\x04rubbish", "not a readable workbook"),
        ("f.json", b"{", "is no JSON"),
        ("f.json", b'{"a": 1}', "no CKAN packages"),
        ("f.json", b"[" * 100_000, "is no JSON"),
        ("f.ttl", b"@prefix", "no DCAT"),
        ("f.jsonld", b"[1, 2", "no DCAT"),
        ("missing.csv", None, "is no file"),
        ("missing.ttl", None, "is no file"),
    ],
)
def test_files_that_are_none(
    registry: Registry, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        import_file(registry, path)
    assert caught.value.said.zh != caught.value.said.en


def test_a_kill_in_the_middle_leaves_nothing_half(empty: Path, tmp_path: Path) -> None:
    directory = tmp_path / "catalog"
    directory.mkdir()
    for file in empty.iterdir():
        (directory / file.name).write_bytes(file.read_bytes())
        (directory / file.name).chmod(0o600)
    path = form(tmp_path / "f.csv", *(CELLS | {"信息资源代码": f"A/{i}"} for i in range(150)))
    program = f"""
import os, signal
from pathlib import Path
from catalog.interchange.importing import import_file
from catalog.registry import writing
from catalog.registry.registry import opened
writing._BATCH = 100
def told(done, total):
    if total == 150 and done == 100:  # the first hundred is written, not committed
        os.kill(os.getpid(), signal.SIGKILL)
with opened(Path({str(directory)!r})) as registry:
    import_file(registry, Path({str(path)!r}), progress=told)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=Path.cwd())
    assert done.returncode == -signal.SIGKILL
    with opened(directory) as registry:
        assert (registry.count(), registry.providers()) == (0, [])
        assert Search(registry.database).find(Query("医疗")).total == 0
        assert import_file(registry, path).new == 150


# ---- what is written --------------------------------------------------------------------------


def test_an_export_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"

    def breaks() -> Iterator[Record]:
        yield record()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        export_file(breaks(), path)
    assert list(tmp_path.iterdir()) == []
    export_file([record()], path)
    with pytest.raises(InputError, match="there already"):
        export_file([record()], path)
    assert export_file([], path, replace=True) == 0
    with pytest.raises(InputError, match="none of"):
        export_file([], tmp_path / "all.exe")


def test_no_cell_of_an_export_is_a_formula(tmp_path: Path) -> None:
    evil = record(
        name="=HYPERLINK(1)",
        abstract="@SUM(1)",
        items=(replace(citizen_item(), name="+1", subject="-x", grade=1),),
        provider=replace(HEALTH, name="＝1"),
    )
    for suffix in (".csv", ".xlsx"):
        export_file([evil], tmp_path / f"x{suffix}")
    rows = list(csv.reader(io.StringIO((tmp_path / "x.csv").read_text("utf-8-sig"))))
    book = openpyxl.load_workbook(tmp_path / "x.xlsx")
    sheet = book.active
    cells = [cell for row in rows for cell in row]
    cells += [str(c.value) for row in sheet.iter_rows() for c in row if c.value is not None]
    assert not [cell for cell in cells if cell[:1] in set("=+-@＝\t\r")]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    assert "'=HYPERLINK(1)" in cells
    assert HEADERS["name"] in rows[0]
