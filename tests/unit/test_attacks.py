"""Every attack wins where it should, and where it should not it does not."""

from __future__ import annotations

import hashlib
import json
import random
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from desensitize.attacks import Finding, from_dict
from desensitize.policy_file import parse_policy
from protos.faults import InputError
from tests.attack_world import ROLES, attacked, people, policy_for, release_of

LIMIT = "mask_candidates_min = 1000"
CLASSIC = "{ keep_first = 6, keep_last = 4 }"


def one(findings: tuple[Finding, ...]) -> Finding:
    assert len(findings) == 1
    return findings[0]


# ---- mask reversal -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beside", "least", "most"),
    [
        ({}, 2_900, 3_000),
        ({"birth": '{ date = "5y" }'}, 150, 180),
        ({"birth": '{ date = "month" }'}, 2, 4),
        ({"age": "{ band = 5 }"}, 150, 185),
        ({"age": '"keep"'}, 25, 45),
    ],
)
def test_the_classic_mask_falls_with_what_stands_beside_it(
    beside: dict[str, str], least: int, most: int
) -> None:
    policy = policy_for({"id": CLASSIC} | beside, "mask_candidates_min = 1000")
    finding = one(attacked(people(600), policy).of("mask_reversal"))
    assert finding.figure is not None
    assert least <= finding.figures["beside_median"] <= most
    assert finding.verdict == ("broken" if beside else "held")
    assert set(finding.columns) == {"id", *beside}
    assert bool(finding.remedy.en) == bool(beside)


def test_sex_and_district_make_candidates_fewer_where_the_mask_hides_them() -> None:
    hidden = "{ keep_first = 0, keep_last = 1 }"
    alone = one(attacked(people(400), policy_for({"id": hidden})).of("mask_reversal"))
    beside = {"sex": '"keep"', "district": '"keep"'}
    both = one(attacked(people(400), policy_for({"id": hidden} | beside)).of("mask_reversal"))
    assert set(both.columns) == {"id", "sex", "district"}
    assert alone.figure is not None
    assert both.figure is not None
    assert both.figure * 1000 < alone.figure


def test_what_would_hold_instead_holds() -> None:
    policy = policy_for({"id": CLASSIC, "birth": '{ date = "year" }'}, "mask_candidates_min = 1000")
    finding = one(attacked(people(300), policy).of("mask_reversal"))
    first, last = re.findall(r"keep_first = (\d+), keep_last = (\d+)", finding.remedy.en)[0]
    better = policy_for(
        {"id": f"{{ keep_first = {first}, keep_last = {last} }}", "birth": '{ date = "year" }'},
        "mask_candidates_min = 1000",
    )
    assert one(attacked(people(300), better).of("mask_reversal")).verdict == "held"


def test_a_column_that_only_looks_related_is_not_believed() -> None:
    data = people(300)
    data["birth"] = [f"19{50 + place % 40}-01-01" for place in range(300)]  # nobody's birth
    policy = policy_for({"id": CLASSIC, "birth": '{ date = "month" }'})
    assert one(attacked(data, policy).of("mask_reversal")).columns == ("id",)


def test_a_mask_of_an_unknown_type_is_not_passed() -> None:
    policy = policy_for({"name": "{ keep_first = 1 }"}, "mask_candidates_min = 10")
    finding = one(attacked(people(50), policy).of("mask_reversal"))
    assert finding.verdict == "unknown"


def test_a_mask_of_a_mobile_number() -> None:
    policy = policy_for({"phone": "{ keep_first = 3, keep_last = 4 }"})
    assert one(attacked(people(50), policy).of("mask_reversal")).figure == 10_000


