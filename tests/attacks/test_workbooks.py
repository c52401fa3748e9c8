"""Workbooks made by hand: what a program shows of them and what is read must be one thing."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import pytest

from catalog.interchange.form_files import read_form
from catalog.interchange.problems import Parsed
from desensitize.engines.scan_child import ScanTask, run
from desensitize.engines.workbook import read_workbook
from protos.faults import InputError

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
FORM = {
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
    "数据分级": "L1",
}


def text_cell(text: str) -> str:
    return f'<c t="inlineStr"><is><t>{text}</t></is></c>'


def sheet(*rows: list[str]) -> str:
    cells = "".join(f"<row>{''.join(row)}</row>" for row in rows)
    return f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData></worksheet>'


def form(**cells: str) -> str:
    """A sheet with the form of one record, in which cells may be any XML."""
    one = [cells.get(name, text_cell(text)) for name, text in FORM.items()]
    return sheet([text_cell(name) for name in FORM], one)


def workbook(path: Path, *sheets: str, hidden: int | None = None, index: str = "") -> Path:
    relations = "".join(
        f'<Relationship Id="r{n}" Target="{"/xl/" if n % 2 else ""}worksheets/s{n}.xml" '
        f'Type="{OFFICE}/worksheet"/>'
        for n in range(len(sheets))
    )
    listed = "".join(
        f'<sheet name="S{n}" sheetId="{n + 1}" r:id="r{n}"'
        f"{' state=' + chr(34) + 'veryHidden' + chr(34) if n == hidden else ''}/>"
        for n in range(len(sheets))
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r" Target="xl/workbook.xml" '
            f'Type="{OFFICE}/officeDocument"/></Relationships>',
        )
        file.writestr(
            "xl/workbook.xml",
            f'{index}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{listed}</sheets>'
            "</workbook>",
        )
        file.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{PACKAGE}">{relations}</Relationships>',
        )
        for n, each in enumerate(sheets):
            file.writestr(f"xl/worksheets/s{n}.xml", each)
    return path


def read(path: Path, sheet: str = "") -> Parsed:
    """The one record of a form, read in a process of its own as always."""
    [found] = read_form(path, "local", sheet)
    return found


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ('<c t="e"><f>VLOOKUP(A2,X:Y,2,0)</f><v>#N/A</v></c>', "#N/A"),
        ("<c t='e'><v>#REF!</v></c>", "#REF!"),
        ("<c><f>1+1</f></c>", "#CALC!"),
        ('<c r="K2"><f t="shared" si="0"/><v/></c>', "#CALC!"),
    ],
)
def test_a_grade_whose_formula_has_failed_is_not_the_ordinary_one(
    tmp_path: Path, cell: str, shown: str
) -> None:
    wrong = form(数据分级=cell)
    [problem] = read(workbook(tmp_path / "f.xlsx", form(), wrong), "S1").problems
    assert (problem.line, problem.column) == (2, "数据分级")
    assert shown in problem.said.en
    assert shown in problem.said.zh


def test_results_of_formulas_are_values(tmp_path: Path) -> None:
    cells = {"数据分级": '<c t="str"><f>"L"&amp;3</f><v>L1</v></c>',
             "信息资源名称": '<c t="str"><f>B2</f><v>甲</v></c>'}  # fmt: skip
    found = read(workbook(tmp_path / "f.xlsx", form(**cells)))
    assert found.record is not None
    assert (found.record.name, found.record.items[0].grade) == ("甲", 1)


def test_errors_without_end_are_one_error(tmp_path: Path) -> None:
    rows = [['<c t="e"><v>#N/A</v></c>'] * 5] * 2100
    path = workbook(tmp_path / "f.xlsx", sheet([text_cell("a")] * 5, *rows))
    with pytest.raises(InputError) as raised:
        read_workbook(path, path.name, "", errors=True)
    assert raised.value.code == "source.formulas"


def test_a_code_that_a_float_cannot_hold_is_not_taken_for_another(tmp_path: Path) -> None:
    """123456789012345678 would be 123456789012345680: somebody else's code."""
    path = workbook(tmp_path / "f.xlsx", form(信息资源代码="<c><v>123456789012345678</v></c>"))
    [problem] = read(path).problems
    assert (problem.line, problem.column) == (2, "信息资源代码")


