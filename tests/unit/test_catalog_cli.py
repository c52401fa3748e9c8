"""``veil catalog``, called as a person would: what it prints, in both languages."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

import desensitize
from catalog.cli import app
from catalog.province.build import province
from catalog.publishing.listing import publications
from catalog.registry.registry import opened
from catalog.registry.tables import SignOffRow
from protos.faults import InputError, MissingError, VeilError
from tests.catalog_world import CLOSED, HEALTH, POLICE, citizen_item, record

Say = Callable[..., str]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cli") / "c"
    CliRunner().invoke(app, ["init", "--dir", str(directory)])
    with opened(directory) as registry:
        registry.register(
            [
                record("P/1", "常住人口", provider=POLICE, items=(citizen_item(),), opening=CLOSED),
                record("H/1", "签约居民", items=(citizen_item(),), opening=CLOSED),
                record(),
            ]
        )
    return directory


@pytest.fixture
def say(catalog: Path) -> Say:
    def invoke(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, [*words, "--dir", str(catalog)])
        if isinstance(result.exception, VeilError):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    return invoke


def test_a_search_as_people_see_it(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    said = say("search", "医疗机构", "--place", "广州", "--open", "open to all")
    assert "医疗机构基本信息  A/1" in said
    assert "广州市卫生健康委员会 · L1 · open to all · monthly · 2025-06-01" in said
    assert "1 dataset, 1 shown." in said
    assert "scenario: 看病就医一件事 1" in said
    monkeypatch.setenv("VEIL_LANG", "zh")
    said = say("search", "医疗机构", "--open", "无条件开放")
    assert "共 1 个数据资源，显示 1 个。" in said
    assert "部门：广州市卫生健康委员会 1" in said


def test_a_search_as_programs_see_it(say: Say) -> None:
    first = json.loads(say("search", "--json", "--sort", "name", "--limit", "2"))
    assert first["total"] == 3
    assert first["facets"]["department"] == {HEALTH.code: 2, POLICE.code: 1}
    more = ("--cursor", first["cursor"])
    second = json.loads(say("search", "--json", "--sort", "name", "--limit", "2", *more))
    names = [hit["name"] for hit in first["hits"] + second["hits"]]
    assert names == ["常住人口", "签约居民", "医疗机构基本信息"]  # changzhu, qianyue, yiliao


def test_departments_by_a_part_of_their_name(say: Say) -> None:
    assert "常住人口" in say("search", "--department", "公安")
    with pytest.raises(InputError, match="no department is called"):
        say("search", "--department", "海关")


def test_saved_searches(say: Say) -> None:
    say("search", "医疗", "--theme", "health", "--save", "mine")
    assert "mine" in say("searches")
    assert json.loads(say("search", "--saved", "mine", "--json"))["total"] == 3
    with pytest.raises(InputError, match="its own words"):
        say("search", "more", "--saved", "mine")
    say("searches", "--forget", "mine")
    assert json.loads(say("searches", "--json")) == {}


def test_one_dataset(say: Say) -> None:
    said = say("show", "A/1")
    assert "Provider: 广州市卫生健康委员会" in said
    assert "Version 1" in said
    assert "Quality of the record:" in said
    body = json.loads(say("show", "H/1", "--json"))
    assert body["sources"] == {"户籍地址": ""}
    assert "disputed" in say("show", "H/1")
    with pytest.raises(InputError, match="no dataset 'nope'"):
        say("show", "nope")


def test_a_version_tells_what_was_and_what_is(say: Say, catalog: Path) -> None:
    with opened(catalog) as registry:
        old = record("V/1", "药店", cycle="monthly")
        registry.register([old])
        registry.register([replace(old, cycle="daily", items=(replace(old.items[0], grade=2),))])
    said = say("show", "V/1")
    assert "changed cycle: monthly → daily" in said
    assert "changed grade 机构名称: 1 → 2" in said
    assert "removed data item 床位数" in said
    say("withdraw", "V/1", "--reason", "x", "--by", "y")


def test_a_conflict_from_the_list_to_the_decision(say: Say) -> None:
    assert "自然人 · 户籍地址" in say("conflicts")
    assert "签约居民" in say("conflicts", "1")
    with pytest.raises(InputError, match="who decides"):
        say("conflicts", "1", "--decide", "keep")
    with pytest.raises(InputError, match="no decision"):
        say("conflicts", "1", "--decide", "perhaps", "--by", "a", "--reason", "b")
    with pytest.raises(InputError, match="not said"):
        say("conflicts", "--decide", "keep", "--by", "a", "--reason", "b")
    with pytest.raises(MissingError, match="no conflict 9"):
        say("conflicts", "9")
    said = say("conflicts", "1", "--decide", "keep", "--by", "省政数局", "--reason", "纪要 3 号")
    assert "the holder keeps it · 省政数局 · 纪要 3 号" in said
    assert "No conflict is open" in say("conflicts")
    assert len(json.loads(say("conflicts", "--all", "--json"))) == 1


def test_departments(say: Say) -> None:
    assert "广州市公安局" in say("departments")
    assert json.loads(say("departments", "--json"))[0]["datasets"] == 2


def test_import_and_export(say: Say, tmp_path: Path) -> None:
    form = tmp_path / "form.csv"
    assert "3 datasets" in say("export", str(form), "--encoding", "gb18030")
    assert "0 new, 0 changed, 3 unchanged" in say("import", str(form))
    text = form.read_text("gb18030").replace("每月", "偶尔")
    form.write_text(text, "gb18030")
    said = say("import", str(form), code=1)
    assert "更新周期" in said
    assert "Nothing was registered" in said
    bad = tmp_path / "bad.csv"
    said = say("import", str(form), "--skip-bad", str(bad), "--json")
    assert json.loads(said[said.index("{") :])["bad"] == 3
    assert bad.exists()


def test_upgrade_and_reindex(say: Say) -> None:
    assert "is at version" in say("upgrade")
    assert "3 datasets are indexed" in say("reindex")


def test_withdrawal_prints_its_tombstone(say: Say) -> None:
    said = say("withdraw", "A/1", "--reason", "数据有误", "--by", "首席数据官")
    assert said.splitlines()[-1].count(".") == 2
    assert "by 首席数据官: 数据有误" in say("show", "A/1")


def test_a_sample_is_a_catalog_at_once(tmp_path: Path) -> None:
    where = ["--dir", str(tmp_path / "s")]
    result = CliRunner().invoke(app, ["sample", "--datasets", "120", "--no-rows", *where])
    assert "120 datasets" in result.output
    found = CliRunner().invoke(app, ["search", "人口", "--json", *where])
    assert json.loads(found.output)["total"] > 0
    out = tmp_path / "p.csv"
    CliRunner().invoke(app, ["sample", "--datasets", "50", "--out", str(out)])
    result = CliRunner().invoke(app, ["import", str(out), *where, "--source", "x"])
    assert result.exit_code == 0, result.output
    assert out.read_text("utf-8-sig").startswith("信息资源分类-类")


def test_the_samples_rows_are_public_because_the_gate_let_them_through(tmp_path: Path) -> None:
    where = ["--dir", str(tmp_path / "s")]
    result = CliRunner().invoke(app, ["sample", "--datasets", "1", *where])
    assert result.exit_code == 0, result.output
    with opened(tmp_path / "s") as registry, registry.database.read() as connection:
        places, survey = publications(connection)
        officers = connection.execute(select(SignOffRow.dataset)).all()
    assert (places.state, survey.state) == ("published", "published")
    assert len(officers) == 1, "the survey is L3: a data steward has signed"
    rows = pq.read_table(tmp_path / "s" / "public" / survey.object)
    like = rows.group_by(["性别", "出生日期", "居住区"]).aggregate([([], "count_all")])
    assert min(like["count_all"].to_pylist()) >= 20
    # … and there is something to see: no column is blotted out whole.
    assert all(len(set(rows[name].to_pylist())) > 1 for name in rows.column_names)
    assert not {"姓名", "手机号码"} & set(rows.column_names)
    for release in ("open01", "open02"):
        (folder,) = (tmp_path / "s" / "sample").glob(f"*_{release}")
        assert desensitize.verify(folder, signer=survey.signer).valid
    again = CliRunner().invoke(app, ["sample", "--datasets", "1", *where])
    assert again.exit_code == 0, again.output
    with opened(tmp_path / "s") as registry, registry.database.read() as connection:
        assert publications(connection) == [places, survey], "nothing is opened twice"


def test_another_sample_brings_nothing_back_that_was_withdrawn(tmp_path: Path) -> None:
    where = ["--dir", str(tmp_path / "c")]
    CliRunner().invoke(app, ["sample", "--datasets", "120", "--no-rows", *where])
    with opened(tmp_path / "c") as registry:
        there = {record.key for record in province(120, seed=2)}
        key = next(record.key for record in registry.records() if record.key in there)
        registry.withdraw(*key, reason="有误", who="数据局")
    again = CliRunner().invoke(
        app, ["sample", "--datasets", "120", "--seed", "2", "--no-rows", *where]
    )
    assert isinstance(again.exception, InputError)
    assert "withdrawn" in str(again.exception)
    with opened(tmp_path / "c") as registry:
        assert registry.entry(*key).state == "withdrawn"
        assert registry.count() == 119