@pytest.mark.parametrize(
    ("beside", "clear", "least"),
    [
        ({}, 6, 90 * 365 * 1000),
        ({}, 12, 28_000),
        ({"birth": '"keep"'}, 6, 1_000),
        ({"birth": '{ date = "month" }', "sex": '"keep"'}, 6, 14_000),
        ({"birth": '"keep"', "sex": '"keep"'}, 12, 500),
    ],
)
def test_what_ff1_leaves_clear_is_a_mask(beside: dict[str, str], clear: int, least: int) -> None:
    """The rest tells nothing without the key, so what fits is counted as for a mask."""
    how = f'{{ ff1 = "ids", alphabet = "digits_x", clear_first = {clear} }}'
    data = people(300)
    data["id"] = [*data["id"][:-1], "no id"]
    policy = policy_for({"id": how} | beside, "mask_candidates_min = 1000")
    finding = one(attacked(data, policy).of("mask_reversal"))
    assert finding.figure is not None
    assert least <= finding.figure <= least * 1.11
    assert finding.verdict == ("broken" if least < 1000 else "held")
    assert set(finding.columns) == {"id", *beside}
    assert "what FF1 leaves clear of 'id'" in finding.reason.en
    if found := re.search(r"clear_first = (\d+) \(at least", finding.remedy.en):
        better = policy_for({"id": how.replace("12", found[1])} | beside)
        again = one(attacked(data, better).of("mask_reversal"))
        assert again.figure is not None
        assert again.figure >= 1000


@pytest.mark.parametrize(
    ("other", "least", "most"),
    [
        ('{ ff1 = "visits", alphabet = "digits_x", clear_first = 6 }', 2_900_000, 3_000_000),
        ('{ ff1 = "visits", alphabet = "digits_x", clear_first = 11 }', 8_000, 25_000),
        ('{ ff1 = "visits", alphabet = "digits_x", clear_first = 12 }', 2_500, 2_900),
        ("{ keep_first = 14 }", 85, 95),
    ],
)
def test_what_another_column_leaves_of_an_id_is_read_beside_its_mask(
    other: str, least: int, most: int
) -> None:
    data = people(300)
    data["again"] = data["id"]
    policy = policy_for(
        {"id": "{ keep_last = 1 }", "again": other},
        "mask_candidates_min = 1000",
        roles={"id": "direct", "again": "direct"},
    )
    [finding] = [f for f in attacked(data, policy).of("mask_reversal") if f.columns[0] == "id"]
    assert finding.columns == ("id", "again")
    assert least <= finding.figures["beside_median"] <= most


def mask_reversal(
    methods: dict[str, str], more: str = "", kinds: dict[str, str] | None = None, rows: int = 300
) -> tuple[Finding, ...]:
    """The findings on people whose number stands in two columns, whatever these are called."""
    data = people(rows)
    data["phone2"] = data["phone"]
    roles = ROLES | {"phone2": "other", "id": "other"}
    policy = policy_for(methods, "mask_candidates_min = 1000", roles, more)
    columns = {
        name: replace(column, type=(kinds or {}).get(name, ""))
        for name, column in policy.columns.items()
    }
    return attacked(data, replace(policy, columns=columns)).of("mask_reversal")


def test_the_numbers_say_what_they_are_whatever_the_policy_calls_them() -> None:
    beside = {"id": "{ keep_last = 4 }", "birth": '"keep"'}
    wrong = one(mask_reversal(beside, kinds={"id": "bank_card"}))
    right = one(mask_reversal(beside, kinds={"id": "cn_resident_id"}))
    assert wrong.figure == right.figure
    assert wrong.verdict == "broken"
    # A type that nobody counts is not passed, whatever its numbers look like.
    assert one(mask_reversal(beside, kinds={"id": "medical_record"})).verdict == "unknown"


def test_one_number_in_two_columns_is_read_from_both() -> None:
    masks = {"phone": "{ keep_first = 7 }", "phone2": "{ keep_last = 4 }"}
    found = {each.columns[0]: each for each in mask_reversal(masks)}
    assert (found["phone"].figures["alone_least"], found["phone"].figure) == (10_000, 1)
    assert (found["phone2"].figure, set(found["phone2"].columns)) == (1, {"phone", "phone2"})
    assert "drop phone2, and keep the mask (at least 10,000)" in found["phone"].remedy.en
    assert one(mask_reversal({"phone": "{ keep_first = 7 }"})).verdict == "held"
    # Other digits of the same ends show nothing more.
    alike = {"phone": "{ keep_first = 3 }", "phone2": "{ keep_first = 3 }"}
    assert all(each.verdict == "held" and each.columns[1:] == () for each in mask_reversal(alike))


