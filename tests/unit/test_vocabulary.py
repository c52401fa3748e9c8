"""Lists of groups: every word in one group, groups that are levels, other for what no list has."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import desensitize
from desensitize.generalise.levels import hierarchy
from desensitize.generalise.word_groups import WordGroup
from desensitize.policy import HierarchyRule
from desensitize.policy_file import parse_policy
from desensitize.reporting.charts import level_name
from desensitize.vocabulary import LISTS, TITLES, level_names, shares, vocabulary
from protos.faults import InputError


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_a_hierarchy(name: str) -> None:
    fine, coarse = (vocabulary(name).groups * 2)[:2]
    upper: dict[str, set[str]] = {}
    for word, group in fine.items():
        upper.setdefault(group, set()).add(coarse[word])
    assert len(fine) > 30
    assert all(len(above) == 1 for above in upper.values())


def test_every_word_has_one_group() -> None:
    folder = Path(desensitize.__file__).parent / "vocabulary"
    for name in LISTS:
        lines = (folder / f"{name}.tsv").read_text("utf-8").splitlines()
        assert lines[0].startswith("# Groups: "), "the standard is named"
        groups: dict[str, str] = {}
        for line in lines[1:]:
            language, group, _, words = line.split("\t")
            assert language in {"en", "zh"}
            for word in words.split(";"):
                assert groups.setdefault(word, group) == group, word


def test_words_become_groups_and_what_no_list_has_becomes_other(tmp_path: Path) -> None:
    table = pa.table({"学历": ["本科", "大专", "Bachelors", "火星大学", None, ""] * 5})
    policy = parse_policy(
        'dataset = "d"\n[columns."学历"]\nrole = "quasi"\n[publish]\nmodels = { k = 10 }\n'
        'hierarchies = { "学历" = ["schooling", "*"] }\n'
    )
    made = desensitize.run(table, policy=policy, out=tmp_path / "r", attack=False)
    assert made.levels == {"学历": "*"}  # nobody shares "other" with ten
    policy = parse_policy(policy.text.replace("k = 10", "k = 5"))
    made = desensitize.run(table, policy=policy, out=tmp_path / "s", attack=False)
    values = pq.read_table(tmp_path / "s" / "d.parquet")["学历"].to_pylist()
    assert {value: values.count(value) for value in values} == {
        "高等教育": 10, "higher education": 5, "其他": 5, None: 10,
    }  # fmt: skip
    assert made.columns[0].lost == 0


@pytest.mark.parametrize("level", level_names())
def test_a_level_says_what_it_leaves_in_both_languages(level: str) -> None:
    said = WordGroup(level).conclusion
    assert "one of" in said.en
    assert "类之一" in said.zh
    assert TITLES[level].zh in level_name(level).zh


def test_levels_stand_in_one_place_and_are_offered_in_the_error() -> None:
    assert len(level_names()) == len({level for levels in LISTS.values() for level in levels})
    with pytest.raises(InputError, match="no level 'degre'") as caught:
        hierarchy("学历", HierarchyRule(("degre", "*")), Path())
    assert "degree, schooling" in str(caught.value.remedy)


def test_shares_of_words() -> None:
    assert shares(["本科", "大专", "x"])["education"] == pytest.approx(2 / 3, abs=1e-4)
    assert "education" not in shares([str(i) for i in range(1000)])
    assert shares([]) == {}
