"""A publishing policy: what it may say, and what is said of what it may not."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path

import pytest

from desensitize.masking.numbers import Round, TopCode
from desensitize.masking.token import Token
from desensitize.masking.visible import Drop, Ends
from desensitize.policy import HierarchyRule, Models
from desensitize.policy_file import parse_policy, read_methods, read_policy
from protos.faults import InputError

POLICY = """
dataset = "public_housing_2024"
open = "unconditional"

[columns."姓名"]
type = "cn_person"
role = "direct"
[columns."身份证号"]
type = "cn_resident_id"
role = "direct"
[columns."出生日期"]
role = "quasi"
[columns."收入"]
role = "sensitive"
bounds = [0, 1000000]
[columns."备注"]
type = "free_text"
[columns."电费"]
type = "decimal"
uses = ["aggregate"]

[publish]
unknown_column = "drop"
methods = { "姓名" = "drop", "身份证号" = { token = "this-dataset" }, "收入" = { top_code = "p99.5", round = 100 }, "备注" = "drop" }
hierarchies = { "出生日期" = ["month", "year", "5y", "10y", "*"] }
models = { k = 20, l = 2, t = 0.3, max_suppressed = 0.02 }
attacks = { mask_candidates_min = 1000, linkage_correct_max = 0.001, small_cell_differences = 0 }
gate = { rescan = "fail_on_any_hit", gbt42460_level_min = 3 }

[query]
subject = "身份证号"
"""  # noqa: E501 - a policy as people write it


def test_the_policy_of_the_design_is_read() -> None:
    policy = parse_policy(POLICY)
    assert policy.columns["姓名"].methods == (Drop(),)
    assert policy.columns["身份证号"].methods == (Token("this-dataset"),)
    assert policy.columns["收入"].methods == (TopCode("p99.5"), Round(Decimal(100)))
    assert policy.columns["收入"].bounds == (0, 1_000_000)
    assert policy.columns["出生日期"].hierarchy == HierarchyRule(
        ("month", "year", "5y", "10y", "*")
    )
    assert policy.models == Models(k=20, l=2, t=0.3, max_suppressed=0.02)
    assert policy.attacks.mask_candidates_min == 1000
    assert (policy.gate.rescan, policy.gate.gbt42460_level_min) == ("fail_on_any_hit", 3)
    assert [column.name for column in policy.published] == ["身份证号", "出生日期", "收入"]
    assert policy.domains == ("this-dataset",)


def test_what_publish_does_not_name_is_not_published() -> None:
    assert not parse_policy(POLICY).columns["电费"].published


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(POLICY, "utf-8")
    assert read_policy(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert read_policy(path).text == POLICY
    path.write_text(POLICY, "utf-8-sig")  # as Notepad saves it
    assert read_policy(path).text == POLICY


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"drop", "身', '"dorp", "身', "publish.methods.\"姓名\": 'dorp' is no method"),
        ("round = 100", "rounds = 100", "publish.methods.\"收入\": 'rounds' is no method"),
        ("round = 100", "round = -1", 'publish.methods."收入".round: base: must be greater than 0'),
        ("round = 100", 'round = "x"', 'publish.methods."收入".round: base: must be a number'),
        ('"this-dataset"', '"This set"', 'publish.methods."身份证号".token: domain: must be of'),
        ('token = "this', 'days = 3, token = "this', "'days' is no method"),
        ("p99.5", "p999", 'publish.methods."收入".top_code: limit'),
        ('"drop", "身', '{ drop = 1 }, "身', 'publish.methods."姓名".drop takes no value'),
        ('"drop", "身', '{}, "身', 'publish.methods."姓名" names no method'),
        ('"drop", "身', '"token", "身', 'publish.methods."姓名".token: domain: is missing'),
        ('"drop", "身', '"keep", "身', "a direct identifier cannot be kept"),
        ('"drop", "身', '{ date_shift = "d", subject = "编号" }, "身', "no column '编号'"),
        ('"备注" = "drop"', '"备 注" = "drop"', "no column '备 注'"),
        ('"出生日期" = ["', '"生日" = ["', 'publish.hierarchies."生日": [columns] declares no'),
        ('"备注" = "drop"', '"出生日期" = { date = "year" }', "the column has a hierarchy too"),
        ("models = {", "modles = {", "publish.modles is not a known key"),
        ("k = 20", "kk = 20", "publish.models.kk is not a known key"),
        ("k = 20", "k = 1", "publish.models.k: must be at least 2"),
        ("t = 0.3", "t = 3.0", "publish.models.t: must be less than or equal to|at most 1"),
        ("k = 20, l = 2, t = 0.3, ", "", "publish.models asks nothing"),
        ('"fail_on_any_hit"', '"fail"', "publish.gate.rescan: must be one of"),
        ('role = "quasi"', 'role = "quasy"', "columns.出生日期.role: must be one of"),
        ('role = "quasi"', 'rolle = "quasi"', "columns.出生日期.rolle is not a known key"),
        ("cn_person", "person", "columns.\"姓名\".type: 'person' is no type"),
        ("[0, 1000000]", "[5, 5]", 'columns."收入".bounds must rise'),
        ("[0, 1000000]", "[5, 3]", 'columns."收入".bounds must rise'),
        ("[0, 1000000]", "[2020-01-02, 2020-01-01]", 'columns."收入".bounds must rise'),
        ('open = "unconditional"', 'open = "yes"', "open: must be one of"),
        ('dataset = "public', 'dataset = "Public', "dataset: must be of the form"),
        ("[publish]", "[publish", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, message: str) -> None:
    assert old in POLICY
    with pytest.raises(InputError, match=message.replace("[columns]", r"\[columns\]")) as caught:
        parse_policy(POLICY.replace(old, new), where="p.toml")
    assert caught.value.said.en.startswith("p.toml")
    assert caught.value.said.zh.startswith("p.toml")
    assert caught.value.said.zh != caught.value.said.en
    assert caught.value.remedy


def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist") as caught:
        read_policy(tmp_path / "none.toml")
    assert "veil desensitize plan" in caught.value.remedy


def test_methods_stand_in_the_order_in_which_they_are_written() -> None:
    assert read_methods({"round": 100, "top_code": 5000}, "p") == (
        Round(Decimal(100)),
        TopCode(Decimal(5000)),
    )
    assert read_methods({"keep_first": 6, "keep_last": 4}, "p") == (Ends(6, 4),)
    assert read_methods({"keep_last": 4, "mask": "x"}, "p") == (Ends(0, 4, "x"),)