@pytest.mark.parametrize("how", ["{ noise = 1 }", "{ band = 10 }", "{ microaggregate = 2 }"])
def test_a_number_of_a_person_is_no_amount(how: str) -> None:
    data = people(300)
    roles = ROLES | {"phone": "other"}
    policy = policy_for({"phone": how, "age": "{ band = 5 }"}, "mask_candidates_min = 1000", roles)
    bounded = replace(
        policy.columns["phone"], type="cn_passport", bounds=(Decimal(0), Decimal(10**11))
    )
    policy = replace(policy, columns=dict(policy.columns) | {"phone": bounded})
    finding = one(attacked(data, policy).of("mask_reversal"))
    assert (finding.columns, finding.verdict) == (("phone",), "unknown")


def test_the_beginning_of_a_number_as_a_level_is_a_mask() -> None:
    data = {name: values * 5 for name, values in people(60).items()}  # k holds: rows of one person
    for first, verdict in ((17, "broken"), (6, "held")):
        more = f'hierarchies = {{ id = ["first{first}", "*"] }}\nmodels = {{ k = 2 }}'
        policy = policy_for({}, LIMIT, {"id": "quasi"}, more, declared=["id"])
        named = replace(policy.columns["id"], type="medical_record")
        policy = replace(policy, columns={"id": named})
        rows = pa.table({"id": [each[:first] for each in data["id"]]})
        report = attacked(data, policy, rows, levels={"id": f"first{first}"})
        finding = one(report.of("mask_reversal"))
        assert (finding.columns, finding.verdict) == (("id",), verdict)


def test_what_ff1_leaves_clear_of_an_unknown_type_is_not_passed() -> None:
    data: dict[str, list[Any]] = {"id": [f"Z{place:09d}" for place in range(50)]}
    how = '{ ff1 = "ids", alphabet = "alphanumeric", clear_first = 1 }'
    policy = policy_for({"id": how}, "mask_candidates_min = 10")
    assert one(attacked(data, policy).of("mask_reversal")).verdict == "unknown"


# ---- unkeyed hashes ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256"])
def test_a_hash_without_a_key_is_found(name: str) -> None:
    data: dict[str, list[Any]] = people(80)
    hashed = [hashlib.new(name, each.encode()).hexdigest().upper() for each in data["phone"]]
    data["code"] = hashed
    policy = policy_for({"code": '"keep"'}, roles={"code": "other"})
    finding = one(attacked(data, policy).of("unkeyed_hash")[:1])
    assert finding.columns == ("code", "phone")
    assert finding.figure == 1.0
    assert finding.verdict == "broken"


@pytest.mark.parametrize(
    ("how", "verdict"),
    [
        (lambda v: hashlib.md5(f"+86{v}".encode(), usedforsecurity=False).hexdigest(), "unknown"),
        (lambda v: hashlib.sha512(v.encode()).hexdigest()[:16], "unknown"),
        (lambda v: b64encode(hashlib.sha256(v.encode()).digest()).decode(), "unknown"),
        (lambda v: UUID(int=int(v) << 60, version=4).hex, "held"),
        (lambda v: v + v[-5:], "held"),  # sixteen digits are no digest
    ],
)
def test_digests_of_nobody_knows_what_are_not_passed(
    how: Callable[[str], str], verdict: str
) -> None:
    data = {"code": [how(each) for each in people(80)["phone"]]}
    policy = policy_for({"code": '"keep"'}, roles={"code": "other"})
    assert one(attacked(data, policy).of("unkeyed_hash")).verdict == verdict
    token = policy_for({"code": '{ token = "ids" }'}, roles={"code": "other"})
    assert one(attacked(data, token).of("unkeyed_hash")).verdict == "held"


