"""`desensitize.scan` over objects: what a column is, why, and what leaks in it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

import desensitize
from desensitize.engines.snapshot import LoadLimits
from desensitize.recognisers import RECOGNISERS, by_name
from desensitize.scanning.findings import Count, from_dict, masked
from protos.faults import InputError
from tests.chinese_tables import KINDS, Maker, widened

Run = Callable[..., subprocess.CompletedProcess[str]]
ROWS = 400


def table(**columns: list[object]) -> pa.Table:
    return pa.table({name: pa.array(values) for name, values in columns.items()})


@pytest.fixture(scope="module")
def people() -> pa.Table:
    make = Maker(5)
    return table(
        姓名=[make.person() for _ in range(ROWS)],
        身份证号=[make.resident_id() for _ in range(ROWS)],
        性别=["男", "女"] * (ROWS // 2),
        月收入=list(range(ROWS)),
        备注=[make.filler() for _ in range(ROWS - 1)] + ["家属电话１３８００１３８０００"],
        状态=["已办", "未办"] * (ROWS // 2),
    )


def test_types_roles_and_grades(people: pa.Table) -> None:
    report = desensitize.scan(people)
    assert report.rows == ROWS
    assert report.complete
    assert [(c.type, c.role, c.grade) for c in report.columns] == [
        ("cn_person", "direct", 3),
        ("cn_resident_id", "direct", 4),
        ("sex", "quasi", 2),
        ("income", "sensitive", 4),
        ("free_text", "direct", 3),
        ("", "other", 2),
    ]


def test_one_leak_in_free_text_is_found_and_counted(people: pa.Table) -> None:
    notes = desensitize.scan(people)["备注"]
    assert notes.counts == {"cn_mobile": Count(inside=1)}
    assert [text.en for text in notes.evidence] == ["mobile number in 1 cell"]


def test_the_same_from_every_kind_of_object(people: pa.Table) -> None:
    engine = duckdb.connect()
    engine.register("people", people)
    objects = [
        people,
        people.to_pandas(),
        people.to_batches()[0],
        people.to_reader(),
        engine.sql("SELECT * FROM people"),
    ]
    reports = [desensitize.scan(each) for each in objects]
    assert all(report.columns[:3] == reports[0].columns[:3] for report in reports)
    assert all(report.rows == ROWS for report in reports)
    assert engine.sql("SELECT 1").fetchall() == [(1,)], "the caller's connection still works"


def test_other_objects_are_refused() -> None:
    with pytest.raises(InputError, match="a dict cannot be scanned") as caught:
        desensitize.scan({"a": [1]})
    assert "DataFrame" in caught.value.remedy


@pytest.mark.parametrize("option", [{"sheet": "a"}, {"limits": LoadLimits()}])
def test_options_for_files_are_refused_for_objects(option: dict[str, object]) -> None:
    with pytest.raises(InputError, match="are for files"):
        desensitize.scan(pa.table({"a": [1]}), **option)


def test_a_pandas_column_of_mixed_objects() -> None:
    frame = pd.DataFrame({"a": [1, "13800138000", None, b"x", {"k": "v"}] * 3})
    assert desensitize.scan(frame).columns[0].counts["cn_mobile"].whole == 3


def test_no_columns() -> None:
    with pytest.raises(InputError, match="no columns"):
        desensitize.scan(pd.DataFrame())


def test_a_mixed_column_tells_all_its_types() -> None:
    make = Maker(6)
    values = [make.mobile() for _ in range(60)] + [make.landline() for _ in range(30)]
    values += [make.email() for _ in range(10)]
    column = desensitize.scan(table(联系方式=values)).columns[0]
    assert column.type == "cn_mobile"
    assert {name: count.whole for name, count in column.counts.items()} == {
        "cn_mobile": 60,
        "cn_landline": 30,
        "email": 10,
    }
    assert "landline number in 30 cells" in [text.en for text in column.evidence]


def test_several_finds_in_one_cell_are_all_counted() -> None:
    make = Maker(7)
    text = f"身份证{make.resident_id()},手机{make.mobile()},{make.mobile()},邮箱{make.email()}"
    column = desensitize.scan(table(说明=[text, "无"])).columns[0]
    assert set(column.counts) == {"cn_resident_id", "cn_mobile", "email"}
    assert all(count == Count(inside=1) for count in column.counts.values())
    assert (column.type, column.role, column.grade) == ("free_text", "direct", 4)


def test_full_width_ids_are_whole_values() -> None:
    make = Maker(8)
    column = desensitize.scan(table(x=[widened(make.resident_id()) for _ in range(50)])).columns[0]
    assert (column.type, column.counts["cn_resident_id"].whole) == ("cn_resident_id", 50)


def test_values_of_another_type_than_the_header_says() -> None:
    make = Maker(9)
    column = desensitize.scan(table(手机号=[make.resident_id() for _ in range(50)])).columns[0]
    assert column.type == "cn_resident_id"


def test_a_header_alone_is_not_believed() -> None:
    column = desensitize.scan(table(手机号=["红", "黄", "蓝"] * 20)).columns[0]
    assert (column.type, column.role) == ("", "other")


def test_ids_with_wrong_check_digits_are_still_ids_under_their_header() -> None:
    make = Maker(10)
    ids = [make.resident_id() for _ in range(50)]
    wrong = [i[:-1] + ("1" if i[-1] != "1" else "2") for i in ids]
    column = desensitize.scan(table(身份证号=wrong)).columns[0]
    assert (column.type, column.counts["cn_resident_id"]) == ("cn_resident_id", Count(invalid=50))
    assert "50 fail the check" in [text.en for text in column.evidence]


@pytest.mark.parametrize("header", ["身份证号", "x"])
def test_ids_stored_as_floats_are_known_and_the_loss_is_told(header: str) -> None:
    make = Maker(11)
    ids = [float(make.resident_id()[:17] + "0") for _ in range(50)]
    column = desensitize.scan(pa.table({header: ids})).columns[0]
    assert (column.type, column.grade, column.stored) == ("cn_resident_id", 4, "DOUBLE")
    assert any("last digits lost" in text.en for text in column.evidence)


def test_ids_as_a_spreadsheet_writes_them() -> None:
    column = desensitize.scan(table(证件号码=["4.40106E+17"] * 20)).columns[0]
    assert column.type == "cn_resident_id"
    assert any("last digits lost" in text.en for text in column.evidence)


def test_dates_without_separators_are_no_landline_numbers() -> None:
    """20230310 has the form of a local number; a column of such dates names nobody."""
    days = [f"202{n % 5}{n % 12 + 1:02}{n % 28 + 1:02}" for n in range(40)]
    dated, called = desensitize.scan(table(申请日期=days, 电话=["87654321"] * 40)).columns
    assert (dated.type, dated.role) == ("event_date", "quasi")
    assert (called.type, called.role) == ("cn_landline", "direct")


def test_a_type_that_its_header_does_not_name_best_is_told_as_a_leak() -> None:
    """The header speaks of income, a third of the cells are mobile numbers."""
    make = Maker(16)
    values = [make.mobile() for _ in range(30)] + ["8000"] * 60
    column = desensitize.scan(table(联系人月收入情况=values)).columns[0]
    assert (column.type, column.role, column.grade) == ("income", "direct", 4)
    assert "mobile number in 30 cells" in [text.en for text in column.evidence]


def test_numbers_stored_as_numbers() -> None:
    make = Maker(12)
    column = desensitize.scan(pa.table({"a": [int(make.mobile()) for _ in range(50)]})).columns[0]
    assert (column.type, column.stored) == ("cn_mobile", "BIGINT")


def test_nested_values_are_looked_into() -> None:
    rows = [{"who": {"tel": "13800138000"}, "l": ["a", "b"]}] * 5
    report = desensitize.scan(pa.Table.from_pylist(rows))
    assert report["who"].counts["cn_mobile"].inside == 5


def test_code_lists_that_look_like_names_are_none() -> None:
    report = desensitize.scan(table(a=["白色", "黄色", "高中"] * 50, b=["天河区", "黄埔区"] * 75))
    assert [column.type for column in report.columns] == ["", "division"]


@pytest.mark.parametrize("values", [[], [None, None], ["", ""]])
def test_a_column_without_values_is_what_its_header_says(values: list[object]) -> None:
    column = desensitize.scan(pa.table({"身份证号": pa.array(values, pa.string())})).columns[0]
    assert (column.type, column.values) == ("cn_resident_id", 0)
    assert [text.en for text in column.evidence] == ["header", "no values"]


def test_empty_and_repeated_headers_get_names_and_a_note() -> None:
    data = pa.table([["a"], ["b"], ["c"]], names=["x", "", "x"])
    report = desensitize.scan(data)
    assert [column.name for column in report.columns] == ["x #1", "column 2", "x #3"]
    assert len(report.notes) == 3


def test_a_sample_says_that_it_is_one() -> None:
    data = pa.table({"a": list(range(5_000))})
    sampled = desensitize.scan(data, full=False, sample_rows=500)
    assert (sampled.rows, sampled.complete) == (500, False)
    again = desensitize.scan(data, full=False, sample_rows=500)
    assert again.columns == sampled.columns
    assert desensitize.scan(data, full=False, sample_rows=10_000).complete


def test_a_leak_beyond_the_beginning_is_found() -> None:
    """The beginning only says which forms to expect; it is no sample to rely on."""
    make = Maker(14)
    values = ["正常"] * 20_000 + [make.resident_id()] + ["正常"] * 10_000
    column = desensitize.scan(pa.table({"a": values})).columns[0]
    assert column.counts == {"cn_resident_id": Count(whole=1)}
    assert (column.role, column.grade) == ("direct", 4)


def test_every_type_is_told_by_its_column() -> None:
    make = Maker(15)
    data = pa.table({k.headers[0]: [k.make(make) for _ in range(100)] for k in KINDS})
    report = desensitize.scan(data)
    assert [column.type for column in report.columns] == [kind.name for kind in KINDS]
    assert {kind.name for kind in KINDS} == {recogniser.name for recogniser in RECOGNISERS}
    for column in report.columns:
        assert (column.role, column.grade) >= (by_name()[column.type].role, 0)


def test_the_report_survives_json(people: pa.Table) -> None:
    report = desensitize.scan(people)
    assert from_dict(json.loads(json.dumps(report.to_dict()))) == report
    with pytest.raises(KeyError):
        _ = report["nonsense"]


def test_examples_are_masked(people: pa.Table) -> None:
    report = desensitize.scan(people)
    values = {str(value) for row in people.to_pylist() for value in row.values()}
    for column in report.columns:
        for example in column.examples:
            assert "*" in example
            assert example not in values


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("440106199003071238", "440***************"),
        ("张三", "张*"),
        ("张", "*"),
        ("a@b.cn", "a@*.**"),
        ("x\ny", "x *"),
        ("1" * 60, "111" + "*" * 37 + "…"),
    ],
)
def test_masked(value: str, shown: str) -> None:
    assert masked(value) == shown


def test_importing_the_package_imports_no_library(run: Run) -> None:
    code = (
        "import sys, desensitize; print(sorted({'duckdb', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    assert run(sys.executable, "-c", code).stdout == "[]\n"
    assert "scan" in dir(desensitize)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = desensitize.nonsense
