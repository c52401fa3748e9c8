"""A release beside earlier ones: what changed, and what both tell together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

import desensitize
from desensitize.policy import PublishPolicy
from desensitize.policy_file import parse_policy
from desensitize.releasing.earlier import Changes, changes, read_earlier
from desensitize.releasing.facts import Release, read_release
from desensitize.show.release import show_release
from protos.faults import InputError, PolicyError

AGES = [20 + i % 40 for i in range(400)]
TABLE = {"age": AGES, "wage": [i % 7 for i in range(400)]}


def policy(levels: str, more: str = "", extra: str = "") -> PublishPolicy:
    return parse_policy(
        f'dataset = "people"\n[columns.age]\nrole = "quasi"\n[columns.wage]\nrole = "sensitive"\n'
        f"{extra}[publish]\nmodels = {{ k = 5 }}\n{more}\n"
        f'[publish.hierarchies]\nage = {levels}\n[publish.methods]\nwage = "keep"\n'
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Last year's release, ages by five years."""
    out = tmp_path_factory.mktemp("releases") / "2025"
    desensitize.run(pa.table(TABLE), policy=policy('["5", "10", "*"]'), out=out)
    return out


def now(
    people: Mapping[str, Sequence[object]], rules: PublishPolicy, first: Path, out: Path
) -> Release:
    return desensitize.run(pa.table(people), policy=rules, out=out, earlier=[first])


LIMIT = "attacks = { small_cell_differences = 0 }"
OLD = {"age": [*AGES, 33], "wage": [*TABLE["wage"], 1]}


def test_one_new_person_refuses_also_at_another_level(first: Path, tmp_path: Path) -> None:
    """41 people of 30 to 39 where the fine cells of last year add up to 40."""
    rules = policy('["5", "10", "*"]', LIMIT)
    coarse = rules.text
    coarse = coarse.replace("k = 5", "k = 60")  # forces ten years
    for each in (rules, parse_policy(coarse)):
        with pytest.raises(PolicyError, match=r"2025: .* differ by one person") as refused:
            now(OLD, each, first, tmp_path / "r")
        assert refused.value.code == "release.attacks"
        assert "release again only when" in refused.value.remedy
        assert not (tmp_path / "r").exists()


def test_what_changed_stands_in_the_manifest_and_is_said(
    first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = policy('["5", "10", "*"]', LIMIT, '[columns.town]\nrole = "other"\n').text
    rules = parse_policy(text.replace("k = 5", "k = 60") + 'town = "keep"\n')
    made = now(TABLE | {"town": ["A"] * 400}, rules, first, tmp_path / "r")
    [body] = read_release(tmp_path / "r").figures["earlier"]
    found = Changes(**body)
    assert (found.name, found.sha256) == ("2025", read_release(first).output.sha256)
    assert (tuple(found.rows), tuple(found.k)) == ((400, 400), (50, 100))
    assert not found.same_policy
    assert tuple(found.added) == ("town",)
    assert {name: tuple(pair) for name, pair in found.coarser.items()} == {"age": ("5", "10")}
    others = (found.finer, found.removed, found.otherwise, found.stored, found.keys)
    assert not any(others)
    show_release(made)
    said = " ".join(capsys.readouterr().out.split())
    assert "since 2025: 400 → 400 rows, k 50 → 100; another policy" in said
    assert "coarser: age (5 → 10)" in said


def test_every_kind_of_change_is_named(first: Path) -> None:
    [before] = read_earlier([first], "people")
    age, wage = before.facts.columns
    done = replace(wage.methods[0], method="round", parameters={"round": "10"})
    later = replace(
        before.facts,
        columns=(age, replace(wage, stored="double", methods=(done,))),
        levels={"age": "5"},
        token_keys={"ids": "2"},
    )
    coarse = replace(before, facts=replace(before.facts, levels={"age": "10"},
                                           token_keys={"ids": "1"}))  # fmt: skip
    found = changes(later, coarse, policy('["5", "10", "*"]'))
    assert found.finer == {"age": ("10", "5")}
    assert found.stored == {"wage": ("int64", "double")}
    assert (found.otherwise, found.keys) == (("wage",), ("ids",))
    fewer = changes(replace(later, columns=(age,)), coarse, policy('["5", "*"]'))
    assert (fewer.removed, fewer.otherwise) == (("wage",), ("age",))  # 10 is no level any more
    texts = [*found.sentences(), *fewer.sentences()]
    assert all(text.en and text.zh and text.en != text.zh for text in texts)
    assert any("stand out more" in text.en for text in texts)


def test_only_earlier_releases_of_the_dataset(first: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a release of 'people', not of 'others'"):
        read_earlier([first], "others")
    with pytest.raises(InputError, match="named twice"):
        read_earlier([first, first / ".." / "2025"], "people")
    with pytest.raises(InputError, match="is no release"):
        read_earlier([tmp_path], "people")
    rules = parse_policy(policy('["5", "*"]').text.replace('"people"', '"others"'))
    with pytest.raises(InputError, match="not of 'others'"):
        now(TABLE, rules, first, tmp_path / "r")
    assert not (tmp_path / "r").exists()