def test_a_keyed_token_is_no_hash() -> None:
    policy = policy_for({"phone": '{ token = "ids", length = 64 }'})
    assert one(attacked(people(80), policy).of("unkeyed_hash")).verdict == "held"


def test_what_ff1_leaves_clear_counts_as_known() -> None:
    """District, year and month of birth, though the column is "encrypted"."""
    data = {name: people(300)[name] for name in ("id", "sex")}
    how = '{ ff1 = "ids", alphabet = "digits_x", clear_first = 12 }'
    policy = policy_for({"id": how, "sex": '"keep"'}, "unique_share_max = 0.01")
    finding = one(attacked(data, policy).of("uniqueness"))
    alone = Counter((i[:12], s) for i, s in zip(data["id"], data["sex"], strict=True))
    assert finding.verdict == "broken"
    assert finding.figure == sum(n == 1 for n in alone.values()) / 300 > 0.01


def test_what_ff1_leaves_clear_links_people() -> None:
    """Who knows district and birth claims the row; what FF1 could not read is nobody's."""
    data = {name: people(300)[name] for name in ("id", "sex")}
    data["id"] = [*data["id"][:-1], "no id"]
    how = '{ ff1 = "ids", alphabet = "digits_x", clear_first = 12 }'
    policy = policy_for({"id": how, "sex": '"keep"'}, "linkage_correct_max = 0.01")
    finding = one(attacked(data, policy).of("linkage"))
    alone = Counter((i[:12], s) for i, s in zip(data["id"], data["sex"], strict=True))
    assert finding.verdict == "broken"
    assert finding.figure == sum(n == 1 for n in alone.values()) / 300 > 0.5
    # A file of the attacker's own does as well.
    known = {**{name: values[:100] for name, values in data.items()}}
    finding = one(attacked(data, policy, auxiliary=known).of("linkage"))
    assert finding.figures["right"] == sum(
        alone[i[:12], s] == 1 for i, s in zip(known["id"], known["sex"], strict=True)
    )
    hidden = policy_for(
        {"id": how.replace(", clear_first = 12", ""), "sex": '"keep"'}, "linkage_correct_max = 0.01"
    )
    assert one(attacked(data, hidden).of("linkage")).verdict == "held"


def test_inference_counts_a_value_once_however_it_is_written() -> None:
    ill = ["HIV", "hiv", "ＨＩＶ", "H.I.V.", "flu", "cold", "flu", "cold"]
    data = {"age": [30] * 4 + [40] * 4, "ill": ill}
    policy = policy_for(
        dict.fromkeys(data, '"keep"'), "inference_share_max = 0.1",
        {"age": "quasi", "ill": "sensitive"},
    )  # fmt: skip
    finding = one(attacked(data, policy).of("inference"))
    assert (finding.figure, finding.verdict) == (0.5, "broken")
    # … and what the policy says means the same.
    data["ill"] = ["HIV", "艾滋病", "Aids", "hiv", "flu", "cold", "flu", "cold"]
    assert one(attacked(data, policy).of("inference")).figure == 0
    words = '[columns.ill]\nsame = [["HIV", "艾滋病", "AIDS"]]'
    policy = parse_policy(policy.text.replace("[columns.ill]", words))
    assert one(attacked(data, policy).of("inference")).figure == 0.5


# ---- uniqueness, linkage -----------------------------------------------------------------------


def test_uniqueness_is_the_share_of_rows_that_are_alone() -> None:
    data = {"sex": ["a", "a", "b", "c"], "income": [1, 2, 3, 4]}
    policy = policy_for({"sex": '"keep"', "income": '"keep"'}, "unique_share_max = 0.4")
    finding = one(attacked(data, policy).of("uniqueness"))
    assert (finding.figure, finding.verdict) == (0.5, "broken")
    assert "'sex'" in finding.remedy.en


