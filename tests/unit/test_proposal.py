"""A proposed policy: it fails closed, says why, and can be run as it is."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import desensitize
from desensitize.generalise import alternatives
from desensitize.generalise.alternatives import KS, Alternative
from desensitize.masking.token import Token
from desensitize.masking.visible import Drop, Keep
from desensitize.policy import HierarchyRule, Models
from desensitize.policy_file import parse_policy
from desensitize.proposing import few_facts
from desensitize.proposing.costs import Costs
from desensitize.proposing.proposal import FACTS_MAX, dataset_name, proposal, quoted_key
from desensitize.releasing.facts import read_release
from desensitize.sources import open_object
from protos.faults import InputError, PolicyError
from tests.chinese_tables import Maker

Run = Callable[..., subprocess.CompletedProcess[str]]
VEIL = Path(sys.executable).with_name("veil")


_PLACES = ("广州市越秀区北京", "深圳市南山区科技", "佛山市禅城区祖庙")


@pytest.fixture
def table() -> pa.Table:
    make, rows = Maker(5), 300
    return pa.table({
        "姓名": [make.person() for _ in range(rows)],
        "身份证号\n(必填)": [make.resident_id() for _ in range(rows)],
        "手机": [make.mobile() for _ in range(rows)],
        "性别": ["男", "女"] * (rows // 2),
        "民族": ["汉族"] * rows,
        "出生日期": [f"19{50 + i % 50}-0{1 + i % 9}-11" for i in range(rows)],
        "住址": [f"广东省{place}路{1 + i % 7}号" for i in range(rows // 3) for place in _PLACES],
        "月收入": [str(3000 + i * 7) for i in range(rows)],
        "诊断": ["感冒", "肺炎", "骨折"] * (rows // 3),
        "备注": ["材料齐全,电话" + make.mobile() if i == 77 else "无" for i in range(rows)],
        "代码": [f"x{i % 9}" for i in range(rows)],
    })  # fmt: skip


def test_it_fails_closed(table: pa.Table) -> None:
    policy = parse_policy(proposal(desensitize.scan(table)))
    methods = {name: column.methods for name, column in policy.columns.items()}
    for name in ("姓名", "手机", "备注", "代码"):
        assert methods[name] == (Drop(),), name
    assert methods["身份证号\n(必填)"] == (Token("arrow"),)
    assert methods["诊断"] == (Keep(),)
    for name in ("性别", "民族", "出生日期", "住址"):
        assert (policy.columns[name].hierarchy or HierarchyRule()).levels[-1] == "*", name
    assert policy.models == Models(k=5, l=2, max_suppressed=0.02)
    assert policy.gate.rescan == "fail_on_any_hit"


def test_codes_of_divisions_get_the_levels_of_divisions(tmp_path: Path) -> None:
    """Also under a header that says nothing, and names too; few codes and other numbers do not."""
    codes = ["440106", "440103", "440305", "110105", "310115"] * 12
    table = pa.table({
        "dm": codes, "区划代码": codes, "n": [str(200000 + 7 * i) for i in range(60)],
        "城市": ["广州", "深圳"] * 30, "诊断": ["感冒", "肺炎", "骨折"] * 20,
    })  # fmt: skip
    found = desensitize.scan(table)
    for header in ("dm", "区划代码"):
        assert (found[header].type, found[header].role) == ("division", "quasi")
    assert found["n"].type == ""
    policy = parse_policy(proposal(found))
    levels = HierarchyRule(("district", "city", "province", "*"))
    for name in ("dm", "区划代码", "城市"):
        assert policy.columns[name].hierarchy == levels, name
    assert desensitize.scan(pa.table({"dm": codes[:10]}))["dm"].type == ""
    made = desensitize.run(table, policy=policy, out=tmp_path / "r", attack=False)
    assert made.levels["dm"] == "district"
    assert made.columns[0].lost == 0


def test_districts_in_words_are_read_with_the_city_beside_them(tmp_path: Path) -> None:
    """白云区 is in Guangzhou and in Guiyang: emptied alone, and said so; clear beside a city."""
    table = pa.table({
        "城市": ["广州市", "贵阳", "深圳市"] * 40, "所属区": ["白云区", "白云区", "福田区"] * 40,
        "户籍号": [str(700 + i) for i in range(120)],
    })  # fmt: skip
    found = desensitize.scan(table)
    assert [(c.type, c.role) for c in found.columns] == [
        ("division", "quasi"), ("division", "quasi"), ("household", "direct"),
    ]  # fmt: skip
    assert (found["所属区"].unclear, found["所属区"].within) == (80, "城市")
    text = proposal(found)
    assert 'within = "城市"' in text
    made = desensitize.run(table, policy=parse_policy(text), out=tmp_path / "both", attack=False)
    released = pq.read_table(tmp_path / "both" / "arrow.parquet")["所属区"].unique().to_pylist()
    assert sorted(released) == ["广东省广州市白云区", "广东省深圳市福田区", "贵州省贵阳市白云区"]
    assert [column.lost for column in made.columns] == [0, 0]
    # Alone: emptied, counted apart, and the plan says it before.
    alone = table.drop_columns(["城市"])
    text = proposal(desensitize.scan(alone))
    assert "80 of the first values name districts that several cities have" in text
    assert parse_policy(text).columns["所属区"].within == ""
    made = desensitize.run(alone, policy=parse_policy(text), out=tmp_path / "one", attack=False)
    [column] = [each for each in made.columns if each.name == "所属区"]
    assert (column.lost, column.unclear) == (80, 80)
    # An address beside it tells the city, too.
    streets = [
        ["广州市白云区机场路", "贵阳市白云区云峰路", "深圳市福田区福中路"][i % 3]
        for i in range(120)
    ]
    beside = alone.append_column("住址", [[f"{street}{i}号" for i, street in enumerate(streets)]])
    assert 'within = "住址"' in proposal(desensitize.scan(beside))


def test_a_column_that_decides_has_to_be_there() -> None:
    text = (
        'dataset = "d"\n[columns.a]\nwithin = "b"\n[columns.b]\n'
        '[publish]\nmethods = { a = { district = "city" } }\n'
    )
    assert parse_policy(text).columns["a"].within == "b"
    with pytest.raises(InputError, match="declares no column 'b'"):
        parse_policy(text.replace("[columns.b]\n", ""))
    with pytest.raises(InputError, match="nothing here reads a division"):
        parse_policy(text.replace('{ district = "city" }', '"keep"'))
    with pytest.raises(InputError, match="has no column 'b'"):
        desensitize.alternatives(
            pa.table({"a": ["白云区"]}),
            parse_policy(
                'dataset = "d"\n[columns.a]\nwithin = "b"\n[columns.b]\n[publish]\n'
                'models = { k = 2 }\nhierarchies = { a = ["district", "*"] }\n'
            ),
        )


def test_a_table_without_rows_has_no_plan(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no rows") as caught:
        desensitize.plan(pa.table({"姓名": pa.array([], pa.string())}))
    assert caught.value.code == "plan.empty"
    (tmp_path / "x.csv").write_text("姓名,年龄\n", "utf-8")
    with pytest.raises(InputError, match=r"x\.csv has no rows"):
        desensitize.plan(tmp_path / "x.csv")


def test_words_of_a_list_get_its_groups() -> None:
    table = pa.table({
        "学历": ["本科", "大专", "高中", "博士"] * 30, "婚姻状况": ["已婚", "未婚"] * 60,
        "国籍": ["中国", "美国", "日本"] * 40, "职业": ["火星人", "木星人", "教师"] * 40,
        "workclass": ["Private", "State-gov"] * 60,
    })  # fmt: skip
    policy = parse_policy(proposal(desensitize.scan(table)))
    levels = {name: column.hierarchy for name, column in policy.columns.items()}
    assert levels == {
        "学历": HierarchyRule(("value", "degree", "schooling", "*")),
        "婚姻状况": HierarchyRule(("value", "marriage", "spouse", "*")),
        "国籍": HierarchyRule(("value", "subregion", "continent", "*")),
        "职业": HierarchyRule(("value", "*")),  # the list does not have most of it
        "workclass": HierarchyRule(("value", "employer", "paid", "*")),
    }


def test_a_header_that_speaks_of_a_person_is_enough() -> None:
    """Values that fit nothing do not make names publishable."""
    report = desensitize.scan(pa.table({"姓名": ["#1", "#2"], "x": [1, 2]}))
    policy = parse_policy(proposal(report))
    assert all(column.dropped for column in policy.columns.values())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_says_why_in_both_languages(
    table: pa.Table, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEIL_LANG", language)
    text = proposal(desensitize.scan(table))
    for line in text.splitlines():
        if line.startswith("#"):
            assert any("一" <= c <= "鿿" for c in line) or language == "en", line
    assert ("statistics" in text, "统计" in text) == (language == "en", language == "zh")
    comments = sum(line.startswith("#") for line in text.splitlines())
    assert comments >= 2 * table.num_columns


@pytest.mark.parametrize(
    ("values", "proposed"),
    [
        ([str(3000 + i * 7) for i in range(100)], '{ top_code = "p99.5", round = 100 }'),
        ([f"{i}e+05" for i in range(1, 100)], '{ top_code = "p99.5", round = 100000 }'),
        ([250_000.5 + i for i in range(100)], '{ top_code = "p99.5", round = 10000 }'),
        ([str(i % 3) for i in range(100)], '"keep"'),  # codes: rounding would make them equal
        (["<=50K", ">50K"] * 50, '"keep"'),
        ([None] * 100, '"keep"'),
    ],
)
def test_amounts_keep_two_digits_of_the_usual_one(values: list[object], proposed: str) -> None:
    text = proposal(desensitize.scan(pa.table({"income": values})))
    assert f'"income" = {proposed}' in text


def test_names_of_datasets_and_columns_are_written_as_toml_wants_them() -> None:
    assert dataset_name("住房 2024.csv") == "dataset_2024"
    assert dataset_name("Public-Housing.v2.parquet") == "public_housing_v2"
    assert dataset_name("数据.csv") == "dataset"
    for name in ('a"b', "a\nb", "a\\b", "\x7f\x01", "住址 (必填)"):
        report = desensitize.scan(pa.table({name: ["1"]}))
        assert list(parse_policy(proposal(report)).columns) == [name]
        assert quoted_key(name).startswith('"')


def test_a_few_commands_from_a_file_to_an_attested_release(
    table: pa.Table, tmp_path: Path, run: Run
) -> None:
    file, policy, out = tmp_path / "people.parquet", tmp_path / "policy.toml", tmp_path / "out"
    pq.write_table(table, file)
    planned = run(VEIL, "desensitize", "plan", file)
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.count("# → k = ") == 1
    assert "veil desensitize keys new keys.toml people\n" in planned.stderr
    assert "--out release --token-keys keys.toml\n" in planned.stderr
    policy.write_text(planned.stdout, "utf-8")
    made = run(VEIL, "desensitize", "keys", "new", tmp_path / "k.toml", "people")
    assert made.returncode == 0, made.stderr
    said = run(
        VEIL, "desensitize", "run", file, "--policy", policy, "--out", out,
        "--token-keys", tmp_path / "k.toml",
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    release = read_release(out)
    assert release.output.rows == table.num_rows - release.suppressed_rows
    assert release.suppressed_rows <= 0.02 * table.num_rows
    assert [column.name for column in release.columns] == [
        "身份证号\n(必填)", "性别", "民族", "出生日期", "住址", "月收入", "诊断",
    ]  # fmt: skip
    assert set(release.levels) == {"性别", "民族", "出生日期", "住址"}
    assert release.figures["smallest_class"] >= 5
    facts = {column.name: column.methods[0] for column in release.columns}
    for name, level in release.levels.items():
        assert (facts[name].method, facts[name].parameters) == ("level", {"level": level})
        assert facts[name].concludes.zh
    signed = run(VEIL, "desensitize", "keys", "signing", tmp_path / "s.pem")
    assert signed.returncode == 0, signed.stderr
    passed = run(
        VEIL, "desensitize", "gate", out, "--original", file, "--signing-key", tmp_path / "s.pem"
    )
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert (out / "attestation.json").is_file()
    # … or in one: the release and its attestation, for which the attacks are tried in any case.
    both = run(
        VEIL, "desensitize", "run", file, "--policy", policy, "--out", tmp_path / "both",
        "--token-keys", tmp_path / "k.toml", "--signing-key", tmp_path / "s.pem", "--no-attack",
    )  # fmt: skip
    assert both.returncode == 0, both.stdout + both.stderr
    assert (tmp_path / "both" / "attestation.json").is_file()
    assert (tmp_path / "both.salt").is_file()
    missing = run(
        VEIL, "desensitize", "run", file, "--policy", policy, "--out", tmp_path / "none",
        "--token-keys", tmp_path / "k.toml", "--signing-key", tmp_path / "nowhere.pem",
    )  # fmt: skip
    assert missing.returncode != 0
    assert not (tmp_path / "none").exists(), "said before the work"


def test_what_each_k_costs_is_what_a_release_with_it_costs(table: pa.Table, tmp_path: Path) -> None:
    rows = table.select(["性别", "出生日期", "住址", "月收入"])
    text = proposal(desensitize.scan(rows)).replace("singling_out_max = 0.05, ", "")
    costs = desensitize.alternatives(rows, parse_policy(text), ks=(2, 20))
    assert [each.k for each in costs] == [2, 5, 20]
    assert all(each.met for each in costs)
    assert [each.loss for each in costs] == sorted(each.loss for each in costs)
    for each in (costs[0], costs[-1]):
        policy = parse_policy(text.replace("k = 5, l", f"k = {each.k}, l"))
        out = tmp_path / str(each.k)
        release = desensitize.run(rows, policy=policy, out=out, attack=False)
        assert release.levels == each.levels
        assert release.figures["loss"] == pytest.approx(each.loss)
        assert release.figures["classes"] == each.classes
        assert release.suppressed_rows == round(each.suppressed * rows.num_rows)


def test_of_a_long_table_the_cost_is_told_from_a_part_and_is_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = 20_000
    born = [f"{1940 + i * 7919 % 60}-{1 + i % 12:02}-01" for i in range(rows)]
    table = pa.table({
        "其他": ["x"] * rows, "出生日期": born, "性别": ["男", "女"] * (rows // 2),
        "诊断": [f"d{i * 31 % 97}" for i in range(rows)],
    })  # fmt: skip
    policy = parse_policy(
        'dataset = "d"\n[columns."性别"]\nrole = "quasi"\n'
        '[columns."出生日期"]\nrole = "quasi"\ntype = "date"\n'
        '[columns."诊断"]\nrole = "sensitive"\n[publish]\nunknown_column = "drop"\n'
        'models = { k = 2, l = 2, max_suppressed = 0.05 }\nmethods = { "诊断" = "keep" }\n'
        'hierarchies = { "性别" = ["value", "*"], "出生日期" = ["month", "year", "10y", "*"] }\n'
    )
    whole = desensitize.alternatives(table, policy)
    monkeypatch.setattr(alternatives, "_SAMPLE", 2000)
    drawn = desensitize.alternatives(table, policy)
    assert {each.sample for each in whole} == {0}
    [sample] = {each.sample for each in drawn}
    assert 1000 < sample < 3000
    pairs = [(part.loss, all_.loss) for part, all_ in zip(drawn, whole, strict=True)]
    assert all(part >= all_ for part, all_ in pairs)
    assert any(part > all_ for part, all_ in pairs), "or the sample says the same as the table"
    text = proposal(desensitize.scan(table), Costs(drawn))
    assert f"Told from {sample:,} rows" in text
    assert desensitize.alternatives(table, policy) == drawn, "the same rows are drawn each time"


def test_a_key_is_not_needed_to_compare_and_makes_no_difference() -> None:
    rows = pa.table({"age": [i % 7 for i in range(70)], "pay": [str(i % 5) for i in range(70)]})
    policy = parse_policy(
        'dataset = "d"\n[columns.age]\nrole = "quasi"\n[columns.pay]\nrole = "sensitive"\n'
        '[publish]\nmodels = { k = 5, l = 3 }\nhierarchies = { age = ["value", "*"] }\n'
        'methods = { pay = { token = "people" } }\n'
    )
    assert desensitize.alternatives(rows, policy) == desensitize.alternatives(rows, policy)


def test_the_greatest_k_that_levels_can_meet_is_proposed() -> None:
    report = desensitize.scan(pa.table({"年龄": [str(30 + i % 9) for i in range(90)]}))
    costs = [
        Alternative(2, met=True, loss=0.1, suppressed=0.0, classes=9, levels={"年龄": "5"},
                    coarser=("年龄",)),
        Alternative(5, met=False, loss=1.0, suppressed=1.0, classes=0, levels={}),
    ]  # fmt: skip
    text = proposal(report, Costs(tuple(costs)))
    assert parse_policy(text).models.k == 2
    assert "# → k = 2     10.0% ██" in text
    assert "k = 5    no levels meet" in text
    none = proposal(report, Costs((costs[1],)))
    assert "# ! No levels meet these models, so 'run' will refuse" in none
    lost = replace(costs[0], levels={"年龄": "*"})
    assert "Nothing is left of 年龄" in proposal(report, Costs((lost,)))
    assert "Nothing is left" not in text


def test_nothing_is_compared_where_nobody_could_be_known() -> None:
    policy = parse_policy('dataset = "d"\n[columns.x]\n[publish]\nmethods = { x = "keep" }\n')
    assert desensitize.alternatives(pa.table({"x": [1]}), policy) == ()


def test_an_empty_table_costs_nothing() -> None:
    policy = parse_policy(
        'dataset = "d"\n[columns.x]\nrole = "quasi"\n'
        '[publish]\nmodels = { k = 5 }\nhierarchies = { x = ["value", "*"] }\n'
    )
    found = desensitize.alternatives(pa.table({"x": pa.array([], pa.string())}), policy)
    assert [each.loss for each in found] == [0.0] * len(KS)


def test_of_hundreds_of_quasi_identifiers_those_stay_that_can_be_searched() -> None:
    days = [f"20{10 + i}-01-{i + 1:02d}" for i in range(20)]
    wide = {"金额": [str(1000 + 37 * i) for i in range(40)]}
    wide |= {f"就诊日期{n}": days * 2 for n in range(30)}
    text = proposal(desensitize.scan(pa.table(wide)))
    policy = parse_policy(text)
    levels = [len(c.hierarchy.levels) for c in policy.published if c.hierarchy is not None]
    assert levels
    assert math.prod(levels) <= 100_000 < math.prod([*levels, 5])
    assert text.count("one quasi-identifier too many") == 30 - len(levels)
    dropped = policy.columns["就诊日期29"]
    assert dropped.role == "quasi"
    assert dropped.methods == (Drop(),)


# ---- few facts ---------------------------------------------------------------------------------


def bills(rows: int = 400) -> pa.Table:
    draw = np.random.default_rng(7)
    return pa.table({
        "性别": ["男", "女"] * (rows // 2),
        **{f"账单金额{n}": draw.integers(1_000, 99_999, rows) for n in range(4)},
        "贷款": [200 + i % 300 for i in range(rows)],
    })  # fmt: skip


def test_amounts_are_rounded_until_three_of_them_find_few_people(tmp_path: Path) -> None:
    table = bills()
    text = desensitize.plan(table)
    policy = parse_policy(text)
    assert policy.attacks.singling_out_max == FACTS_MAX
    assert "#   two digits            9" in text
    release = desensitize.run(table, policy=policy, out=tmp_path / "release")
    report = desensitize.attack(table, tmp_path / "release")
    [finding] = report.of("singling_out")
    assert finding.verdict == "held"
    said = next(line for line in text.splitlines() if line.startswith("# → ") and "steps" in line)
    assert f"{finding.figure:.1%}" in said, "what plan foresaw is what the attack finds"
    assert "贷款" in {column.name for column in release.columns}


def test_a_finer_release_of_the_same_table_is_refused(tmp_path: Path) -> None:
    table = bills()
    fine = re.sub("round = [0-9]+", "round = 100", desensitize.plan(table))
    with pytest.raises(PolicyError, match="finds the row of") as refused:
        desensitize.run(table, policy=fine, out=tmp_path / "release")
    assert "would hold: coarser values of 账单金额" in str(refused.value.remedy)
    assert not (tmp_path / "release").exists()


def test_what_no_rounding_helps_is_dropped_and_said() -> None:
    table = bills().append_column("诊断", pa.array([f"病{i}" for i in range(400)]))
    text = desensitize.plan(table)
    policy = parse_policy(text)
    assert policy.columns["诊断"].dropped
    assert policy.columns["诊断"].role == "sensitive"
    assert "it helps to find people" in text
    assert [c.name for c in policy.published if c.name.startswith("账单")], "no more than need be"


def test_a_long_table_is_tried_on_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alternatives, "_SAMPLE", 2_000)
    text = desensitize.plan(bills(8_000))
    assert text.count("rows that were drawn") == 2


def test_of_many_columns_those_with_most_values_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    table = bills()
    policy = parse_policy(proposal(desensitize.scan(table)))
    costs = desensitize.alternatives(table, policy, ks=(5,))
    [first] = few_facts.few_facts(open_object(table), policy, costs, 1.0)
    monkeypatch.setattr(few_facts, "_WIDEST", 2)
    [fewer] = few_facts.few_facts(open_object(table), policy, costs, 1.0)
    assert set(fewer.facts) <= set(policy.columns) - {"贷款"}
    assert fewer.share <= first.share


def test_it_says_what_makes_a_plan_dear() -> None:
    rows = 600
    table = pa.table({
        "性别": ["男", "女"] * (rows // 2),
        "年龄": [20 + i % 50 for i in range(rows)],
        "诊断": ["感冒" if i % 97 else "肺炎" for i in range(rows)],
    })  # fmt: skip
    text = desensitize.plan(table)
    assert parse_policy(text).models.l == 2
    assert "k = 5 without l:" in text, "only few classes have both illnesses"
    assert "up to 5% out" not in text, "which costs as much"