def test_ids_stored_as_numbers_are_found_without_their_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [[f"<c><v>{440106199001010014 + 1000 * n}</v></c>", text_cell("x")] for n in range(40)]
    path = workbook(tmp_path / "f.xlsx", sheet([text_cell("甲"), text_cell("乙")], *ids))
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path / "scratch")
    column = run(ScanTask(str(path), "", 2 << 30, 1 << 40, 1 << 20, 2, True, 1000)).columns[0]
    assert (column.type, column.grade) == ("cn_resident_id", 4)
    assert "stored as rounded numbers: last digits lost" in [each.en for each in column.evidence]


def test_a_sheet_that_nobody_sees_is_not_the_one_that_is_read(tmp_path: Path) -> None:
    seen, other = form(), form(信息资源名称=text_cell("别的"))
    found = read(workbook(tmp_path / "f.xlsx", other, seen, hidden=0))
    assert found.record is not None
    assert found.record.name == "医疗机构基本信息"
    named = read(tmp_path / "f.xlsx", "S0").record
    assert named is not None
    assert named.name == "别的"


@pytest.mark.parametrize("second", ["xl/worksheets/s0.xml", "XL/worksheets/S0.xml"])
def test_a_sheet_that_is_there_twice_is_refused(tmp_path: Path, second: str) -> None:
    path = workbook(tmp_path / "f.xlsx", form())
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as file:
        warnings.simplefilter("ignore")
        file.writestr(second, form(信息资源名称=text_cell("别的")))
    with pytest.raises(InputError) as raised:
        read_workbook(path, path.name, "")
    assert raised.value.code == "source.workbook"
    assert "one name" in raised.value.said.en


ENTITIES = '<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True)
) + ' <!ENTITY x SYSTEM "file:///etc/hostname">]>'  # fmt: skip


@pytest.mark.parametrize("entity", ["&i;", "&x;"])
def test_entities_of_a_workbook_are_not_expanded(tmp_path: Path, entity: str) -> None:
    # A failed cell beside it, so that both readers of the sheet's XML are asked.
    wrong = form(信息资源名称=text_cell(entity), 数据分级='<c t="e"><v>#N/A</v></c>')
    path = workbook(tmp_path / "f.xlsx", ENTITIES + wrong)
    with pytest.raises(InputError) as raised:
        read_workbook(path, path.name, "", errors=True)
    assert raised.value.code == "source.workbook"


def test_entities_in_the_list_of_sheets_are_not_expanded(tmp_path: Path) -> None:
    wrong = form(数据分级='<c t="e"><v>#N/A</v></c>')
    path = workbook(tmp_path / "f.xlsx", wrong, index=ENTITIES.replace("w [", "workbook ["))
    assert read_workbook(path, path.name, "", errors=True)[1].num_rows == 1


def _remade(made: Path, path: Path, old: str, new: str) -> Path:
    """The same archive, in which names of files, and what leads to them, are spelt otherwise."""
    with zipfile.ZipFile(made) as book, zipfile.ZipFile(path, "w") as other:
        for name in book.namelist():
            spelt = zipfile.ZipInfo("x")
            spelt.filename = name.replace(old, new)
            other.writestr(spelt, book.read(name))
    return path


@pytest.mark.parametrize(
    ("old", "new"),
    [("xl/workbook.xml", "xl/Workbook.xml"), ("worksheets/s", "worksheets/S"), ("xl/", "XL/"),
     ("xl/worksheets/", "xl\\worksheets\\"), ("/", "\\"),
     ("workbook.xml.rels", "Workbook.xml.rels")],
)  # fmt: skip
def test_names_in_an_archive_spelt_otherwise_hide_no_formula_that_has_failed(
    tmp_path: Path, old: str, new: str
) -> None:
    made = workbook(tmp_path / "m.xlsx", form(数据分级='<c t="e"><f>X</f><v>#N/A</v></c>'))
    path = _remade(made, tmp_path / "f.xlsx", old, new)
    assert [each.column for each in read(path).problems] == ["数据分级"]


def test_files_of_an_archive_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "m.xlsx", form(), form())
    with zipfile.ZipFile(path, "a") as book:
        first, second = (book.getinfo(f"xl/worksheets/s{n}.xml") for n in (0, 1))
        second.header_offset = first.header_offset
        book.writestr("docProps/x.xml", "")  # so that the list is written anew
    with pytest.raises(InputError, match="over each other"):
        read_workbook(path, "m", "")


def test_an_archive_behind_another_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "m.xlsx", form())
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(InputError, match="behind something else"):
        read_workbook(path, "m", "")