def test_the_neighbour_links_who_is_alone() -> None:
    data = {"sex": ["a", "a", "b", "c"], "income": [1, 2, 3, 4]}
    policy = policy_for({"sex": '"keep"', "income": '"keep"'}, "linkage_correct_max = 0.5")
    finding = one(attacked(data, policy).of("linkage"))
    assert (finding.figure, finding.verdict) == (0.5, "held")
    assert finding.figures["expected_at_random"] == pytest.approx(0.75)


def test_a_file_of_names_links_people_and_wrong_claims_do_not_count() -> None:
    data = people(200)
    methods = {"name": '"drop"', "birth": '{ date = "month" }', "district": '"keep"'}
    known = {name: data[name][:50] for name in ("name", "birth", "district")}
    finding = one(attacked(data, policy_for(methods), auxiliary=known).of("linkage"))
    assert finding.figures["people"] == 50
    assert finding.figures["right"] == finding.figures["claimed"] > 30
    # The same file under other names: every claim is wrong.
    known["name"] = [f"x{place}" for place in range(50)]
    wrong = one(attacked(data, policy_for(methods), auxiliary=known).of("linkage"))
    assert wrong.figures["claimed"] > 30
    assert wrong.figure == 0


def test_noise_that_is_too_small_is_met_by_the_nearest_row() -> None:
    data = people(300)
    roles = {"income": "quasi"}
    data["income"] = [place * 100 for place in range(300)]
    figures = []
    for scale in ("1", "100000"):
        policy = policy_for({"income": f"{{ noise = {scale} }}"}, roles=roles)
        figures.append(one(attacked(data, policy).of("linkage")).figure)
    assert figures[0] is not None
    assert figures[1] is not None
    assert figures[0] > 0.9
    assert figures[1] < 0.1


def test_no_number_of_days_hides_what_lies_between_two_dates() -> None:
    data = people(300)
    rng = random.Random(3)  # noqa: S311 - a table that is the same each time
    data["visit"] = [
        f"2024-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}" for _ in range(300)
    ]

    def linkage(**domains: str) -> Finding:
        shift = '{{ date_shift = "{}", subject = "id", days = 3650 }}'
        methods = {name: shift.format(domain) for name, domain in domains.items()}
        policy = policy_for(
            {"id": '"drop"'} | methods, "linkage_correct_max = 0.1", ROLES | {"visit": "quasi"}
        )
        return one(attacked(data, policy).of("linkage"))

    both = linkage(birth="ids", visit="ids")
    assert both.figures["spans_right"] > 0.9
    assert both.verdict == "broken"
    assert "only one of the dates" in both.remedy.en
    # What the remedy says holds; and so do two dates that are shifted each for itself.
    assert linkage(birth="ids").verdict == "held"
    assert linkage(birth="ids", visit="visits").verdict == "held"


def test_a_release_of_another_original_cannot_be_judged() -> None:
    data, other = people(60), people(60, seed=2)
    policy = policy_for({"birth": '{ date = "month" }'}, "linkage_correct_max = 0.5")
    finding = one(attacked(data, policy, release_of(other, policy)).of("linkage"))
    assert finding.verdict == "unknown"


# ---- inference, singling out, differencing -----------------------------------------------------


def test_a_class_in_which_all_have_the_same_value_tells_it() -> None:
    data = {"sex": ["a"] * 4 + ["b"] * 4, "income": [7, 7, 7, 7, 1, 2, 3, 4]}
    policy = policy_for({"sex": '"keep"', "income": '"keep"'}, "inference_share_max = 0.1")
    finding = one(attacked(data, policy).of("inference"))
    assert (finding.figure, finding.verdict) == (0.5, "broken")
    assert finding.figures["base_rate"] == 0.5
    assert finding.figures["right_without_own_row"] == pytest.approx(0.5)


def test_few_facts_find_people() -> None:
    data = people(300)
    fine = policy_for({"birth": '{ date = "day" }', "sex": '"keep"'}, "singling_out_max = 0.1")
    assert one(attacked(data, fine).of("singling_out")).verdict == "broken"
    coarse = policy_for({"sex": '"keep"'}, "singling_out_max = 0.1")
    finding = one(attacked(data, coarse).of("singling_out"))
    assert (finding.figure, finding.verdict) == (0, "held")


def test_three_of_many_columns_are_those_that_find_most() -> None:
    rows = 64
    data = {f"code{n}": [str(i % 2) for i in range(rows)] for n in range(14)}
    data |= {f"bit{n}": [f"v{i >> (2 * n) & 3}" for i in range(rows)] for n in range(3)}
    roles = dict.fromkeys(data, "sensitive")
    policy = policy_for(dict.fromkeys(data, '"keep"'), "singling_out_max = 0.99", roles)
    finding = one(attacked(data, policy).of("singling_out"))
    assert sorted(finding.columns) == ["bit0", "bit1", "bit2"]
    assert (finding.figure, finding.verdict) == (1.0, "broken")
    assert "round or band them wider" in finding.remedy.en


def test_two_releases_that_differ_by_one_person() -> None:
    data = people(400)
    policy = policy_for({"sex": '"keep"', "district": '"keep"'}, "small_cell_differences = 0")
    less = {name: values[1:] for name, values in data.items()}
    before = release_of(less, policy)
    finding = one(attacked(data, policy, earlier=[before]).of("differencing"))
    # The cell of sex and district, and that of each by itself.
    assert (finding.figure, finding.verdict) == (3, "broken")
    same = one(attacked(data, policy, earlier=[release_of(data, policy)]).of("differencing"))
    assert (same.figure, same.verdict) == (0, "held")


def test_an_earlier_release_at_another_level_has_other_cells() -> None:
    data = people(400)
    policy = policy_for({"birth": '{ date = "year" }'})
    before = release_of(data, policy_for({"birth": '{ date = "10y" }'}))
    finding = one(attacked(data, policy, earlier=[before]).of("differencing"))
    assert finding.figures["compared"] == 0


# ---- the report --------------------------------------------------------------------------------


def test_a_report_keeps_its_verdicts_and_holds_no_value() -> None:
    data = people(100)
    policy = policy_for(
        {"id": CLASSIC, "birth": '{ date = "month" }', "income": '"keep"'},
        "mask_candidates_min = 1000, linkage_correct_max = 0.01",
    )
    report = attacked(data, policy)
    body = json.dumps(report.to_dict(), ensure_ascii=False)
    assert from_dict(json.loads(body)) == report
    assert not any(value in body for column in ("id", "name", "phone") for value in data[column])
    assert not any(each[:7] in body for each in data["birth"])
    assert all(f.reason.zh != f.reason.en for f in report.findings)


@pytest.mark.parametrize("figure", [None, float("nan")])
def test_no_figure_holds_no_limit(figure: float | None) -> None:
    finding = attacked(people(5), policy_for({"sex": '"keep"'})).findings[0]
    for at_least in (True, False):
        changed = Finding("linkage", (), figure, finding.measures, 0.5, finding.reason,
                          at_least=at_least)  # fmt: skip
        assert changed.verdict in {"unknown", "broken"}


def test_an_empty_release_is_attacked_too() -> None:
    data = {name: values[:0] for name, values in people(1).items()}
    table = {name: pa.array([], pa.string()) for name in data}
    policy = policy_for({"id": CLASSIC, "sex": '"keep"'}, "mask_candidates_min = 10")
    assert attacked(table, policy).broken == ()


def test_a_release_without_the_policy_s_columns_is_refused() -> None:
    data = people(5)
    policy = policy_for({"sex": '"keep"', "birth": '"keep"'})
    with pytest.raises(InputError, match="no column 'birth'"):
        attacked(data, policy, pa.table({"sex": data["sex"]}))
